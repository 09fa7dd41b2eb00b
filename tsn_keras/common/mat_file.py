"""Structures of MATLAB's files (.mat, version 5), as annotations come in them.

SciPy's reader takes as much memory as a file says that it needs, and calls itself as
deep as a file says; this one checks sizes first. The layout is MathWorks' "MAT-File
Format": a header of 128 bytes, then elements of a type, a number of bytes and the bytes
themselves, padded to 8; an element of type 15 is another one, packed by zlib.
"""

import dataclasses
import math
import zlib

import numpy as np

from tsn_keras.common import text
from tsn_keras.common.errors import InputError, Refused

# THUMOS14's largest file has 0.2 MB, and unpacks to 2 MB.
MAX_BYTES = 16 * 2**20
MAX_UNPACKED = 32 * 2**20
MAX_VALUES = 500_000
_HEADER, _DEEPEST = 128, 4
_SHAPES = range(8, 36, 4)  # bytes of 2 to 8 numbers
_ORDERS = {b"IM": "<", b"MI": ">"}

# Types of elements.
_PACKED, _ARRAY = 15, 14
_TEXTS = {1: "ascii", 2: "ascii", 16: "utf-8"}
_NUMBERS = {
    **{1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4"},
    **{7: "f4", 9: "f8", 12: "i8", 13: "u8"},
}
# Classes of arrays; those of numbers are 6 to 15.
_CELL, _STRUCT, _CHAR, _LEAST_NUMBER, _MOST_NUMBER = 1, 2, 4, 6, 15


class MatFileError(InputError):
    """A .mat file is missing, or not what it should be; the text says why."""


def structs(path, name):
    """Reads an array of structures.

    Args:
        path: pathlib.Path or storage.Address of the file.
        name: of the variable.

    Returns:
        list of {field: value}, in MATLAB's order. A value is a str; a tuple of float,
        of an array of numbers in MATLAB's order; a tuple of values, of cells; or None
        for what is none of these.

    Raises:
        MatFileError: the file cannot be read, is damaged or too large, or has no such
            variable.
    """
    try:
        data = text.read_bytes(path, MAX_BYTES)
        order = _ORDERS.get(data[126:128])
        if order is None:
            raise Refused("it is no .mat file of version 5")
        if data[124:126] not in (b"\x00\x01", b"\x01\x00"):
            raise Refused("it is of MATLAB 7.3: save it with -v7")
        found = _Reader(order).variable(data, name)
    except OSError as error:
        raise MatFileError(f"cannot read {path}: {error.strerror or error}") from None
    except text.TextFileError as error:
        raise MatFileError(str(error)) from None
    except Refused as error:
        raise MatFileError(f"{path}: {error}") from None
    if not isinstance(found, list):
        raise MatFileError(f"{path}: {name} is no array of structures")
    return found


@dataclasses.dataclass
class _Piece:
    """Bytes of a file, from which elements are taken."""

    data: bytes
    at: int
    end: int

    def __bool__(self):
        return self.at < self.end

    def take(self, count):
        """A _Piece of so many bytes."""
        if count > self.end - self.at:
            raise Refused(f"{count} bytes are too many where {self.end - self.at} are")
        self.at += count
        return _Piece(self.data, self.at - count, self.at)

    @property
    def raw(self):
        return self.data[self.at : self.end]


class _Reader:
    """Reads elements in a byte order, and counts what they hold."""

    def __init__(self, order):
        self._order = order
        self._word = np.dtype(f"{order}u4")
        self._values = 0

    def variable(self, data, name):
        """The value of a variable of the file."""
        rest, names, left = _Piece(data, _HEADER, len(data)), [], MAX_UNPACKED
        while rest:
            kind, piece = self._element(rest)
            if kind == _PACKED:
                unpacked = _unpacked(piece.raw, left)
                left -= len(unpacked)
                kind, piece = self._element(_Piece(unpacked, 0, len(unpacked)))
            if kind != _ARRAY:
                continue
            about = self._about(piece)
            if about[2] == name:
                return self._value(piece, about, 0)
            names.append(about[2])
        there = ", ".join(names[:5]) or "none"
        raise Refused(f"it has no variable {name}; there are: {there}"[:200])

    def _element(self, rest):
        """(type, _Piece) of the next element."""
        kind, size = map(int, self._words(rest.take(8)))
        if kind >> 16:  # Up to 4 bytes stand in the place of their number.
            size, kind = kind >> 16, kind & 0xFFFF
            if size > 4:
                raise Refused(f"an element of 4 bytes has {size}")
            return kind, _Piece(rest.data, rest.at - 4, rest.at - 4 + size)
        piece = rest.take(size)
        if kind != _PACKED:
            rest.at = min(rest.at + -size % 8, rest.end)
        return kind, piece

    def _words(self, piece):
        return np.frombuffer(piece.raw, self._word)

    def _about(self, piece):
        """(class, shape, name) of an array."""
        parts = [self._element(piece)[1] for _ in range(3)]
        if len(parts[0].raw) != 8 or len(parts[1].raw) not in _SHAPES:
            raise Refused("an array does not say what it is")
        shape = tuple(map(int, self._words(parts[1])))
        return (
            int(self._words(parts[0])[0]) & 0xFF,
            shape,
            parts[2].raw.decode("ascii", "replace"),
        )

    def _value(self, piece, about, depth):
        """The value of an array; the structures of a struct array as a list."""
        kind, shape, _ = about
        count = math.prod(shape)
        self._values += 1
        if self._values > MAX_VALUES or depth > _DEEPEST:
            raise Refused("it holds more values than annotations do")
        if kind == _STRUCT:
            return self._structs(piece, count, depth)
        if kind == _CELL:
            self._check(piece, count)
            return tuple(self._inner(piece, depth) for _ in range(count))
        if kind == _CHAR:
            return self._text(piece) if count else ""
        if not _LEAST_NUMBER <= kind <= _MOST_NUMBER:
            return None
        return self._numbers(piece, count)

    def _structs(self, piece, count, depth):
        size, names = self._element(piece)[1], self._element(piece)[1].raw
        width = int(self._words(size)[0]) if len(size.raw) == 4 else 0
        if not width or len(names) % width:
            raise Refused("the names of its fields are damaged")
        fields = [
            names[at : at + width].split(b"\0")[0].decode("ascii", "replace")
            for at in range(0, len(names), width)
        ]
        if not fields:
            raise Refused("its structures have no fields")
        self._check(piece, count * len(fields))
        return [
            {field: self._inner(piece, depth) for field in fields} for _ in range(count)
        ]

    def _check(self, piece, count):
        """Refuses more elements than there is room for, before they are made."""
        if 8 * count > piece.end - piece.at:
            raise Refused(f"{count} values are too many where they should be")

    def _inner(self, piece, depth):
        """The value of an array within another."""
        kind, inner = self._element(piece)
        if kind != _ARRAY:
            raise Refused("a value is no array")
        if not inner:  # As MATLAB writes [].
            return ()
        found = self._value(inner, self._about(inner), depth + 1)
        return None if isinstance(found, list) else found

    def _text(self, piece):
        kind, inner = self._element(piece)
        sixteen = "utf-16-le" if self._order == "<" else "utf-16-be"
        code = {**_TEXTS, 4: sixteen, 17: sixteen}.get(kind)
        if code is None:
            raise Refused(f"a text has the type {kind}")
        return inner.raw.decode(code, "replace")

    def _numbers(self, piece, count):
        if not count:
            return ()
        kind, inner = self._element(piece)
        dtype = np.dtype(self._order + _NUMBERS.get(kind, "V1"))
        if dtype.kind == "V" or dtype.itemsize * count != len(inner.raw):
            raise Refused(f"an array of {count} numbers has {len(inner.raw)} bytes")
        self._values += count
        if self._values > MAX_VALUES:
            raise Refused("it holds more values than annotations do")
        return tuple(np.frombuffer(inner.raw, dtype).astype(float).tolist())


def _unpacked(packed, limit):
    """What zlib packed, if it has not more bytes than the limit."""
    unpack = zlib.decompressobj()
    try:
        found = unpack.decompress(packed, limit + 1)
    except zlib.error as error:
        raise Refused(f"what is packed in it is damaged: {error}") from None
    if len(found) > limit:
        raise Refused(f"it unpacks to more than {MAX_UNPACKED} bytes")
    if not unpack.eof:
        raise Refused("what is packed in it is not whole")
    return found
