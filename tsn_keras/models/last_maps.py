"""A network in two: up to its last maps of places, and from these to its scores."""

import keras
from keras import layers

from tsn_keras.common.errors import InputError
from tsn_keras.models.layers import CaffePooling2D
from tsn_keras.models.over_time import StepsOfStreams, TemporalMaxPooling

# What makes no map of its own: pooling, and another order of the same numbers.
_PASSED = (
    *(layers.MaxPooling2D, layers.AveragePooling2D, CaffePooling2D),
    *(TemporalMaxPooling, layers.Permute, StepsOfStreams),
)


def split(model):
    """Splits a functional model at the last maps that its scores are computed of.

    From the scores back, those are the first tensors with more than one place that no
    pooling made: what global pooling reads; where dense layers follow a pooled map, as
    in VGG-16, what that pooling reads; of tokens, their grid. A network of two streams
    has two.

    Args:
        model: keras.Model of one input, to scores [N, classes].

    Returns:
        (keras.Model from the inputs to the maps, [N, h, w, C] each, keras.Model from a
        list of them to the output); both have the variables of `model`.

    Raises:
        InputError: there are no such maps.

    Example:
        >>> import tsn_keras as tsn
        >>> body, rest = split(tsn.load("demo_rgb"))
        >>> [maps.shape for maps in body.outputs], rest.output_shape
        ([(None, 7, 7, 128)], (None, 16))
    """
    found = {}
    _collect(model.outputs[0], found)
    maps = list(found.values())
    if not maps:
        raise InputError(
            f"{model.name} has no maps between its input and its scores: nothing tells "
            f"which place a score comes from"
        )
    return keras.Model(model.inputs[0], maps), keras.Model(maps, model.outputs[0])


def _collect(tensor, found):
    """Adds the last maps before a tensor to {id: tensor}, in the order of inputs."""
    operation, index, _ = tensor._keras_history
    node = operation._inbound_nodes[index]
    if node.is_input:
        return
    if _has_places(tensor) and not isinstance(operation, _PASSED):
        found.setdefault(id(tensor), tensor)
        return
    for source in node.input_tensors:
        _collect(source, found)


def _has_places(tensor):
    """Whether it is [N, h, w, C] with more than one place, as far as that is known."""
    return len(tensor.shape) == 4 and tuple(tensor.shape[1:3]) != (1, 1)
