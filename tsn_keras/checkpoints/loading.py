"""Weights, by preset name or by path, to a model that holds them."""

import dataclasses
import os
import pathlib

from tsn_keras import config
from tsn_keras.checkpoints import caffemodel, folders, keras_file
from tsn_keras.checkpoints.port import port
from tsn_keras.data import storage
from tsn_keras.models import bn_inception, presets

# By the channels that conv1 reads.
MODALITIES = {rule.channels: name for name, rule in config.PREPROCESS.items()}
CLASSIFIER = "fc-action"
_FIRST = "conv1/7x7_s2"


@dataclasses.dataclass(frozen=True)
class Architecture:
    """What must be known to build the model that a file's weights fit.

    Attributes:
        channels: channels of the input.
        classes: number of classes, or None without a classifier.
        width: factor on the numbers of channels.
    """

    channels: int
    classes: int | None
    width: float

    @property
    def modality(self):
        """A key of config.PREPROCESS, or None for another number of channels."""
        return MODALITIES.get(self.channels)

    @property
    def preprocess(self):
        """The config.Preprocess of the weights."""
        if self.modality is None:
            raise config.InputError(
                f"a network for {self.channels} channels is for no known modality: "
                f"{MODALITIES}"
            )
        return config.PREPROCESS[self.modality]

    def build(self):
        """Builds the model, with fresh weights."""
        return bn_inception.BNInception(
            (224, 224, self.channels), classes=self.classes, width=self.width
        )


@dataclasses.dataclass(frozen=True)
class Weights:
    """A weight file that was found.

    Attributes:
        path: the file.
        sha256: its digest.
        preset: presets.Preset, or None for a file named by path.
        architecture: Architecture that was read off the file.
        blobs: Caffe blobs, or None for a Keras file.
        class_names: names of the classes that the file gives, or None.
    """

    path: pathlib.Path
    sha256: str
    preset: presets.Preset | None
    architecture: Architecture
    blobs: dict | None = dataclasses.field(repr=False, compare=False)
    class_names: tuple[str, ...] | None = None

    def build(self):
        """Builds the model and fills in the weights."""
        model = self.architecture.build()
        if self.blobs is not None:
            port(self.blobs, model)
        else:
            try:
                model.load_weights(self.path)
            except ValueError as error:
                raise keras_file.WeightFileError(
                    f"{self.path} does not fit {self.architecture}: {error}"
                ) from None
        return model


def load(name_or_path, *, folder=None, inverse_std=False):
    """Loads a model with its weights.

    Args:
        name_or_path: name of a preset (presets.PRESETS), such as
            "hmdb51_rgb_split1", or path or address of a .caffemodel or
            .weights.h5 file.
        folder: folder to search first for a preset's file.
        inverse_std: the .caffemodel is older than April 2016 and its batch
            norms hold the inverse of the standard deviation.

    Returns:
        keras.Model: [N, 224, 224, C] to raw scores [N, classes]; see
        models.bn_inception.BNInception.

    Raises:
        ValueError: no such preset, or the file cannot be used.
        OSError: no such file.
    """
    return find(name_or_path, folder=folder, inverse_std=inverse_std).build()


def find(name_or_path, *, folder=None, inverse_std=False):
    """Finds weights and reads off for which model they are; see `load`.

    Returns:
        Weights.
    """
    preset = presets.PRESETS.get(os.fspath(name_or_path))
    path = storage.path(name_or_path)
    if preset is not None:
        path = folders.obtain(preset, folder)
    elif storage.is_remote(path):
        path = folders.local_copy(path)
    elif not path.exists():
        raise folders.WeightsNotFound(
            f"{name_or_path} is neither a file nor a preset; the presets are "
            f"{', '.join(presets.PRESETS)}"
        )
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not a weight file")
    digest = folders.sha256(path)
    if path.name.endswith(".h5"):
        blobs = None
        architecture, names = _of_keras_file(path)
    else:
        names = None
        blobs = caffemodel.read(path, inverse_std=inverse_std)
        architecture = of_blobs(blobs, path)
        blobs = rename_classifier(blobs)
    if preset is not None:
        _check_preset(preset, path, architecture)
        if blobs is not None:
            folders.check_digest(preset.file, digest)
    return Weights(path, digest, preset, architecture, blobs, names)


