"""The loop over the iterations of a training run, and the files of its folder."""

import dataclasses
import json
import pathlib
import platform
import shutil
import time

import tsn_keras
from tsn_keras import config
from tsn_keras.common import files, progress, stopping
from tsn_keras.common.errors import InputError
from tsn_keras.evaluation.results import Evaluation
from tsn_keras.training import checkpoint

RECORD = "run.json"
CHECKPOINT = "checkpoint.h5"
LAST, BEST = "last.weights.h5", "best.weights.h5"
# Settings that may change when a run is resumed: places, lengths, intervals. The
# videos are compared by their digest. device_batch must change when memory is too
# small.
_FREE = {
    "data": ("root", "annotations", "validation", "classes"),
    "model": ("initial", "initial_motion"),
    "train": (
        *("iterations", "epochs", "validate_every", "validate_epochs", "save_every"),
        "device_batch",
    ),
}
# Not those on which the rate of every iteration depends.
_LENGTHS = ("iterations", "epochs")


@dataclasses.dataclass(frozen=True)
class Trained:
    """What a run has made.

    Attributes:
        out: folder of the run.
        iterations: updates that were made, of this and of earlier calls.
        seconds: that this call took.
        validations: rows of validation.csv, as dicts.
        evaluation: evaluation.results.Evaluation, or None if none was asked for.
    """

    out: pathlib.Path
    iterations: int
    seconds: float
    validations: tuple[dict, ...]
    evaluation: Evaluation | None = None

    @property
    def weights(self) -> pathlib.Path:
        """The last weights, which the original evaluates."""
        return self.out / LAST

    @property
    def best(self) -> dict | None:
        """The validation of the highest accuracy or precision."""
        return best(self.validations)

    def as_json(self) -> dict:
        """As a dict of JSON values."""
        values = {
            "out": str(self.out),
            "iterations": self.iterations,
            "seconds": self.seconds,
            "weights": str(self.weights),
            "validation": self.validations[-1] if self.validations else None,
            "best": self.best,
        }
        if self.evaluation is not None:
            values["evaluation"] = self.evaluation.as_json()
        return values


def best(validations) -> dict | None:
    """The validation of the highest top-1 accuracy or mAP, then of the lowest loss."""

    def rank(row):
        return row.get("top1", row.get("mean_average_precision")), -row["loss"]

    return max(validations, key=rank, default=None)


def _kept(settings):
    """The settings that a resumed run must share, as a dict of JSON values."""
    kept = {
        f"{section}.{key}": value
        for section, values in dataclasses.asdict(settings).items()
        for key, value in values.items()
        if key not in _FREE.get(section, ())
    }
    # The power only where it is not 1, so that runs from before it was known resume.
    for further in ("data.sources", "data.tasks"):
        kept[further] = [
            {
                key: value
                for key, value in one.items()
                if key not in _FREE["data"] and (key, value) != ("power", 1)
            }
            for one in kept[further]
        ]
    if settings.train.schedule == "cosine":
        kept |= {f"train.{key}": getattr(settings.train, key) for key in _LENGTHS}
    return kept


