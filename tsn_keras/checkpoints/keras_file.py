"""Keras weight files (.weights.h5) that say what they hold.

The file is Keras' own; a JSON attribute `tsn_keras` beside the weights says
for which model they are. Files of other origin, without it, load as well.
"""

import json
import pathlib
import shutil
import tempfile

import h5py

from tsn_keras import config
from tsn_keras.engine import files

ATTRIBUTE = "tsn_keras"
_MAX_ABOUT = 64 * 1024
_MAX_DATASETS = 10_000
_MARGIN = 2 * 2**20  # bytes: what HDF5 adds to the numbers, and more


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
    # In a temporary folder first: HDF5 does not survive a disk that fills up, and
    # Keras writes to paths only.
    with tempfile.TemporaryDirectory() as folder:
        part = pathlib.Path(folder, "part.weights.h5")
        size = sum(weight.nbytes for weight in model.get_weights())
        if shutil.disk_usage(folder).free < size + _MARGIN:
            raise WeightFileError(
                f"cannot write {path}: no space left in {folder} for "
                f"{size / 2**20:.0f} MiB; set TMPDIR to another folder"
            )
        model.save_weights(part)
        with h5py.File(part, "r+") as file:
            file.attrs[ATTRIBUTE] = json.dumps(about)
        with files.replacing(path) as aside:
            try:
                shutil.copyfile(part, aside)
            except OSError as error:
                raise WeightFileError(
                    f"cannot write {path}: {error.strerror}"
                ) from None


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
