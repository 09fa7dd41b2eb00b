"""The file with the ranges of a video's flow fields, beside the fields.

An array of NumPy's format, without pickle: for each number of a file a row, in it for
each prefix float32 [2], the pixels of motion of its grey levels 0 and 255.
"""

import io

import numpy as np

from tsn_keras.common import npy, text
from tsn_keras.common.errors import InputError, Refused

NAME = "flow_ranges.npy"
_ENTRY = np.dtype(("<f4", (2,)))
# Ten hours of plain, warped and backward flow at 50 files a second have 83 MiB.
_MAX_BYTES = 128 * 2**20


class RangesError(InputError):
    """A file of ranges cannot be used; the text names it and the reason."""


def write(folder, prefixes, rows):
    """Writes the file of a folder that is not in place yet.

    Args:
        folder: pathlib.Path.
        prefixes: what stands before the number in the names of a row's files.
        rows: for each number, from 1, (low, high) of each prefix.
    """
    dtype = np.dtype([(prefix, _ENTRY.base, _ENTRY.shape) for prefix in prefixes])
    values = np.asarray(rows, np.float32).reshape(len(rows), len(prefixes), 2)
    table = np.empty(len(rows), dtype)
    for index, prefix in enumerate(prefixes):
        table[prefix] = values[:, index]
    buffer = io.BytesIO()
    np.save(buffer, table, allow_pickle=False)
    (folder / NAME).write_bytes(buffer.getvalue())


def read(folder, files):
    """Reads the ranges of some files.

    Args:
        folder: the frame folder, a path or an address.
        files: (prefix, number from 1) of each file.

    Returns:
        float32 [files, 2]: low and high, see quantiser.encode.

    Raises:
        RangesError: the file is no such array, or does not know one of the files.
        OSError: it cannot be read.
    """
    path = folder / NAME
    content = text.read_bytes(path, _MAX_BYTES)
    try:
        table = _table(content)
    except Refused as error:
        raise RangesError(
            f"{path} has no ranges of flow ({error!s:.200}): extract the video again"
        ) from None
    unknown = [
        f"{prefix}{number:05d}.jpg"
        for prefix, number in files
        if prefix not in table.dtype.names or not 1 <= number <= len(table)
    ]
    if unknown:
        raise RangesError(f"{path} has no range of {unknown[0]}: extract it again")
    found = np.array([table[prefix][number - 1] for prefix, number in files])
    low, high = found.T
    if not (np.isfinite(found).all() and (low <= high).all()):
        raise RangesError(f"{path} has an impossible range: extract the video again")
    return found


def _table(content):
    """The array in the bytes of a file; raises Refused for any other."""
    file = io.BytesIO(content)
    shape, _, dtype = npy.head(file)
    if dtype.names is None or any(dtype[name] != _ENTRY for name in dtype.names):
        raise Refused(f"values of type {dtype}")
    left = len(content) - file.tell()
    if len(shape) != 1 or shape[0] * dtype.itemsize != left:
        raise Refused(f"{left} bytes for an array {shape} of {dtype.itemsize} each")
    return np.frombuffer(content, dtype, offset=file.tell())
