"""What a class looks like to a network, and its picture."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from tsn_keras.common import console, files, progress
from tsn_keras.common.errors import InputError
from tsn_keras.explanation import naming
from tsn_keras.protocols.records import Stream


@dataclasses.dataclass(frozen=True, eq=False)
class Visualisation:
    """What a network takes for a class.

    Attributes:
        name: of the class.
        label: its index.
        pixels: float32 [side, side, planes], 0 to 255, as snippets are: B, G, R; of
            flow x1, y1, ..., 128 where nothing moves. Of a network that sees several
            steps together [steps, side, side, planes].
        probability: of the class, that the network gives the pixels' centre.
        score: the raw score.
        stream: protocols.records.Stream of the network.
        weights: name of the weights.
    """

    name: str
    label: int
    pixels: np.ndarray
    probability: float
    score: float
    stream: Stream
    weights: str

    def save(self, path: str | os.PathLike) -> None:
        """Writes a picture: images in colour; flow in colours, as arrows, and x and y.

        Args:
            path: of a .png file, which is written beside and renamed.

        Raises:
            ValueError: it does not end in .png.
            OSError: it cannot be written.
        """
        from tsn_keras.explanation import class_picture

        path = pathlib.Path(path)
        if path.suffix.lower() != ".png":
            raise InputError(f"{path} must end in .png")
        with files.replacing(path) as aside:
            aside.write_bytes(class_picture.png(self))

    def as_json(self) -> dict:
        """As a dict of JSON values."""
        return {
            "class": self.name,
            "label": self.label,
            "modality": self.stream.modality.name,
            "score": round(self.score, 6),
            "probability": round(self.probability, 6),
        }

    def __str__(self) -> str:
        return (
            f"{self.name} as {self.weights} has it: score {self.score:.3f}, "
            f"probability {self.probability:.1%}"
        )


@dataclasses.dataclass(frozen=True)
class How:
    """How a class is drawn.

    Attributes:
        iterations: of the octaves, see class_images.octaves; None: DeepDraw's.
        seed: decides what is random: an integer of at least 0.
        classes: data set or file that names the classes; None: as the weights do.
    """

    iterations: Sequence[int] | None = None
    seed: int = 0
    classes: str | None = None


def opened(named, listener=progress.SILENT, folder=None):
    """Finds weights by preset name, path or address: checkpoints.loading.Weights."""
    with console.quiet_frameworks():
        from tsn_keras.checkpoints import loading
    return loading.find(named, folder=folder, listener=listener)


def visualise(weights, name, how=None, listener=progress.SILENT):
    """Draws what a network takes for a class.

    Args:
        weights: checkpoints.loading.Weights.
        name: of the class.
        how: How; None: as it is by default.
        listener: is shown how far it has come.

    Returns:
        Visualisation.

    Raises:
        InputError: the weights cannot be used, or there is no such class.
    """
    with console.quiet_frameworks():
        from tsn_keras.evaluation import ways
        from tsn_keras.explanation import class_images
        from tsn_keras.prediction import class_names
        from tsn_keras.scores import joining
    how = how or How()
    seed = how.seed
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise InputError(f"`seed` must be an integer of at least 0, not {seed!r}")
    if weights.architecture.classes is None:
        raise InputError(f"{weights.path} has no classifier, and so no classes")
    parts = class_images.octaves(how.iterations)
    names = class_names.of(weights, how.classes)
    label = naming.label(name, names)
    if label is None:
        raise InputError("name the class that is to be drawn")
    network = class_images.Network(weights)
    total = sum(octave.iterations for octave in parts)
    with listener.bar(names[label], total, unit="step", leave=False) as bar:
        pixels = class_images.draw(network, label, parts, seed, bar)
    side = network.shape[-2]
    first = (pixels.shape[-2] - side) // 2
    window = slice(first, first + side)
    scores, _ = network(pixels[..., window, window, :], label)
    chances = joining.CHANCES[ways.loss(weights)](scores)
    return Visualisation(
        *(names[label], label, pixels, float(chances[label]), float(scores[label])),
        weights.stream,
        weights.name,
    )
