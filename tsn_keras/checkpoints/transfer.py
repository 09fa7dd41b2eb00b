"""Named arrays of other programs to Keras variables, each exactly once."""

import numpy as np
from keras import layers

from tsn_keras.checkpoints.foreign import Tensors
from tsn_keras.common import finite
from tsn_keras.common.errors import InputError, short
from tsn_keras.models.records import Backbone, Facts

# A file of more arrays for each convolution and matrix of a network is not of it. It
# is not looked at further: there are many networks.
_ARRAYS, _LAYERS = 12, 10


class PortError(InputError):
    """The arrays and the model do not fit one another."""


def read_facts(tensors: Tensors, backbone: Backbone) -> tuple[float, Facts | None]:
    """How much arrays are a backbone's by name, and for which network they are.

    Returns:
        (likeness from 0 to 1, Facts or None)

    Raises:
        ValueError: they are the backbone's, but no width of it.
    """
    known = len(backbone.channels) + backbone.matrices + _LAYERS
    if len(tensors.arrays) > _ARRAYS * known:
        return 0.0, None
    layout, kernels, matrices = tensors.layout, {}, {}
    convolutions = {backbone.layer_of(name) for name in backbone.channels}
    for name, (layer, role) in _places(tensors, backbone).items():
        array = tensors.arrays[name]
        if role not in ("weight", "kernel", "depthwise_kernel", "0"):
            continue
        shape = array.shape
        if (
            len(shape) == 4
            and shape[:2] == (1, 1)
            and (
                # Matrices of Caffe's older files: [1, 1, O, I].
                (layout.outputs_first and layer not in convolutions)
                # Networks of Keras whose classifier is a convolution.
                or layer == backbone.head
            )
        ):
            shape = shape[2:]
        if len(shape) == 4:
            inputs, outputs = layout.in_and_out(shape)
            if role == "depthwise_kernel":
                outputs *= inputs
            kernels[layer] = (inputs, outputs)
        elif len(shape) == 2:
            matrices[layer] = layout.in_and_out(shape)[1]
    likeness = backbone.likeness(kernels)
    return likeness, backbone.read_layers(kernels, matrices) if likeness > 0 else None


def port(tensors: Tensors, model, backbone: Backbone):
    """Copies arrays into `model`; fails unless each is used once.

    Nothing is assigned unless everything fits.

    Args:
        tensors: foreign.Tensors. Leading axes of length 1, which old Caffe files
            and their batch norms have, do not matter.
        model: Keras model that `backbone` built.
        backbone: its record.

    Raises:
        PortError: an array without a place, a variable without an array, two arrays
            for one, or a shape that differs; both remainders are listed. Or an array
            with values that are not finite.
    """
    layout, what = tensors.layout, tensors.layout.array
    unset = {variable.path for variable in model.weights}
    unused, assignments, taken = [], [], []
    targets = {layer.name: layer for layer in model.layers}
    for name, (place, role) in _places(tensors, backbone).items():
        array, target = tensors.arrays[name], targets.get(place)
        variable = layout.variables(target).get(role) if target is not None else None
        if variable is None:
            unused.append(f"{short(name)} {array.shape}")
            continue
        if variable.path not in unset:
            raise PortError(f"{short(name)} is a second {what} for `{variable.path}`")
        value = _to_keras(array, target, variable, layout)
        if value is None or value.shape != tuple(variable.shape):
            raise PortError(
                f"{short(name)} has shape {array.shape} in {layout.program}'s order; "
                f"`{variable.path}` needs {tuple(variable.shape)} in Keras' order"
            )
        assignments.append((variable, value))
        taken.append((name, array, variable.dtype))
        unset.discard(variable.path)
    if unused or unset:
        raise PortError(
            f"{what}s without a place in the model: {_some(unused)}; "
            f"variables without a {what}: {_some(sorted(unset))}"
        )
    finite.demand(taken, PortError)
    for variable, value in assignments:
        variable.assign(value)


def _places(tensors, backbone):
    """{tensor: (layer of the model, role)} of the arrays that hold weights."""
    names = list(tensors.weights(backbone.unused))
    in_order = backbone.in_order(len(names)) if tensors.ordered else None
    if in_order is not None:
        return dict(zip(names, in_order, strict=True))
    split = {n: tensors.layout.split(backbone.own_name(n)) for n in names}
    placed = backbone.layers_of(list(dict.fromkeys(n for n, _ in split.values())))
    return {name: (placed[layer], role) for name, (layer, role) in split.items()}


def _to_keras(array, layer, variable, layout):
    """`array` in Keras' axis order, or None if it has too many axes."""
    rank = len(variable.shape)
    while array.ndim > rank and array.shape[0] == 1:
        array = array[0]
    if array.ndim != rank:
        return None
    if not layout.outputs_first or variable is not getattr(layer, "kernel", None):
        return array
    if isinstance(layer, layers.DepthwiseConv2D):
        return array.transpose(2, 3, 0, 1)  # [C, 1, H, W] to [H, W, C, 1]
    if rank == 4:
        return array.transpose(2, 3, 1, 0)  # [O, I, H, W] to [H, W, I, O]
    return np.transpose(array)  # [O, I] to [I, O]


def _some(names):
    """At most ten names and the number of the others."""
    if not names:
        return "none"
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more
