"""Batch norms folded into their convolutions, for inference.

At inference a batch norm is an affine map of each channel, so the convolution
before it can do its work: the same function with half the memory traffic.
"""

import keras
import numpy as np
from keras import layers


def fold(model, norm_of="{}_bn".format):
    """Copies `model` with every batch norm folded and dropout taken out.

    Args:
        model: functional model in which batch norms follow convolutions.
        norm_of: function from a convolution's name to that of the batch norm that
            follows it, see models.records.Backbone. A convolution without one
            stays as it is.

    Returns:
        keras.Model with the layer names of `model`, less those taken out; its
        convolutions' kernels and biases are computed in float64.
    """

    def call(layer, *args, **kwargs):
        if isinstance(layer, (layers.BatchNormalization, layers.Dropout)):
            return args[0]
        return layer(*args, **kwargs)

    sources = {layer.name: layer for layer in model.layers}
    folded = keras.models.clone_model(model, call_function=call)
    for layer in folded.layers:
        if not layer.weights:
            continue  # Also the input, whose copy may have another name.
        weights = sources[layer.name].get_weights()
        norm = sources.get(norm_of(layer.name))
        if isinstance(layer, layers.Conv2D) and norm is not None:
            weights = _absorb(weights, norm)
        layer.set_weights(weights)
    return folded


def _absorb(weights, norm):
    """Returns [kernel, bias] that also do what the batch norm `norm` does."""
    kernel, bias = (w.astype(np.float64) for w in weights)
    gamma, beta, mean, variance = (w.astype(np.float64) for w in norm.get_weights())
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return [kernel * scale, (bias - mean) * scale + beta]
