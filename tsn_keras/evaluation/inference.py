"""Snippets to raw scores, on every device there is."""

import contextlib
import functools

import keras
import numpy as np
import tensorflow as tf

from tsn_keras.common.errors import InputError, reason_of
from tsn_keras.evaluation import attending
from tsn_keras.models import over_time
from tsn_keras.models.folding import fold
from tsn_keras.models.preprocessing import network_input
from tsn_keras.pipeline import transforms
from tsn_keras.runtimes.catalogue import RUNTIMES
from tsn_keras.runtimes.records import SCORES, Function


def scorer(weights, view, precision="float32", runtime="keras"):
    """Makes the function that scores a batch of snippets in crops.

    To be called in the scope of the strategy that will run it.

    Args:
        weights: checkpoints.loading.Weights.
        view: protocols.records.View, whose crops are cut.
        precision: "float32" or "bfloat16".
        runtime: name of what runs the network, one of runtimes.catalogue.RUNTIMES.

    Returns:
        Function from uint8 [N, height, width, planes], or crops that are cut
        already, uint8 [N, crops, S, S, planes], to float32 [N, crops, classes]; with
        the attention behind the classes where attending.attends says so. Where
        snippets are seen together, their axis follows N in what it takes.
    """
    make = functools.partial(of_images, weights, view)
    run = RUNTIMES.find(runtime).made(make, precision)
    return in_view(run, view, weights.stream)


def of_images(weights, view, precision="float32"):
    """The network of weights for a view, folded, as a function of its input.

    Args:
        weights, view, precision: see `scorer`.

    Returns:
        runtimes.records.Function of float32 [N, S, S, channels] to {"scores": float32
        [N, classes]}; where snippets are seen together their axis follows N.

    Raises:
        InputError: the weights cannot be used, or not for the view.
    """
    model = _built(weights, view)
    run = network(model, weights.architecture.backbone.fold, precision)
    shape = (None, *model.input_shape[1:])
    spec = tf.TensorSpec(shape, tf.float32, name="images")
    return Function(lambda images: {SCORES: run(images)}, spec)


def _built(weights, view):
    side = _side(weights.stream, view)
    if not view.together:
        return attending.build(weights, side)
    try:
        return over_time.scores_of_video(weights.build(side, view.steps))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(
            f"{weights.path} cannot see {view.steps} snippets together: {error}"
        ) from None


def in_view(run, view, stream):
    """Makes the function that scores snippets in crops, of a network's.

    Args:
        run: function from float32 [N, S, S, channels] to float32 [N, classes]; of a
            network that sees snippets together their axis follows N.
        view: protocols.records.View, whose crops are cut.
        stream: protocols.records.Stream.

    Returns:
        See `scorer`.
    """
    if view.together:
        return _of_clips(run, view, stream)
    side = _side(stream, view)

    def score(frames):
        are_cut = frames.shape.rank == 5
        crops = frames if are_cut else transforms.cut(frames, view, stream)
        inputs = network_input(crops, stream)
        # One batch of all crops; those of whole frames are as large as these.
        shape = (-1, side, side, inputs.shape[-1])
        if not side:
            shape = tf.concat([[-1], tf.shape(inputs)[2:]], 0)
        scores = run(tf.reshape(inputs, shape))
        return tf.reshape(scores, (-1, view.crops.count, scores.shape[-1]))

    return score


def _of_clips(run, view, stream):
    """The same for a network that sees all steps of a video at once."""

    def score(frames):
        if frames.shape.rank == 5:
            # All steps of all videos are cut as one batch.
            steps = tf.reshape(frames, tf.concat([[-1], tf.shape(frames)[2:]], 0))
            cut = transforms.cut(steps, view, stream)
            shape = tf.concat([tf.shape(frames)[:2], tf.shape(cut)[1:]], 0)
            frames = tf.reshape(cut, shape)
            frames.set_shape((None, view.steps, *cut.shape[1:]))
        # One after the other, as the original does: all take much memory.
        scores = [
            run(network_input(crop, stream)) for crop in tf.unstack(frames, axis=2)
        ]
        return tf.stack(scores, axis=1)

    return score


def _side(stream, view):
    """Side of the network's input, pixels; 0 where it is that of the frames."""
    return 0 if view.crops.whole else stream.side_of(view)


def network(model, fold=fold, precision="float32"):
    """Makes a model's inference function: folded, in a precision.

    Args:
        model: keras.Model, a backbone.
        fold: see models.records.Backbone.
        precision: "float32" or "bfloat16".

    Returns:
        Function from float32 [N, S, S, C] to float32 [N, classes].
    """
    model = fold(model)
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
        Function from what `score` takes, as arrays, to float32 arrays.
    """
    function = tf.function(score, autograph=False)

    def run(frames):
        with _explained():
            return function(tf.constant(frames)).numpy()

    return run


@contextlib.contextmanager
def _explained():
    """Turns errors of a device into InputError, in words for people."""
    try:
        yield
    except tf.errors.OpError as error:
        memory = isinstance(error, tf.errors.ResourceExhaustedError)
        advice = ": a smaller `batch` takes less memory" if memory else ""
        raise InputError(f"scoring failed: {reason_of(error)}{advice}") from None


def stepper(score, distribution):
    """Compiles `score` for the devices of a strategy.

    Args:
        score: the function that `scorer` made.
        distribution: the strategy in whose scope it was made.

    Returns:
        Function from a batch of the pipeline to (video, tick, size, scores), each
        a value a replica.
    """

    @functools.partial(tf.function, autograph=False)
    def step(video, tick, size, frames):
        return video, tick, size, distribution.run(score, args=(frames,))

    return step


def run(step, dataset, distribution):
    """Scores the batches of a pipeline.

    Args:
        step: the function that `stepper` made.
        dataset: that of pipeline.snippets.for_test; its batch must be a multiple
            of the number of replicas.
        distribution: the strategy of `step`.

    Yields:
        (video int [n], tick int [n], size int [n, 2] of the files, float32 [n,
        crops, classes]) of each batch.

    Raises:
        InputError: a device fails, as when its memory is too small.
    """
    if distribution.num_replicas_in_sync > 1:
        dataset = distribution.experimental_distribute_dataset(dataset)
    for batch in _batches(dataset):
        with _explained():
            video, tick, size, scores = (
                np.concatenate([np.asarray(part) for part in local])
                for local in map(distribution.experimental_local_results, step(*batch))
            )
        real = video >= 0
        yield video[real], tick[real], size[real], scores[real]


def _batches(dataset):
    """Yields the batches of a dataset, with its errors in words."""
    batches = iter(dataset)
    while True:
        with _explained():
            batch = next(batches, None)
        if batch is None:
            return
        yield batch
