"""PyTorch's files (.pth, .pt, .pth.tar), read without PyTorch and without running them.

torch.save writes a pickle, and the numbers of tensors beside it. Since version 1.6 the
file is a zip archive; before, all follows one another. Facts: torch/serialization.py.
"""

import io
import zipfile

import numpy as np

from tsn_keras.checkpoints.foreign import TORCH, Tensors
from tsn_keras.checkpoints.torch_pickle import (
    ARRAYS,
    BFLOAT16,
    BOOL,
    Plain,
    Tensor,
    TorchPolicy,
    itemsize,
)
from tsn_keras.common.errors import InputError, Refused
from tsn_keras.common.pickle_reader import Machine, Name, Pairs, Placeholder
from tsn_keras.common.pickled_arrays import Array, Dtype
from tsn_keras.common.zip_reader import Archive, Form

# Where programs put the state of a network, if not at the top.
_STATES = ("state_dict", "model_state_dict", "model_state", "model")
_ZIP = b"PK\3\4"
# The first pickle of a stream is this number, as an instruction LONG1.
_MAGIC = 0x1950A86A20F9469CFC6C
_MAGIC_BYTES = b"\x8a\x0a" + _MAGIC.to_bytes(10, "little")
_PROTOCOL = 1001
_MAX_PICKLE = 2**26  # bytes; those of Swin in training have 2**18
_MAX_INSTRUCTIONS = 500_000  # each 3 microseconds; Swin in training has 40,000
# Each storage takes some 100 bytes of the directory.
# set_crc32_options(False) in torch.serialization leaves checksums out.
_FORM = Form("PyTorch", (zipfile.ZIP_STORED,), 2**21, zero_is_no_checksum=True)
_MAX_NAME = 200  # characters of a tensor's name
# Tensors may share numbers. Arrays take this many times the file's bytes, at most.
_FACTOR, _ALLOWANCE = 4, 2**20


class TorchFileError(InputError):
    """A file is not a usable one of PyTorch; the text says why."""


