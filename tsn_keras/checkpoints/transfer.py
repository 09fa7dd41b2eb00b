"""Named arrays in Caffe's layout to Keras variables, each exactly once."""

import numpy as np
from keras import layers

from tsn_keras.common.errors import InputError


class PortError(InputError):
    """The arrays and the model do not fit one another."""


def _underscored(name):
    return name.replace("/", "_")


def port(blobs, model, layer_of=_underscored):
    """Copies Caffe blobs into `model`; fails unless each is used once.

    Nothing is assigned unless everything fits.

    Args:
        blobs: {Caffe layer name: [arrays in Caffe's order]}. Convolutions
            [O, I, H, W] and bias, inner products [O, I] and bias, batch norms
            slope, bias, mean, variance; leading axes of length 1 that old
            files and BN blobs have do not matter.
        model: Keras model.
        layer_of: function from a Caffe layer's name to that of the model's.

    Raises:
        PortError: a blob without a place, a variable without a blob, or a
            shape that differs; both remainders are listed.
    """
    unset = {variable.path for variable in model.weights}
    unused, assignments = [], []
    targets = {layer.name: layer for layer in model.layers}
    for name, arrays in blobs.items():
        variables = _variables(targets.get(layer_of(name)))
        for index, array in enumerate(arrays):
            if index >= len(variables):
                unused.append(f"{name}[{index}] {array.shape}")
                continue
            variable = variables[index]
            value = _to_keras(array, len(variable.shape))
            if value is None or value.shape != tuple(variable.shape):
                raise PortError(
                    f"{name}[{index}] has shape {array.shape} in Caffe's order; "
                    f"`{variable.path}` needs {tuple(variable.shape)} in Keras' order"
                )
            assignments.append((variable, value))
            unset.discard(variable.path)
    if unused or unset:
        raise PortError(
            f"blobs without a place in the model: {_some(unused)}; "
            f"variables without a blob: {_some(sorted(unset))}"
        )
    for variable, value in assignments:
        variable.assign(value)


def _variables(layer):
    """A layer's variables in the order of Caffe's blobs."""
    if isinstance(layer, (layers.Conv2D, layers.Dense)):
        return [layer.kernel, layer.bias]
    if isinstance(layer, layers.BatchNormalization):
        # bn_layer.cpp:18-42: slope, bias, running mean, running variance.
        return [layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance]
    return []


def _to_keras(array, rank):
    """`array` in Keras' axis order, or None if it has too many axes."""
    while array.ndim > rank and array.shape[0] == 1:
        array = array[0]
    if array.ndim != rank:
        return None
    if rank == 4:
        return array.transpose(2, 3, 1, 0)  # [O, I, H, W] to [H, W, I, O]
    return np.transpose(array)  # [O, I] to [I, O]; vectors stay


def _some(names):
    """At most ten names and the number of the others."""
    if not names:
        return "none"
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more
