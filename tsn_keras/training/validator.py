"""The original's test while it trains: middle snippets, centre crop, all videos."""

import dataclasses

import numpy as np
import tensorflow as tf

from tsn_keras.models.preprocessing import network_input
from tsn_keras.scores import metrics


class Validator:
    """Scores the videos of a validation set on every device.

    To be made in the scope of the strategy that runs it.

    Args:
        network: keras.Model, [B, K, S, S, C] to raw scores [B, classes].
        stream: protocols.records.Stream.
        distribution: tf.distribute.Strategy.
        loss: function of (scores, labels) to [B], see training.losses.

    Attributes:
        FIGURES: what it finds beside the loss, in percent, by their names in
            validation.csv; that of the best validation is first.
    """

    FIGURES = ("top1", "mean_class_accuracy")

    def __init__(self, network, stream, distribution, loss):
        self._network = network
        self._stream = stream
        self._distribution = distribution
        self._loss = loss
        self._step = tf.function(self._batch, autograph=False)

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

    def _scores(self, images):
        return self._network(network_input(images, self._stream), training=False)

    def _batch(self, images, labels):
        """Sums by class: losses, right ones, videos; float64 [3, classes]."""
        scores = self._scores(images)
        classes = scores.shape[-1]
        real = labels >= 0  # What fills a batch up has none.
        losses = self._loss(scores, tf.maximum(labels, 0))
        found = tf.argmax(scores, axis=-1, output_type=labels.dtype)
        values = tf.stack(
            [losses, tf.cast(found == labels, losses.dtype), tf.ones_like(losses)]
        )
        values = tf.where(real, tf.cast(values, tf.float64), 0.0)
        owners = tf.one_hot(labels, classes, dtype=tf.float64)
        return tf.matmul(values, owners)


class SeveralLabels(Validator):
    """The same where videos have several labels, labels [B, classes] of 0 and 1."""

    FIGURES = ("mean_average_precision", "video_mean_average_precision")

    def run(self, batches):
        """Scores a pass; see Validator.

        A precision is of the order of all videos: their scores are kept, float32.

        Returns:
            dict: loss, the mean over the videos; the precisions of
            scores.metrics.Precision, in percent; videos, their number.
        """
        kept = []
        for images, labels in batches:
            parts = self._distribution.run(self._step, args=(images, labels))
            if self._distribution.num_replicas_in_sync > 1:
                parts = [self._distribution.gather(part, axis=0) for part in parts]
            losses, scores, labels = (part.numpy() for part in parts)
            real = labels[:, 0] >= 0  # What fills a batch up has none.
            kept.append((losses[real], scores[real], labels[real] > 0))
        losses, scores, is_true = map(np.concatenate, zip(*kept, strict=True))
        return {
            "loss": float(losses.mean(dtype=np.float64)),
            **dataclasses.asdict(metrics.precision(scores, is_true)),
            "videos": len(losses),
        }

    def _batch(self, images, labels):
        """(losses [B], scores [B, classes], labels)."""
        scores = tf.cast(self._scores(images), tf.float32)
        return self._loss(scores, tf.maximum(labels, 0)), scores, labels


def of(multi_label):
    """The class of validator: for videos with several labels, or with one."""
    return SeveralLabels if multi_label else Validator
