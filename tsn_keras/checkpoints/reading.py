"""Weight files of other programs, told apart by their content, read without running."""

import hashlib
import pathlib

from tsn_keras.checkpoints import (
    caffemodel,
    foreign,
    keras_hdf5,
    safetensors_file,
    tfjs,
    torch_file,
)
from tsn_keras.common import files
from tsn_keras.common.errors import InputError

KERAS = ".h5"
_MAX_NAME = 200  # characters


def read(path, *, inverse_std=False) -> foreign.Tensors | None:
    """Reads a weight file of another program.

    Args:
        path: the file.
        inverse_std: see caffemodel.read.

    Returns:
        foreign.Tensors, or None: it is called .h5, and is none of those, but one of
        this package or of Keras 3, or nothing.

    Raises:
        InputError: it cannot be used; the text says why.
        OSError: it is missing or cannot be read.
    """
    found = keras_hdf5.read(path)
    if found is None:
        if pathlib.Path(path).name.endswith(KERAS):
            return None
        forms = (torch_file, safetensors_file, tfjs)
        form = next((form for form in forms if form.is_one(path)), None)
        if form is not None:
            found = form.read(path)
        else:
            blobs = caffemodel.read(path, inverse_std=inverse_std, every=True)
            found = foreign.of_caffe(blobs)
    longest = max(map(len, found.arrays))
    if longest > _MAX_NAME:
        # Each is looked at for every network that it may be of.
        raise InputError(
            f"{path} is not a usable weight file: the name of one of its "
            f"{found.layout.array}s has {longest} characters"
        )
    return found


def digest(of_file: str, tensors: foreign.Tensors) -> str:
    """The digest of weights, of which some may lie in files beside the first.

    Args:
        of_file: SHA-256 of the file.
        tensors: what was read from it.

    Returns:
        that of the file, or, if there are other files, of the digests of all.
    """
    if not tensors.parts:
        return of_file
    found = [of_file, *map(files.sha256, tensors.parts)]
    return hashlib.sha256("".join(found).encode()).hexdigest()
