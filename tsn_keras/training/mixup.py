"""Mixup (https://arxiv.org/abs/1710.09412): videos and labels blended in pairs."""

import dataclasses

import tensorflow as tf

from tsn_keras.pipeline import draws


@dataclasses.dataclass(frozen=True)
class Mixup:
    """Blends each video with another one that its device holds at the same time.

    One share for all videos that a device holds at a time, drawn from Beta(alpha,
    alpha), and their partners by a permutation (mmaction2 0.x
    mmaction/datasets/blending_utils.py:50-79). There they are the videos of a GPU, here
    at most `train.device_batch`, those over which a trainable batch norm
    normalises too.

    Attributes:
        alpha: of the Beta distribution; the smaller, the nearer to 0 or 1 are shares.
        classes: how many there are.
        seed: of the run.
    """

    alpha: float
    classes: int
    seed: int

    def __call__(self, inputs, labels, number):
        """Blends what a device holds; to be called by each device.

        Blended are the network's inputs. Of pixels it would be the same: the mean and
        deviation that are taken of them are those of both.

        Args:
            inputs: float [B, K, S, S, channels].
            labels: int [B], or float [B, classes].
            number: int64, which part of which update it is, counted through.

        Returns:
            (inputs, float [B, classes] labels).
        """
        replica = tf.distribute.get_replica_context()
        own = tf.cast(replica.replica_id_in_sync_group, tf.int64)
        share, partners = draws.blending(
            self.seed,
            number * replica.num_replicas_in_sync + own,
            tf.shape(labels)[0],
            self.alpha,
        )
        if labels.shape.rank == 1:
            labels = tf.one_hot(labels, self.classes)

        def blended(values):
            part = tf.cast(share, values.dtype)
            return part * values + (1 - part) * tf.gather(values, partners)

        return blended(inputs), blended(labels)
