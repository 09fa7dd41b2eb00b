"""Weights of other programs in one form: named arrays, and how they are laid out."""

import dataclasses
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from keras import layers

# Tensors that a file holds beside the weights: counters of training, and tables that
# the network computes by itself.
_DERIVED = re.compile(r"(^|\.)(num_batches_tracked|relative_position_index|attn_mask)$")


def _of_torch(layer) -> dict[str, Any]:
    if isinstance(layer, layers.BatchNormalization):
        return {
            "weight": layer.gamma,
            "bias": layer.beta,
            "running_mean": layer.moving_mean,
            "running_var": layer.moving_variance,
        }
    if isinstance(layer, (layers.LayerNormalization, layers.GroupNormalization)):
        return {"weight": layer.gamma, "bias": layer.beta}
    own = {variable.name: variable for variable in layer.weights}
    if "kernel" in own:
        own["weight"] = own.pop("kernel")
    return own


def _of_caffe(layer) -> dict[str, Any]:
    if isinstance(layer, layers.BatchNormalization):
        # bn_layer.cpp:18-42: slope, bias, running mean, running variance.
        found = [layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance]
    else:
        found = [getattr(layer, "kernel", None), getattr(layer, "bias", None)]
    return {
        str(k): variable for k, variable in enumerate(found) if variable is not None
    }


def _of_keras(layer) -> dict[str, Any]:
    own = {variable.name: variable for variable in layer.weights}
    if isinstance(layer, layers.DepthwiseConv2D):
        own["depthwise_kernel"] = layer.kernel  # Its name in Keras 2.
    return own


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a program names a layer's arrays, and in which order their axes are.

    Attributes:
        program: what people call it.
        parts: pattern of a tensor's name with the groups `layer` and `role`.
        variables: function from a Keras layer to {role: variable}.
        outputs_first: kernels are [O, I, H, W] and [O, I]; else [H, W, I, O] and
            [I, O].
        array: what it calls an array.
    """

    program: str
    parts: str
    variables: Callable[[Any], dict[str, Any]]
    outputs_first: bool
    array: str = "tensor"

    def split(self, tensor: str) -> tuple[str, str]:
        """The (layer, role) of a tensor's name; no layer is named ""."""
        match = re.fullmatch(self.parts, tensor, re.DOTALL)
        return (match["layer"], match["role"]) if match else (tensor, "")

    def in_and_out(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """(inputs, outputs) of a kernel."""
        if self.outputs_first:
            return shape[1], shape[0]
        return shape[-2], shape[-1]


CAFFE = Layout("Caffe", r"(?P<layer>.*)\[(?P<role>\d+)\]", _of_caffe, True, "blob")
TORCH = Layout("PyTorch", r"(?P<layer>.*)\.(?P<role>[^.]*)", _of_torch, True)
KERAS = Layout("Keras", r"(?P<layer>.*)/(?P<role>[^/:]*)(?::0)?", _of_keras, False)


@dataclasses.dataclass(frozen=True)
class Tensors:
    """The arrays of a weight file.

    Attributes:
        format: what people call the form of the file.
        layout: Layout.
        arrays: {name in the file: array}.
        meta: what else the file says, as plain values.
        ordered: whether the arrays are in the order of the network's variables, see
            models.records.Backbone.in_order.
        parts: paths of the files beside it that hold its arrays.
        layers: names of all layers that the file lists, if there are such without
            arrays among them, as poolings; else None.
    """

    format: str
    layout: Layout
    arrays: Mapping[str, np.ndarray] = dataclasses.field(repr=False)
    meta: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    ordered: bool = False
    parts: tuple[pathlib.Path, ...] = ()
    layers: frozenset[str] | None = dataclasses.field(default=None, repr=False)

    def weights(self, unused: str | None = None) -> dict[str, np.ndarray]:
        """The arrays that hold weights.

        Args:
            unused: see models.records.Backbone.
        """
        return {n: a for n, a in self.arrays.items() if not _is_left(n, unused)}

    def left(self, unused: str | None = None) -> tuple[str, ...]:
        """Names of the others: counters, derived tables, what only training needs."""
        return tuple(n for n in self.arrays if _is_left(n, unused))


def _is_left(name, unused):
    return bool(_DERIVED.search(name) or (unused and re.search(unused, name)))


def of_caffe(blobs: Mapping[str, list[np.ndarray]]) -> Tensors:
    """What checkpoints.caffemodel.read returns, in this form.

    Args:
        blobs: {layer: its arrays}; of layers without arrays, [], if they were read.
    """
    arrays = {
        f"{layer}[{index}]": array
        for layer, of_layer in blobs.items()
        for index, array in enumerate(of_layer)
    }
    layers = None if all(blobs.values()) else frozenset(blobs)
    return Tensors("caffemodel", CAFFE, arrays, layers=layers)
