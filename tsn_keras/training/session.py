"""Network, data and devices of a training run, behind one record."""

import contextlib
import dataclasses
import functools
import hashlib
import importlib.metadata
import itertools
import json
import math

import keras
import tensorflow as tf

from tsn_keras.checkpoints import keras_file
from tsn_keras.common.errors import InputError, reason_of
from tsn_keras.pipeline import distribution, reading
from tsn_keras.pipeline.labels import Labels
from tsn_keras.pipeline.training import Batches
from tsn_keras.protocols.augmentations import AUGMENTATIONS
from tsn_keras.training import (
    initialisation,
    losses,
    sources,
    tasks,
    trainer,
    validator,
)
from tsn_keras.training.trainer import Network, Trainer

_VERSIONS = ("tensorflow", "keras", "numpy")


class Session:
    """Everything that a run computes with.

    Args:
        settings: config.Training.
        found: datasets.training_sets.TrainingSet.
        stream: protocols.records.Stream.
        devices: tf.distribute.Strategy.
        listener: progress.Silent.

    Attributes:
        trainer: trainer.Trainer.
        initial_digest: SHA-256 of the initial weights, or None.
        videos: how many the last iteration saw.
    """

    def __init__(self, settings, found, stream, devices, listener):
        self._settings, self._found = settings, found
        self._stream, self._devices = stream, devices
        model, train = settings.model, settings.train
        parts, part = trainer.sub_batches(
            train.batch // train.iter_size,
            devices.num_replicas_in_sync,
            train.device_batch,
        )
        self._parts = parts * train.iter_size
        self._batches = Batches(
            found.train.folders,
            stream,
            model.segments,
            part,
            train.seed,
            AUGMENTATIONS.get(settings.data.augmentation),
            Labels(found.count, found.mirrored),
            settings.data.power,
        )
        how = self._batches, self._parts, devices.num_replicas_in_sync
        self._sources = sources.of(settings.data.sources, found.sources, *how)
        self._tasks = tasks.of(settings.data.tasks, found.tasks, *how)
        self.videos = 0
        weights = initialisation.find(model, stream)
        self.initial_digest = weights.sha256 if weights else None
        motion = initialisation.find_motion(model, stream, weights)
        if model.initial_motion:
            self.initial_digest += f" {motion.sha256}"
        keras.utils.set_random_seed(train.seed)
        self._architecture = initialisation.architecture(
            model, stream, found.count, weights
        )
        with devices.scope():
            backbone, new = initialisation.build(
                *(self._architecture, weights, model, train.precision),
                *(stream.modality.name, motion),
            )
            record = self._architecture.backbone
            counts = [task.count for task in found.tasks]
            network = Network(
                *(backbone, record, stream, model.segments, model.batch_norm),
                *(model.consensus, model.consensus_k, model.trainable),
                initialisation.further(
                    backbone, record, counts, model, train.precision
                ),
            )
            self.trainer = Trainer(
                *(network, train, self._parts, devices),
                also=[source.batches.segments for source in self._sources],
            )
            made = validator.of(found.multi_label)
            self._validator = made(
                self.trainer.scorer, stream, devices, losses.chosen(train)
            )
        if weights is not None:
            text = f"initial weights: {weights.path}"
            listener.say(f"{text}; new: {', '.join(new)}" if new else text)

    @property
    def validates(self):
        """Whether there are videos to validate on."""
        return self._found.validation is not None

    @property
    def figures(self):
        """Names of what a validation finds beside the loss."""
        return self._validator.FIGURES

    @property
    def versions(self):
        """Versions of the libraries, and the number of devices."""
        found = {name: importlib.metadata.version(name) for name in _VERSIONS}
        return {**found, "devices": self._devices.num_replicas_in_sync}

    def training_batches(self):
        """Iterators of sub-batches from the present iteration on.

        Returns:
            list of iterators: of the main videos, of each source, and of each task.
        """
        iteration = self.trainer.iteration
        seen = [(self._batches, iteration * self._settings.train.batch)]
        further = (*self._sources, *self._tasks)
        seen += [(one.batches, one.seen(iteration)) for one in further]
        return [
            distribution.iterate(
                self._devices, functools.partial(plan.for_training, first)
            )
            for plan, first in seen
        ]

    def step(self, batches):
        """Makes an iteration with the next sub-batches.

        Args:
            batches: what `training_batches` returned.

        Returns:
            float, the loss of the main videos, and of those of the tasks.

        Raises:
            InputError: the loss is not finite, or a file cannot be read.
        """
        iteration, (main, *others) = self.trainer.iteration, batches
        train, count = self._settings.train, len(self._sources)
        plans = [(self._batches, iteration * train.batch)]
        plans += [(task.batches, task.seen(iteration)) for task in self._tasks]
        loss = self._update([main, *others[count:]], plans)
        self.videos = train.batch + sum(task.videos for task in self._tasks)
        for source, more in zip(self._sources, others[:count], strict=True):
            for turn in range(source.due(iteration)):
                first = source.seen(iteration) + turn * source.videos
                self._update([more], [(source.batches, first)], again=True)
                self.videos += source.videos
        return loss

    def _update(self, batches, plans, again=False):
        """Makes an update with the next sub-batches; returns the loss.

        Args:
            batches: their iterators, one for each data set of the update.
            plans: for each (the Batches that they are of, number of its videos that
                were seen before).
            again: whether it is another one of the same iteration.
        """
        train = self._settings.train
        try:
            main, *more = (itertools.islice(one, self._parts) for one in batches)
            return self.trainer.step(main, again, more)
        except trainer.Diverged as error:
            raise trainer.Diverged(
                f"{error}: lower train.base_lr (now {train.base_lr:g}) or train.clip "
                f"(now {train.clip:g}), or begin with other weights"
            ) from None
        except tf.errors.OpError as error:
            files = itertools.chain.from_iterable(
                plan.training_files(first, self._parts * plan.batch)
                for plan, first in plans
            )
            raise self._explained(error, files) from None

    def validate(self):
        """Scores all validation videos; returns the figures of Validator.run."""
        self.trainer.agree()
        folders = self._found.validation.folders
        # As many videos at a time as in training, and no more than there are.
        replicas = self._devices.num_replicas_in_sync
        batch = min(self._batches.batch, -(-len(folders) // replicas) * replicas)
        plan = dataclasses.replace(self._batches, folders=folders, batch=batch)
        batches = distribution.iterate(self._devices, plan.for_validation)
        try:
            figures = self._validator.run(
                itertools.islice(batches, -(-len(folders) // batch))
            )
        except tf.errors.OpError as error:
            raise self._explained(error, plan.validation_files()) from None
        if not math.isfinite(figures["loss"]):
            raise trainer.Diverged(
                f"the validation loss is {figures['loss']} after iteration "
                f"{self.trainer.iteration}: lower train.base_lr (now "
                f"{self._settings.train.base_lr:g})"
            )
        return figures

    def _explained(self, error, files):
        """What stands behind an error of the pipeline or of a device.

        Args:
            error: tf.errors.OpError.
            files: (FrameFolder, numbers of each snippet's files) of the videos
                that were read.
        """
        if isinstance(error, tf.errors.ResourceExhaustedError):
            return InputError(
                f"{_text(error)}: lower train.device_batch (now "
                f"{self._settings.train.device_batch})"
            )
        hint = "Repair it, and the same command resumes from the last checkpoint"
        for folder, snippets in files:
            reason = reading.explain_video(folder, snippets, self._stream, True)
            if reason is not None:
                return InputError(f"{reason}. {hint}")
        return InputError(_text(error))

    def anyone(self, asked):
        """Whether any of the machines was asked to stop."""
        return distribution.total(self._devices, float(asked)) > 0

    def check_that_all_start_alike(self, *facts):
        """Refuses machines that would not train the same.

        Args:
            facts: JSON values that must be the same on all, beside the iteration.
        """
        text = json.dumps([self.trainer.iteration, *facts])
        # 24 bits each, so that float64 holds the sum of squares exactly: sum and sum
        # of squares match those of equal numbers only if the numbers are equal.
        number = int(hashlib.sha256(text.encode()).hexdigest()[:6], 16)
        machines = distribution.machines(self._devices)
        sums = [
            distribution.total(self._devices, float(n)) for n in (number, number**2)
        ]
        if sums != [machines * number, machines * number**2]:
            raise InputError(
                f"the machines would train differently (this one from iteration "
                f"{self.trainer.iteration}): all need the same training file and "
                f"options, the same videos, and one folder `out` that they share"
            )

    @property
    def is_chief(self):
        """Whether this process writes the files."""
        return distribution.is_chief()

    def prepare_to_save(self):
        """Brings the replicas together, and refuses weights that are not finite."""
        self.trainer.agree()
        if not self.trainer.is_finite():
            raise trainer.Diverged(
                f"weights are not finite after iteration {self.trainer.iteration}: "
                f"lower train.base_lr (now {self._settings.train.base_lr:g})"
            )

    def save_weights(self, path, **more):
        """Writes the backbone's weights, and what they are for."""
        found, built = self._found, self._architecture
        about = {
            "backbone": built.backbone.name,
            "modality": self._stream.modality.name,
            "channels": built.channels,
            "classes": built.classes,
            "class_names": found.classes,
            "width": built.width,
            "protocol": self._stream.protocol.name,
            "source": "tsn_keras.train",
            "dataset": found.name,
            "split": found.split,
            "initial": self._settings.model.initial,
            "iteration": self.trainer.iteration,
            "loss": self._settings.train.loss,
            "consensus": self.trainer.consensus,
            **more,
        }
        keras_file.save(self.trainer.backbone, path, about)


@contextlib.contextmanager
def explained():
    """Turns errors of TensorFlow, wherever they come from, into InputError."""
    try:
        yield
    except tf.errors.OpError as error:
        raise InputError(_text(error)) from None


def _text(error):
    """What a TensorFlow error says to people."""
    return f"training stopped: {reason_of(error)}"