def is_one(path) -> bool:
    """Whether a file begins like one of PyTorch.

    Raises:
        OSError: it is missing or cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(2**10)
        if not head.startswith(_ZIP):
            return head[:1] == b"\x80" and _MAGIC_BYTES in head[:32]
        # The first member's name comes first: of a part of a file it is all there is.
        length = int.from_bytes(head[26:28], "little")
        if head[30 : 30 + length].endswith(b"/data.pkl"):
            return True
        try:
            return _root(_archive(file)) is not None
        except Refused:
            return False


def read(path) -> Tensors:
    """Reads the tensors of a state dict, and what else the file says.

    Nothing in the file is run: names of classes and functions are never looked up.

    Args:
        path: the file. The state dict is all of it, or its `state_dict`, `model`,
            `model_state` or `model_state_dict`.

    Returns:
        foreign.Tensors. Arrays are those of the file bit for bit, but bfloat16 becomes
        float32; those that share a storage share memory. `meta` holds the rest as
        None, bool, int, float, str, bytes, list, tuple and dict, some 50,000 values
        at most, with a short text for any other object.

    Raises:
        TorchFileError: damaged, big-endian, without tensors, or more than a file
            needs: tensors outside their storages, arrays of more than four times
            the file's bytes.
        OSError: the file is missing or cannot be read.
    """
    with open(path, "rb") as file:
        try:
            head = file.read(len(_ZIP))
            source = (_Zip if head == _ZIP else _Stream)(file)
            tensors, rest = _state(source.top)
            arrays = _arrays(tensors, source)
        except Refused as error:
            raise TorchFileError(
                f"{path} is not a usable file of PyTorch: {str(error)[:300]}"
            ) from None
    return Tensors(source.format, TORCH, arrays, Plain().of(rest))


class _Zip:
    """The form since version 1.6.

    Attributes:
        format: what people call it.
        size: bytes of the file.
        storages: {key: torch_pickle.Storage}.
        top: what the pickle describes.
    """

    format = "PyTorch (zip)"

    def __init__(self, file):
        try:
            self._archive = _archive(file)
        except Refused as error:
            raise Refused(f"it is cut off or damaged: {error}") from None
        self.size, self._root = self._archive.size, _root(self._archive)
        if self._root is None:
            raise Refused("it is a zip archive without data.pkl")
        order = f"{self._root}/byteorder"  # Younger than the form.
        if order in self._archive.names and self._archive.bytes_of(order) < 100:
            _check_order(self._archive.read(order) != b"big")
        name = f"{self._root}/data.pkl"
        if self._archive.bytes_of(name) > _MAX_PICKLE:
            raise Refused(f"its pickle is larger than {_MAX_PICKLE} bytes")
        policy = TorchPolicy()
        self.top = Machine(policy, _MAX_INSTRUCTIONS).run(self._archive.read(name))
        self.storages = policy.storages

    def check(self, storage):
        """Raises Refused unless the file holds a storage as the pickle says."""
        found = self._archive.bytes_of(self._name(storage))
        if found != storage.nbytes:
            raise Refused(
                f"storage {storage.key!r} has {found} bytes, not {storage.nbytes}"
            )

    def read_into(self, storage, buffer):
        """Fills uint8 [storage.nbytes]."""
        self._archive.read_into(self._name(storage), buffer)

    def _name(self, storage):
        return f"{self._root}/data/{storage.key}"


class _Stream:
    """The form before version 1.6; see _Zip.

    Pickles of a number, a version, the machine, the object, and the storages' keys;
    then each storage, as the number of its elements and the elements.
    """

    format = "PyTorch (before 1.6)"

    def __init__(self, file):
        self._file, self.size = file, file.seek(0, 2)
        file.seek(0)
        policy, pickles = TorchPolicy(), _Pickles(file)
        magic = pickles.next(TorchPolicy())
        if type(magic) is not int or magic != _MAGIC:
            raise Refused("it does not begin like one")
        version = pickles.next(TorchPolicy())
        if type(version) is not int or version != _PROTOCOL:
            raise Refused("it is of another version of the format")
        machine = pickles.next(TorchPolicy())
        for key, value in machine.items if isinstance(machine, Pairs) else ():
            _check_order(_text(key) != "little_endian" or value is True)
        self.top = pickles.next(policy, _MAX_INSTRUCTIONS)
        keys = pickles.next(TorchPolicy(), _MAX_INSTRUCTIONS // 4)
        self.storages = policy.storages
        self._places = self._placed(keys, pickles.end)

    def _placed(self, keys, position):
        """{key: first byte of its numbers}."""
        found = {}
        for key in keys if isinstance(keys, list) else ():
            storage = self.storages.get(_text(key))
            if storage is None:
                raise Refused("it holds a storage of no known type")
            self._file.seek(position)
            count = int.from_bytes(self._file.read(8), "little", signed=True)
            position += 8
            found[storage.key] = position
            if count * itemsize(storage.code) != storage.nbytes:
                raise Refused(
                    f"storage {storage.key!r} has {count} numbers, which are not "
                    f"{storage.nbytes} bytes"
                )
            position += storage.nbytes
            if position > self.size:
                raise Refused(f"its end is missing, from storage {storage.key!r} on")
        return found

    def check(self, storage):
        if storage.key not in self._places:
            raise Refused(f"it has no storage {storage.key!r}")

    def read_into(self, storage, buffer):
        self._file.seek(self._places[storage.key])
        if self._file.readinto(buffer) != len(buffer):
            raise Refused(f"storage {storage.key!r} could not be read")


class _Pickles:
    """Pickles that follow one another at the beginning of a file."""

    def __init__(self, file):
        # In memory pickletools reads many times as fast as from a file.
        self._data = io.BytesIO(file.read(_MAX_PICKLE))

    def next(self, policy, most=1000):
        """What the next one of at most that many instructions describes."""
        return Machine(policy, most).run(self._data)

    @property
    def end(self):
        """The byte after the last one that was read."""
        return self._data.tell()


def _archive(file):
    return Archive(file, _FORM)


def _root(archive):
    """The folder of all members, or None in another program's archive."""
    names = (name.partition("/") for name in archive.names)
    return next((root for root, _, name in names if name == "data.pkl"), None)


def _check_order(is_little):
    if not is_little:
        raise Refused("its numbers are big-endian: save it again on a common machine")


