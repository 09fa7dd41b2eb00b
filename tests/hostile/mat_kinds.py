"""MATLAB's files of structures, as THUMOS14 has them."""

import pathlib
import struct
import tempfile
import unittest.mock
import zlib

import makers
import mutators
import thumos_files

from tsn_keras.datasets import thumos14

_VIDEOS = {
    f"video_validation_{k:07d}": ((k + 1, 101)[: k % 2 + 1], 9.5, False)
    for k in range(3)
}


def _bytes(compressed):
    def write(path):
        thumos_files.write(path.parent, _VIDEOS, _VIDEOS, compressed)
        path.write_bytes((path.parent / "validation_set.mat").read_bytes())

    return makers.bytes_of(write, ".mat")


def _make():
    plain, packed = _bytes(False), _bytes(True)
    head, bomb = plain[:128], zlib.compress(bytes(2**26))

    def make(random):
        how = random.randrange(20)
        if how < 5:
            return mutators.of_bytes(random, packed)
        # In the sizes and shapes of the structures, and then packed or not.
        changed = mutators.of_bytes(random, plain, _behind_the_header)
        if how < 10:
            return changed
        data = zlib.compress(changed[128:]) if how < 19 else bomb
        return head + struct.pack("<II", 15, len(data)) + data

    return packed, make


def _behind_the_header(random, length):
    return min(length - 1, 128 + int(random.expovariate(1 / 300)))


def _read(path):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        thumos_files.write(folder, _VIDEOS, _VIDEOS)
        (folder / "validation_set.mat").write_bytes(path.read_bytes())
        with unittest.mock.patch.multiple(thumos14, **thumos_files.parts(3, 3)):
            return thumos14.read_split(folder)


def kinds():
    """See hdf5_kinds.kinds."""
    return {".mat": (".mat", _make, _read)}
