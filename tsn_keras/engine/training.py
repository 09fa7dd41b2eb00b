"""Training steps on every device there is, and checkpoints to go on from."""

import json
import pathlib

import h5py
import keras
import numpy as np
import tensorflow as tf

from tsn_keras import config
from tsn_keras.engine import files, inference
from tsn_keras.engine.optimizer import CaffeSGD, Steps
from tsn_keras.models import training_rules
from tsn_keras.models.tsn import TSN

_FORMAT = "tsn_keras checkpoint 1"


class CheckpointError(config.InputError):
    """A checkpoint cannot be used; the text names it and the reason."""


def sub_batches(batch, replicas, most):
    """Divides an update's videos into sub-batches (Caffe's iter_size).

    Args:
        batch: videos of an update.
        replicas: devices.
        most: videos that a device can hold at a time.

    Returns:
        (iter_size, videos of a sub-batch over all replicas): the fewest
        sub-batches that fit.

    Raises:
        config.InputError: the batch cannot be divided by the replicas.
    """
    if batch % replicas:
        lower = batch - batch % replicas
        raise config.InputError(
            f"a batch of {batch} videos cannot be divided among {replicas} devices: "
            f"take {lower or replicas} or {lower + replicas}"
        )
    each = batch // replicas
    size = max(n for n in range(1, min(each, most) + 1) if each % n == 0)
    return each // size, size * replicas


class Trainer:
    """A backbone in training.

    To be made in the scope of the strategy that runs it.

    Args:
        backbone: keras.Model, [N, S, S, C] to raw scores [N, classes].
        preprocess: config.Preprocess.
        model: config.ModelSettings.
        train: config.TrainSettings.
        iter_size: sub-batches of an update.
        distribution: tf.distribute.Strategy.
    """

    def __init__(self, backbone, preprocess, model, train, iter_size, distribution):
        training_rules.set_batch_norm(backbone, model.batch_norm)
        self.backbone = backbone
        self._network = TSN(backbone, model.segments)
        self._preprocess = preprocess
        self._distribution = distribution
        self.optimizer = CaffeSGD(
            Steps(train.base_lr, train.drops, train.gamma),
            momentum=train.momentum,
            weight_decay=train.weight_decay,
            clip=train.clip or None,
            iter_size=iter_size,
            multipliers=training_rules.multipliers(backbone, preprocess.modality),
        )
        self._variables = backbone.trainable_variables
        self.optimizer.build(self._variables)
        # Each is compiled once; gradients stay on their devices in between.
        self._first = tf.function(self._gradients)
        self._more = tf.function(self._added)
        self._update = tf.function(self._apply)

    @property
    def iteration(self):
        """Number of updates that were made."""
        return int(self.optimizer.iterations)

    def step(self, batches):
        """Makes one update.

        Args:
            batches: iter_size batches of the pipeline: (uint8 [b, K, S, S,
                planes], int32 [b]), distributed if there are several replicas.

        Returns:
            float, the loss before the update: the mean over all videos.
        """
        run = self._distribution.run
        loss, gradients = None, None
        for images, labels in batches:
            if gradients is None:
                loss, gradients = run(self._first, args=(images, labels))
            else:
                args = (images, labels, loss, gradients)
                loss, gradients = run(self._more, args=args)
        run(self._update, args=(gradients,))
        total = self._distribution.reduce("SUM", loss, axis=None)
        return float(total) / self.optimizer.iter_size

    def _gradients(self, images, labels):
        """Loss and gradients of a replica's share of a sub-batch.

        The mean over the whole sub-batch, of which each replica adds a part.
        """
        inputs = inference.network_input(images, self._preprocess)
        videos = tf.shape(labels)[0] * self._distribution.num_replicas_in_sync
        with tf.GradientTape() as tape:
            scores = self._network(inputs, training=True)
            losses = keras.ops.sparse_categorical_crossentropy(
                labels, scores, from_logits=True
            )
            loss = tf.reduce_sum(losses) / tf.cast(videos, losses.dtype)
        weights = [variable.value for variable in self._variables]
        return loss, tape.gradient(loss, weights)

    def _added(self, images, labels, loss, gradients):
        more, others = self._gradients(images, labels)
        sums = [a + b for a, b in zip(gradients, others, strict=True)]
        return loss + more, sums

    def _apply(self, gradients):
        self.optimizer.apply(gradients, self._variables)

    def save(self, path, about):
        """Writes a checkpoint: weights, optimizer, and the state of what draws.

        Args:
            path: file to write; written beside and renamed.
            about: dict of JSON values that a later run must share.
        """
        with files.replacing(path) as aside:
            try:
                with h5py.File(aside, "w") as file:
                    file.attrs["format"] = _FORMAT
                    file.attrs["about"] = json.dumps(about, sort_keys=True)
                    for name, variable in self._state().items():
                        file[name] = np.asarray(variable)
            except RuntimeError as error:  # HDF5's word for a full disk
                raise CheckpointError(f"cannot write {path}: {error}") from None

    def restore(self, path, about):
        """Goes on from a checkpoint of the same run.

        Raises:
            CheckpointError: it is of another run, or damaged.
            OSError: it cannot be read.
        """
        path = pathlib.Path(path)
        size = path.stat().st_size
        state = self._state()
        values = {}
        try:
            with h5py.File(path, "r") as file:
                if file.attrs.get("format") != _FORMAT:
                    raise ValueError(f"its format is not {_FORMAT!r}")
                there = json.loads(file.attrs["about"])
                for name, variable in state.items():
                    item = file[name]
                    if item.shape != tuple(variable.shape) or item.nbytes > size:
                        raise ValueError(f"{name} has shape {item.shape}")
                    values[name] = item[()]
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise CheckpointError(f"{path} is no usable checkpoint: {error}") from None
        now = json.loads(json.dumps(about))
        for key in dict.fromkeys((*now, *there)):
            if now.get(key) != there.get(key):
                raise CheckpointError(
                    f"{path} is of another run: its {key} is {there.get(key)}, now it "
                    f"is {now.get(key)}"
                )
        for name, variable in state.items():
            variable.assign(values[name])

    def _state(self):
        """{name: variable} of everything that the next update depends on."""
        # With them the state from which dropout draws.
        parts = {
            "backbone": self.backbone.variables,
            "optimizer": self.optimizer.variables,
        }
        return {
            f"{part}/{index}": variable
            for part, variables in parts.items()
            for index, variable in enumerate(variables)
        }
