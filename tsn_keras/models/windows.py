"""Layers of networks whose attention sees one window of the image at a time.

Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows"
(https://arxiv.org/abs/2103.14030), in the form of timm's models/swin_transformer.py.
"""

import math

import keras
import numpy as np
from keras import ops

# What the original adds to a score of two tokens that must not see one another. It
# decides where nothing else does, and leaves 4e-44 of a token's weight.
APART = -100.0
# The only epsilon with which TensorFlow computes a layer norm in one operation.
_FUSED_EPSILON = 1e-3


@keras.saving.register_keras_serializable("tsn_keras")
def gelu(x):
    """Gaussian error linear unit, exact: x times the normal distribution up to x.

    That of Keras takes the root of two in float32 under TensorFlow, also in float64:
    an error of 1e-9 after one block.
    """
    return 0.5 * x * (1.0 + ops.erf(x / math.sqrt(2.0)))


@keras.saving.register_keras_serializable("tsn_keras")
class Linear(keras.layers.Dense):
    """Dense layer that sees its input as one matrix.

    So TensorFlow computes product, bias and activation in one operation, which it
    does for matrices only.

    Call arguments:
        inputs: [N, ..., C], all sizes but N known.

    Returns:
        [N, ..., units].
    """

    def call(self, inputs, training=None):
        rows = ops.reshape(inputs, (-1, inputs.shape[-1]))
        outputs = super().call(rows, training=training)
        return ops.reshape(outputs, (-1, *inputs.shape[1:-1], self.units))


@keras.saving.register_keras_serializable("tsn_keras")
class TokenNorm(keras.layers.LayerNormalization):
    """Layer norm of the last axis, written so that TensorFlow has one operation for it.

    With constant weights TensorFlow recognises these steps, but then takes its own
    epsilon of 1e-3 whatever they say. Of an input that is scaled by sqrt(1e-3 /
    epsilon) that is the right one.

    Call arguments:
        inputs: [N, ..., C], all sizes but N known.

    Returns:
        The same shape; statistics are computed in float32 at least.
    """

    def call(self, inputs):
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        x = ops.cast(ops.reshape(inputs, (-1, inputs.shape[-1])), dtype)
        x = x * math.sqrt(_FUSED_EPSILON / self.epsilon)
        mean, variance = ops.moments(x, axes=[1], keepdims=True)
        slope = ops.rsqrt(variance + _FUSED_EPSILON) * ops.cast(self.gamma, dtype)
        x = x * slope + (ops.cast(self.beta, dtype) - slope * mean)
        return ops.reshape(ops.cast(x, inputs.dtype), (-1, *inputs.shape[1:]))


