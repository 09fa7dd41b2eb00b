"""Files of safetensors (.safetensors): a JSON header, and the numbers of tensors.

The library checks the header: every tensor has its shape's bytes, and they follow one
another without gaps to the end of the file. The numbers are then read from there, each
once: its own arrays have no bfloat16.
"""

import os
import stat

import numpy as np
import safetensors

from tsn_keras.checkpoints.foreign import TORCH, Tensors
from tsn_keras.common.errors import InputError

_LENGTH = 8  # bytes, of the header's length
_MAX_HEADER = 2**23  # bytes; a tensor takes some hundred
_MAX_TENSORS = 10_000
_MAX_AXES = 16
_BFLOAT16, _BOOL = "BF16", "BOOL"
_TYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", _BFLOAT16: "<u2", _BOOL: "u1"},
    **{f"I{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)},
    **{f"U{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)},
}


class SafetensorsError(InputError):
    """A file is not a usable one of safetensors; the text says why."""


def is_one(path) -> bool:
    """Whether a file is named or begins like one of safetensors.

    Raises:
        OSError: it is missing or cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(_LENGTH + 1)
    fits = _LENGTH + _header_bytes(head) <= os.path.getsize(path)
    return str(path).endswith(".safetensors") or (fits and head[_LENGTH:] == b"{")


def read(path) -> Tensors:
    """Reads the tensors of a file.

    Args:
        path: the file.

    Returns:
        foreign.Tensors. Arrays are those of the file bit for bit, but bfloat16 becomes
        float32. `meta` is {text: text}, what the file says of itself.

    Raises:
        SafetensorsError: damaged, without tensors, or of a type of numbers that
            NumPy lacks.
        OSError: the file is missing or cannot be read.
    """
    try:
        begin = _checked_begin(path)
        with safetensors.safe_open(path, framework="numpy") as file:
            names = file.offset_keys()
            if not 1 <= len(names) <= _MAX_TENSORS:
                raise ValueError(f"it holds {len(names)} tensors")
            shapes = {name: _shape_and_type(file, name) for name in names}
            meta = dict(file.metadata() or {})
        return Tensors("safetensors", TORCH, _arrays(path, begin, shapes), meta)
    except (safetensors.SafetensorError, ValueError) as error:
        raise SafetensorsError(
            f"{path} is not a usable file of safetensors: {str(error)[:300]}"
        ) from None


def _header_bytes(head):
    return int.from_bytes(head[:_LENGTH], "little")


def _checked_begin(path):
    """The first byte of the numbers; the header lies in the file and is not huge."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise ValueError("it is not an ordinary file")
        length = _header_bytes(file.read(_LENGTH))
    begin = _LENGTH + length
    if begin > min(about.st_size, _LENGTH + _MAX_HEADER):
        raise ValueError(
            f"its header should have {length} bytes, the file has {about.st_size}; "
            f"{_MAX_HEADER} are the most"
        )
    return begin


def _shape_and_type(file, name):
    """A tensor's shape, and what the file calls the type of its numbers."""
    tensor = file.get_slice(name)
    shape, kind = tuple(tensor.get_shape()), tensor.get_dtype()
    if kind not in _TYPES:
        known = ", ".join(_TYPES)
        raise ValueError(f"{name[:80]} holds numbers of type {kind}; known are {known}")
    if len(shape) > _MAX_AXES:
        raise ValueError(f"{name[:80]} has shape {str(shape)[:80]}")
    return shape, kind


def _arrays(path, begin, shapes):
    """{name: array} of tensors in the order in which they lie in the file."""
    found = {}
    with open(path, "rb") as file:
        file.seek(begin)
        for name, (shape, kind) in shapes.items():
            count = int(np.prod(shape, dtype=object))
            flat = np.fromfile(file, _TYPES[kind], count)
            if len(flat) != count:
                raise ValueError(f"its end is missing, from {name[:80]} on")
            if kind == _BFLOAT16:
                # The upper half of a float32.
                flat = (flat.astype("<u4") << 16).view("<f4")
            elif kind == _BOOL:
                flat = flat != 0  # Any other byte than 0 and 1 would be no bool.
            found[name] = flat.reshape(shape)
    return found
