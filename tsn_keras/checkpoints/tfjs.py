"""Layers models of TensorFlow.js: model.json, and files of numbers beside it.

Facts: tfjs-core/src/io/{types,io_utils}.ts. The numbers of a group's weights follow one
another through its files.
"""

import os
import pathlib
import stat

import numpy as np

from tsn_keras.checkpoints import not_weights
from tsn_keras.checkpoints.foreign import KERAS, Tensors
from tsn_keras.common import json_text
from tsn_keras.common.errors import InputError

_MAX_JSON = 2**23  # bytes; that of ResNet-50 has 2**17
_MAX_WEIGHTS = 10_000
_MAX_AXES, _MAX_LENGTH = 16, 2**31
_MAX_NAME = 200  # characters
_PIECE = 2**20  # numbers that are computed at once
_TYPES = {"float32": "<f4", "int32": "<i4", "bool": "u1"}
# Types in which numbers may be stored to save room.
_STORED = {"float16": "<f2", "uint8": "u1", "uint16": "<u2"}
_ABOUT = ("format", "generatedBy", "convertedBy")


class TfjsError(InputError):
    """A file is not a usable layers model of TensorFlow.js; the text says why."""


def is_one(path) -> bool:
    """Whether a file is named or begins like a model.json.

    Raises:
        OSError: it is missing or cannot be read.
    """
    with open(path, "rb") as file:
        begin = file.read(16)
    return str(path).endswith(".json") or begin.lstrip().startswith(b"{")


def read(path) -> Tensors:
    """Reads the weights of a layers model.

    Numbers that were stored as float16, or as uint8 or uint16 with a scale and a
    least value, become float32.

    Args:
        path: model.json, with the files that it names beside it.

    Returns:
        foreign.Tensors. `meta` says by what programs the model was made.

    Raises:
        TfjsError: it is no such model, a file is missing, is not an ordinary file
            beside it, or has another length than the weights need.
        OSError: the file is missing or cannot be read.
    """
    path = pathlib.Path(path)
    with open(path, "rb") as file:
        text = file.read(_MAX_JSON + 1)
    try:
        if len(text) > _MAX_JSON:
            raise ValueError(f"it has more than {_MAX_JSON} bytes")
        model = json_text.parse(text, "it")
        if model.get("format") == "graph-model":
            raise ValueError("it is a graph model, which does not name its layers")
        arrays, parts = _read_groups(_groups(model), path.parent)
    except ValueError as error:
        raise TfjsError(
            f"{path} is not a usable layers model of TensorFlow.js: {str(error)[:300]}"
        ) from None
    meta = {key: model[key] for key in _ABOUT if isinstance(model.get(key), str)}
    return Tensors("TensorFlow.js", KERAS, arrays, meta, parts=parts)


class _Weight:
    """What the manifest says of one array.

    Args:
        entry: a JSON value.
    """

    def __init__(self, entry):
        if not isinstance(entry, dict):
            raise ValueError("a weight of its manifest is no object")
        self.name, self.shape = entry.get("name"), entry.get("shape")
        if not (isinstance(self.name, str) and 0 < len(self.name) <= _MAX_NAME):
            raise ValueError(f"a weight has the name {repr(self.name)[:80]}")
        lengths = self.shape if isinstance(self.shape, list) else [None]
        if len(lengths) > _MAX_AXES or not all(map(_is_length, lengths)):
            raise self.wrong("shape", self.shape)
        self.count = int(np.prod(lengths, dtype=object))
        kind = entry.get("dtype")
        if not isinstance(kind, str) or kind not in _TYPES:
            raise self.wrong("dtype", kind)
        self._kind, self._scale, self._least = kind, 1.0, 0.0
        self.stored = np.dtype(_TYPES[kind])
        if entry.get("quantization") is not None:
            self._read_quantisation(entry["quantization"])

    def wrong(self, what, value):
        shown = repr(value)[:80]
        return ValueError(f"{self.name[:80]!r} has {what} {shown}, which is unknown")

    def _read_quantisation(self, told):
        stored = told.get("dtype") if isinstance(told, dict) else None
        if not isinstance(stored, str) or stored not in _STORED:
            raise self.wrong("quantization", told)
        self.stored = np.dtype(_STORED[stored])
        if stored != "float16":
            self._scale, self._least = told.get("scale"), told.get("min")
            for number in (self._scale, self._least):
                if not isinstance(number, (int, float)) or isinstance(number, bool):
                    raise self.wrong("quantization", told)
        if self._kind != "float32":
            raise self.wrong("quantization of", self._kind)

    @property
    def bytes(self):
        """Of the stored numbers."""
        return self.count * self.stored.itemsize

    def array(self, data):
        """The array of the stored bytes, uint8 [bytes]."""
        flat = data.view(self.stored)
        if self._kind == "bool":
            flat = flat != 0  # Any other byte than 0 and 1 would be no bool.
        elif self.stored != _TYPES[self._kind]:
            numbers = np.empty(self.count, "f4")
            for start in range(0, self.count, _PIECE):
                piece = flat[start : start + _PIECE].astype("f8")
                with np.errstate(over="ignore"):
                    numbers[start : start + _PIECE] = piece * self._scale + self._least
            flat = numbers
        return flat.reshape(self.shape)