@keras.saving.register_keras_serializable("tsn_keras")
class WindowAttention(keras.layers.Layer):
    """Self-attention among the tokens of each window of an image.

    The image is cut into windows of `window` x `window` tokens, in each of which
    every token attends to every token, with a learned bias for each distance. With a
    shift the image is first rolled up and left, so that windows lie across those of
    other layers; tokens that only the rolling made neighbours do not see one another.

    Args:
        heads: number of heads.
        window: side of a window in tokens.
        shift: tokens that the image is rolled by, less than `window`.
        scaled: queries come multiplied by 1 / sqrt(channels of a head) already.

    Call arguments:
        inputs: [N, H, W, 3 * C], queries, keys and values of every token, each with
            its heads one after another; H and W are known multiples of `window`.

    Returns:
        [N, H, W, C].

    Example:
        >>> tokens = np.zeros((2, 14, 14, 3 * 64), "float32")
        >>> WindowAttention(heads=2, window=7, shift=3)(tokens).shape
        TensorShape([2, 14, 14, 64])
    """

    def __init__(self, heads, window, shift=0, scaled=False, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.window = window
        self.shift = shift
        self.scaled = scaled

    def build(self, input_shape):
        del input_shape
        self.relative_position_bias_table = self.add_weight(
            name="relative_position_bias_table",
            shape=((2 * self.window - 1) ** 2, self.heads),
            # timm cuts the normal distribution off at 100 deviations.
            initializer=keras.initializers.RandomNormal(stddev=0.02),
        )

    def call(self, inputs):
        _, height, width, channels = inputs.shape
        size, heads = self.window, self.heads
        rows, columns = height // size, width // size
        depth = channels // 3 // heads

        x = self._rolled(inputs, -self.shift)
        x = ops.reshape(x, (-1, rows, size, columns, size, 3, heads, depth))
        x = ops.transpose(x, (5, 0, 1, 3, 6, 2, 4, 7))
        x = ops.reshape(x, (3, -1, rows * columns, heads, size * size, depth))
        queries, keys, values = x[0], x[1], x[2]
        if not self.scaled:
            queries = queries * depth**-0.5

        scores = ops.matmul(queries, ops.swapaxes(keys, -1, -2))
        scores = scores + self._bias(height, width)
        x = ops.matmul(ops.softmax(scores), values)

        x = ops.reshape(x, (-1, rows, columns, heads, size, size, depth))
        x = ops.transpose(x, (0, 1, 4, 2, 5, 3, 6))
        x = ops.reshape(x, (-1, height, width, channels // 3))
        return self._rolled(x, self.shift)

    def _rolled(self, x, shift):
        return ops.roll(x, (shift, shift), axis=(1, 2)) if shift else x

    def _bias(self, height, width):
        """What is added to the scores, [heads, T, T] or [windows, heads, T, T]."""
        index = relative_positions(self.window)
        bias = ops.take(self.relative_position_bias_table, index.ravel(), axis=0)
        bias = ops.transpose(ops.reshape(bias, (*index.shape, self.heads)), (2, 0, 1))
        if self.shift:
            apart = parted(height, width, self.window, self.shift)[:, None] * APART
            bias = bias + ops.convert_to_tensor(apart, bias.dtype)
        return bias

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] // 3)

    def get_config(self):
        return {
            **super().get_config(),
            "heads": self.heads,
            "window": self.window,
            "shift": self.shift,
            "scaled": self.scaled,
        }


def relative_positions(window):
    """Rows of the table of biases: int [T, T], T = window * window.

    Row 0 is of a key `window` - 1 rows below and columns right of the query.

    Example:
        >>> relative_positions(2)[0]  # The token above left looks at all four.
        array([4, 3, 1, 0])
    """
    place = np.stack(np.divmod(np.arange(window**2), window))
    row, column = place[:, :, None] - place[:, None, :] + window - 1
    return row * (2 * window - 1) + column


def parted(height, width, window, shift):
    """Which tokens of a window only rolling made neighbours: bool [windows, T, T].

    Along an axis of the rolled image the last `shift` tokens come from its other end.

    Example:
        >>> parted(2, 4, window=2, shift=1)[:, 0].astype(int)
        array([[0, 0, 1, 1],
               [0, 1, 1, 1]])
    """
    row, column = (
        np.digitize(np.arange(length), (length - window, length - shift))
        for length in (height, width)
    )
    part = 3 * row[:, None] + column
    part = part.reshape(height // window, window, width // window, window)
    part = part.transpose(0, 2, 1, 3).reshape(-1, window**2)
    return part[:, :, None] != part[:, None, :]


@keras.saving.register_keras_serializable("tsn_keras")
class PatchMerging(keras.layers.Layer):
    """Four neighbours as one token: [N, H, W, C] to [N, H / 2, W / 2, 4 * C].

    The token above left comes first, then the one below it, then those to their
    right.
    """

    def call(self, inputs):
        _, height, width, channels = inputs.shape
        x = ops.reshape(inputs, (-1, height // 2, 2, width // 2, 2, channels))
        x = ops.transpose(x, (0, 1, 3, 4, 2, 5))
        return ops.reshape(x, (-1, height // 2, width // 2, 4 * channels))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, height // 2, width // 2, 4 * channels)
