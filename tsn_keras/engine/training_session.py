"""Network, data and devices of a training run, behind one record."""

import importlib.metadata
import itertools

import keras
import tensorflow as tf

from tsn_keras import config
from tsn_keras.checkpoints import keras_file
from tsn_keras.data import frames, pipeline
from tsn_keras.engine import console, distribution, initialisation, training
from tsn_keras.engine.validation import Validator

_VERSIONS = ("tensorflow", "keras", "numpy")


class Session:
    """Everything that a run computes with.

    Args:
        settings: config.Training.
        found: data.training_sets.TrainingSet.
        devices: tf.distribute.Strategy.
    """

    def __init__(self, settings, found, devices):
        self._settings = settings
        self._found = found
        self._devices = devices
        self._rule = config.PREPROCESS[settings.data.modality]
        data, model, train = settings.data, settings.model, settings.train
        self._prefixes = frames.Prefixes(
            data.rgb_prefix, data.flow_x_prefix, data.flow_y_prefix
        ).of(data.modality)
        parts, self._part = training.sub_batches(
            train.batch // train.iter_size,
            devices.num_replicas_in_sync,
            train.device_batch,
        )
        self._parts = parts * train.iter_size
        weights = initialisation.find(model, data.modality)
        self.initial_digest = weights.sha256 if weights else None
        keras.utils.set_random_seed(train.seed)
        with devices.scope():
            backbone, new = initialisation.build(
                model, self._rule, found.count, weights, train.precision
            )
            self._trainer = training.Trainer(
                backbone, self._rule, model, train, self._parts, devices
            )
            self._validator = Validator(self._trainer.network, self._rule, devices)
        self._width = weights.architecture.width if weights else model.width
        if weights is not None:
            text = f"begun with {weights.path}"
            console.say(f"{text}; new: {', '.join(new)}" if new else text)

    @property
    def iteration(self):
        """Number of updates that were made."""
        return self._trainer.iteration

    @property
    def learning_rate(self):
        """That of the next update."""
        return self._trainer.learning_rate

    @property
    def validates(self):
        """Whether there are videos to validate on."""
        return self._found.validation is not None

    @property
    def checkpoint_size(self):
        """Bytes of a checkpoint, about."""
        return self._trainer.size

    @property
    def versions(self):
        """Versions of the libraries, and the number of devices."""
        found = {name: importlib.metadata.version(name) for name in _VERSIONS}
        return {**found, "devices": self._devices.num_replicas_in_sync}

    def training_batches(self):
        """Iterator of sub-batches from the present iteration on."""
        train = self._settings.train

        def make(share):
            return pipeline.for_training(
                _rows(self._found.train),
                self._rule,
                self._prefixes,
                segments=self._settings.model.segments,
                batch=self._part,
                seed=train.seed,
                first=self.iteration * train.batch,
                share=share,
            )

        return distribution.iterate(self._devices, make)

    def step(self, batches):
        """Makes an update with the next sub-batches; returns the loss.

        Raises:
            config.InputError: the loss is not a number, or a file cannot be
                read.
        """
        try:
            return self._trainer.step(itertools.islice(batches, self._parts))
        except training.Diverged as error:
            train = self._settings.train
            raise training.Diverged(
                f"{error}: lower train.base_lr (now {train.base_lr:g}) or train.clip "
                f"(now {train.clip:g}), or begin with other weights"
            ) from None
        except tf.errors.OpError as error:
            train = self._settings.train
            snippets = pipeline.training_snippets(
                _rows(self._found.train),
                self._rule,
                segments=self._settings.model.segments,
                batch=train.batch,
                seed=train.seed,
                first=self.iteration * train.batch,
            )
            raise self._explained(error, snippets) from None

    def validate(self):
        """Scores all validation videos; returns the figures of Validator.run."""
        self.agree()
        rows = _rows(self._found.validation)
        segments = self._settings.model.segments
        # As many videos at a time as in training, and no more than there are.
        replicas = self._devices.num_replicas_in_sync
        batch = min(self._part, -(-len(rows) // replicas) * replicas)

        def make(share):
            return pipeline.for_validation(
                rows,
                self._rule,
                self._prefixes,
                segments=segments,
                batch=batch,
                share=share,
            )

        batches = distribution.iterate(self._devices, make)
        try:
            return self._validator.run(
                itertools.islice(batches, -(-len(rows) // batch))
            )
        except tf.errors.OpError as error:
            snippets = pipeline.validation_snippets(rows, self._rule, segments=segments)
            raise self._explained(error, snippets) from None

    def _explained(self, error, snippets):
        """What stands behind an error of the pipeline or of a device."""
        for folder, numbers in snippets:
            reason = pipeline.explain(folder, numbers, self._rule, self._prefixes)
            if reason is not None:
                return config.InputError(
                    f"{reason}. Mend it, and the same command goes on from the last "
                    f"checkpoint"
                )
        text = (error.message or str(error)).strip().splitlines()[0][:300]
        return config.InputError(f"training stopped: {text}")

    def anyone(self, asked):
        """Whether any of the machines was asked to stop."""
        return distribution.total(self._devices, float(asked)) > 0

    def check_that_all_start_alike(self):
        """Refuses machines that see different checkpoints."""
        mean = distribution.total(self._devices, float(self.iteration))
        machines = distribution.machines(self._devices)
        if mean != self.iteration * machines:
            raise config.InputError(
                f"this machine would start at iteration {self.iteration}, others "
                f"would not: --out must be a folder that all of them share"
            )

    def agree(self):
        """See training.Trainer.agree."""
        self._trainer.agree()

    def save(self, path, about):
        """Writes a checkpoint, if the weights are numbers."""
        if not self._trainer.is_finite():
            raise training.Diverged(
                f"weights are no numbers after iteration {self.iteration}: lower "
                f"train.base_lr (now {self._settings.train.base_lr:g})"
            )
        self._trainer.save(path, about)

    def restore(self, path, about):
        """Goes on from a checkpoint of the same run."""
        self._trainer.restore(path, about)

    def save_weights(self, path, **more):
        """Writes the backbone's weights, and what they are for."""
        found, data = self._found, self._settings.data
        about = {
            "architecture": "bn_inception",
            "modality": data.modality,
            "channels": self._rule.channels,
            "classes": found.count,
            "class_names": found.classes,
            "width": self._width,
            "protocol": self._rule.protocol,
            "source": "tsn_keras.train",
            "dataset": found.name,
            "split": found.split,
            "initial": self._settings.model.initial,
            "iteration": self.iteration,
            **more,
        }
        keras_file.save(self._trainer.backbone, path, about)


def _rows(selection):
    """[(frame folder, number of files, label)] of a datasets.Selection."""
    labels = [video.label for video in selection.videos]
    return list(zip(selection.folders, selection.counts, labels, strict=True))
