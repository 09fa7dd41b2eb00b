"""The original's score files (.npz), written and read without running them.

tools/eval_net.py:135-136 saves `scores`, an object array [V, 2] of (float32
[snippets, crops, C], label), and `labels`, int [V]. NumPy stores an object
array as a pickle, which can name any function to be called. The reader below
walks through the pickle's instructions itself: it knows the few that build
arrays, lists and numbers, calls nothing, and refuses the rest.
"""

import io
import math
import pathlib
import pickletools
import zipfile

import numpy as np

from tsn_keras.common import files
from tsn_keras.common.errors import InputError

# What a pickle of arrays may name, over the versions of NumPy.
_RECONSTRUCT = {f"numpy.{core}.multiarray _reconstruct" for core in ("core", "_core")}
_SCALAR = {f"numpy.{core}.multiarray scalar" for core in ("core", "_core")}
_ALLOWED = {"numpy ndarray", "numpy dtype", "_codecs encode"} | _RECONSTRUCT | _SCALAR
_NUMBERS = {"f4", "f8", "i4", "i8", "u4", "u8"}

_IGNORED = {"PROTO", "FRAME", "STOP"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1"}
_VALUES |= {"BINUNICODE", "SHORT_BINUNICODE", "UNICODE"}
_VALUES |= {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8"}
_STRINGS = {"STRING", "BINSTRING", "SHORT_BINSTRING"}  # Python 2's bytes
_PUTS, _GETS = {"PUT", "BINPUT", "LONG_BINPUT"}, {"GET", "BINGET", "LONG_BINGET"}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
# NumPy writes some 25 instructions a video; each takes about 2 microseconds.
_MAX_INSTRUCTIONS, _INSTRUCTIONS_A_VIDEO = 2_000_000, 100
_MAX_RATIO = 10  # of compression; scores hardly compress
_ALLOWANCE = 2**16  # bytes that may compress better
_MAX_DIRECTORY = 2**17  # bytes; that of two members has some 100


class NpzError(InputError):
    """A score file of the original cannot be used; the text says why."""


class NpzScores:
    """A score file of the original, with the interface of score_file.ScoreFile.

    It names no videos: `video_ids` are positions, "0", "1", ...

    Raises:
        NpzError: not such a file, or damaged.
        OSError: the file is missing or cannot be read.
    """

    names_videos = False

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.labels, self._arrays = read(path)
        self.video_ids = tuple(map(str, range(len(self._arrays))))
        self.classes = tuple(map(str, range(self._arrays[0].shape[2])))
        self.about, self.failed = {}, {}

    def read(self, video_id):
        """Returns a video's raw scores, float32 [snippets, crops, C]."""
        return self._arrays[int(video_id)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def write(file, path):
    """Exports a score file to the original's layout.

    Args:
        file: score_file.ScoreFile.
        path: .npz file to write; beside, then renamed.

    Raises:
        files.DiskFullError: the disk is full.
    """
    pairs = np.empty((len(file), 2), dtype=object)
    for index, video in enumerate(file.video_ids):
        pairs[index] = file.read(video), int(file.labels[index])
    with files.replacing(path) as aside, files.enduring(aside) as target:
        np.savez(target, scores=pairs, labels=file.labels)


def read(path):
    """Reads a score file of the original.

    Returns:
        (labels int64 [V], list of V float32 [snippets, crops, C])
    """
    with open(path, "rb") as file:
        try:
            members = _members(file, ("labels.npy", "scores.npy"))
            labels = _plain_array(*members["labels.npy"])
            header, body = members["scores.npy"]
            if header[2] != np.dtype(object):
                raise _Refused(f"`scores` is of type {header[2]}, not of objects")
            limit = _INSTRUCTIONS_A_VIDEO * (len(labels) + 10)
            pairs = _Machine(min(limit, _MAX_INSTRUCTIONS)).run(body)
            arrays = _pairs(pairs, labels, len(body))
        except _Refused as error:
            raise NpzError(
                f"{path} is not a score file of the original: {str(error)[:300]}"
            ) from None
    return labels.astype(np.int64), arrays


class _Refused(Exception):
    pass


class _Cautious:
    """A file of which no read is larger than `most` bytes, while that is set."""

    def __init__(self, file, size):
        self._file, self._size, self.most = file, size, None
        self.seek, self.tell = file.seek, file.tell
        self.seekable, self.close = file.seekable, lambda: None

    def read(self, count=-1):
        if count is None or count < 0:
            count = max(self._size - self.tell(), 0)
        if self.most is not None and count > self.most:
            raise ValueError("its directory is too large")
        return self._file.read(count)


def _members(file, names):
    """{name: ((shape, Fortran order, dtype), bytes after the header)}."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    cautious = _Cautious(file, size)
    # zipfile takes half a kilobyte for each entry that a directory names.
    cautious.most = _MAX_DIRECTORY
    try:
        archive = zipfile.ZipFile(cautious)
        cautious.most = None
    except Exception as error:  # zipfile has no type of its own for all
        raise _Refused(str(error)) from None
    with archive:
        return {name: _member(archive, name, size) for name in names}


def _member(archive, name, size):
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise _Refused(f"it has no {name}") from None
    # The directory may lie about how many bytes a member takes, the file's size
    # does not.
    if info.file_size > _MAX_RATIO * min(info.compress_size, size) + _ALLOWANCE:
        raise _Refused(f"{name} would unpack to {info.file_size} bytes")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # With other methods a small piece can unpack to any size before it is counted.
        raise _Refused(f"{name} is compressed in a way that NumPy does not use")
    try:
        with archive.open(info) as member:
            file = io.BytesIO(member.read(info.file_size))
        version = np.lib.format.read_magic(file)
        reader = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        return reader(file), file.read()
    except Exception as error:  # zlib, zipfile and NumPy each have their own
        raise _Refused(f"{name} is damaged: {error}") from None


def _plain_array(header, body):
    shape, _, dtype = header
    if dtype.kind not in "iu" or len(shape) != 1:
        raise _Refused(f"`labels` is of type {dtype} and shape {shape}")
    if shape[0] * dtype.itemsize != len(body):
        raise _Refused(f"`labels` has {len(body)} bytes for {shape[0]} numbers")
    return np.frombuffer(body, dtype)


def _pairs(outer, labels, size):
    """Checks what the pickle of `size` bytes built; returns its score arrays."""
    if not isinstance(outer, _Array) or not isinstance(outer.data, list):
        raise _Refused("`scores` is not an array of objects")
    count = len(labels)
    if outer.shape != (count, 2) or not count:
        # A tuple may hold tuples that hold tuples: endless text.
        shape = outer.shape if _is_shape(outer.shape) else "none"
        raise _Refused(f"`scores` has shape {shape}, not ({count}, 2)")
    if len(outer.data) != 2 * count:
        raise _Refused(f"`scores` has {len(outer.data)} objects, not 2 * {count}")
    arrays, left = [], size
    # NumPy lists an array's objects row by row, whatever their order in memory.
    rows = zip(outer.data[::2], outer.data[1::2], strict=True)
    for index, (array, label) in enumerate(rows):
        if not isinstance(array, _Array):
            raise _Refused(f"video {index} has no array of scores")
        numbers = array.numbers()
        left -= numbers.nbytes
        if left < 0:
            # Many arrays may share their bytes; as float32 each has its own.
            raise _Refused("its arrays are larger than the file")
        arrays.append(numbers.astype(np.float32))
        if isinstance(label, _Array):
            label = label.numbers().tolist() if label.shape == () else None
        # Other types may be nested endlessly, and comparing them never ends.
        if type(label) is not int or label != labels[index]:
            known = label if type(label) is int and abs(label) < 2**63 else "none"
            raise _Refused(f"video {index} has label {known}, `labels` {labels[index]}")
    first = arrays[0].shape
    for index, array in enumerate(arrays):
        if array.ndim != 3 or 0 in array.shape or array.shape[2] != first[2]:
            raise _Refused(f"scores of video {index} have shape {array.shape}")
        if not np.isfinite(array).all():
            raise _Refused(f"scores of video {index} are not finite")
    if labels.min() < 0 or labels.max() >= first[2]:
        raise _Refused(f"a label is outside 0 to {first[2] - 1}")
    return arrays


class _Global:
    """A name in the pickle; never looked up."""

    def __init__(self, name):
        if name not in _ALLOWED:
            raise _Refused(f"its pickle names {name!r}, which no score file needs")
        self.name = name


class _Dtype:
    def __init__(self, code):
        self.code = _text(code)
        self.order = "<"


class _Array:
    def __init__(self):
        self.shape, self.dtype, self.fortran, self.data = None, None, False, None

    def numbers(self):
        """Builds the array of numbers that the pickle describes."""
        if not isinstance(self.dtype, _Dtype) or self.dtype.code not in _NUMBERS:
            raise _Refused("an array is not of numbers")
        dtype = np.dtype(self.dtype.order + self.dtype.code)
        if not isinstance(self.data, bytes) or not _is_shape(self.shape):
            raise _Refused("an array has no data")
        if math.prod(self.shape) * dtype.itemsize != len(self.data):
            raise _Refused(f"an array has {len(self.data)} bytes, not as its shape")
        flat = np.frombuffer(self.data, dtype)
        return flat.reshape(self.shape, order="F" if self.fortran else "C")


def _is_shape(shape):
    return (
        isinstance(shape, tuple)
        and len(shape) <= 8
        and all(type(n) is int and 0 <= n < 2**48 for n in shape)
    )


def _text(value):
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str):
        raise _Refused("its pickle has no text where one is due")
    return value


class _Machine:
    """Carries out the instructions of a pickle that only builds data."""

    def __init__(self, most):
        self.most = most
        self.stack, self.marks, self.memo = [], [], {}

    def run(self, data):
        """Returns what the pickle describes."""
        try:
            for count, (opcode, value, _) in enumerate(pickletools.genops(data)):
                if count > self.most:
                    raise _Refused("its pickle has too many instructions")
                self.step(opcode.name, value)
            (result,) = self.stack
        except _Refused:
            raise
        except Exception as error:
            # Raised when the stack holds something unexpected.
            raise _Refused(f"its pickle is damaged: {type(error).__name__}") from None
        return result

    def step(self, name, value):
        stack = self.stack
        if name in _IGNORED:
            return
        if name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _VALUES:
            stack.append(value)
        elif name in _STRINGS:
            stack.append(value.encode("latin-1"))
        elif name in _PUTS:
            self.memo[value] = stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in _GETS:
            stack.append(self.memo[value])
        elif name == "MARK":
            self.marks.append(len(stack))
        elif name in _TUPLES:
            self.tuple_of(len(stack) - _TUPLES[name])
        elif name == "TUPLE":
            self.tuple_of(self.marks.pop())
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name == "APPEND":
            item = stack.pop()
            self.list_on_top(-1).append(item)
        elif name == "APPENDS":
            start = self.marks.pop()
            items = stack[start:]
            del stack[start:]
            self.list_on_top(-1).extend(items)
        elif name == "GLOBAL":
            stack.append(_Global(value))
        elif name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            stack.append(_Global(f"{_text(module)} {_text(attribute)}"))
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            stack.append(self.describe(function, arguments))
        elif name == "BUILD":
            self.fill(stack.pop(), stack[-1])
        else:
            raise _Refused(f"its pickle has an instruction {name}")

    def tuple_of(self, start):
        if not 0 <= start <= len(self.stack):
            raise _Refused("its pickle is damaged: a tuple of nothing")
        items = tuple(self.stack[start:])
        del self.stack[start:]
        self.stack.append(items)

    def list_on_top(self, index):
        found = self.stack[index]
        if not isinstance(found, list):
            raise _Refused("its pickle appends to what is no list")
        return found

    @staticmethod
    def describe(function, arguments):
        """What a call that the pickle asks for would make; nothing is called."""
        if not isinstance(function, _Global) or not isinstance(arguments, tuple):
            raise _Refused("its pickle calls something that is no name")
        if function.name in _RECONSTRUCT:
            return _Array()
        if function.name == "numpy dtype":
            return _Dtype(arguments[0])
        if function.name in _SCALAR:
            array = _Array()
            array.dtype, array.data = arguments
            array.shape = ()
            return array
        if function.name == "_codecs encode":
            # How Python 3 writes bytes into a protocol 2 pickle.
            return _text(arguments[0]).encode("latin-1")
        raise _Refused(f"its pickle calls {function.name!r}")

    @staticmethod
    def fill(state, target):
        """Sets the state that the pickle gives an array or a type."""
        if isinstance(target, _Array):
            _, target.shape, target.dtype, target.fortran, target.data = state
            if not isinstance(target.data, (bytes, list)):
                raise _Refused("an array has neither bytes nor a list")
        elif isinstance(target, _Dtype):
            order = _text(state[1])
            if order not in ("<", ">", "|", "="):
                raise _Refused(f"a type has byte order {order!r}")
            target.order = "<" if order == "=" else order
        else:
            raise _Refused("its pickle fills in what is neither array nor type")
