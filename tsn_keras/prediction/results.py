"""What videos show: classes and their probabilities, also snippet by snippet."""

import dataclasses

import numpy as np

from tsn_keras.prediction import along
from tsn_keras.scores import tables


@dataclasses.dataclass(frozen=True)
class Class:
    """A class and how probable it is.

    Attributes:
        name: of the class.
        label: its index.
        probability: from 0 to 1.
    """

    name: str
    label: int
    probability: float

    def as_json(self) -> dict:
        """As a dict of JSON values."""
        return {
            "class": self.name,
            "label": self.label,
            "probability": round(self.probability, 6),
        }


def best(classes, probabilities, count):
    """The classes of the highest probabilities, the best first: list of Class."""
    order = np.argsort(-probabilities, kind="stable")[:count]
    return [Class(classes[k], int(k), float(probabilities[k])) for k in order]


@dataclasses.dataclass(frozen=True)
class Snippet:
    """What a snippet shows, as soon as it is known.

    Attributes:
        number: of the snippet, from 1.
        frame: image with which it begins, counted from 1.
        seconds: where that is, or None if it is not known.
        classes: names of the classes.
        probabilities: float [classes], of the streams together.
    """

    number: int
    frame: int
    seconds: float | None
    classes: tuple[str, ...]
    probabilities: np.ndarray

    def top(self, count: int = 5) -> list[Class]:
        """The classes of the highest probabilities, the best first."""
        return best(self.classes, self.probabilities, count)

    def as_json(self, count: int = 5) -> dict:
        """As a dict of JSON values, with so many classes."""
        return {
            "snippet": self.number,
            "frame": self.frame,
            "seconds": None if self.seconds is None else round(self.seconds, 2),
            "top": [row.as_json() for row in self.top(count)],
        }


@dataclasses.dataclass(frozen=True)
class Fused:
    """Probabilities of classes, of several streams and of all together.

    `print` shows the five best as a table.

    Attributes:
        classes: names of the classes.
        probabilities: float [classes], of the fused scores.
        streams: {modality: float [classes]}, of each stream.
        along: float [snippets, classes], fused, snippet by snippet.
    """

    classes: tuple[str, ...]
    probabilities: np.ndarray
    streams: dict[str, np.ndarray]
    along: np.ndarray

    def __str__(self) -> str:
        rows = [(row.name, f"{100 * row.probability:.1f}") for row in self.top()]
        return tables.table(rows, ("class", "probability, %"))

    def top(
        self, count: int = 5, probabilities: np.ndarray | None = None
    ) -> list[Class]:
        """The classes of the highest probabilities, the best first.

        Args:
            count: number of them.
            probabilities: of a stream; None for the fused ones.
        """
        values = self.probabilities if probabilities is None else probabilities
        return best(self.classes, values, count)


@dataclasses.dataclass(frozen=True)
class Prediction(Fused):
    """What a video shows.

    Attributes:
        files: images that the snippets are chosen from: those that an extraction
            would make of the video, decoded frames less 1; or all frames, see
            protocols.records.Protocol.
        damage: what is wrong with the file after those, or None.
        ticks: int [snippets], images at which the snippets begin.
        scores: {modality: float32 [snippets, crops, classes]}, raw; or empty if they
            were not to be kept.
        attention: {modality: float32 [snippets]}, before the softmax, where the weights
            were trained with an attention and the test asks for it.
        key_frames: list of uint8 [h, w, 3], R, G, B, of the distinct ticks, of an
            untrimmed video of some of them; or empty if they were not asked for.
        key_ticks: int, ticks of the key frames.
        windows: of an untrimmed video, where the best class scores highest.
        rate: images a second, or None if it is not known.
        without: modalities of which the video has nothing, as no sound: the others are
            fused without them.
    """

    files: int = 0
    damage: str | None = None
    ticks: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, int))
    scores: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    attention: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    key_frames: list = dataclasses.field(default_factory=list)
    key_ticks: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, int))
    windows: tuple[along.Window, ...] = ()
    rate: float | None = None
    without: tuple[str, ...] = ()
