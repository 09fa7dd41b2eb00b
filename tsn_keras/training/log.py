"""What a training run tells: CSV files, and the same for TensorBoard."""

import csv
import pathlib
import shutil

import tensorflow as tf

from tsn_keras.common import csv_rows, files

STEPS = ("iteration", "loss", "learning_rate", "videos_per_s")
# Figures of a validation, in percent: as people read them.
TITLES = {
    "top1": "top-1",
    "mean_class_accuracy": "mean class accuracy",
    "mean_average_precision": "mAP",
    "video_mean_average_precision": "mAP over videos",
}
COUNTS = {"iteration", "videos"}  # whole numbers, as they were written
TENSORBOARD = "tensorboard"


class Log:
    """Files `log.csv`, `validation.csv` and `tensorboard/` of a run.

    Args:
        folder: of the run.
        iteration: updates that were made before; rows of later ones are of a
            run that did not get to its next checkpoint, and go.
        figures: names of what a validation finds beside the loss.

    Attributes:
        columns: of validation.csv.
        validations: its rows, as dicts.
    """

    def __init__(self, folder, iteration, figures=("top1", "mean_class_accuracy")):
        self.columns = ("iteration", "loss", *figures, "videos")
        self._folder = pathlib.Path(folder)
        self._events = self._folder / TENSORBOARD
        # Written anew from the rows: written events cannot be removed.
        shutil.rmtree(self._events, ignore_errors=True)
        with files.writing(self._events):
            self._writer = tf.summary.create_file_writer(str(self._events))
        self.validations = self._open("validation.csv", self.columns, iteration)
        steps = self._open("log.csv", STEPS, iteration)
        self._tell("train", steps)
        self._tell("validation", self.validations)

    def _open(self, name, columns, iteration):
        """Keeps the rows up to `iteration`; returns them."""
        path = self._folder / name
        rows = _read(path, columns, iteration) if path.exists() else []
        with files.replacing(path) as aside, aside.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        return rows

    def step(self, **row):
        """Adds an update; see STEPS."""
        self._append("log.csv", STEPS, row)
        self._tell("train", [row])

    def validation(self, **row):
        """Adds a validation, a value for each of `columns`."""
        self._append("validation.csv", self.columns, row)
        self.validations.append(row)
        self._tell("validation", [row])
        with files.writing(self._events):
            self._writer.flush()

    def _append(self, name, columns, row):
        with files.appending(self._folder / name) as file:
            csv.DictWriter(file, columns).writerow(row)

    def _tell(self, group, rows):
        with files.writing(self._events), self._writer.as_default():
            for row in rows:
                for name, value in row.items():
                    if name != "iteration":
                        tf.summary.scalar(f"{group}/{name}", value, row["iteration"])

    def close(self):
        with files.writing(self._events):
            self._writer.close()


def _read(path, columns, iteration):
    """Rows up to an iteration; a last one that a kill cut off is left out."""
    found = csv_rows.read(path, columns, whole=COUNTS)
    return [row for row in found if row["iteration"] <= iteration]
