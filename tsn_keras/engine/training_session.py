"""Network, data and devices of a training run, behind one record."""

import contextlib
import hashlib
import importlib.metadata
import itertools
import json
import math

import keras
import tensorflow as tf

from tsn_keras import config
from tsn_keras.checkpoints import keras_file
from tsn_keras.data import pipeline
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
        self._prefixes = found.prefixes.of(data.modality)
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
        self._trainer.agree()
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
            figures = self._validator.run(
                itertools.islice(batches, -(-len(rows) // batch))
            )
        except tf.errors.OpError as error:
            snippets = pipeline.validation_snippets(rows, self._rule, segments=segments)
            raise self._explained(error, snippets) from None
        if not math.isfinite(figures["loss"]):
            raise training.Diverged(
                f"the validation loss is {figures['loss']} after iteration "
                f"{self.iteration}: lower train.base_lr (now "
                f"{self._settings.train.base_lr:g})"
            )
        return figures

    def _explained(self, error, snippets):
        """What stands behind an error of the pipeline or of a device."""
        if isinstance(error, tf.errors.ResourceExhaustedError):
            return config.InputError(
                f"{_text(error)}: lower train.device_batch (now "
                f"{self._settings.train.device_batch})"
            )
        hint = "Mend it, and the same command goes on from the last checkpoint"
        videos = itertools.groupby(snippets, key=lambda snippet: snippet[0])
        for folder, group in videos:
            group = [numbers for _, numbers in group]
            for numbers in group:
                reason = pipeline.explain(folder, numbers, self._rule, self._prefixes)
                if reason is not None:
                    return config.InputError(f"{reason}. {hint}")
            reason = pipeline.explain_sizes(folder, group, self._rule, self._prefixes)
            if reason is not None:
                return config.InputError(f"{reason}. {hint}")
        return config.InputError(_text(error))

    def anyone(self, asked):
        """Whether any of the machines was asked to stop."""
        return distribution.total(self._devices, float(asked)) > 0

    def check_that_all_start_alike(self, *facts):
        """Refuses machines that would not train the same.

        Args:
            facts: JSON values that must be the same on all, beside the iteration.
        """
        text = json.dumps([self.iteration, *facts])
        # Of 24 bits, so that float64 holds the sum of the squares: both are those
        # of equal numbers only if the numbers are equal.
        number = int(hashlib.sha256(text.encode()).hexdigest()[:6], 16)
        machines = distribution.machines(self._devices)
        sums = [
            distribution.total(self._devices, float(n)) for n in (number, number**2)
        ]
        if sums != [machines * number, machines * number**2]:
            raise config.InputError(
                f"the machines would train differently (this one from iteration "
                f"{self.iteration}): all need the same training file and options, the "
                f"same videos, and one folder --out that they share"
            )

    @property
    def is_chief(self):
        """Whether this process writes the files."""
        return distribution.is_chief()

    def prepare_to_save(self):
        """Brings the replicas together, and refuses weights that are no numbers."""
        self._trainer.agree()
        if not self._trainer.is_finite():
            raise training.Diverged(
                f"weights are no numbers after iteration {self.iteration}: lower "
                f"train.base_lr (now {self._settings.train.base_lr:g})"
            )

    def save(self, path, about):
        """Writes a checkpoint."""
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


@contextlib.contextmanager
def explained():
    """Turns errors of TensorFlow, wherever they come from, into config.InputError."""
    try:
        yield
    except tf.errors.OpError as error:
        raise config.InputError(_text(error)) from None


def _text(error):
    """The line of a TensorFlow error that says something."""
    noise = ("Graph execution error", "Detected at node", "[[", "File ", "node:")
    lines = [line.strip() for line in (error.message or str(error)).splitlines()]
    telling = [line for line in lines if line and not line.startswith(noise)]
    return f"training stopped: {(telling or lines or ['?'])[-1][:300]}"
