"""Training in half precision without what takes its time: the same function, sooner.

Two things make a step in bfloat16 hardly faster than one in float32, on processors with
instructions for it (AMX):

- TensorFlow leaves the gradient of a kernel to oneDNN's convolution. The same sum as
  products of matrices, one for each place of the kernel, takes a third to a half of the
  time for 1x1 kernels, and up to a half for larger ones on few pixels.
- Of a frozen batch norm, an affine map of each channel, Keras casts the input to
  float32, scales, shifts and casts back, forward and backward. In the kernel and bias
  of the convolution before it the map costs nothing.
"""

import keras
from keras import layers, ops

from tsn_keras.models import folding

# Pixels of an output up to which products of matrices were faster for 3x3 kernels
# (14x14: 15 ms instead of 19, 7x7: 14 instead of 28, 28x28: 17 instead of 12).
_FEW_PIXELS = 14 * 14


class HalfConvolution(layers.Layer):
    """A convolution, and a frozen batch norm after it, with the variables of both.

    A kernel is scaled in the precision of the variables and then cast, as a kernel of
    its own would be.

    Args:
        convolution: keras.layers.Conv2D.
        norm: keras.layers.BatchNormalization of its channels, not trainable, or None.

    Call arguments:
        inputs: [N, H, W, C].

    Returns:
        What `norm(convolution(inputs))` returns, but for rounding.
    """

    def __init__(self, convolution, norm=None):
        super().__init__(name=f"{convolution.name}_in_half", autocast=False)
        self.convolution, self.norm = convolution, norm
        self.built = True

    def call(self, inputs):
        kernel, bias = self._values()
        convolution = self.convolution
        dtype = convolution.compute_dtype
        if _has_products(convolution, *inputs.shape[1:3]):
            kernel = ops.cast(kernel, dtype)
            outputs = _by_products(inputs, kernel, convolution.strides[0])
            if bias is not None:
                outputs = ops.add(outputs, ops.cast(bias, dtype))
            return convolution.activation(outputs)
        # In this scope the variables have these values, cast as they would be.
        values = [(convolution.kernel, kernel)]
        if convolution.use_bias:
            values.append((convolution.bias, bias))
        with keras.StatelessScope(state_mapping=values):
            outputs = convolution(inputs)
        if bias is not None and not convolution.use_bias:
            outputs = ops.add(outputs, ops.cast(bias, dtype))
        return outputs

    def _values(self):
        """Kernel and bias, or None, with the map of the norm."""
        convolution, norm = self.convolution, self.norm
        kernel = ops.convert_to_tensor(convolution.kernel)
        bias = convolution.bias if convolution.use_bias else None
        if norm is None:
            return kernel, bias
        scale = ops.rsqrt(norm.moving_variance + norm.epsilon)
        if norm.gamma is not None:
            scale = scale * norm.gamma
        shift = -norm.moving_mean * scale
        if norm.beta is not None:
            shift = shift + norm.beta
        return kernel * scale, shift if bias is None else bias * scale + shift

    def compute_output_shape(self, input_shape):
        return self.convolution.compute_output_shape(input_shape)


def _has_products(layer, height, width):
    """Whether a kernel's gradient is faster as products of matrices."""
    size, stride = layer.kernel_size[0], layer.strides[0]
    square = layer.kernel_size == (size, size) and layer.strides == (stride, stride)
    plain = layer.groups == 1 and layer.dilation_rate == (1, 1)
    # As many zeros on each side as TensorFlow's "SAME" has at stride 1.
    centred = size % 2 and folding.padding(layer) == size // 2
    if not (square and plain and centred):
        return False
    few = bool(height and width and height * width <= _FEW_PIXELS)
    return size == 1 or (stride == 1 and few)


def _by_products(inputs, kernel, stride):
    """A convolution whose kernel's gradient is computed as products of matrices.

    Args:
        inputs: [N, H, W, I].
        kernel: [k, k, I, O], k odd.
        stride: distance of the pixels that are taken: 1, or any for a 1x1 kernel.

    Returns:
        [N, H', W', O], of the size of the inputs for stride 1.
    """
    import tensorflow as tf

    size, _, channels, filters = kernel.shape
    strides = (1, stride, stride, 1)

    @tf.custom_gradient
    def convolved(inputs, kernel):
        def gradients(upstream):
            by_inputs = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(inputs),
                filter=kernel,
                out_backprop=upstream,
                strides=strides,
                padding="SAME",
            )
            read = inputs
            if stride > 1:  # Every second pixel, faster than by slices.
                read = tf.nn.max_pool2d(read, 1, stride, "VALID")
            around = size // 2
            if around:
                edge = (around, around)
                read = tf.pad(read, ((0, 0), edge, edge, (0, 0)))
            height, width = upstream.shape[1:3]
            columns = tf.reshape(upstream, (-1, filters))
            products = [
                tf.matmul(
                    tf.reshape(
                        read[:, top : top + height, left : left + width],
                        (-1, channels),
                    ),
                    columns,
                    transpose_a=True,
                )
                for top in range(size)
                for left in range(size)
            ]
            return by_inputs, tf.reshape(tf.stack(products), kernel.shape)

        return tf.nn.conv2d(inputs, kernel, strides, "SAME"), gradients

    return convolved(inputs, kernel)


def for_training(model):
    """A model of the same layers that computes faster in half precision.

    For TensorFlow.

    Args:
        model: functional model whose layers with weights are layers of the model
            itself. Which of its batch norms are frozen is looked at now.

    Returns:
        keras.Model with the variables of `model`: to train one is to train the other.

    Example:
        >>> import keras
        >>> inputs = keras.Input((8, 8, 3))
        >>> x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
        >>> x = keras.layers.BatchNormalization(name="norm", trainable=False)(x)
        >>> [layer.name for layer in for_training(keras.Model(inputs, x)).layers[1:]]
        ['conv_in_half']
    """
    graph, norms = folding.Graph(model), {}
    for norm in graph.all(layers.BatchNormalization):
        source = folding.layer_before(graph, norm)
        if not norm.trainable and isinstance(source, layers.Conv2D):
            norms[source] = norm
    replaced = {
        layer: HalfConvolution(layer, norms.get(layer))
        for layer in graph.all(layers.Conv2D)
    }
    done = set(norms.values())

    def call(layer, *args, **kwargs):
        if layer in done:
            (inputs,) = (t for t in args if isinstance(t, keras.KerasTensor))
            return inputs
        return replaced.get(layer, layer)(*args, **kwargs)

    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=call
    )
