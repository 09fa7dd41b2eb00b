"""Losses of training, one for each video: the trainer takes their mean."""

import functools

import keras
import tensorflow as tf


def chosen(train):
    """The loss that a training file chooses.

    Args:
        train: config.TrainSettings.

    Returns:
        function of (scores, labels, smoothing=0.0) to float [B].
    """
    return functools.partial(LOSSES[train.loss], weight=train.loss_weight)


def cross_entropy(scores, labels, smoothing=0.0, weight=1.0):
    """Softmax and cross-entropy of each video's consensus.

    Args:
        scores: raw, [B, classes].
        labels: int [B], or float [B, classes] whose rows add up to 1 (soft labels).
        smoothing: share of the label that is spread evenly over all classes
            (mmaction2 models/heads/base.py, label_smooth_eps).
        weight: of the loss.

    Returns:
        [B], at least in float32.
    """
    scores = _wide(scores)
    if labels.shape.rank == 1 and not smoothing:
        return weight * keras.ops.sparse_categorical_crossentropy(
            labels, scores, from_logits=True
        )
    classes = scores.shape[-1]
    if labels.shape.rank == 1:
        labels = tf.one_hot(labels, classes, dtype=scores.dtype)
    labels = _smooth(tf.cast(labels, scores.dtype), smoothing)
    return weight * tf.nn.softmax_cross_entropy_with_logits(labels, scores)


def sigmoid_cross_entropy(scores, labels, smoothing=0.0, weight=1.0):
    """Of several classes that hold at once: each against its sigmoid.

    Args:
        scores: raw, [B, classes].
        labels: float [B, classes], 0 or 1, or between (soft labels).
        smoothing: see `cross_entropy`.
        weight: of the loss, which is the mean over the classes (mmaction2
            models/losses/bce_with_logits.py; 160 for Multi-Moments, 333 for HVU).

    Returns:
        [B], at least in float32.
    """
    scores = _wide(scores)
    labels = _smooth(tf.cast(labels, scores.dtype), smoothing)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, scores)
    return weight * tf.reduce_mean(losses, axis=-1)


def of_steps(loss):
    """The loss of networks over time: the sum over all steps and streams of a video.

    ST-ResNet's, which divides by the number of videos alone (Loss.m:34-37).

    Args:
        loss: function of (scores [B, classes], labels, smoothing) to [B].

    Returns:
        The same of scores [B, T, streams, classes]; those of a video that are joined
        already, [B, classes], have their own loss.
    """

    def summed(scores, labels, smoothing=0.0):
        if scores.shape.rank == 2:
            return loss(scores, labels, smoothing)
        count = scores.shape[1] * scores.shape[2]
        flat = tf.reshape(scores, (-1, scores.shape[-1]))
        each = loss(flat, tf.repeat(labels, count, axis=0), smoothing)
        return tf.reduce_sum(tf.reshape(each, (-1, count)), axis=1)

    return summed


# By the names of train.loss.
LOSSES = {"softmax": cross_entropy, "sigmoid": sigmoid_cross_entropy}


def _smooth(labels, smoothing):
    """Labels [B, classes] of which a share is spread evenly."""
    return (1 - smoothing) * labels + smoothing / labels.shape[-1]


def _wide(scores):
    return tf.cast(scores, tf.float32) if scores.dtype.size < 4 else scores
