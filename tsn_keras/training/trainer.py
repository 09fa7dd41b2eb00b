"""Training steps on every device there is."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from tsn_keras.common.errors import InputError
from tsn_keras.models import training_graph, training_rules
from tsn_keras.models.preprocessing import network_input
from tsn_keras.models.records import Backbone
from tsn_keras.models.tsn import TSN, feature_network, halves
from tsn_keras.protocols.records import Stream
from tsn_keras.training import schedules
from tsn_keras.training.loss_scale import LossScale
from tsn_keras.training.losses import cross_entropy
from tsn_keras.training.optimizer import CaffeSGD, TorchSGD

# Whose updates: (optimizer, whether a batch norm's statistics keep the variance of a
# sample), see models.training_graph.FusedNorm.
_SOLVERS = {"caffe": (CaffeSGD, False), "torch": (TorchSGD, True)}
_STRIDE = 1_000_003  # between the seeds of replicas


class Diverged(InputError):
    """The loss is not finite any more."""


def sub_batches(batch, replicas, most):
    """Divides videos into parts that the devices can hold at a time.

    Args:
        batch: videos.
        replicas: devices.
        most: videos that a device can hold at a time.

    Returns:
        (parts, videos of a part over all replicas): the fewest parts that fit.

    Raises:
        InputError: the batch cannot be divided by the replicas.
    """
    if batch % replicas:
        lower = batch - batch % replicas
        raise InputError(
            f"{batch} videos (train.batch over train.iter_size) cannot be divided "
            f"among {replicas} devices: take {lower or replicas} or {lower + replicas}"
        )
    each = batch // replicas
    size = max(n for n in range(1, min(each, most) + 1) if each % n == 0)
    return each // size, size * replicas


@dataclasses.dataclass(frozen=True)
class Network:
    """A backbone that is to be trained over segments.

    Attributes:
        backbone: keras.Model, [N, S, S, C] to raw scores [N, classes].
        record: its models.records.Backbone.
        stream: protocols.records.Stream.
        segments: K.
        batch_norm: the trainable batch norms, see config.ModelSettings.
        consensus: what the segments' mean is taken of, "scores" or "features".
    """

    backbone: keras.Model
    record: Backbone
    stream: Stream
    segments: int = 3
    batch_norm: str = "first"
    consensus: str = "scores"

    def over_segments(self, unbiased):
        """The model that is trained, with the variables of the backbone.

        Args:
            unbiased: see training_graph.FusedNorm.

        Returns:
            keras.Model, [B, K, S, S, C] to raw scores [B, classes].
        """
        fixed = self.batch_norm == training_rules.AFFINE
        how = {"unbiased": unbiased, "fixed": fixed}
        if self.consensus == "scores":
            computed = training_graph.for_training(self.backbone, **how)
            return TSN(computed, self.segments)
        body, classifier = halves(self.backbone, self.record.features)
        body = training_graph.for_training(body, **how)
        return feature_network(body, classifier, self.segments)


class Trainer:
    """A backbone in training.

    To be made in the scope of the strategy that runs it.

    Args:
        network: Network.
        train: config.TrainSettings with all lengths in iterations.
        parts: sub-batches of an update, a multiple of train.iter_size.
        distribution: tf.distribute.Strategy.
    """

    def __init__(self, network, train, parts, distribution):
        backbone, modality = network.backbone, network.stream.modality
        training_rules.set_batch_norm(backbone, network.batch_norm)
        self.backbone = backbone
        made, unbiased = _SOLVERS[train.solver]
        self.network = network.over_segments(unbiased)
        self._stream = network.stream
        self._distribution = distribution
        self._smoothing = train.label_smoothing
        self.optimizer = made(
            schedules.of(train),
            momentum=train.momentum,
            weight_decay=train.weight_decay,
            # Caffe clips the sum over its iter_size sub-batches. If memory splits
            # each of them into n parts, the sum is n times larger.
            clip=train.clip * (parts // train.iter_size) or None,
            iter_size=parts,
            multipliers=training_rules.multipliers(
                backbone,
                network.record,
                modality.first_rate,
                training_rules.GROUPS[train.groups],
            ),
        )
        self._variables = backbone.trainable_variables
        self.optimizer.build(self._variables)
        # Each replica has its own; see `agree`.
        self._statistics = [
            variable.value
            for layer in backbone.layers
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
            for variable in (layer.moving_mean, layer.moving_variance)
        ]
        self._seeds = [
            layer.seed_generator.state.value
            for layer in backbone.layers
            if isinstance(layer, keras.layers.Dropout) and layer.rate
        ]
        self.spread()
        self._scale = LossScale() if train.precision == "float16" else None
        # Each is compiled once; gradients stay on their devices in between.
        self._first = tf.function(self._gradients)
        self._more = tf.function(self._added)
        self._finite = tf.function(self._all_finite)
        self._update = tf.function(self._apply)
        self._agree = tf.function(self._share_statistics)

    @property
    def iteration(self):
        """Number of updates that were made."""
        return int(np.asarray(self.optimizer.iterations))

    @property
    def learning_rate(self):
        """That of the next update."""
        return float(self.optimizer.learning_rate)

    def step(self, batches):
        """Makes one update.

        Args:
            batches: the parts of an update's batch: (uint8 [b, K, S, S,
                planes], int32 [b]) each, distributed if there are several
                replicas.

        Returns:
            float, the loss before the update: the mean over all videos.

        Raises:
            Diverged: it is not finite; there was no update.
        """
        if self._scale is not None:
            batches = list(batches)
        while True:
            loss, gradients = self._accumulated(batches)
            if not np.isfinite(loss):
                raise Diverged(f"the loss is {loss} at iteration {self.iteration}")
            if self._scale is None or self._fits(gradients):
                break
        self._distribution.run(self._update, args=(gradients, self._factor()))
        return loss

    def _accumulated(self, batches):
        """Returns (loss, sums of the gradients over the parts, times the scale)."""
        run, factor = self._distribution.run, self._factor()
        loss, gradients = None, None
        for images, labels in batches:
            if gradients is None:
                loss, gradients = run(self._first, args=(images, labels, factor))
            else:
                args = (images, labels, factor, loss, gradients)
                loss, gradients = run(self._more, args=args)
        total = self._distribution.reduce("SUM", loss, axis=None)
        return float(total) / self.optimizer.iter_size, gradients

    def _factor(self):
        return tf.constant(1.0 if self._scale is None else self._scale.value)

    def _fits(self, gradients):
        """Whether no gradient of any replica overflowed; else lowers the scale."""
        finite = self._distribution.run(self._finite, args=(gradients,))
        bad = self._distribution.reduce("SUM", finite, axis=None)
        if not float(bad):
            self._scale.count()
            return True
        if not self._scale.lower():
            raise Diverged(f"gradients overflow float16 at iteration {self.iteration}")
        return False

    def _all_finite(self, gradients):
        finite = [tf.reduce_all(tf.math.is_finite(g)) for g in gradients]
        return 1.0 - tf.cast(tf.reduce_all(finite), tf.float32)

    def _gradients(self, images, labels, factor):
        """Loss and gradients of a replica's share of a part.

        The mean over the whole part, of which each replica adds a share.
        """
        inputs = network_input(images, self._stream)
        videos = tf.shape(labels)[0] * self._distribution.num_replicas_in_sync
        with tf.GradientTape() as tape:
            scores = self.network(inputs, training=True)
            losses = cross_entropy(scores, labels, self._smoothing)
            loss = tf.reduce_sum(losses) / tf.cast(videos, losses.dtype)
            scaled = loss if self._scale is None else loss * factor
        weights = [variable.value for variable in self._variables]
        return loss, tape.gradient(scaled, weights)

    def _added(self, images, labels, factor, loss, gradients):
        more, others = self._gradients(images, labels, factor)
        sums = [a + b for a, b in zip(gradients, others, strict=True)]
        return loss + more, sums

    def _apply(self, gradients, factor):
        # Arguments of a function have no device; the sum over machines needs one.
        gradients = [tf.identity(gradient) for gradient in gradients]
        if self._scale is not None:
            gradients = [gradient / factor for gradient in gradients]
        self.optimizer.apply(gradients, self._variables)

    def agree(self):
        """Gives all replicas the first one's statistics of trainable batch norms.

        In training each replica normalises by its own batch and keeps its own
        statistics. The original tests and saves with those of its first process
        (solver.cpp:195-203, 499).
        """
        if self._distribution.num_replicas_in_sync > 1:
            self._distribution.run(self._agree)

    def _share_statistics(self):
        replica = tf.distribute.get_replica_context()
        is_first = tf.equal(replica.replica_id_in_sync_group, 0)
        for variable in self._statistics:
            value = tf.where(is_first, variable, tf.zeros_like(variable))
            variable.assign(replica.all_reduce(tf.distribute.ReduceOp.SUM, value))

    def spread(self):
        """Gives each replica random numbers of its own; the first keeps its own.

        Keras gives all the same: they would drop the same features.
        """
        if self._distribution.num_replicas_in_sync == 1:
            return

        def move():
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            for state in self._seeds:
                moved = tf.stack([tf.cast(replica, state.dtype) * _STRIDE, 0])
                state.assign(state + moved)

        self._distribution.run(tf.function(move))

    def is_finite(self):
        """Whether all weights are finite."""
        return all(np.isfinite(np.asarray(v)).all() for v in self.backbone.variables)

    @property
    def size(self):
        """Bytes of a checkpoint, about."""
        return sum(np.prod(v.shape) * 4 for v in self.state().values())

    @property
    def loss_scale(self):
        """LossScale of float16, or None."""
        return self._scale

    def state(self):
        """{name: variable} of everything that the next update depends on."""
        # The backbone's variables include the random state of dropout.
        parts = {
            "backbone": self.backbone.variables,
            "optimizer": self.optimizer.variables,
        }
        return {
            f"{part}/{index}": variable
            for part, variables in parts.items()
            for index, variable in enumerate(variables)
        }