def of_blobs(blobs, path):
    """Reads input channels, classes and width off a Caffe file's blobs."""
    first = blobs.get(_FIRST)
    if first is None or first[0].ndim != 4:
        raise caffemodel.CaffemodelError(
            f"{path} is not a BN-Inception: it has no convolution {_FIRST}; its "
            f"first layers are {', '.join(list(blobs)[:5])}"
        )
    classifier = classifier_name(blobs)
    classes = None
    if classifier is not None:
        classes = blobs[classifier][0].shape[-2]
    outputs = {
        name: blobs[name][0].shape[0]
        for name in bn_inception.base_channels()
        if name in blobs and blobs[name][0].ndim == 4
    }
    return Architecture(first[0].shape[1], classes, _width(path, outputs))


def classifier_name(blobs):
    """Name of the one layer that is no part of the backbone, or None.

    Initialisations may call it otherwise than the reference models do.
    """
    if CLASSIFIER in blobs:
        return CLASSIFIER
    spare = [n for n, b in blobs.items() if "/" not in n and len(b) == 2]
    return spare[0] if len(spare) == 1 else None


def rename_classifier(blobs):
    """Gives the classifier the name that the model has for it."""
    name = classifier_name(blobs)
    return {CLASSIFIER if key == name else key: value for key, value in blobs.items()}


def _of_keras_file(path):
    """Reads off a Keras file what it holds, by what it says or its shapes.

    Returns:
        (Architecture, names of the classes or None)
    """
    about, shapes = keras_file.shapes(path)
    # The only 7 x 7 kernel is the first convolution's, and the only matrix
    # is the classifier's.
    first = [s for s in shapes.values() if len(s) == 4 and s[:2] == (7, 7)]
    matrices = [s for s in shapes.values() if len(s) == 2]
    if len(first) != 1 or len(matrices) > 1:
        raise keras_file.WeightFileError(
            f"{path} is not a BN-Inception: expected one 7 x 7 kernel and at most "
            f"one matrix, found {len(first)} and {len(matrices)}"
        )
    classes = matrices[0][1] if matrices else None
    width = _width(path, {_FIRST: first[0][3]})
    if about and isinstance(about.get("width"), (int, float)):
        width = about["width"]
        if bn_inception.scaled(bn_inception.FIRST_CHANNELS, width) != first[0][3]:
            raise keras_file.WeightFileError(
                f"{path} says width {width}, but its first kernel is {first[0]}"
            )
    return Architecture(first[0][2], classes, width), _class_names(about, classes)


def _class_names(about, classes):
    """Names that a file gives its classes, if they are such; or None."""
    names = (about or {}).get("class_names")
    good = isinstance(names, list) and len(names) == classes
    return tuple(names) if good and all(isinstance(n, str) for n in names) else None


def _width(path, outputs):
    """Width of a network whose convolutions have these output channels."""
    for name, count in outputs.items():
        # Wider networks exist only in damaged files, and would be built first.
        if not 1 <= count <= 4 * bn_inception.base_channels()[name]:
            raise config.InputError(f"{path}: {name} has {count} output channels")
    try:
        return bn_inception.width_of(outputs)
    except ValueError as error:
        raise config.InputError(
            f"{path} is not a scaled BN-Inception: {error}"
        ) from None


def _check_preset(preset, path, found):
    if found.modality != preset.modality or preset.classes not in (None, found.classes):
        raise config.InputError(
            f"{path} should hold {preset.name} ({preset.modality}, {preset.classes} "
            f"classes), but is a network for {found.channels} channels and "
            f"{found.classes} classes: is it another model's file?"
        )