def _is_length(value):
    return type(value) is int and 0 <= value < _MAX_LENGTH


def _groups(model):
    """[([names of files], [_Weight])] of a model.json."""
    manifest = model.get("weightsManifest")
    if not isinstance(manifest, list) or not manifest:
        raise ValueError("it has no weightsManifest")
    groups, names, files = [], set(), set()
    for group in manifest:
        if not isinstance(group, dict):
            raise ValueError("a group of its manifest is no object")
        paths, entries = group.get("paths"), group.get("weights")
        if not (isinstance(paths, list) and isinstance(entries, list)):
            raise ValueError("a group of its manifest lacks paths or weights")
        if len(names) + len(entries) > _MAX_WEIGHTS:
            raise ValueError(f"it has more than {_MAX_WEIGHTS} weights")
        weights = [_Weight(entry) for entry in entries]
        for weight in weights:
            _add(weight.name, names, "weight")
        for name in paths:
            _add(name, files, "file")
        groups.append((paths, weights))
    return groups


def _add(name, known, what):
    """Adds a name to those known: nothing may be named twice."""
    if not isinstance(name, str):
        raise ValueError(f"its manifest has a {what} of the name {repr(name)[:80]}")
    if name in known:
        raise ValueError(f"its manifest names the {what} {name[:80]!r} twice")
    known.add(name)


def _read_groups(groups, folder):
    """({name: array}, paths of the files)."""
    found, parts = {}, []
    for paths, weights in groups:
        sizes = {_part(folder, name): 0 for name in paths}
        for part in sizes:
            sizes[part] = _size(part)
        needed, there = sum(w.bytes for w in weights), sum(sizes.values())
        # Nothing is taken from memory before this.
        if needed != there:
            for part in sizes:
                _refuse_page(part)
            raise ValueError(f"its weights need {needed} bytes, its files have {there}")
        stream = _Stream(sizes)
        for weight in weights:
            found[weight.name] = weight.array(stream.read(weight.bytes))
        parts += sizes
    if not found:
        raise ValueError("it has no weights")
    return found, tuple(parts)


def _part(folder, name):
    """The path of a file that the manifest names: one beside it, and nowhere else."""
    plain = name not in ("", ".", "..") and not set(name) & set("/\\:\0")
    if not plain or len(name) > _MAX_NAME:
        raise ValueError(f"it names the file {name[:80]!r}, which is not beside it")
    return folder / name


def _opened(part):
    """A file of numbers, open; links are not followed, pipes not waited for."""
    try:
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
        return open(os.open(part, flags), "rb")
    except FileNotFoundError:
        raise ValueError(f"its file {part.name!r} is missing") from None
    except OSError as error:
        reason = "it is a link" if part.is_symlink() else error.strerror
        raise ValueError(f"its file {part.name!r} cannot be read: {reason}") from None


def _size(part):
    with _opened(part) as file:
        about = os.fstat(file.fileno())
    if not stat.S_ISREG(about.st_mode):
        raise ValueError(f"its file {part.name!r} is not an ordinary file")
    return about.st_size


def _refuse_page(part):
    with _opened(part) as file:
        found = not_weights.what(file.read(2**10))
    if found is not None:
        raise ValueError(f"its file {part.name!r} is {found}")


class _Stream:
    """The bytes of files, one after the other.

    Args:
        sizes: {path: bytes}.
    """

    def __init__(self, sizes):
        self._left = list(sizes.items())
        self._begin = 0  # of what is not read yet of the first file

    def read(self, count):
        """The next bytes, uint8 [count]."""
        data, filled = np.empty(count, np.uint8), 0
        while filled < count:
            part, size = self._left[0]
            piece = data[filled : filled + size - self._begin]
            with _opened(part) as file:
                file.seek(self._begin)
                if file.readinto(piece) != len(piece):
                    raise ValueError(f"its file {part.name!r} became shorter")
            filled += len(piece)
            self._begin += len(piece)
            if self._begin == size:
                self._left.pop(0)
                self._begin = 0
        return data
