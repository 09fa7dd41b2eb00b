"""A small writer of PyTorch's files, in both forms: what torch.save writes, and worse.

numbers = Storage("FloatStorage", np.arange(6, dtype="f4"))
data = as_zip({"a": view(numbers, 0, (2, 3), (3, 1))})
"""

import dataclasses
import io
import math
import pickle
import struct
import zipfile

import numpy as np

STORAGES = {
    **{"float32": "FloatStorage", "float64": "DoubleStorage", "float16": "HalfStorage"},
    **{"int64": "LongStorage", "int32": "IntStorage", "int16": "ShortStorage"},
    **{"int8": "CharStorage", "uint8": "ByteStorage", "bool": "BoolStorage"},
}
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class Global(str):
    """A class or function, as "module name"; nothing of that name need exist."""


class EightBit(str):
    """A text of Python 2."""


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    """What the reader is asked to call."""

    function: Global
    arguments: tuple
    state: object = None


@dataclasses.dataclass(eq=False)
class Storage:
    """Numbers of a typed storage.

    Attributes:
        kind: name of its type in PyTorch.
        numbers: array [count].
        view: (key, first number, count) of the part that is meant, or None.
        count: number of the numbers, as the file says.
        key: its name; None: its turn.
        module: of the type.
    """

    kind: str
    numbers: np.ndarray
    view: tuple | None = None
    count: int | None = None
    key: str | None = None
    module: str = "torch"


def view(storage, offset, shape, strides, version="_v2"):
    """A tensor of a storage."""
    rest = (False, Call(Global("collections OrderedDict"), ())) if version else ()
    arguments = (storage, offset, shape, strides, *rest)
    return Call(Global(f"torch._utils _rebuild_tensor{version}"), arguments)


def tensor(array, kind=None):
    """A tensor with a storage of its own."""
    array = np.asarray(array)
    storage = Storage(kind or STORAGES[array.dtype.name], array.ravel())
    strides = [math.prod(array.shape[axis + 1 :]) for axis in range(array.ndim)]
    return view(storage, 0, array.shape, tuple(strides))


class Pickler(pickle._Pickler):
    """Writes the classes above, and collects storages.

    Args:
        file: to write to.
        form: "zip" or "stream".
    """

    def __init__(self, file, form):
        super().__init__(file, protocol=2)
        self._form, self.storages = form, {}
        self._ids = {}

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        key = value.key or str(self._ids.setdefault(id(value), len(self._ids)))
        self.storages[key] = value
        kind = Global(f"{value.module} {value.kind}")
        count = len(value.numbers) if value.count is None else value.count
        found = "storage", kind, key, "cpu", count
        return found if self._form == "zip" else (*found, value.view)

    def _global(self, value):
        self.write(pickle.GLOBAL + "\n".join([*value.split(" "), ""]).encode())

    def _eight_bit(self, value):
        self.write(pickle.SHORT_BINSTRING + bytes([len(value)]) + value.encode())

    def _call(self, value):
        self.save(value.function)
        self.save(value.arguments)
        self.write(pickle.REDUCE)
        if value.state is not None:
            self.save(value.state)
            self.write(pickle.BUILD)

    dispatch = {
        **pickle._Pickler.dispatch,
        Global: _global,
        EightBit: _eight_bit,
        Call: _call,
    }


def pickled(top, form="zip"):
    """(the pickle's bytes, {key: Storage})."""
    file = io.BytesIO()
    pickler = Pickler(file, form)
    pickler.dump(top)
    return file.getvalue(), pickler.storages


def as_zip(top, order=b"little", method=zipfile.ZIP_STORED, pickle_of=None):
    """A file since PyTorch 1.6.

    Args:
        top: what it holds.
        order: of bytes, or None as before version 2.1.
        method: of compression.
        pickle_of: function from the pickle's bytes to those that are written.
    """
    data, storages = pickled(top)
    members = {"data.pkl": pickle_of(data) if pickle_of else data}
    if order is not None:
        members["byteorder"] = order
    for key, storage in storages.items():
        members[f"data/{key}"] = little(storage.numbers)
    return zipped({**members, "version": b"3\n"}, method)


def zipped(members, method=zipfile.ZIP_STORED, root="archive"):
    """An archive of {name: bytes}."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(f"{root}/{name}", data)
    return file.getvalue()


def as_stream(top, order_is_little=True, pickle_of=None):
    """A file before PyTorch 1.6; see as_zip."""
    data, storages = pickled(top, "stream")
    machine = {"protocol_version": PROTOCOL, "little_endian": order_is_little}
    out = [pickle.dumps(value, 2) for value in (MAGIC, PROTOCOL, machine)]
    out += [pickle_of(data) if pickle_of else data, pickle.dumps(list(storages), 2)]
    for storage in storages.values():
        out += [struct.pack("<q", len(storage.numbers)), little(storage.numbers)]
    return b"".join(out)


def little(array):
    """The bytes of an array, little-endian."""
    return array.astype(array.dtype.newbyteorder("<")).tobytes()


def laughs(depth=60):
    """Tuples of tuples: a few bytes in a pickle, 2^60 items for who walks."""
    value = (1,)
    for _ in range(depth):
        value = (value, value)
    return value


FORMS = {"zip": as_zip, "stream": as_stream}
# What tsn_keras.checkpoints.torch_file calls them.
FORMATS = {"zip": "PyTorch (zip)", "stream": "PyTorch (before 1.6)"}


def assert_equal(found, expected):
    """Arrays that were read are the expected ones bit for bit, in their order."""
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype, name
        assert found[name].shape == array.shape, name
        assert found[name].tobytes() == array.tobytes(), name
        assert found[name].flags.c_contiguous, name
