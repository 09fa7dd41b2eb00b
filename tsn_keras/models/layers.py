"""Layers in which Caffe or PyTorch differ from Keras, and segments in one batch."""

import keras
import numpy as np
from keras import ops

from tsn_keras.models import grouped


def pooled_length(length, size, stride, pad, ceil=True):
    """Outputs of a Caffe pooling along one axis (pooling_layer.cpp:93-107).

    Caffe rounds up, and when there is padding drops a last window that would
    start beyond the image and its left padding. PyTorch's default, without `ceil`,
    drops every window that does not lie in the padded image.
    """
    if not ceil:
        return (length + 2 * pad - size) // stride + 1
    count = -(-(length + 2 * pad - size) // stride) + 1
    if pad and (count - 1) * stride >= length + pad:
        count -= 1
    return count


@keras.saving.register_keras_serializable("tsn_keras")
class CaffePooling2D(keras.layers.Layer):
    """Pooling with Caffe's window arithmetic (pooling_layer.cpp:93-215).

    Keras rounds the number of windows down ("valid") or aligns them otherwise
    ("same"), and its padded average leaves the padding out of the divisor;
    Caffe rounds up and counts the padding, except for the part of a window
    that overhangs the right or bottom padding. PyTorch pads alike, and rounds down
    unless told otherwise.

    Args:
        mode: "max" or "average".
        pool_size: side of the window in pixels.
        stride: distance of windows in pixels.
        pad: padding on each side in pixels.
        ceil: round the number of windows up, as Caffe does; else down.
        positive: whether inputs are never negative, as behind a ReLU. A maximum is
            then padded with zeros, which gives the same: numbers of eight bits have no
            -inf, with which TFLite's converter crashes (TensorFlow 2.16).

    Call arguments:
        inputs: [N, H, W, C] with known H and W, if `ceil`.

    Returns:
        [N, H', W', C], with H' and W' from `pooled_length`.
    """

    def __init__(
        self, mode, pool_size, stride=1, pad=0, ceil=True, positive=False, **kwargs
    ):
        super().__init__(**kwargs)
        if mode not in ("max", "average"):
            raise ValueError(f'`mode` must be "max" or "average". Received: {mode!r}')
        self.mode = mode
        self.pool_size = pool_size
        self.stride = stride
        self.pad = pad
        self.ceil = ceil
        self.positive = positive

    def _windows(self, length):
        """Returns (count, padding after the axis) for an axis of `length`."""
        if length is None:
            return None, self.pad
        count = pooled_length(length, self.pool_size, self.stride, self.pad, self.ceil)
        end = (count - 1) * self.stride + self.pool_size
        return count, max(0, end - length - self.pad)

    def _is_same(self, length):
        """Whether "same" puts its windows where Caffe puts them."""
        if length is None:
            return False
        count = -(-length // self.stride)
        total = max(0, (count - 1) * self.stride + self.pool_size - length)
        return self._windows(length)[0] == count and total // 2 == self.pad

    def _scale(self, length):
        """Window size over Caffe's divisor, for every window of an axis."""
        starts = np.arange(self._windows(length)[0]) * self.stride - self.pad
        ends = np.minimum(starts + self.pool_size, length + self.pad)
        return self.pool_size / (ends - starts)

    def call(self, inputs):
        height, width = inputs.shape[1:3]
        size, stride = self.pool_size, self.stride
        if self.mode == "max" and self._is_same(height) and self._is_same(width):
            # Keras' "same" maximum ignores padding, as Caffe does.
            return ops.max_pool(inputs, size, stride, padding="same")
        after = [self._windows(length)[1] for length in (height, width)]
        if self.pad or any(after):
            pads = [(0, 0), (self.pad, after[0]), (self.pad, after[1]), (0, 0)]
            value = -np.inf if self.mode == "max" and not self.positive else 0
            inputs = ops.pad(inputs, pads, constant_values=value)
        if self.mode == "max":
            return ops.max_pool(inputs, size, stride, padding="valid")
        outputs = ops.average_pool(inputs, size, stride, padding="valid")
        if not self.ceil:  # No window overhangs.
            return outputs
        scale = np.outer(self._scale(height), self._scale(width))
        if (scale != 1).any():
            scale = ops.convert_to_tensor(scale[None, :, :, None], outputs.dtype)
            outputs = outputs * scale
        return outputs

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        if self.ceil and (height is None or width is None):
            raise ValueError(
                f"{self.name} needs a known height and width. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        counts = (self._windows(length)[0] for length in (height, width))
        return (batch, *counts, channels)

    def get_config(self):
        return {
            **super().get_config(),
            "mode": self.mode,
            "pool_size": self.pool_size,
            "stride": self.stride,
            "pad": self.pad,
            "ceil": self.ceil,
            "positive": self.positive,
        }


@keras.saving.register_keras_serializable("tsn_keras")
class CaffeConv2D(keras.layers.Conv2D):
    """Convolution padded alike on both sides (conv_layer.cpp).

    Keras' "same" pads a strided convolution more on the right, which moves the
    grid by a pixel; with stride 1 and an odd kernel the two agree.

    Args:
        filters: output channels.
        kernel_size: side of the kernel in pixels.
        strides: distance of windows in pixels.
        pad: zeros on each side in pixels.

    Any other argument is that of keras.layers.Conv2D; see `grouped` for `groups`.
    """

    def __init__(self, filters, kernel_size, strides=1, pad=0, **kwargs):
        strides = strides[0] if isinstance(strides, (tuple, list)) else strides
        size = kernel_size[0] if isinstance(kernel_size, (tuple, list)) else kernel_size
        same = strides == 1 and size == 2 * pad + 1
        padding = "same" if same else "valid"
        super().__init__(filters, size, strides=strides, padding=padding, **kwargs)
        self.pad = pad

    def _explicit_pad(self):
        return self.pad if self.padding == "valid" else 0

    def call(self, inputs):
        pad = self._explicit_pad()
        if pad:
            inputs = ops.pad(inputs, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
        return super().call(inputs)

    def convolution_op(self, inputs, kernel):
        if self.groups > 1:
            return grouped.convolution(inputs, kernel, self.strides, self.padding)
        return super().convolution_op(inputs, kernel)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        pad = 2 * self._explicit_pad()
        height, width = (None if x is None else x + pad for x in (height, width))
        return super().compute_output_shape((batch, height, width, channels))

    def get_config(self):
        config = {**super().get_config(), "pad": self.pad}
        # Derived from `pad`.
        del config["padding"]
        return config


@keras.saving.register_keras_serializable("tsn_keras")
class TimeDistributed(keras.layers.TimeDistributed):
    """Keras' TimeDistributed, with all segments in one batch.

    Keras calls the wrapped layer once a segment. A trainable batch norm then
    normalises each segment by itself, over B images; the original puts the
    segments on the batch axis before the first layer and normalises over B * K
    (train_val prototxt, "reshape"). One larger batch is faster, too.

    Args:
        layer: the layer or model that every segment goes through.

    Call arguments:
        inputs: [B, K, ...], K known.

    Returns:
        [B, K, ...].
    """

    def call(self, inputs, training=None):
        segments = inputs.shape[1]
        merged = ops.reshape(inputs, (-1, *inputs.shape[2:]))
        outputs = self.layer(merged, training=training)
        return ops.reshape(outputs, (-1, segments, *outputs.shape[1:]))
