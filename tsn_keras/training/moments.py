"""Statistics of batch norms that move once an update, as MatConvNet's do."""

import tensorflow as tf


class Moments:
    """The statistics of trainable batch norms over the sub-batches of an update.

    st-resnet cnn_train_dag.m:526-530 and matconvnet BatchNorm.m:44-71: each sub-batch
    finds its mean and its deviation, which has epsilon inside, and their means over the
    sub-batches move what is kept, once. Keras moves it at each, and the variance.

    Args:
        norms: keras.layers.BatchNormalization of each, which are computed by a
            models.training_graph.FusedNorm of sums; their momentum says by how much
            they move.
        parts: sub-batches of an update.
    """

    def __init__(self, norms, parts):
        self._norms, self._parts = norms, parts

    def begin(self):
        """Makes room for the sums of the sub-batches, before the first.

        Returns:
            (mean, variance) of each norm as they were.
        """
        before = []
        for norm in self._norms:
            kept = norm.moving_mean.value, norm.moving_variance.value
            before.append(tuple(tf.identity(one) for one in kept))
            for one in kept:
                one.assign(tf.zeros_like(one))
        return before

    def move(self, before, factor):
        """Moves the statistics by the sums, after the last sub-batch.

        Args:
            before: what `begin` returned.
            factor: float, 1; or 0 to leave them as they were.
        """
        for norm, (mean, variance) in zip(self._norms, before, strict=True):
            share = factor * (1.0 - norm.momentum)
            found = norm.moving_mean.value / self._parts
            norm.moving_mean.assign(mean + share * (found - mean))
            deviation = tf.sqrt(variance + norm.epsilon)
            found = norm.moving_variance.value / self._parts
            moved = deviation + share * (found - deviation)
            norm.moving_variance.assign(moved * moved - norm.epsilon)
