"""Weight files of other programs, told apart by their content, read without running."""

import hashlib

from tsn_keras.checkpoints import (
    caffemodel,
    foreign,
    keras_hdf5,
    safetensors_file,
    tfjs,
    torch_file,
)
from tsn_keras.common import files


def read(path, *, inverse_std=False) -> foreign.Tensors:
    """Reads a weight file of another program.

    Args:
        path: the file.
        inverse_std: see caffemodel.read.

    Returns:
        foreign.Tensors.

    Raises:
        InputError: it cannot be used; the text says why.
        OSError: it is missing or cannot be read.
    """
    for form in (torch_file, keras_hdf5, safetensors_file, tfjs):
        if form.is_one(path):
            return form.read(path)
    return foreign.of_caffe(caffemodel.read(path, inverse_std=inverse_std))


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
