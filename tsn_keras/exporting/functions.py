"""What is exported: the network alone, or a whole look at a video."""

import tensorflow as tf

from tsn_keras.evaluation import inference, ways
from tsn_keras.runtimes.records import PROBABILITIES, SCORES, Function
from tsn_keras.scores import joining

# As scores.joining.CHANCES, in TensorFlow.
_CHANCES = {"softmax": tf.nn.softmax, "sigmoid": tf.nn.sigmoid}


def network(weights):
    """The network of weights alone, for the size of their test's crops.

    Args:
        weights: checkpoints.loading.Weights.

    Returns:
        Function of "images", float32 [N, S, S, channels], to {"scores": float32 [N,
        classes]}, before the softmax. A network over time takes [N, steps, S, S,
        channels] and gives the mean over the steps.
    """
    return inference.of_images(weights, weights.stream.test)


def whole(weights):
    """A whole look at videos: crops, mean, network and consensus.

    Args:
        weights: checkpoints.loading.Weights.

    Returns:
        Function of "frames", uint8 [B, K, height, width, planes] of snippets that are
        resized as the protocol says (float32 of modalities that stack displacements),
        to {"scores": float32 [B, classes], "probabilities": likewise}. The scores are
        the means over crops and snippets: what is added up over streams. B and K are
        free; K is the number of steps of a network over time.
    """
    stream, view = weights.stream, weights.stream.test
    way = ways.of(weights, view)
    run = network(weights).call
    score = inference.in_view(lambda images: run(images)[SCORES], view, stream)
    chances = _CHANCES[way.loss]
    averages_raw = way.averaged == joining.AVERAGES[0]

    def call(frames):
        scores = score(frames if view.together else _snippets(frames))
        if not averages_raw:
            scores = chances(scores)
        scores = tf.reduce_mean(scores, axis=1)  # [B * K, classes]
        if not view.together:
            shape = tf.concat([tf.shape(frames)[:2], scores.shape[-1:]], axis=0)
            scores = tf.reduce_mean(tf.reshape(scores, shape), axis=1)
        found = chances(scores) if averages_raw else scores
        # Two outputs are two tensors: a converter would drop one of the same.
        return {SCORES: scores, PROBABILITIES: tf.identity(found)}

    height, width = stream.fixed_size or (None, None)
    modality = stream.modality
    shape = (
        *(None, view.steps if view.together else None),
        *(height, width, modality.planes),
    )
    return Function(call, tf.TensorSpec(shape, modality.pixel_type, name="frames"))


def _snippets(frames):
    """[B, K, height, width, planes] to [B * K, height, width, planes]."""
    flat = tf.reshape(frames, tf.concat([[-1], tf.shape(frames)[2:]], axis=0))
    flat.set_shape((None, *frames.shape[2:]))
    return flat
