"""What the pickles in PyTorch's files say: storages, tensors, and plain values.

Facts: torch/_utils.py (`_rebuild_*`), torch/serialization.py (persistent ids).
"""

import dataclasses
import math

import numpy as np

from tsn_keras.common import pickle_reader, pickled_arrays
from tsn_keras.common.errors import Refused
from tsn_keras.common.pickle_reader import EightBit, Name, Pairs, Placeholder, text

BFLOAT16, BOOL = "bf16", "?"  # NumPy has no bfloat16.
# Types of numbers: NumPy's codes by the names of PyTorch's typed storages.
_STORAGES = {
    **{"FloatStorage": "f4", "DoubleStorage": "f8", "HalfStorage": "f2"},
    **{"BFloat16Storage": BFLOAT16, "BoolStorage": BOOL, "ByteStorage": "u1"},
    **{"CharStorage": "i1", "ShortStorage": "i2", "IntStorage": "i4"},
    **{"LongStorage": "i8", "UntypedStorage": "u1", "_UntypedStorage": "u1"},
    **{"ComplexFloatStorage": "c8", "ComplexDoubleStorage": "c16"},
}
# Types that have no storage of their own, of _rebuild_tensor_v3.
_DTYPES = {f"torch uint{bits}": f"u{bits // 8}" for bits in (16, 32, 64)}
# Arrays of NumPy that stand for weights.
ARRAYS = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}
_NUMPY = pickled_arrays.NAMES - {"numpy ndarray"}  # It is named, and not called.
_MAX_ARGUMENTS = 20  # of a constructor; those of tensors have up to 8
_MAX_PAIRS = 1_000_000  # that dicts are made of in a call


def itemsize(code):
    """Bytes of a number in the file."""
    return 2 if code == BFLOAT16 else np.dtype(code).itemsize


@dataclasses.dataclass(frozen=True)
class Storage:
    """Numbers that lie outside the pickle.

    Attributes:
        key: its name in the file.
        code: type of the numbers.
        start: first byte of what is meant.
        nbytes: number of them.
    """

    key: str
    code: str
    start: int
    nbytes: int


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A view of a storage, inside which it lies.

    Attributes:
        storage: Storage.
        code: type of the numbers.
        start: first byte of the first number in the storage of the file.
        shape, strides: tuples of int; strides count numbers.
    """

    storage: Storage
    code: str
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of its numbers."""
        return math.prod(self.shape)

    @property
    def span(self) -> int:
        """Bytes of the storage from its first number to its last."""
        pairs = zip(self.shape, self.strides, strict=True)
        last = sum((n - 1) * stride for n, stride in pairs)
        return (last + 1) * itemsize(self.code) if self.size else 0


class TorchPolicy(pickle_reader.Policy):
    """Knows the constructors of tensors; the rest become inert placeholders.

    Attributes:
        storages: {key: Storage} of all that the pickle names, each as a whole.
    """

    steps = pickle_reader.EVERY

    def __init__(self):
        self.storages, self._arrays = {}, pickled_arrays.Arrays()
        self._pairs = _MAX_PAIRS

    def named(self, name):
        return Name(name)

    def called(self, function, arguments):
        if not isinstance(function, (Name, Placeholder)):
            return Placeholder("object")
        if isinstance(function, Placeholder):
            return Placeholder(function.name)
        if function.name == "collections OrderedDict":
            return _made(self._ordered, arguments)
        if function.name in _MAKERS:
            return _made(_MAKERS[function.name], arguments)
        if function.name in _NUMPY:
            return self._arrays.called(function.name, arguments)
        return Placeholder(function.name)

    def built(self, target, state):
        # The state of other objects is nothing that weights need.
        if isinstance(target, (pickled_arrays.Array, pickled_arrays.Dtype)):
            pickled_arrays.fill(target, state)

    def _ordered(self, pairs=()):
        """In Python 2 of a list of pairs, themselves lists."""
        found = Pairs()
        pairs = pairs.items if isinstance(pairs, Pairs) else pairs
        self._pairs -= len(pairs)  # One list may make any number of dicts.
        if self._pairs < 0:
            raise Refused("its pickle has too many items")
        found.items.extend((key, value) for key, value in pairs)
        return found

    def persistent(self, value):
        if not isinstance(value, tuple) or not 2 <= len(value) <= 6:
            return Placeholder("a part of another file")
        if text(value[0]) != "storage":
            # Streams put the text of a class beside it: ("module", class, file, text).
            return value[1] if isinstance(value[1], Name) else Placeholder("object")
        # Files of the zip form have no view.
        _, kind, key, _, count, *view = value
        module, _, name = (kind.name if isinstance(kind, Name) else "").partition(" ")
        if module.partition(".")[0] != "torch" or name not in _STORAGES:
            return Placeholder("a storage of an unknown type")
        code, key = _STORAGES[name], text(key)
        width = itemsize(code)
        whole = Storage(key, code, 0, width * _count(count))
        if self.storages.setdefault(key, whole) != whole:
            raise Refused(f"it describes storage {key!r} in two ways")
        if not view or view[0] is None:
            return whole
        _, start, count = view[0]
        part = Storage(key, code, width * _count(start), width * _count(count))
        if part.start + part.nbytes > whole.nbytes:
            raise Refused(f"a part of storage {key!r} lies outside it")
        return part


