"""Snippets to raw scores, on every device there is."""

import keras
import numpy as np
import tensorflow as tf

from tsn_keras.data import transforms
from tsn_keras.models.fold import fold

CROPS = 10


def strategy():
    """All GPUs through tf.distribute, or the one device there is."""
    # MirroredStrategy tells its devices and that it has no NCCL on processors.
    tf.get_logger().setLevel("ERROR")
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def scorer(build, preprocess, precision="float32", crops=CROPS):
    """Makes the function that scores a batch of snippets in crops.

    To be called in the scope of the strategy that will run it.

    Args:
        build: function that returns the model, [N, S, S, C] to [N, classes].
        preprocess: config.Preprocess.
        precision: "float32" or "bfloat16".
        crops: 10, or 1 for the centre.

    Returns:
        Function from uint8 [N, height, width, planes] to float32 [N, crops,
        classes].
    """
    model = network(build, precision)
    side, is_flow = preprocess.crop_size, preprocess.modality == "flow"

    def score(frames):
        if crops == 1:
            windows = transforms.centre_crop(frames, side)
        else:
            windows = transforms.ten_crop(frames, side, is_flow)
        inputs = network_input(windows, preprocess)
        inputs = tf.reshape(inputs, (-1, side, side, preprocess.channels))
        scores = model(inputs)
        return tf.reshape(scores, (-1, crops, scores.shape[-1]))

    return score


def network_input(images, preprocess):
    """Pixels to what the network sees.

    Args:
        images: uint8 [..., planes].
        preprocess: config.Preprocess.

    Returns:
        float32 [..., channels].
    """
    inputs = transforms.subtract_mean(images, preprocess.mean)
    if preprocess.modality == "rgbdiff":
        inputs = transforms.differences(inputs, preprocess.planes_per_file)
    return inputs


def network(build, precision="float32"):
    """Makes a model's inference function: batch norms folded, in a precision.

    Args:
        build: function that returns the model.
        precision: "float32" or "bfloat16".

    Returns:
        Function from float32 [N, S, S, C] to float32 [N, classes].
    """
    model = fold(build())
    if precision != "float32":
        model = _cast(model, precision)
    # As constants of the graph, so that oneDNN puts the kernels into its own
    # layout once and not at every call: 4 to 8 % of the time.
    values = [
        [np.asarray(variable) for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]

    def run(inputs):
        outputs, _ = model.stateless_call(*values, inputs, training=False)
        return tf.cast(outputs, tf.float32)

    return run


def _cast(model, precision):
    """Copies a model to another precision."""

    def clone(layer):
        config = {**layer.get_config(), "dtype": precision}
        return layer.__class__.from_config(config)

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def compiled(score):
    """Compiles the function that `scorer` made, for batches of arrays.

    Returns:
        Function from uint8 [N, height, width, planes] to float32 arrays.
    """
    function = tf.function(score)
    return lambda frames: function(tf.constant(frames)).numpy()


def stepper(score, distribution):
    """Compiles `score` for the devices of a strategy.

    Args:
        score: the function that `scorer` made.
        distribution: the strategy in whose scope it was made.

    Returns:
        Function from a batch of the pipeline to (video, tick, scores), each a
        value a replica.
    """

    @tf.function
    def step(video, tick, frames):
        return video, tick, distribution.run(score, args=(frames,))

    return step


def run(step, dataset, distribution):
    """Scores the batches of a pipeline.

    Args:
        step: the function that `stepper` made.
        dataset: that of data.pipeline.for_test; its batch must be a multiple
            of the number of replicas.
        distribution: the strategy of `step`.

    Yields:
        (video int [n], tick int [n], float32 [n, 10, classes]) of each batch.
    """
    if distribution.num_replicas_in_sync > 1:
        dataset = distribution.experimental_distribute_dataset(dataset)
    for batch in dataset:
        video, tick, scores = (
            np.concatenate([np.asarray(part) for part in local])
            for local in map(distribution.experimental_local_results, step(*batch))
        )
        real = video >= 0
        yield video[real], tick[real], scores[real]
