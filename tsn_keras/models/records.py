"""The record of a backbone: what the rest of the package must know of it."""

import dataclasses
import re
from collections.abc import Callable, Mapping

from tsn_keras.models import widths

MAX_WIDTH = 4  # Wider networks exist only in damaged files.


@dataclasses.dataclass(frozen=True)
class Facts:
    """What weights tell of the network that they fit.

    Attributes:
        channels: channels of the input.
        classes: number of classes, or None without a classifier.
        width: factor on the numbers of channels.
    """

    channels: int
    classes: int | None
    width: float


def _layer_name(name):
    return name.replace("/", "_").replace(".", "_")


def _unchanged(arrays):
    return arrays


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A network of images.

    Attributes:
        name: what weight files and presets call it.
        title: what people call it.
        build: function (input_shape, classes, dropout, width) to a keras.Model,
            [N, H, W, C] to raw scores [N, classes]. Convolutions and batch norms
            are layers of the model itself.
        features: layer whose output are the pooled features.
        first: layer of the first convolution, whose input channels follow the
            modality.
        head: layer of the classifier.
        channels: {name in the original's files: output channels at width 1} of
            every convolution.
        norm_of: function from a convolution's layer to that of the batch norm
            that follows it; there need not be one.
        layer_of: function from a name in the original's files to the layer's.
        named_as_model: function from {name in the original's files: arrays} to
            the same with the names that `layer_of` knows.

    Example:
        >>> from tsn_keras.models.backbones import BACKBONES
        >>> BACKBONES["bn_inception"].layer_of("conv1/7x7_s2")
        'conv1_7x7_s2'
    """

    name: str
    title: str
    build: Callable
    features: str
    first: str
    head: str
    channels: Mapping[str, int]
    norm_of: Callable[[str], str] = "{}_bn".format
    layer_of: Callable[[str], str] = _layer_name
    named_as_model: Callable[[dict], dict] = _unchanged

    def read_arrays(self, arrays: Mapping[str, list]) -> Facts | None:
        """Reads off a Caffe file's arrays what they fit.

        Args:
            arrays: {name: [arrays in Caffe's order]}, named as the model.

        Returns:
            Facts, or None if they are another network's.

        Raises:
            ValueError: they are this network's, but no width of it.
        """
        kernels = {
            name: arrays[name][0].shape
            for name in self.channels
            if name in arrays and arrays[name][0].ndim == 4
        }
        first = next((n for n in kernels if self.layer_of(n) == self.first), None)
        if first is None:
            return None
        head = next((n for n in arrays if self.layer_of(n) == self.head), None)
        classes = None if head is None else arrays[head][0].shape[-2]
        counts = ((shape[0], self.channels[n]) for n, shape in kernels.items())
        return Facts(kernels[first][1], classes, _width(counts))

    def read_shapes(self, shapes: Mapping[str, tuple]) -> Facts | None:
        """Reads off a Keras weight file's arrays what they fit.

        Keras names arrays by the kind of layer and counts them, so convolutions
        are told apart by their numbers of channels only.

        Args:
            shapes: {path in the file: shape}.

        Returns:
            Facts, or None if they are another network's.

        Raises:
            ValueError: they are this network's, but no width of it.
        """
        kernels = {p: s for p, s in shapes.items() if len(s) == 4}
        matrices = [shape for shape in shapes.values() if len(shape) == 2]
        if len(kernels) != len(self.channels) or len(matrices) > 1:
            return None
        # Rounding keeps the order: the k-th smallest count belongs to the k-th
        # smallest number of channels.
        counts = sorted(shape[3] for shape in kernels.values())
        width = _width(zip(counts, sorted(self.channels.values()), strict=True))
        first = kernels[min(kernels, key=_natural)]
        return Facts(first[2], matrices[0][1] if matrices else None, width)

    def has_width(self, shapes: Mapping[str, tuple], width: float) -> bool:
        """Whether a Keras weight file's arrays are those of a width."""
        counts = sorted(shape[3] for shape in shapes.values() if len(shape) == 4)
        expected = [widths.scaled(base, width) for base in self.channels.values()]
        return counts == sorted(expected)


def _width(pairs):
    pairs = tuple(pairs)
    for count, base in pairs:
        if not 1 <= count <= MAX_WIDTH * base:
            raise ValueError(f"a convolution of {base} channels has {count}")
    return widths.width_of(pairs)


def _natural(path):
    """Orders "conv", "conv_1", "conv_2", "conv_10" as they count."""
    return [int(part) if part.isdecimal() else 0 for part in re.split(r"(\d+)", path)]