def _text(key):
    """A key as str, or None if it is no name."""
    if isinstance(key, bytes) and len(key) <= _MAX_NAME:
        key = key.decode("utf-8", "replace")
    return key if isinstance(key, str) and len(key) <= _MAX_NAME else None


def _state(top):
    """({name: Tensor or Array} of the network's state, Pairs of the rest)."""
    if not isinstance(top, Pairs):
        raise _without_tensors(top)
    inside = {_text(key): value for key, value in top.items}
    for name in _STATES:
        tensors, others = _split(inside.get(name))
        if tensors:
            rest = Pairs()
            rest.items = [item for item in top.items if _text(item[0]) != name]
            if others.items:
                rest.items.append((name, others))
            return tensors, rest
    tensors, others = _split(top)
    if not tensors:
        raise _without_tensors(top)
    return tensors, others


def _split(state):
    """({name: Tensor or Array}, Pairs of the rest) of a dict, or of anything."""
    tensors, others = {}, Pairs()
    for key, value in state.items if isinstance(state, Pairs) else ():
        if not _is_tensor(value):
            others.items.append((key, value))
        elif (name := _text(key)) is not None:
            tensors[name] = value
        elif isinstance(key, (str, bytes)):
            raise Refused(f"a tensor's name has {len(key)} characters")
    return tensors, others


def _is_tensor(value):
    if isinstance(value, Array):
        # Numbers of NumPy are part of what else a file says.
        known = isinstance(value.dtype, Dtype) and value.dtype.code in ARRAYS
        return known and value.shape != ()
    return isinstance(value, Tensor)


def _without_tensors(top):
    if isinstance(top, (Name, Placeholder)):
        what = f"an object of {top.name.replace(' ', '.')[:100]}"
    elif isinstance(top, Pairs):
        names = list(filter(None, (_text(key) for key, _ in top.items[:5])))
        what = f"a dict of {', '.join(names)[:100] or 'nothing'}"
    else:
        what = f"a {type(top).__name__}"
    return Refused(
        f"it holds no tensors by name, but {what}: save the network's state_dict()"
    )


def _arrays(tensors, source):
    """{name: array}; takes memory only where the file has the bytes."""
    needed, wanted = 0, {}
    for value in tensors.values():
        if isinstance(value, Array):
            needed += value.numbers(ARRAYS).nbytes
            continue
        needed += value.size * (4 if value.code == BFLOAT16 else itemsize(value.code))
        if value.size:
            whole = source.storages[value.storage.key]
            source.check(whole)
            wanted[whole.key] = whole
    if needed > _FACTOR * source.size + _ALLOWANCE:
        raise Refused(f"its arrays would take {needed} bytes, it has {source.size}")
    if sum(storage.nbytes for storage in wanted.values()) > source.size:
        raise Refused("its storages are larger than the file")
    buffers = {}
    for key, whole in wanted.items():
        buffers[key] = np.empty(whole.nbytes, np.uint8)
        source.read_into(whole, buffers[key])
    return {
        name: _of_numpy(value) if isinstance(value, Array) else _array(value, buffers)
        for name, value in tensors.items()
    }


def _of_numpy(value):
    numbers = value.numbers(ARRAYS)
    return np.array(numbers, numbers.dtype.newbyteorder("="), order="C")


def _array(tensor, buffers):
    dtype = np.dtype("<u2" if tensor.code == BFLOAT16 else f"<{tensor.code}")
    if not tensor.size:
        found = np.empty(tensor.shape, dtype)
    else:
        flat = buffers[tensor.storage.key][tensor.start : tensor.start + tensor.span]
        # Any other byte than 0 and 1 would be no bool.
        flat = flat != 0 if tensor.code == BOOL else flat.view(dtype)
        strides = [dtype.itemsize * stride for stride in tensor.strides]
        # The span was found to lie inside the storage.
        found = np.lib.stride_tricks.as_strided(flat, tensor.shape, strides)
        found = found if found.flags.c_contiguous else found.copy(order="C")
    if tensor.code == BFLOAT16:
        # The upper half of a float32.
        found = np.asarray(np.left_shift(found, 16, dtype="<u4")).view("<f4")
    return found