def _count(value):
    if not pickled_arrays.are_counts((value,)):
        raise Refused("its pickle has no number where one is due")
    return value


def _made(maker, arguments):
    # Python copies arguments: a long tuple that is used often would take long.
    if len(arguments) > _MAX_ARGUMENTS:
        raise Refused(f"its pickle calls something with {len(arguments)} arguments")
    return maker(*arguments)


def _tensor(storage, offset, shape, strides, *_, code=None):
    """_rebuild_tensor, _rebuild_tensor_v2."""
    if not isinstance(storage, Storage):
        return Placeholder("a tensor of an unknown type")
    if not pickled_arrays.is_shape(shape) or not pickled_arrays.are_counts(strides):
        raise Refused("a tensor has no shape, or no strides")
    if len(shape) != len(strides):
        raise Refused(f"a tensor of shape {shape} has strides {strides}")
    code = code or storage.code
    start = storage.start + _count(offset) * itemsize(code)
    found = Tensor(storage, code, start, shape, strides)
    if found.size and start + found.span > storage.start + storage.nbytes:
        raise Refused(
            f"a tensor of shape {shape} lies outside its storage, of {storage.nbytes} "
            "bytes"
        )
    return found


def _tensor_of_type(storage, offset, shape, strides, grad, hooks, dtype, *_):
    """_rebuild_tensor_v3."""
    code = _DTYPES.get(dtype.name) if isinstance(dtype, Name) else None
    if code is None:
        return Placeholder("a tensor of an unknown type")
    return _tensor(storage, offset, shape, strides, code=code)


def _first(value, *_):
    return value


def _of_class(function, kind, arguments, *_):
    """_rebuild_from_type_v2: a tensor with attributes of its own."""
    if not isinstance(function, Name) or function.name not in _TENSORS:
        return Placeholder("a tensor of an unknown type")
    return _made(_TENSORS[function.name], arguments)


def _device(*parts):
    return ":".join(f"{p}" if type(p) is int else text(p) for p in parts[:2])


_TENSORS = {
    "torch._utils _rebuild_tensor": _tensor,
    "torch._utils _rebuild_tensor_v2": _tensor,
    "torch._utils _rebuild_tensor_v3": _tensor_of_type,
    "torch._utils _rebuild_parameter": _first,
    "torch._utils _rebuild_parameter_with_state": _first,
}
_MAKERS = {
    **_TENSORS,
    "torch._tensor _rebuild_from_type_v2": _of_class,
    "torch Size": _first,
    "torch device": _device,
}


class Plain:
    """Plain values of what a pickle described, no more of them than anyone reads.

    Args:
        values: number of values, at most.
        characters: of all their texts, at most.

    Example:
        >>> Plain().of([1, Name("torch float32"), b"x"])
        [1, '<torch.float32>', b'x']
    """

    _DEEPEST = 20  # Lists may hold themselves.
    _LARGEST = 256  # bits of an integer

    def __init__(self, values=50_000, characters=2**20):
        self._values, self._characters = values, characters

    def of(self, value, depth=0):
        """None, bool, int, float, str, bytes, list, tuple or dict."""
        self._values -= 1
        if value is None or isinstance(value, (bool, float)):
            return value
        if isinstance(value, int):
            bits = value.bit_length()
            return value if bits <= self._LARGEST else f"<integer of {bits} bits>"
        if isinstance(value, (str, bytes, bytearray)):
            return self._text(value)
        if depth == self._DEEPEST or self._values < 0:
            return "<...>"
        if type(value) is Pairs:
            return {
                self._key(key): self.of(item, depth + 1)
                for key, item in self._some(value.items)
            }
        if isinstance(value, (list, tuple)):
            return type(value)(self.of(item, depth + 1) for item in self._some(value))
        return self._shown(value)

    def _some(self, items):
        """Yields items while there is room."""
        for item in items:
            if self._values <= 0:
                return
            yield item

    def _key(self, key):
        """A key that is quick to look up: those of strangers may all collide."""
        if isinstance(key, (str, bytes)):
            return self._text(key)
        if key is None or (isinstance(key, int) and abs(key) < 2**60):
            return key
        return f"{key}" if isinstance(key, float) else self._shown(key)

    def _text(self, value):
        # Cut before anything is done with it: it may come again any number of times.
        cut = value[: max(self._characters, 0)]
        self._characters -= len(cut)
        if isinstance(value, EightBit):
            try:
                return cut.decode()
            except UnicodeDecodeError:
                return cut
        return bytes(cut) if isinstance(cut, bytearray) else cut

    def _shown(self, value):
        """A number of NumPy, or a short text in the place of an object."""
        if isinstance(value, Tensor):
            what = "bfloat16" if value.code == BFLOAT16 else np.dtype(value.code)
            return f"<{what} tensor {value.shape}>"
        if isinstance(value, pickled_arrays.Array):
            try:
                numbers = value.numbers(ARRAYS)
            except Refused:
                return "<array>"
            if numbers.shape == ():
                return numbers.item()
            return f"<{numbers.dtype} array {numbers.shape}>"
        name = value.name if isinstance(value, (Name, Placeholder)) else "object"
        return f"<{self._text(name.replace(' ', '.'))[:200]}>"
