"""What a network computes in training, sooner: the same function, the same gradients.

Three things take a large part of a step on a processor, measured on one with
instructions for bfloat16 (AMX):

- Keras composes a trainable batch norm of a dozen passes over the activations.
  TensorFlow's fused operation takes a fifth of the time: 40 ms instead of 185 for
  24 x 112 x 112 x 64, forward and backward. There is none for float64.
- In half precision TensorFlow leaves the gradient of a kernel to oneDNN's convolution.
  The same sum as products of matrices, one for each place of the kernel, takes a third
  to a half of the time for 1x1 kernels, and up to a half for larger ones on few pixels.
  The gradient of a bias is twice as fast as a product with ones.
- In half precision Keras casts the input of a frozen batch norm, an affine map of each
  channel, to float32, scales, shifts and casts back, forward and backward. In the
  kernel and bias of the convolution before it the map costs nothing.
"""

import keras
from keras import layers, ops

from tsn_keras.models import folding

# Pixels of an output up to which products of matrices were faster for 3x3 kernels
# (14x14: 15 ms instead of 19, 7x7: 14 instead of 28, 28x28: 17 instead of 12).
_FEW_PIXELS = 14 * 14


class FusedNorm(layers.Layer):
    """A trainable batch norm as one operation forward and one backward.

    Args:
        norm: keras.layers.BatchNormalization over the last of four axes, trainable.
        unbiased: whether the statistics keep the variance of a sample (over n - 1), as
            PyTorch does, instead of that of the batch (over n), as Keras and Caffe do.
        sums: whether mean and deviation (of variance and epsilon) are added to what is
            kept, instead of moving it, see training.moments.

    Call arguments:
        inputs: [N, H, W, C].
        training: whether to normalise by the batch and move the statistics.

    Returns:
        What `norm(inputs)` returns, but for rounding.
    """

    def __init__(self, norm, unbiased=False, sums=False):
        super().__init__(name=f"{norm.name}_fused", autocast=False)
        self.norm, self.unbiased, self.sums = norm, unbiased, sums
        self.built = True

    def call(self, inputs, training=None):
        import tensorflow as tf

        norm = self.norm
        if not training:
            return norm(inputs, training=False)
        inputs = tf.cast(inputs, norm.compute_dtype)
        # The scale and shift of a norm without them are no variables.
        ones = tf.ones(inputs.shape[-1], norm.variable_dtype)
        scale = ones if norm.gamma is None else norm.gamma.value
        shift = 0 * ones if norm.beta is None else norm.beta.value
        count = tf.cast(tf.size(inputs) / inputs.shape[-1], ones.dtype)
        if inputs.dtype == tf.float64:
            mean, variance = tf.nn.moments(inputs, (0, 1, 2))
            outputs = tf.nn.batch_normalization(
                inputs, mean, variance, shift, scale, norm.epsilon
            )
            if self.unbiased:
                variance *= count / (count - 1)
        else:
            outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
                x=inputs,
                scale=scale,
                offset=shift,
                mean=tf.zeros(0),
                variance=tf.zeros(0),
                epsilon=norm.epsilon,
                is_training=True,
            )
            if not self.unbiased:
                # TensorFlow's is that of a sample.
                variance *= (count - 1) / count
        if self.sums:
            norm.moving_mean.assign_add(mean)
            norm.moving_variance.assign_add(tf.sqrt(variance + norm.epsilon))
            return outputs
        for kept, found in (
            (norm.moving_mean, mean),
            (norm.moving_variance, variance),
        ):
            kept.assign(kept * norm.momentum + found * (1.0 - norm.momentum))
        return outputs

    def compute_output_shape(self, input_shape):
        return input_shape


