"""Layers of networks that see several steps of a video at once.

Convolutions of images, batch norms and pooling work on all steps of all videos as one
batch, [B * T, H, W, C]; only what looks along time knows which of them follow another.
"""

import keras
from keras import ops

from tsn_keras.models import residual


@keras.saving.register_keras_serializable("tsn_keras")
class StepsAsBatch(keras.layers.Layer):
    """Some channels of all steps as one batch of images.

    Args:
        first: number of the first channel.
        count: how many are taken.

    Call arguments:
        inputs: [B, T, H, W, C].

    Returns:
        [B * T, H, W, count].
    """

    def __init__(self, first, count, **kwargs):
        super().__init__(**kwargs)
        self.first, self.count = first, count

    def call(self, inputs):
        taken = inputs[..., self.first : self.first + self.count]
        # Of the first two axes one length is known, of the others perhaps none.
        return ops.reshape(taken, (-1, *ops.shape(inputs)[2:4], self.count))

    def compute_output_shape(self, input_shape):
        batch, steps, height, width, _ = input_shape
        count = None if None in (batch, steps) else batch * steps
        return count, height, width, self.count

    def get_config(self):
        return {**super().get_config(), "first": self.first, "count": self.count}


class _AlongTime(keras.layers.Layer):
    """A layer over the steps of each video, [B * T, H, W, C].

    Args:
        steps: T.
    """

    def __init__(self, steps, **kwargs):
        super().__init__(**kwargs)
        if steps < 1:
            raise ValueError(f"`steps` must be at least 1. Received: {steps}")
        self.steps = steps

    def _along(self, inputs):
        """[B, T, H * W, C]: what is two-dimensional to Keras is time and place."""
        height, width, channels = self._sides(inputs)
        return ops.reshape(inputs, (-1, self.steps, height * width, channels))

    def _apart(self, outputs, inputs):
        """[B, T', H * W, C'] as [B * T', H, W, C']."""
        height, width, _ = self._sides(inputs)
        return ops.reshape(outputs, (-1, height, width, outputs.shape[-1]))

    def _sides(self, inputs):
        return ops.shape(inputs)[1:]

    def get_config(self):
        return {**super().get_config(), "steps": self.steps}


@keras.saving.register_keras_serializable("tsn_keras")
class TemporalConvolution(_AlongTime):
    """A 3x1x1 convolution along time, with a zero before the first and after the last.

    ST-ResNet section 3.1; STResNet_stage1.m:271-291. It begins as the mean over three
    steps of a 1x1 convolution, see `averaging`.

    Args:
        filters: output channels.
        steps: T.
        kernel_initializer: of [3, C, filters].

    Call arguments:
        inputs: [B * T, H, W, C].

    Returns:
        [B * T, H, W, filters].
    """

    def __init__(self, filters, steps, kernel_initializer=None, **kwargs):
        super().__init__(steps, **kwargs)
        self.filters = filters
        self.kernel_initializer = keras.initializers.get(
            kernel_initializer or residual.he()
        )

    def build(self, input_shape):
        shape = (3, input_shape[-1], self.filters)
        self.kernel = self.add_weight(shape, self.kernel_initializer, name="kernel")

    def call(self, inputs):
        kernel = self.kernel[:, None]  # [time, place, C, filters]
        outputs = ops.conv(self._along(inputs), kernel, padding="same")
        return self._apart(outputs, inputs)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def averaging(kernel):
    """The kernel along time that means over three steps (paper, equation 5).

    At the first and the last step one of the three is padding, which is not left out
    of the mean: a third is lost there (STResNet_stage1.m:279-291).

    Args:
        kernel: [1, 1, C, filters] of an image's convolution.

    Returns:
        array [3, C, filters], a third each.
    """
    return kernel[0].repeat(3, axis=0) / 3


@keras.saving.register_keras_serializable("tsn_keras")
class TemporalMaxPooling(_AlongTime):
    """The maximum over windows of steps, none of which leaves the video.

    STResNet_stage2.m:97-125.

    Args:
        steps: T.
        size: steps of a window.
        stride: distance of windows.

    Call arguments:
        inputs: [B * T, H, W, C].

    Returns:
        [B * T', H, W, C], T' = (T - size) // stride + 1.
    """

    def __init__(self, steps, size=5, stride=2, **kwargs):
        super().__init__(steps, **kwargs)
        if steps < size:
            raise ValueError(
                f"`steps` must be at least {size}, those of a window. Received: {steps}"
            )
        self.size, self.stride = size, stride

    @property
    def windows(self):
        """T'."""
        return (self.steps - self.size) // self.stride + 1

    def call(self, inputs):
        outputs = ops.max_pool(
            self._along(inputs), (self.size, 1), (self.stride, 1), padding="valid"
        )
        return self._apart(outputs, inputs)

    def compute_output_shape(self, input_shape):
        count = input_shape[0] and input_shape[0] // self.steps * self.windows
        return (count, *input_shape[1:])

    def get_config(self):
        return {**super().get_config(), "size": self.size, "stride": self.stride}


@keras.saving.register_keras_serializable("tsn_keras")
class WindowMean(keras.layers.Layer):
    """The mean over the means of all square windows, of pool5 and what follows it.

    A network that is trained on one window gives a larger image the mean of what it
    gives its windows: a classifier is linear, so that its input can be averaged.
    Cells at the border are in fewer windows, and so count less.

    Args:
        size: side of a window in cells.

    Call arguments:
        inputs: [N, H, W, C], H and W at least `size`.

    Returns:
        [N, C].
    """

    def __init__(self, size=7, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, inputs):
        if inputs.shape[1:3] != (self.size, self.size):
            inputs = ops.average_pool(inputs, self.size, 1, padding="valid")
        return ops.mean(inputs, axis=(1, 2))

    def compute_output_shape(self, input_shape):
        return input_shape[0], input_shape[-1]

    def get_config(self):
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable("tsn_keras")
class MeanOfSteps(keras.layers.Layer):
    """A video's scores: the mean over steps and streams, [B, T, streams, C] to [B, C].

    ST-ResNet's test, all alike and before the softmax (cnn_train_dag.m:401-419).
    """

    def call(self, inputs):
        return ops.mean(inputs, axis=(1, 2))

    def compute_output_shape(self, input_shape):
        return input_shape[0], input_shape[-1]


def scores_of_video(model):
    """A model of all steps as one of the video's scores, with the same variables.

    Args:
        model: keras.Model, [B, T, H, W, C] to [B, T', streams, classes].

    Returns:
        keras.Model, [B, T, H, W, C] to [B, classes].
    """
    scores = MeanOfSteps(dtype=model.dtype_policy.variable_dtype)(model.output)
    return keras.Model(model.input, scores)


@keras.saving.register_keras_serializable("tsn_keras")
class StepsOfStreams(keras.layers.Layer):
    """What streams say of all steps, step by step.

    Args:
        steps: T.

    Call arguments:
        inputs: [B * T, C] of each stream, a list.

    Returns:
        [B, T, streams, C].
    """

    def __init__(self, steps, **kwargs):
        super().__init__(**kwargs)
        self.steps = steps

    def call(self, inputs):
        stacked = ops.stack(inputs, axis=1)
        return ops.reshape(stacked, (-1, self.steps, *stacked.shape[1:]))

    def compute_output_shape(self, input_shape):
        count, channels = input_shape[0]
        videos = count and count // self.steps
        return videos, self.steps, len(input_shape), channels

    def get_config(self):
        return {**super().get_config(), "steps": self.steps}