class Loop:
    """The loop over the iterations, and the files of the run's folder.

    Attributes:
        stopped: name of a signal that came in the last iteration, or None.
    """

    def __init__(self, session, settings, found, out, listener):
        self._session, self._settings = session, settings.train
        self._out, self._listener = out, listener
        self._about = {
            **_kept(settings),
            "training videos (digest)": found.digest,
            "initial weights (digest)": session.initial_digest,
        }
        if found.sources:
            self._about["sources (digests)"] = found.digests_of_sources
        if found.tasks:
            self._about["tasks (digests)"] = found.digests_of_tasks
        self._digest = found.digest_of_validation
        self._log = None
        self.stopped = None

    def go(self):
        """Trains to the last iteration; returns Trained."""
        session = self._session
        first, last = self._begin(), self._settings.iterations
        if first:
            self._listener.say(f"{self._out}: resuming at iteration {first} of {last}")
        start = time.monotonic()
        try:
            self._log = self._open_log(first)
            if first and self._log is not None:
                self._complete(first)
            if first < last:
                self._iterate(first, last)
        except files.DiskFullError as error:
            raise files.DiskFullError(f"{error}; {self._kept_for_later}") from None
        finally:
            if self._log is not None:
                self._log.close()
        return Trained(
            self._out,
            session.trainer.iteration,
            round(time.monotonic() - start, 1),
            tuple(self._log.validations if self._log is not None else ()),
        )

    @property
    def _kept_for_later(self):
        """Says from where the run resumes when it is called again."""
        if (self._out / CHECKPOINT).exists():
            return "the last checkpoint is kept, and the same command resumes from it"
        return "there is no checkpoint yet: the same command begins anew"

    def _begin(self):
        """Restores the checkpoint if there is one; returns its iteration."""
        session, path = self._session, self._out / CHECKPOINT
        if session.is_chief:
            self._make_room()
        if path.exists():
            defaults = _kept(config.Training())
            checkpoint.restore(session.trainer, path, self._about, defaults)
        elif (self._out / LAST).exists():
            raise InputError(
                f"{self._out} holds weights of another run: name another folder with "
                f"`out`, or empty it"
            )
        train = self._settings
        session.check_that_all_start_alike(
            self._about,
            self._digest,
            (train.iterations, train.validate_every, train.save_every),
        )
        return session.trainer.iteration

    def _complete(self, iteration):
        """Writes what a kill right after the checkpoint kept from being written."""
        if _iteration_of(self._out / LAST) != iteration:
            self._session.save_weights(self._out / LAST)
        found = best(self._log.validations)
        is_new = found is not None and found["iteration"] == iteration
        if is_new and _iteration_of(self._out / BEST) != iteration:
            self._save_best(found)

    def _open_log(self, iteration):
        if not self._session.is_chief:
            return None
        from tsn_keras.training import log

        with files.replacing(self._out / RECORD) as aside:
            record = {
                "settings": self._about,
                "iterations": self._settings.iterations,
                "tsn_keras": tsn_keras.__version__,
                "python": platform.python_version(),
                **self._session.versions,
            }
            aside.write_text(json.dumps(record, indent=1))
        return log.Log(self._out, iteration, self._session.figures)

    def _iterate(self, first, last):
        listener = self._listener if self._session.is_chief else progress.SILENT
        batches = self._session.training_batches()
        since = time.monotonic()
        with (
            listener.bar("training", last, first, "it") as bar,
            stopping.requests(self._listener) as stop,
        ):
            for iteration in range(first + 1, last + 1):
                self._update(iteration, batches, bar, since)
                since = time.monotonic()
                figures = self._validate(iteration)
                asked = self._session.anyone(stop.signal is not None)
                if self._is_due(iteration) or asked:
                    # The row first: a resumed run drops rows later than its
                    # checkpoint, but does not validate again.
                    self._tell(iteration, figures)
                    self._save()
                    self._keep_best(figures)
                    since = time.monotonic()
                elif iteration % self._settings.save_every == 0:
                    self._save()
                if asked and iteration < last:
                    raise KeyboardInterrupt(
                        f"stopped by {stop.signal or 'another machine'} after "
                        f"iteration {iteration} of {last}, kept in {self._out}; the "
                        f"same command resumes from there"
                    )
            self.stopped = stop.signal

    def _update(self, iteration, batches, bar, since):
        """Makes an update and logs it."""
        rate = self._session.trainer.learning_rate
        loss = self._session.step(batches)
        if self._log is not None:
            speed = self._session.videos / (time.monotonic() - since)
            self._log.step(
                iteration=iteration,
                loss=loss,
                learning_rate=rate,
                videos_per_s=round(speed, 2),
            )
        bar.note(f"loss {loss:.3f}, rate {rate:.2g}")
        bar.update()

    def _is_due(self, iteration):
        """Whether this iteration ends with a validation."""
        every = self._settings.validate_every
        at_end = iteration == self._settings.iterations
        return at_end or (every > 0 and iteration % every == 0)

    def _validate(self, iteration):
        """The figures of a validation, or None where none is due."""
        if self._is_due(iteration) and self._session.validates:
            return self._session.validate()
        return None

    def _tell(self, iteration, figures):
        """Logs a validation."""
        if figures is None or self._log is None:
            return
        from tsn_keras.training import log

        self._log.validation(iteration=iteration, **figures)
        shown = ", ".join(
            f"{title} {figures[name]:.2f} %"
            for name, title in log.TITLES.items()
            if name in figures
        )
        self._listener.say(
            f"iteration {iteration}: {figures['videos']} validation videos, loss "
            f"{figures['loss']:.3f}, {shown}"
        )

    def _keep_best(self, figures):
        """Writes the best weights if they are; their checkpoint is written already."""
        if figures is None or self._log is None:
            return
        if best(self._log.validations) is self._log.validations[-1]:
            self._save_best(self._log.validations[-1])

    def _save_best(self, row):
        """Writes the best weights with a row of the validations."""
        # In the order of the log, from which a resumed run reads the row.
        columns = self._log.columns
        figures = {name: row[name] for name in columns if name != "iteration"}
        self._session.save_weights(self._out / BEST, validation=figures)

    def _save(self):
        """Writes the checkpoint and the last weights."""
        self._session.prepare_to_save()
        if self._session.is_chief:
            checkpoint.save(self._session.trainer, self._out / CHECKPOINT, self._about)
            self._session.save_weights(self._out / LAST)

    def _make_room(self):
        """Removes what killed runs left, and refuses a disk that is too full."""
        for name in (CHECKPOINT, LAST, BEST, RECORD, "log.csv", "validation.csv"):
            files.remove_unfinished(self._out / name)
        # Two weight files; and the checkpoint twice while it is replaced.
        there = [self._out / name for name in (CHECKPOINT, LAST, BEST)]
        there = sum(path.stat().st_size for path in there if path.exists())
        needed = 3 * self._session.trainer.size - there
        free = shutil.disk_usage(self._out).free
        if free < needed:
            raise InputError(
                f"no space for checkpoints in {self._out}: {needed / 2**20:.0f} MiB "
                f"are needed, {free / 2**20:.0f} MiB are free"
            )


def _iteration_of(path):
    """Iteration at which a weight file was written; None without a usable one."""
    # Loads TensorFlow, which the run does in its own time.
    from tsn_keras.checkpoints import keras_file

    try:
        return (keras_file.shapes(path)[0] or {}).get("iteration")
    except (InputError, OSError):
        return None
