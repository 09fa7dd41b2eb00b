"""The record of a backbone: what the rest of the package must know of it."""

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping, Sequence

from tsn_keras.models import widths
from tsn_keras.models.folding import fold

MAX_WIDTH = 4  # Wider networks exist only in damaged files.

# What programs put before the names of a backbone's tensors, and what they call the
# classifier: PyTorch's DataParallel; tsn-pytorch; MMAction2.
_HEAD = "@head"
_WRAPPERS = (
    (r"^module\.", ""),
    (r"^(?:backbone|base_model)\.", ""),
    (r"^(?:cls_head\.fc_cls|new_fc)(?=\.)", _HEAD),
)


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


def _unchanged(names):
    return {name: name for name in names}


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A network of images.

    Attributes:
        name: what weight files and presets call it.
        title: what people call it.
        build: function (input_shape, classes, dropout, width) to a keras.Model,
            [N, H, W, C] to raw scores [N, classes]. Layers with weights are layers
            of the model itself.
        features: layer whose output are the pooled features.
        first: layer of the first convolution, whose input channels follow the
            modality.
        head: layer of the classifier.
        channels: {name in the original's files: output channels at width 1} of
            every convolution.
        matrices: number of arrays of two axes beside the classifier's.
        dropouts: places where training drops something, and so the most numbers that
            `build` takes for it.
        marks: {layer without arrays: whether the network has it}, what tells it from
            another network of the same arrays; see `is_marked`.
        layer_of: function from a layer's name in the original's files to that of
            the model's.
        renames: (pattern, replacement) in turn, from what other programs call a
            tensor to what the original calls it, see `own_name`.
        named_as_model: function from names of layers in a file to {name: name that
            `layer_of` knows}.
        unused: pattern of the original's names of tensors that serve training
            only, such as those of auxiliary classifiers; or None.
        fold: function from the model to one that computes the same at inference
            with fewer operations.
        steps: how many steps of a video it sees at once in training, if it does:
            `build` takes (T, H, W, C), [B, T, H, W, C] to raw scores [B, T', streams,
            classes]. 0: it is a network of images.
        streams: names of backbones whose weights each of its streams may begin with.
        begin: function (model, weights of the first stream, of the second), built
            models, that copies them; it returns the names of layers that are new.
        kin: names of backbones that have the same arrays, so that their weights may
            begin this one's.

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
    matrices: int = 0
    dropouts: int = 1
    marks: Mapping[str, bool] = dataclasses.field(default_factory=dict)
    layer_of: Callable[[str], str] = _layer_name
    renames: Sequence[tuple[str, str]] = ()
    named_as_model: Callable[[Sequence[str]], dict[str, str]] = _unchanged
    unused: str | None = None
    fold: Callable = fold
    steps: int = 0
    streams: Sequence[str] = ()
    begin: Callable | None = None
    kin: Sequence[str] = ()

    @property
    def heads(self) -> tuple[str, ...]:
        """The layers of all classifiers: most networks have one."""
        return (self.head,)

    def own_name(self, tensor: str) -> str:
        """What the original calls a tensor of a file.

        Example:
            >>> from tsn_keras.models.backbones import BACKBONES
            >>> name = "module.base_model.conv1_7x7_s2.weight"
            >>> BACKBONES["bn_inception"].own_name(name)
            'conv1_7x7_s2.weight'
        """
        for pattern, replacement in (*_WRAPPERS, *self.renames):
            tensor = re.sub(pattern, replacement, tensor)
        return tensor

    def layers_of(self, names: Sequence[str]) -> dict[str, str]:
        """The model's layers of a file's layers, {name in the file: layer}."""
        return {
            name: self.head if own == _HEAD else self.layer_of(own)
            for name, own in self.named_as_model(names).items()
        }

    def in_order(self, count: int) -> Sequence[tuple[str, str]] | None:
        """(layer, variable) of the arrays of a file that goes by their order.

        Args:
            count: number of arrays in the file.

        Returns:
            Sequence of `count` pairs, or None: such files go by names, too.
        """
        return None

    def is_marked(self, layers: Collection[str] | None) -> bool | None:
        """Whether a file's layers are this network's by its marks.

        Args:
            layers: names of all layers that the file lists, also of those without
                arrays; None if it lists no such.

        Returns:
            bool; None if only such a list can tell, and there is none.
        """
        if not self.marks:
            return True
        if layers is None:
            return None
        return all((name in layers) == has for name, has in self.marks.items())

    def likeness(self, kernels: Mapping[str, tuple[int, int]]) -> float:
        """How much convolutions are this network's by name, 0 to 1.

        Args:
            kernels: {layer: (inputs, outputs)} of a file's convolutions.
        """
        own = {self.layer_of(name) for name in self.channels}
        return len(own & kernels.keys()) / max(1, len(own | kernels.keys()))

    def read_layers(
        self, kernels: Mapping[str, tuple[int, int]], matrices: Mapping[str, int]
    ) -> Facts | None:
        """Reads off a file's arrays what they fit.

        Args:
            kernels: {layer: (inputs, outputs)} of its convolutions.
            matrices: {layer: outputs} of its other layers.

        Returns:
            Facts, or None without the first convolution.

        Raises:
            ValueError: they are this network's, but no width of it.
        """
        if self.first not in kernels:
            return None
        own = {self.layer_of(name): count for name, count in self.channels.items()}
        counts = ((kernels[n][1], own[n]) for n in own if n in kernels)
        width = _width(counts)
        return Facts(kernels[self.first][0], matrices.get(self.head), width)

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
        matrices = {p: s for p, s in shapes.items() if len(s) == 2}
        if len(kernels) != len(self.channels):
            return None
        if len(matrices) - self.matrices not in (0, 1):
            return None
        # Rounding keeps the order: the k-th smallest count belongs to the k-th
        # smallest number of channels.
        width = _width(
            zip(_counts(shapes), sorted(self.channels.values()), strict=True)
        )
        first = kernels[min(kernels, key=_natural)]
        classes = None
        if len(matrices) > self.matrices:
            # The classifier is the last dense layer.
            dense = [path for path in matrices if "dense" in path] or list(matrices)
            classes = matrices[max(dense, key=_natural)][1]
        return Facts(first[2], classes, width)

    def has_width(self, shapes: Mapping[str, tuple], width: float) -> bool:
        """Whether a Keras weight file's arrays are those of a width."""
        expected = [widths.scaled(base, width) for base in self.channels.values()]
        return _counts(shapes) == sorted(expected)


def _counts(shapes):
    """Sorted output channels of a Keras weight file's convolutions."""
    kernels = ((p, s) for p, s in shapes.items() if len(s) == 4)
    # A depthwise kernel is [H, W, C, 1].
    return sorted(s[2] * s[3] if "depthwise" in p else s[3] for p, s in kernels)


def _width(pairs):
    pairs = tuple(pairs)
    for count, base in pairs:
        if not 1 <= count <= MAX_WIDTH * base:
            raise ValueError(f"a convolution of {base} channels has {count}")
    return widths.width_of(pairs)


def _natural(path):
    """Orders "conv", "conv_1", "conv_2", "conv_10" as they count."""
    return [int(part) if part.isdecimal() else 0 for part in re.split(r"(\d+)", path)]
