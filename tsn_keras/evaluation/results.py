"""What an evaluation found: accuracies beside published ones, as a table and JSON."""

import dataclasses

from tsn_keras.checkpoints.records import (
    MEAN_CLASS,
    MEAN_PRECISION,
    TOP1,
    VIDEO_MEAN_PRECISION,
)
from tsn_keras.common.errors import InputError
from tsn_keras.scores import fusion, metrics, score_file, tables

# The published figures that the values of an accuracy are compared with.
METRICS = {
    metrics.Accuracy: (MEAN_CLASS, TOP1),
    metrics.Precision: (MEAN_PRECISION, VIDEO_MEAN_PRECISION),
    metrics.ClassPrecision: (MEAN_PRECISION,),
    metrics.ServerFigures: (MEAN_PRECISION, TOP1),
}


@dataclasses.dataclass(frozen=True)
class Row:
    """Accuracy of one stream or fusion of one split, or of the mean over them.

    Attributes:
        stream: name of the modality, or "fusion".
        split: number of the split; None for the mean, or where there is none.
        accuracy: metrics.Accuracy, or Precision where videos have several labels.
        videos: number of videos that it is over.
        of: number of videos of the split.
        published: published accuracy in percent, or None.
        outcome: scoring.Outcome of a stream; None of a fusion or mean.
        weights: what the streams of a fusion are multiplied by, or None.
        metric: full name of the published accuracy, see checkpoints.records.
    """

    stream: str
    split: int | None
    accuracy: metrics.Figures
    videos: int
    of: int
    published: float | None = None
    outcome: object | None = None
    weights: tuple[float, ...] | None = None
    metric: str = MEAN_CLASS

    @property
    def mean_class_accuracy(self) -> float:
        """Mean over the classes of the share predicted right, in percent."""
        return self.accuracy.mean_class_accuracy

    @property
    def top1(self) -> float:
        """Share of the videos predicted right, in percent."""
        return self.accuracy.top1

    @property
    def top5(self) -> float:
        """Share of the videos whose class is among the five best, in percent."""
        return self.accuracy.top5

    @property
    def headings(self) -> tuple[str, ...]:
        """What stands above its cells."""
        first, *others = self.accuracy.HEADINGS
        about = ("split", "stream", "videos", first, "published", "difference")
        return (*about, *others)

    def cells(self):
        """What the table shows."""
        values = dataclasses.astuple(self.accuracy)
        published = difference = ""
        if self.published is not None:
            place = METRICS[type(self.accuracy)].index(self.metric)
            # Plus 0, so that a tiny negative difference does not read -0.00.
            difference = f"{round(values[place] - self.published, 2) + 0.0:+.2f}"
            published = f"{self.published:.2f}"
            if place:  # It is not that of the column before it.
                published = f"{published} {self.accuracy.HEADINGS[place]}"
        first, *others = (f"{value:.2f}" for value in values)
        return (
            "" if self.split is None else str(self.split),
            self.stream,
            f"{self.videos} of {self.of}",
            *(first, published, difference),
            *others,
        )

    def as_json(self):
        """As a dict of JSON values."""
        values = {
            **dataclasses.asdict(self.accuracy),
            "stream": self.stream,
            "split": self.split,
            "videos": self.videos,
            "of": self.of,
            "published": self.published,
        }
        if self.published is not None and self.metric != MEAN_CLASS:
            values["published_metric"] = self.metric
        if self.outcome is not None:
            values["missing"] = self.outcome.missing
            values["without"] = self.outcome.without
            values["failed"] = self.outcome.failed
            values["scores"] = str(self.outcome.test.path)
            values |= self.outcome.test.told
        if self.weights is not None:
            values["weights"] = list(self.weights)
        return values


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What an evaluation found. `print` shows the table.

    Attributes:
        dataset: name of the data set.
        rows: a Row for each stream and fusion of each split, and their means.
    """

    dataset: str
    rows: tuple[Row, ...]

    @property
    def failed(self) -> dict[str, str]:
        """{video id: reason} of the videos that are in no figure."""
        outcomes = (row.outcome for row in self.rows if row.outcome is not None)
        return {k: why for outcome in outcomes for k, why in outcome.failed.items()}

    def of(self, stream: str, split: int | None = None) -> Row:
        """Accuracy of a stream or fusion.

        Args:
            stream: name of the modality, or "fusion".
            split: number of the split; None: the only one, or the mean of all.

        Raises:
            InputError: there is none.
        """
        found = [row for row in self.rows if row.stream == stream]
        if len(found) > 1 or split is not None:
            found = [row for row in found if row.split == split]
        if not found:
            there = [(row.stream, row.split) for row in self.rows]
            raise InputError(
                f"there is no accuracy of `stream` {stream!r} and `split` {split}; "
                f"there are {there}"
            )
        return found[0]

    @property
    def fusion(self) -> Row:
        """Accuracy of all streams together."""
        return self.of(fusion.FUSION)

    @property
    def streams(self) -> dict[str, Row]:
        """{name of the modality: its accuracy}; of several splits their mean."""
        names = dict.fromkeys(row.stream for row in self.rows if row.outcome)
        return {name: self.of(name) for name in names}

    @property
    def scores(self) -> dict[str, score_file.Scores]:
        """{name of the modality: raw scores by video id}, of an only split."""
        outcomes = [row.outcome for row in self.rows if row.outcome is not None]
        if len({outcome.test.videos.split for outcome in outcomes}) > 1:
            paths = ", ".join(str(outcome.test.path) for outcome in outcomes)
            raise InputError(
                f"several splits have several scores of a video: open their score "
                f"files: {paths}"
            )
        return {
            o.test.stream.modality.name: score_file.Scores(o.test.path)
            for o in outcomes
        }

    def __str__(self) -> str:
        rows = [row.cells() for row in self.rows]
        notes = [o.test.note for o in self._outcomes if o.test.note]
        table = tables.table(rows, self.rows[0].headings)
        return "\n".join((table, *dict.fromkeys(notes)))

    @property
    def _outcomes(self):
        return [row.outcome for row in self.rows if row.outcome is not None]

    def as_json(self) -> dict:
        """As a dict of JSON values."""
        return {
            "dataset": self.dataset,
            "results": [row.as_json() for row in self.rows],
        }