class FixedNorm(layers.Layer):
    """A batch norm whose slope and shift are trained, and whose statistics stay.

    MMAction2's norm_eval (models/backbones/resnet.py, `train`).

    Args:
        norm: keras.layers.BatchNormalization, trainable.

    Call arguments:
        inputs: what `norm` takes.

    Returns:
        `norm(inputs, training=False)`.
    """

    def __init__(self, norm):
        super().__init__(name=f"{norm.name}_fixed", autocast=False)
        self.norm = norm
        self.built = True

    def call(self, inputs):
        return self.norm(inputs, training=False)

    def compute_output_shape(self, input_shape):
        return input_shape


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
                outputs = _shifted(outputs, ops.cast(bias, dtype))
            return convolution.activation(outputs)
        # In this scope the variables have these values, cast as they would be.
        values = [(convolution.kernel, kernel)]
        if convolution.use_bias:
            values.append((convolution.bias, bias))
        with keras.StatelessScope(state_mapping=values):
            outputs = convolution(inputs)
        if bias is not None and not convolution.use_bias:
            outputs = _shifted(outputs, ops.cast(bias, dtype))
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


def _shifted(inputs, bias):
    """Adds a bias whose gradient is computed as a product with ones.

    Args:
        inputs: [N, H, W, C].
        bias: [C].
    """
    import tensorflow as tf

    @tf.custom_gradient
    def shifted(inputs, bias):
        def gradients(upstream):
            rows = tf.reshape(upstream, (-1, upstream.shape[-1]))
            ones = tf.ones((1, tf.shape(rows)[0]), rows.dtype)
            return upstream, tf.matmul(ones, rows)[0]

        return tf.nn.bias_add(inputs, bias), gradients

    return shifted(inputs, bias)


def can_be_fused(norm):
    """Whether a batch norm is over the last of four axes, see FusedNorm."""
    return len(norm.input.shape) == 4 and norm.axis in (-1, 3)


def for_training(model, half=None, unbiased=False, fixed=False, sums=False):
    """A model of the same layers that computes faster.

    For TensorFlow. In float64 nothing is faster, and only `unbiased`, `fixed` and
    `sums` change anything.

    Args:
        model: functional model whose layers with weights are layers of the model
            itself. Which of its batch norms are frozen is looked at now.
        half: whether to change also what is faster in half precision only. None:
            whether the model computes in it.
        unbiased, sums: see FusedNorm.
        fixed: whether the trainable batch norms keep their statistics, see FixedNorm.

    Returns:
        keras.Model with the variables of `model`: to train one is to train the other.

    Example:
        >>> import keras
        >>> inputs = keras.Input((8, 8, 3))
        >>> x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
        >>> x = keras.layers.BatchNormalization(name="norm")(x)
        >>> [layer.name for layer in for_training(keras.Model(inputs, x)).layers[1:]]
        ['conv', 'norm_fused']
    """
    if model.variable_dtype != "float32" and not (unbiased or fixed or sums):
        return model
    graph, norms, replaced = folding.Graph(model), {}, {}
    if half is None:
        half = model.compute_dtype != model.variable_dtype
    for norm in graph.all(layers.BatchNormalization):
        source = folding.layer_before(graph, norm)
        if norm.trainable and fixed:
            replaced[norm] = FixedNorm(norm)
        elif norm.trainable and can_be_fused(norm):
            replaced[norm] = FusedNorm(norm, unbiased, sums)
        elif not norm.trainable and half and isinstance(source, layers.Conv2D):
            norms[source] = norm
    if half:
        for layer in graph.all(layers.Conv2D):
            replaced[layer] = HalfConvolution(layer, norms.get(layer))
    done = set(norms.values())

    def call(layer, *args, **kwargs):
        new = replaced.get(layer, layer)
        if layer not in done and not isinstance(new, (FusedNorm, FixedNorm)):
            return new(*args, **kwargs)
        # Of a norm only its input: it may also be given a mask, which is None.
        (inputs,) = (t for t in args if isinstance(t, keras.KerasTensor))
        return inputs if layer in done else new(inputs)

    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=call
    )
