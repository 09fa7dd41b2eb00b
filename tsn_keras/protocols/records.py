"""The record of a protocol: how a video becomes network input and a score."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from tsn_keras.protocols.crops import Augmentation, Crops
from tsn_keras.protocols.modalities import Modality


@dataclasses.dataclass(frozen=True)
class View:
    """How one look at a video is taken.

    Attributes:
        snippets: number of snippets.
        rule: function (files, length of a snippet, snippets) to the first file
            of each snippet, counted from 1.
        crops: what is cut out of every snippet.

    Example:
        >>> from tsn_keras.protocols import crops, sampling
        >>> str(View(25, sampling.eval_ticks, crops.TEN))
        '25 snippets x 10 crops'
    """

    snippets: int
    rule: Callable[[int, int, int], list[int]]
    crops: Crops

    def __str__(self) -> str:
        return f"{self.snippets} snippets x {self.crops.name}"

    def ticks(self, files: int, length: int) -> list[int]:
        """First file of each snippet; a short video repeats them."""
        return self.rule(files, length, self.snippets)

    def distinct(self, files: int, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Distinct ticks of a video, and which of them each snippet takes.

        Returns:
            (int array of ticks, increasing; int array [snippets] of indices
            into it)
        """
        return np.unique(self.ticks(files, length), return_inverse=True)

    def with_snippets(self, snippets: int) -> "View":
        """The same look at another number of snippets."""
        return dataclasses.replace(self, snippets=snippets)


@dataclasses.dataclass(frozen=True)
class Normalisation:
    """What is subtracted from 8-bit pixels, and by what the rest is divided.

    Attributes:
        mean: one value for each plane of a step, or one for all.
        deviation: likewise.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...] = (1.0,)


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How a video becomes network input and a score.

    Attributes:
        name: what weight files and presets call it.
        test: the published test.
        quick: a rougher look: validation while training (with its own number
            of segments) and quick predictions.
        frame_size: (height, width) to which files are resized for the test, as
            cv2.resize does: bilinear, uint8.
        crop_size: side of the crops and so of the network's input, pixels.
        red_first: whether an image's planes are R, G, B; else B, G, R, as OpenCV
            has them.
        normalisation: by the kind of a modality.
        augmentation: which windows a training crop may take.
        average: what is averaged over crops and snippets: raw "scores", or
            "probabilities", after the softmax.
    """

    name: str
    test: View
    quick: View
    frame_size: tuple[int, int]
    crop_size: int
    red_first: bool
    normalisation: Mapping[str, Normalisation]
    augmentation: Augmentation
    average: str = "scores"


@dataclasses.dataclass(frozen=True)
class Stream:
    """A modality under a protocol: the contract between data and a model.

    It travels with the weights: every preset and weight file names both parts.
    """

    modality: Modality
    protocol: Protocol

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the network's input."""
        side = self.protocol.crop_size
        return side, side, self.modality.channels

    @property
    def normalisation(self) -> Normalisation:
        """That of the modality's kind."""
        return self.protocol.normalisation[self.modality.kind]

    def with_prefixes(self, renamed: Mapping[str, str]) -> "Stream":
        """The same stream for files of other names; see Modality."""
        return dataclasses.replace(self, modality=self.modality.with_prefixes(renamed))
