"""Convolution in groups, with its gradients, under every backend."""

import keras
from keras import ops


def convolution(inputs, kernel, strides, padding):
    """Convolves groups of channels each by itself.

    With TensorFlow, Keras compiles such a convolution by XLA. On two cores one of
    ResNeXt-101's, [16, 56, 56, 128] in 32 groups, then takes 1 s forward and three
    minutes backward; TensorFlow's own operation takes 0.04 s forward. That has
    gradients in oneDNN's float32 only, so here they are those of every group by
    itself, which exist everywhere.

    Args:
        inputs: [N, H, W, I].
        kernel: [height, width, I / groups, O], the outputs of a group one after
            another.
        strides: (rows, columns).
        padding: "valid" or "same".

    Returns:
        [N, H', W', O].
    """
    if keras.backend.backend() != "tensorflow":
        return ops.conv(inputs, kernel, strides=strides, padding=padding)
    import tensorflow as tf

    padding = padding.upper()
    # Called without tracing, what Keras gives is still a variable, which a function
    # with gradients of its own may not read.
    inputs, kernel = (
        tf.convert_to_tensor(ops.convert_to_tensor(x)) for x in (inputs, kernel)
    )
    if tf.config.list_logical_devices("GPU"):  # cuDNN has the gradients.
        return tf.nn.conv2d(inputs, kernel, strides, padding)
    groups = inputs.shape[-1] // kernel.shape[2]

    def of_group(inputs, kernel, upstream):
        """Gradients by the inputs and by the kernel of one group."""
        return tf.nn.conv2d_transpose(
            upstream, kernel, tf.shape(inputs), strides, padding
        ), tf.raw_ops.Conv2DBackpropFilter(
            input=inputs,
            filter_sizes=kernel.shape,
            out_backprop=upstream,
            strides=(1, *strides, 1),
            padding=padding,
        )

    @tf.custom_gradient
    def grouped(inputs, kernel):
        def gradients(upstream):
            parts = (tf.split(t, groups, -1) for t in (inputs, kernel, upstream))
            found = zip(
                *(of_group(*part) for part in zip(*parts, strict=True)), strict=True
            )
            return tuple(tf.concat(part, -1) for part in found)

        return tf.nn.conv2d(inputs, kernel, strides, padding), gradients

    return grouped(inputs, kernel)
