"""Batch norms folded into their convolutions, for inference.

At inference a batch norm is an affine map of each channel, so the convolution
before it can do its work: the same function with half the memory traffic.
"""

import keras
import numpy as np
from keras import layers


def fold(model):
    """Copies `model` with every batch norm folded and dropout taken out.

    Args:
        model: functional model in which each batch norm `<name>_bn` follows
            the convolution `<name>`, as in BNInception.

    Returns:
        keras.Model with the layer names of `model`, less those taken out; its
        convolutions' kernels and biases are computed in float64.
    """

    def call(layer, *args, **kwargs):
        if isinstance(layer, (layers.BatchNormalization, layers.Dropout)):
            return args[0]
        return layer(*args, **kwargs)

    folded = keras.models.clone_model(model, call_function=call)
    for layer in folded.layers:
        source = model.get_layer(layer.name)
        weights = source.get_weights()
        if isinstance(layer, layers.Conv2D):
            weights = _absorb(weights, model.get_layer(f"{layer.name}_bn"))
        if weights:
            layer.set_weights(weights)
    return folded


def _absorb(weights, norm):
    """Returns [kernel, bias] that also do what the batch norm `norm` does."""
    kernel, bias = (w.astype(np.float64) for w in weights)
    gamma, beta, mean, variance = (w.astype(np.float64) for w in norm.get_weights())
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return [kernel * scale, (bias - mean) * scale + beta]
