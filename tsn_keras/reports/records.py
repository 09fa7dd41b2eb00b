"""What a page is made of: tests, their streams, where pictures and logs are."""

import dataclasses
import pathlib
from collections.abc import Mapping

import numpy as np

from tsn_keras.datasets.records import FrameFolder
from tsn_keras.evaluation.results import Row
from tsn_keras.scores import joining
from tsn_keras.scores.fusion import Fusion


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Files of one kind that show what a stream sees.

    Attributes:
        prefixes: what stands before the number in their names: one of images, or two
            of flow, x and y.
        is_flow: whether they hold motion.
        folders: {video id: FrameFolder or VideoFile}.
    """

    prefixes: tuple[str, ...]
    is_flow: bool
    folders: Mapping[str, FrameFolder]


@dataclasses.dataclass(frozen=True)
class Stream:
    """A stream of a test.

    Attributes:
        name: what it is called on the page.
        about: what its score file says of it.
        runs: folders in which the logs of its training may be.
    """

    name: str
    about: Mapping[str, object]
    runs: tuple[pathlib.Path, ...] = ()


@dataclasses.dataclass(frozen=True)
class Tested:
    """A test: the streams of a split, and their fusion.

    Attributes:
        title: what it is called on the page.
        fusion: scores.fusion.Fusion of its score files.
        streams: a Stream for each file.
        rows: a Row for each stream and fusion.
        pictures: a Pictures for each kind of files that is at hand.
    """

    title: str
    fusion: Fusion
    streams: tuple[Stream, ...]
    rows: tuple[Row, ...]
    pictures: tuple[Pictures, ...] = ()

    @property
    def joined(self) -> joining.Joined:
        """The scores of each file."""
        return self.fusion.joined

    @property
    def several(self) -> bool:
        """Whether a video may have several labels."""
        return self.fusion.label_sets is not None

    @property
    def weights(self) -> tuple[float, ...] | None:
        """What the scores of each stream are multiplied by; None of an SVM."""
        found = tuple(part.weight for part in self.fusion.parts[: len(self.streams)])
        return None if None in found else found

    @property
    def is_of_chances(self) -> bool:
        """Whether `values` are probabilities.

        An SVM has none, nor has a sum of probabilities with a negative weight.
        """
        way = self.fusion.way
        sums = way is not None and way.averaged == joining.AVERAGES[1]
        return way is not None and not (sums and min(self.weights) < 0)

    def values(self) -> np.ndarray:
        """Probabilities of the fusion, [V, C]; or its scores, see `is_of_chances`.

        What is a sum of probabilities is divided by the weights of its streams.
        """
        if not self.is_of_chances:
            return self.fusion.scores
        values = self.fusion.way.probabilities(self.fusion.scores)
        if self.fusion.way.averaged == joining.AVERAGES[1]:
            values = values / (self.weights @ np.stack(self.joined.scored))[:, None]
        return values

    def stream_values(self, place) -> np.ndarray:
        """Probabilities of a stream alone, [V, C]; of no meaning where it has none."""
        return self.joined.way.probabilities(self.joined.scores[place])


@dataclasses.dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        title: its heading.
        tests: a Tested for each split.
        rows: a Row for each line of the table of accuracies.
        notes: what there is to know beside it, for people.
    """

    title: str
    tests: tuple[Tested, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
