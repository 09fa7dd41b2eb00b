"""Writes a network into a folder in which it is shared; see preset_folder."""

import datetime
import json
import os
import pathlib
import shutil

import keras

import tsn_keras
from tsn_keras.checkpoints import card, keras_file
from tsn_keras.checkpoints.preset_folder import (
    CARD,
    CLASSES,
    CONFIG,
    METADATA,
    MODULE,
    PREPROCESSOR,
    WEIGHTS,
)
from tsn_keras.common import files
from tsn_keras.common.errors import InputError
from tsn_keras.models.preprocessing import Preprocessing


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
        "module": MODULE,
        "class_name": about["backbone"],
        "config": {"input_shape": list(model.input_shape[1:]), **about},
        "registered_name": f"{MODULE}>{about['backbone']}",
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
