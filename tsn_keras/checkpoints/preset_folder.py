"""Folders in which one network is shared, in the form of keras-hub's presets.

    config.json         what the network is
    model.weights.h5    its weights, which say the same of themselves
    preprocessor.json   what makes its input of pixels, as Keras writes a layer
    class_names.txt     a name a line, where the names are known
    metadata.json       versions, number of parameters, day
    README.md           the model card

Names of files and keys are those of keras_hub/src/utils/preset_utils.py. Nothing of
such a folder is run: what is read of it is JSON and Keras' plain arrays.
"""

import datetime
import json
import os
import pathlib
import shutil

import keras

import tsn_keras
from tsn_keras.checkpoints import card, keras_file
from tsn_keras.common import files, json_text, text
from tsn_keras.common.errors import InputError
from tsn_keras.models.preprocessing import Preprocessing

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
PREPROCESSOR, CLASSES = "preprocessor.json", "class_names.txt"
METADATA, CARD = "metadata.json", "README.md"
FILES = (CONFIG, WEIGHTS, PREPROCESSOR, CLASSES, METADATA, CARD)
# What is said twice, so that a folder of which a file was exchanged is noticed.
_AGREE = ("backbone", "modality", "protocol", "channels", "classes")
_MAX_JSON = 2**20  # bytes
_MODULE = "tsn_keras"


def write(model, about, folder, licence=None):
    """Writes a network into a new folder, which appears when all is in it.

    Args:
        model: keras.Model, [N, H, W, C] to raw scores.
        about: dict of JSON values: `backbone`, `modality`, `protocol`, `channels`,
            `classes`, `class_names` and what else the weights say, see keras_file.
        folder: the folder; there may be an empty one.
        licence: of the weights, or None.

    Returns:
        pathlib.Path of the folder.

    Raises:
        InputError: there is something already.
        files.DiskFullError: the disk is full.
        OSError: it cannot be written.
    """
    folder = pathlib.Path(folder)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(f"{folder} is there already and not an empty folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        with files.writing(folder):
            aside.mkdir()
            keras_file.save(model, aside / WEIGHTS, about)
            texts = _texts(model, about, licence)
            for name, content in texts.items():
                (aside / name).write_text(content, encoding="utf-8")
            # Onto an empty folder, which a rename replaces.
            aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def _texts(model, about, licence):
    """{name: content} of the files beside the weights."""
    modality, protocol = about["modality"], about["protocol"]
    layer = Preprocessing(modality, protocol, name="preprocessing")
    config = {
        "module": _MODULE,
        "class_name": about["backbone"],
        "config": {"input_shape": list(model.input_shape[1:]), **about},
        "registered_name": f"{_MODULE}>{about['backbone']}",
    }
    metadata = {
        "keras_version": keras.__version__,
        "tsn_keras_version": tsn_keras.__version__,
        "parameter_count": model.count_params(),
        "date_saved": f"{datetime.datetime.now():%Y-%m-%d@%H:%M:%S}",
    }
    texts = {
        CONFIG: _json(config),
        PREPROCESSOR: _json(keras.saving.serialize_keras_object(layer)),
        METADATA: _json(metadata),
        CARD: card.text(about, metadata["parameter_count"], licence),
    }
    if about.get("class_names"):
        texts[CLASSES] = "".join(f"{name}\n" for name in about["class_names"])
    return texts


def _json(value):
    return json.dumps(value, indent=1) + "\n"


def is_one(folder):
    """Whether a folder, here or elsewhere, says that it is of this form."""
    return (folder / CONFIG).is_file()


def weights_in(folder):
    """The weight file of a folder, once what it says of itself agrees.

    Raises:
        InputError: it is another library's, a file is missing, or `config.json` and the
            weights say different things.
        OSError: it is no such folder, or a file cannot be read.
    """
    path = folder / WEIGHTS
    if not is_one(folder):
        raise IsADirectoryError(
            f"{folder} is a folder, not a weight file, and has no {CONFIG} as a preset "
            f"folder has"
        )
    content = text.read_bytes(folder / CONFIG, _MAX_JSON)
    try:
        found = json_text.parse(content, f"{folder / CONFIG}")
    except ValueError as error:
        raise InputError(str(error)) from None
    module = found.get("module")
    if not isinstance(module, str) or module.partition(".")[0] != _MODULE:
        raise InputError(
            f"{folder} is a preset of {str(module)[:80]!r}, not of {_MODULE}: open it "
            f"with that"
        )
    if not path.is_file():
        raise InputError(f"{folder} has no {WEIGHTS}: is it complete?")
    config, (about, _) = found.get("config"), keras_file.shapes(path)
    for key in _AGREE:
        told = [
            said.get(key) if isinstance(said, dict) else None
            for said in (config, about)
        ]
        if told[0] != told[1]:
            raise InputError(
                f"{folder}: {key} is {str(told[0])[:80]} in {CONFIG}, but "
                f"{str(told[1])[:80]} in {WEIGHTS}: is one of them of another network?"
            )
    return path
