"""Local response normalisation across channels, as Caffe computes it."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("tsn_keras")
class LocalResponseNormalization(keras.layers.Layer):
    """Divides each value by the response of the channels around it.

    y = x / (bias + alpha / size * s) ** beta, where s is the sum of the squares of the
    `size` channels of which x is the middle one; beyond the first and the last channel
    there is nothing to be added (caffe lrn_layer.cpp:116-144). Krizhevsky's paper and
    TensorFlow do not divide alpha by the size: their alpha is Caffe's over `size`.

    Args:
        size: channels of a window, odd as Caffe demands.
        alpha: factor on the mean square of a full window.
        beta: exponent.
        bias: what is added; Caffe calls it k.

    Call arguments:
        inputs: [N, H, W, C], or any shape whose last axis are channels.

    Returns:
        The same shape. In half precision it is computed in float32: squares of
        activations of some hundreds are beyond float16.

    Raises:
        ValueError: `size` is even or less than 1.

    Example:
        >>> import numpy as np
        >>> norm = LocalResponseNormalization(size=5, alpha=5e-4, bias=2.0)
        >>> [round(float(y), 4) for y in norm(np.float32([[10, 20, 30]]))[0]]
        [5.6518, 11.3037, 16.9555]
    """

    def __init__(self, size=5, alpha=1e-4, beta=0.75, bias=1.0, **kwargs):
        super().__init__(**kwargs)
        if size < 1 or size % 2 == 0:
            raise ValueError(f"`size` must be odd and at least 1. Received: {size}")
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.bias = bias

    def call(self, inputs):
        half = keras.backend.standardize_dtype(inputs.dtype) in ("float16", "bfloat16")
        x = ops.cast(inputs, "float32") if half else inputs
        around, channels = self.size // 2, x.shape[-1]
        pads = [(0, 0)] * (len(x.shape) - 1) + [(around, around)]
        squares = ops.pad(ops.square(x), pads)
        window = sum(squares[..., k : k + channels] for k in range(self.size))
        response = self.bias + self.alpha / self.size * window
        return ops.cast(x * ops.power(response, -self.beta), inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "size": self.size,
            "alpha": self.alpha,
            "beta": self.beta,
            "bias": self.bias,
        }
