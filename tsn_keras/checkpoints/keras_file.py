"""Keras weight files (.weights.h5) that say what they hold.

The file is Keras' own; a JSON attribute `tsn_keras` beside the weights says
for which model they are. Files of other origin, without it, load as well.
"""

import json
import os
import pathlib

import h5py

from tsn_keras import config

ATTRIBUTE = "tsn_keras"
_MAX_ABOUT = 64 * 1024
_MAX_DATASETS = 10_000


class WeightFileError(config.InputError):
    """A weight file cannot be used; the text names it and the reason."""


def save(model, path, about):
    """Writes a model's weights and what they are for.

    Args:
        model: Keras model.
        path: file to write, `*.weights.h5`; written beside and renamed.
        about: dict of JSON values: `architecture`, `modality`, `classes`,
            `width`, and where the weights come from.
    """
    path = pathlib.Path(path)
    if not path.name.endswith(".weights.h5"):
        raise WeightFileError(f"{path} must end in .weights.h5, as Keras demands")
    aside = path.with_name(f".{path.name[: -len('.weights.h5')]}.part.weights.h5")
    try:
        model.save_weights(aside)
        with h5py.File(aside, "r+") as file:
            file.attrs[ATTRIBUTE] = json.dumps(about)
        os.replace(aside, path)
    except RuntimeError as error:  # HDF5's word for a full disk
        raise WeightFileError(f"cannot write {path}: {error}") from None
    finally:
        aside.unlink(missing_ok=True)


def shapes(path):
    """Shapes of the arrays in a weight file, after checks on every object.

    Nothing is loaded. A file may declare arrays far larger than itself, or
    point to other files; neither occurs in a file that Keras wrote.

    Returns:
        (about dict, or None where the file has none; {name: shape})

    Raises:
        WeightFileError: not HDF5, damaged, or not such as Keras writes.
        OSError: the file is missing or cannot be opened.
    """
    path = pathlib.Path(path)
    size = path.stat().st_size
    found = {}
    try:
        with h5py.File(path, "r") as file:
            about = _about(file)
            _visit(file, "", found)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise WeightFileError(f"{path} is not a usable weight file: {error}") from None
    if sum(_bytes(shape, item) for shape, item in found.values()) > size:
        raise WeightFileError(f"{path} declares more data than its {size} bytes hold")
    return about, {name: shape for name, (shape, _) in found.items()}


def _visit(group, prefix, found):
    """Collects shapes and item sizes of the arrays below `group`."""
    for name in group:
        path = f"{prefix}/{name}"
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{path} is a link to another place")
        item = group[name]
        if isinstance(item, h5py.Group):
            # Keras nests a few groups; a cycle of hard links has no end.
            if path.count("/") > 20:
                raise ValueError(f"{path[:80]} is nested too deeply")
            _visit(item, path, found)
        elif isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual or item.compression:
                raise ValueError(f"{path} is not a plain array")
            found[path] = (item.shape, item.dtype.itemsize)
        if len(found) > _MAX_DATASETS:
            raise ValueError(f"there are more than {_MAX_DATASETS} arrays")


def _about(file):
    if ATTRIBUTE not in file.attrs:
        return None
    if file.attrs.get_id(ATTRIBUTE).get_storage_size() > _MAX_ABOUT:
        raise ValueError(f"attribute {ATTRIBUTE} is too large")
    about = json.loads(file.attrs[ATTRIBUTE])
    if not isinstance(about, dict):
        raise ValueError(f"attribute {ATTRIBUTE} is not a JSON object")
    return about


def _bytes(shape, item):
    total = item
    for length in shape:
        total *= length
    return total
