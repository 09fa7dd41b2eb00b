"""Keras weight files (.weights.h5) that say what they hold.

The file is Keras' own; a JSON attribute `tsn_keras` beside the weights says
for which model they are. Files of other origin, without it, load as well.
"""

import json
import pathlib
import shutil
import tempfile
import warnings

import h5py

from tsn_keras.common import files, finite, hdf5
from tsn_keras.common.errors import InputError

ATTRIBUTE = "tsn_keras"
_MARGIN = 2 * 2**20  # bytes: what HDF5 adds to the numbers, and more


class WeightFileError(InputError):
    """A weight file cannot be used; the text names it and the reason."""


def save(model, path, about):
    """Writes a model's weights and what they are for.

    Args:
        model: Keras model.
        path: file to write, `*.weights.h5`; written beside and renamed.
        about: dict of JSON values: `backbone`, `modality`, `protocol`, `classes`,
            `class_names`, `width`, and where the weights come from.

    Raises:
        WeightFileError: the name is another.
        files.DiskFullError: the disk is full, or that of the temporary folder.
        OSError: the file cannot be written.
    """
    path = pathlib.Path(path)
    if not path.name.endswith(".weights.h5"):
        raise WeightFileError(f"{path} must end in .weights.h5, as Keras demands")
    # In a temporary folder first: HDF5 crashes when a disk becomes full, and Keras
    # writes to paths only.
    with tempfile.TemporaryDirectory() as folder:
        part = pathlib.Path(folder, "part.weights.h5")
        size = sum(weight.nbytes for weight in model.get_weights())
        _demand_room(folder, size, f"cannot write {path}")
        with files.writing(part):
            model.save_weights(part)
            with h5py.File(part, "r+") as file:
                file.attrs[ATTRIBUTE] = json.dumps(about)
        with (
            files.replacing(path) as aside,
            part.open("rb") as source,
            aside.open("w+b") as target,
        ):
            target.write(bytes(hdf5.BLOCK))
            shutil.copyfileobj(source, target, 2**20)
            hdf5.seal(target)


def load(model, path):
    """Fills a model with the numbers of a weight file.

    Keras reads a copy that holds the file's plain arrays and nothing else: it
    opens files by itself, and HDF5 trusts what it parses, see hdf5.

    Args:
        model: Keras model.
        path: the file.

    Raises:
        WeightFileError: the file cannot be used, or has values that are not finite.
        files.DiskFullError: the copy cannot be written.
        Exception: those of Keras, where the arrays do not fit the model.
    """
    with tempfile.TemporaryDirectory() as folder:
        part = pathlib.Path(folder, "part.weights.h5")
        try:
            with hdf5.Reader(path) as source:
                arrays = source.arrays()
                size = sum(array.nbytes for array in arrays.values())
                _demand_room(folder, size, f"cannot read {path}")
                with (
                    files.writing(part),
                    files.enduring(part, reads=True) as written,
                    h5py.File(written, "w") as target,
                ):
                    for group in source.groups():
                        target.require_group(group)
                    for name, array in arrays.items():
                        target[name] = array.read()
        except hdf5.ERRORS as error:
            raise _unusable(path, error) from None
        with warnings.catch_warnings():
            # If something is missing, Keras first warns that it will skip it, and then
            # fails.
            warnings.simplefilter("ignore")
            model.load_weights(part)
    import keras  # Here: whoever only asks what a file is need not wait for it.

    finite.demand(
        (
            (variable.path, keras.ops.convert_to_numpy(variable), variable.dtype)
            for variable in model.weights
        ),
        lambda reason: _unusable(path, reason),
    )


def _demand_room(folder, size, what):
    """Says before anything is written that a disk is too full."""
    size += _MARGIN
    if shutil.disk_usage(folder).free < size:
        raise files.DiskFullError(
            f"{what}: no space left on the disk of {pathlib.Path(folder).parent} for "
            f"{size / 2**20:.0f} MiB; set TMPDIR to another folder"
        )


def _unusable(path, error):
    if isinstance(error, InputError):
        return error
    return WeightFileError(f"{path} is not a usable weight file: {str(error)[:300]}")


def shapes(path):
    """What a weight file says of itself, and the shapes of its arrays.

    Nothing is loaded.

    Returns:
        (about dict, or None where the file has none; {name: shape})

    Raises:
        WeightFileError: not HDF5, damaged, or not such as Keras writes.
        OSError: the file is missing or cannot be opened.
    """
    path = pathlib.Path(path)
    path.stat()  # A missing file is an OSError that says so.
    try:
        with hdf5.Reader(path) as file:
            about = file.json_object(ATTRIBUTE)
            arrays = file.arrays()
            return about, {name: array.shape for name, array in arrays.items()}
    except hdf5.ERRORS as error:
        raise _unusable(path, error) from None
