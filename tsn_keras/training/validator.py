"""The original's test while it trains: middle snippets, centre crop, all videos."""

import numpy as np
import tensorflow as tf

from tsn_keras.models.preprocessing import network_input
from tsn_keras.training.losses import cross_entropy


class Validator:
    """Scores the videos of a validation set on every device.

    To be made in the scope of the strategy that runs it.

    Args:
        network: keras.Model, [B, K, S, S, C] to raw scores [B, classes].
        stream: protocols.records.Stream.
        distribution: tf.distribute.Strategy.
    """

    def __init__(self, network, stream, distribution):
        self._network = network
        self._stream = stream
        self._distribution = distribution
        self._step = tf.function(self._batch)

    def run(self, batches):
        """Scores a pass.

        Args:
            batches: iterable of the batches of a validation pipeline
                (pipeline.training), distributed if there are several replicas.

        Returns:
            dict: loss, the mean over the videos; top1 and mean_class_accuracy
            in percent (over the classes that have videos); videos, their
            number.
        """
        sums = None
        for images, labels in batches:
            parts = self._distribution.run(self._step, args=(images, labels))
            one = self._distribution.reduce("SUM", parts, axis=None).numpy()
            sums = one if sums is None else sums + one
        losses, right, videos = sums
        there = videos > 0
        return {
            "loss": float(losses.sum() / videos.sum()),
            "top1": float(100 * right.sum() / videos.sum()),
            "mean_class_accuracy": float(100 * np.mean(right[there] / videos[there])),
            "videos": int(videos.sum()),
        }

    def _batch(self, images, labels):
        """Sums by class: losses, right ones, videos; float64 [3, classes]."""
        inputs = network_input(images, self._stream)
        scores = self._network(inputs, training=False)
        classes = scores.shape[-1]
        real = labels >= 0  # What fills a batch up has none.
        losses = cross_entropy(scores, tf.maximum(labels, 0))
        found = tf.argmax(scores, axis=-1, output_type=labels.dtype)
        values = tf.stack(
            [losses, tf.cast(found == labels, losses.dtype), tf.ones_like(losses)]
        )
        values = tf.where(real, tf.cast(values, tf.float64), 0.0)
        owners = tf.one_hot(labels, classes, dtype=tf.float64)
        return tf.matmul(values, owners)
