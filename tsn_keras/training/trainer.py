"""Training steps on every device there is."""

import base64
import dataclasses
import functools

import keras
import numpy as np
import tensorflow as tf

from tsn_keras.common.errors import InputError
from tsn_keras.models import over_time, training_graph, training_rules
from tsn_keras.models.consensus import SegmentConsensus
from tsn_keras.models.preprocessing import network_input
from tsn_keras.models.records import Backbone
from tsn_keras.models.tsn import TSN, feature_network, halves
from tsn_keras.protocols.records import Stream
from tsn_keras.training import losses, schedules
from tsn_keras.training.loss_scale import LossScale
from tsn_keras.training.mixup import Mixup
from tsn_keras.training.moments import Moments
from tsn_keras.training.optimizer import CaffeSGD, TorchSGD
from tsn_keras.training.tasks import Branch

# Whose updates: (optimizer, whether a batch norm's statistics keep the variance of a
# sample, see models.training_graph.FusedNorm, whether they move once an update, see
# training.moments).
_SOLVERS = {
    "caffe": (CaffeSGD, False, False),
    "torch": (TorchSGD, True, False),
    # cnn_train_dag.m:508-571: PyTorch's way with the rate.
    "matconvnet": (TorchSGD, False, True),
}
_STRIDE = 1_000_003  # between the seeds of replicas
# No step has Python's `if` on a tensor; to look for one takes half of the time in which
# a process traces its first step.
_graph = functools.partial(tf.function, autograph=False)
FEATURES, HEAD = "features", "head"


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
        consensus, consensus_k, trainable: see config.ModelSettings.
        branches: tasks.Branch of each further data set.
    """

    backbone: keras.Model
    record: Backbone
    stream: Stream
    segments: int = 3
    batch_norm: str = "first"
    consensus: str = "average"
    consensus_k: int = 3
    trainable: str = "all"
    branches: tuple[Branch, ...] = ()

    def of_branch(self, branch):
        """The Network of a further data set."""
        return dataclasses.replace(self, backbone=branch.model, record=branch.record)

    def joined(self):
        """A new layer of the consensus."""
        return SegmentConsensus(
            "average" if self.consensus == FEATURES else self.consensus,
            self.consensus_k,
            name="segment_consensus",
            dtype=self.backbone.dtype_policy.variable_dtype,
        )

    def over_segments(self, segments, joined, unbiased, sums=False):
        """The model that is trained, with the variables of the backbone.

        Args:
            segments: K.
            joined: what `joined` returned, for all numbers of segments.
            unbiased, sums: see training_graph.FusedNorm.

        Returns:
            keras.Model, [B, K, S, S, C] to raw scores [B, classes]; of a network that
            sees all segments at once [B, T, streams, classes].
        """
        fixed = self.batch_norm == training_rules.AFFINE
        how = {"unbiased": unbiased, "fixed": fixed, "sums": sums}
        if self.record.steps:
            if segments != self.segments:
                raise InputError(
                    f"{self.record.title} sees {self.segments} segments at once: "
                    f"sources of data.sources must have as many, not {segments}"
                )
            return training_graph.for_training(self.backbone, **how)
        if self.consensus == FEATURES:
            body, classifier = halves(self.backbone, self.record.features)
            body = training_graph.for_training(body, **how)
            return feature_network(body, classifier, segments, joined)
        computed = training_graph.for_training(self.backbone, **how)
        return TSN(computed, segments, joined)


def _multipliers(networks, modality, groups):
    """{path of a variable: factors of its rate and decay} of all networks."""
    found = {}
    for one in networks:
        told = one.record, modality.first_rate, training_rules.GROUPS[groups]
        found |= training_rules.multipliers(one.backbone, *told)
    return found


class Trainer:
    """A backbone in training.

    To be made in the scope of the strategy that runs it.

    Args:
        network: Network.
        train: config.TrainSettings with all lengths in iterations.
        parts: sub-batches of an update, a multiple of train.iter_size.
        distribution: tf.distribute.Strategy.
        also: other numbers of segments than the network's that batches may have.
    """

    def __init__(self, network, train, parts, distribution, also=()):
        backbone, modality = network.backbone, network.stream.modality
        training_rules.set_batch_norm(backbone, network.batch_norm)
        if network.trainable == HEAD:
            training_rules.train_head_only(backbone, network.record)
        self.backbone = backbone
        made, unbiased, once = _SOLVERS[train.solver]
        # Of each number of segments that a batch may have; all share the variables.
        joined = network.joined()
        own = [network.of_branch(branch) for branch in network.branches]
        # By (number of the data set, segments); the main one is 0.
        self._networks = {
            (0, segments): network.over_segments(segments, joined, unbiased, once)
            for segments in dict.fromkeys((network.segments, *also))
        }
        self._networks |= {
            (number, one.segments): one.over_segments(
                one.segments, joined, unbiased, once
            )
            for number, one in enumerate(own, 1)
        }
        self.network = self._networks[0, network.segments]
        is_over_time = network.record.steps > 0
        self.scorer = self.network
        if is_over_time:
            self.scorer = over_time.scores_of_video(self.network)
        self._stream = network.stream
        self._distribution = distribution
        self._loss = losses.chosen(train)
        if is_over_time:
            self._loss = losses.of_steps(self._loss)
        self._smoothing = train.label_smoothing
        classes = self.network.output_shape[-1]
        self._mixup = Mixup(train.mixup, classes, train.seed) if train.mixup else None
        self.optimizer = made(
            schedules.of(train),
            momentum=train.momentum,
            weight_decay=train.weight_decay,
            # Caffe clips the sum over its iter_size sub-batches. If memory splits
            # each of them into n parts, the sum is n times larger.
            clip=train.clip * (parts // train.iter_size) or None,
            iter_size=parts,
            multipliers={
                **_multipliers((network, *own), modality, train.groups),
                **{v.path: (1.0, joined.record.decay) for v in joined.weights},
            },
        )
        self._consensus = {"kind": network.consensus}
        if joined.record.counts:
            self._consensus["k"] = network.consensus_k
        self._learned = learned = joined.trainable_variables
        self._heads = [v for b in network.branches for v in b.head.trainable_variables]
        self._variables = backbone.trainable_variables + self._heads + learned
        self.optimizer.build(self._variables)
        every = range(len(self._variables))
        split = len(self._variables) - len(learned)
        if joined.record.alternates and train.consensus_updates == "alternate":
            self._turns = [every[:split], every[split:]]
        else:
            self._turns = [every]
        # Each replica has its own; see `agree`.
        norms = [
            layer
            for layer in backbone.layers
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        ]
        self._statistics = [
            variable.value
            for layer in norms
            for variable in (layer.moving_mean, layer.moving_variance)
        ]
        self._moments = None
        if once and network.batch_norm != training_rules.AFFINE:
            fused = [norm for norm in norms if training_graph.can_be_fused(norm)]
            self._moments = Moments(fused, parts)
            self._begin = _graph(self._moments.begin)
            self._move = _graph(self._moments.move)
        self._seeds = [
            layer.seed_generator.state.value
            for layer in backbone.layers
            if isinstance(layer, keras.layers.Dropout) and layer.rate
        ]
        self.spread()
        self._scale = LossScale() if train.precision == "float16" else None
        # Each is compiled once; gradients stay on their devices in between.
        self._first, self._more = (
            [
                _graph(functools.partial(function, task=task))
                for task in range(1 + len(own))
            ]
            for function in (self._gradients, self._added)
        )
        self._finite = _graph(self._all_finite)
        # (of an iteration, of another update of it), of each turn.
        self._updates = [
            tuple(
                _graph(functools.partial(apply, moving=frozenset(turn)))
                for apply in (self._apply, self._apply_again)
            )
            for turn in self._turns
        ]
        self._agree = _graph(self._share_statistics)

    @property
    def iteration(self):
        """Number of updates that were made, but for those made `again`."""
        return int(np.asarray(self.optimizer.iterations))

    @property
    def learning_rate(self):
        """That of the next update."""
        return float(self.optimizer.learning_rate)

    def step(self, batches, again=False, tasks=()):
        """Makes one update.

        Args:
            batches: the parts of an update's batch, as pipeline.training makes
                them: (uint8 [b, K, S, S, planes], labels) each, distributed if
                there are several replicas.
            again: whether it is another update of the last iteration: it has the
                same learning rate, and the iterations stay as many.
            tasks: the same parts of each further data set, as many.

        Returns:
            float, the loss before the update: the mean over all videos; the sum of
            those means over the data sets.

        Raises:
            Diverged: it is not finite; there was no update.
        """
        # (number of the part, number of the data set, its part).
        batches = (
            (number, task, *part)
            for number, parts in enumerate(zip(batches, *tasks, strict=True))
            for task, part in enumerate(parts)
        )
        if self._scale is not None:
            batches = list(batches)
        while True:
            before = self._begin_moments()
            loss, gradients = self._accumulated(batches)
            if not np.isfinite(loss):
                raise Diverged(f"the loss is {loss} at iteration {self.iteration}")
            if self._scale is None or self._fits(gradients):
                break
            self._move_moments(before, 0.0)
        self._move_moments(before, 1.0)
        update = self._updates[self.iteration % len(self._updates)][again]
        self._distribution.run(update, args=(gradients, self._factor()))
        return loss

    def _accumulated(self, batches):
        """Returns (loss, sums of the gradients over the parts, times the scale)."""
        run, factor = self._distribution.run, self._factor()
        loss, gradients = None, None
        first = self.iteration * self.optimizer.iter_size
        for number, task, images, labels in batches:
            args = images, labels, factor, tf.constant(first + number, tf.int64)
            if gradients is None:
                loss, gradients = run(self._first[task], args=args)
            else:
                loss, gradients = run(self._more[task], args=(*args, loss, gradients))
        total = self._distribution.reduce("SUM", loss, axis=None)
        return float(total) / self.optimizer.iter_size, gradients

    def _begin_moments(self):
        if self._moments is None:
            return None
        return self._distribution.run(self._begin)

    def _move_moments(self, before, share):
        if self._moments is not None:
            args = before, tf.constant(share)
            self._distribution.run(self._move, args=args)

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

    def _gradients(self, images, labels, factor, number, task=0):
        """Loss and gradients of a replica's share of a part.

        The mean over the whole part, of which each replica adds a share.
        """
        inputs = network_input(images, self._stream)
        if self._mixup is not None:
            inputs, labels = self._mixup(inputs, labels, number)
        videos = tf.shape(labels)[0] * self._distribution.num_replicas_in_sync
        with tf.GradientTape() as tape:
            scores = self._networks[task, inputs.shape[1]](inputs, training=True)
            each = self._loss(scores, labels, self._smoothing)
            loss = tf.reduce_sum(each) / tf.cast(videos, each.dtype)
            scaled = loss if self._scale is None else loss * factor
        weights = [variable.value for variable in self._variables]
        # Of a data set no other one's classifier has a part in the loss.
        none = tf.UnconnectedGradients.ZERO
        return loss, tape.gradient(scaled, weights, unconnected_gradients=none)

    def _added(self, images, labels, factor, number, loss, gradients, task=0):
        more, others = self._gradients(images, labels, factor, number, task)
        sums = [a + b for a, b in zip(gradients, others, strict=True)]
        return loss + more, sums

    def _apply(self, gradients, factor, moving):
        # Arguments of a function have no device; the sum over machines needs one.
        # What does not move has no part in the norm that is clipped.
        gradients = [
            tf.identity(gradient) if index in moving else tf.zeros_like(gradient)
            for index, gradient in enumerate(gradients)
        ]
        self.optimizer.moving = moving
        if self._scale is not None:
            gradients = [gradient / factor for gradient in gradients]
        self.optimizer.apply(gradients, self._variables)

    def _apply_again(self, gradients, factor, moving):
        # What an update adds to them again; the rate is that of their number.
        self.optimizer.iterations.assign_sub(1)
        self._apply(gradients, factor, moving)

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

        self._distribution.run(_graph(move))

    def is_finite(self):
        """Whether all weights are finite."""
        variables = self.backbone.variables + self._heads + self._learned
        return all(np.isfinite(np.asarray(v)).all() for v in variables)

    @property
    def consensus(self):
        """How the segments were joined, as a dict of JSON values.

        `weight` has the learned weights, a float32 each in base64; `k` is that of
        "top_k".
        """
        found = dict(self._consensus)
        for variable in self._learned:
            values = np.asarray(variable).astype("<f4")
            found["weight"] = base64.b64encode(values.tobytes()).decode()
        return found

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
            "consensus": self._learned,
            "heads": self._heads,
        }
        return {
            f"{part}/{index}": variable
            for part, variables in parts.items()
            for index, variable in enumerate(variables)
        }
