"""HDF5 files that are changed after they were written."""

import contextlib

import h5py

from tsn_keras.common import hdf5


@contextlib.contextmanager
def editing(path):
    """Yields the open h5py.File; its digest is right again afterwards.

    So a change stands for what a stranger's file may hold, not for damage.
    """
    with h5py.File(path, "r+") as file:
        yield file
        sealed = file.userblock_size == hdf5.BLOCK
    if sealed:
        with open(path, "r+b") as file:
            hdf5.seal(file)
