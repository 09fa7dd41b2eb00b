"""PyTorch's files that are damaged, or say what cannot be: one error."""

import io
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch_writer
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch_writer import FORMS, Call, Global, Storage, laughs, tensor, view

from tsn_keras.checkpoints import reading
from tsn_keras.checkpoints.torch_file import TorchFileError

ARRAY = np.arange(12, dtype="f4").reshape(3, 4)


# Tensors that cannot be.


def _tensor_like(offset=0, shape=(3, 4), strides=(4, 1), **storage):
    return view(
        Storage("FloatStorage", ARRAY.ravel(), **storage), offset, shape, strides
    )


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            _tensor_like(offset=1),
            r"a tensor of shape \(3, 4\) lies outside its storage",
        ),
        (_tensor_like(offset=2**47), "lies outside its storage, of 48 bytes"),
        (_tensor_like(offset=-1), "no number where one is due"),
        (_tensor_like(offset=None), "no number where one is due"),
        (_tensor_like(strides=(5, 1)), "lies outside"),
        (_tensor_like(strides=(2**40, 1)), "lies outside"),
        (_tensor_like(strides=(-4, 1)), "no shape, or no strides"),
        (_tensor_like(strides=(4,)), r"of shape \(3, 4\) has strides \(4,\)"),
        (_tensor_like(shape=(2**47, 2**47)), "no shape, or no strides"),
        (_tensor_like(shape=(0, 2**47, 2**47), strides=(1, 1, 1)), "no shape"),
        (_tensor_like(shape=(True, 4)), "no shape"),
        (_tensor_like(shape=[3, 4]), "no shape"),
        (_tensor_like(shape=(1,) * 9, strides=(1,) * 9), "no shape"),
        (_tensor_like(shape=laughs(), strides=laughs()), "no shape"),
        (_tensor_like(shape=(2**30,), strides=(0,)), "would take 4294967296 bytes"),
        (_tensor_like(count=2**40), "storage '0' has (48 bytes|12 numbers)"),
        (_tensor_like(count=13), "storage '0' has (48 bytes|12 numbers)"),
        (_tensor_like(count=-1), "no number where one is due"),
    ],
)
def test_tensors_that_cannot_be(form, read, found, words):
    with pytest.raises(TorchFileError, match=words):
        read(form({"a": found}))


def test_many_tensors_of_one_storage(form, read):
    """Each would take the storage's bytes when it is used."""
    storage = Storage("FloatStorage", np.zeros(2**18, "f4"))
    some = {f"a{k}": view(storage, 0, (2**18,), (1,)) for k in range(3)}
    assert len(read(form(some)).arrays) == 3
    many = {f"a{k}": view(storage, 0, (2**18,), (1,)) for k in range(100)}
    with pytest.raises(TorchFileError, match="would take 104857600 bytes, it has 10"):
        read(form(many))
    strided = {f"a{k}": view(storage, 0, (512, 512), (1, 512)) for k in range(100)}
    with pytest.raises(TorchFileError, match="would take 104857600 bytes, it has 10"):
        read(form(strided))


def test_one_storage_in_two_ways(form, read):
    top = {
        "a": tensor(ARRAY),
        "b": view(Storage("DoubleStorage", np.zeros(6), key="0"), 0, (6,), (1,)),
    }
    with pytest.raises(TorchFileError, match="describes storage '0' in two ways"):
        read(form(top))


def test_unknown_types_are_left_out(read):
    top = {
        "a": tensor(ARRAY),
        "b": tensor(ARRAY, kind="QInt8Storage"),
        "c": Call(Global("torch._utils _rebuild_sparse_tensor"), (1, 2)),
    }
    found = read(torch_writer.as_zip(top))
    assert list(found.arrays) == ["a"]
    assert found.meta == {
        "b": "<a.tensor.of.an.unknown.type>",
        "c": "<torch._utils._rebuild_sparse_tensor>",
    }
    with pytest.raises(TorchFileError, match="it holds a storage of no known type"):
        read(torch_writer.as_stream(top))


@pytest.mark.parametrize(
    ("top", "words"),
    [
        (
            {},
            "no tensors by name, but a dict of nothing: save the network's state_dict",
        ),
        ({"epoch": 1, "arch": "x"}, "but a dict of epoch, arch:"),
        (Call(Global("nets Net"), ()), "but an object of nets.Net:"),
        ([tensor(ARRAY)], "but a list:"),
        (tensor(ARRAY), "but a Tensor:"),
        ({"a" * 201: tensor(ARRAY)}, "a tensor's name has 201 characters"),
    ],
)
def test_files_without_a_state(form, read, top, words):
    with pytest.raises(TorchFileError, match=words):
        read(form(top))


# Files that are cut off, and those of other machines.


def test_big_endian(read):
    top = {"a": tensor(ARRAY)}
    for data in (
        torch_writer.as_zip(top, order=b"big"),
        torch_writer.as_stream(top, order_is_little=False),
    ):
        with pytest.raises(TorchFileError, match="its numbers are big-endian"):
            read(data)


def test_truncation(form, read, tmp_path):
    data = form({"state_dict": {"a": tensor(ARRAY), "b": tensor(ARRAY)}, "epoch": 1})
    for length in [*range(0, len(data), 11), len(data) - 1]:
        with pytest.raises(TorchFileError):
            read(data[:length])
    # Also of a file that is cut off is said what it is.
    path = tmp_path / "cut.pth"
    path.write_bytes(data[: len(data) // 2])
    words = (
        r"cut\.pth is not a usable file of PyTorch: (it is cut off|its pickle is dam)"
    )
    with pytest.raises(TorchFileError, match=words):
        reading.read(path)


def test_end_of_a_stream(read):
    data = torch_writer.as_stream({"a": tensor(ARRAY), "b": tensor(ARRAY)})
    with pytest.raises(TorchFileError, match="its end is missing, from storage '1' on"):
        read(data[:-1])
    number = pickle.dumps(1001, 2)
    with pytest.raises(TorchFileError, match="another version of the format"):
        read(data.replace(number, pickle.dumps(1002, 2), 1))


def test_archives_that_lie(read):
    top = {"a": tensor(np.zeros(10**6, "f4"))}
    data = torch_writer.as_zip(top, order=None, method=zipfile.ZIP_DEFLATED)
    with pytest.raises(
        TorchFileError, match="data.pkl is compressed in a way that PyTor"
    ):
        read(data)
    # The directory says that a member is larger than the file.
    data = bytearray(torch_writer.as_zip({"a": tensor(ARRAY)}))
    at = data.rindex(b"archive/data/0") - 46
    data[at + 20 : at + 28] = struct.pack("<II", 2**31, 2**31)
    with pytest.raises(TorchFileError, match="data/0 would unpack to 2147483648 bytes"):
        read(bytes(data))
    data = torch_writer.as_zip({"a": tensor(ARRAY)}).replace(b"data/0", b"data/1")
    with pytest.raises(TorchFileError, match="it has no archive/data/0"):
        read(data)
    data = torch_writer.zipped({f"{k:0300}": b"" for k in range(7000)})
    with pytest.raises(TorchFileError, match="its directory is too large"):
        read(data)


def test_members_that_overlap(read):
    """A directory of many entries for the same bytes."""
    count, numbers = 200, np.zeros(2**14, "f4")
    few = [Storage("FloatStorage", numbers[:1], count=2**14) for _ in range(count)]
    top = {f"a{k}": view(storage, 0, (1,), (1,)) for k, storage in enumerate(few)}
    members = {"data.pkl": torch_writer.pickled(top)[0], "data/0": numbers.tobytes()}
    with zipfile.ZipFile(file := io.BytesIO(), "w") as archive:
        for name, data in members.items():
            archive.writestr(f"archive/{name}", data)
        first = archive.getinfo("archive/data/0")
        for k in range(1, count):
            info = zipfile.ZipInfo(f"archive/data/{k}")
            info.CRC, info.header_offset = first.CRC, first.header_offset
            info.file_size = info.compress_size = first.file_size
            archive.filelist.append(info)
            archive.NameToInfo[info.filename] = info
    with pytest.raises(TorchFileError, match="its storages are larger than the file"):
        read(file.getvalue())


# Files with changes anywhere.


def _goods():
    storage = Storage("FloatStorage", np.arange(40, dtype="f4"))
    state = {
        "module.a.weight": view(storage, 3, (4, 2), (2, 1)),
        "module.a.bias": view(storage, 0, (3, 3), (1, 3)),
        "module.n": tensor(np.array(7)),
        "h": tensor(np.arange(4, dtype="u2"), "BFloat16Storage"),
    }
    group = {
        "lr": 0.1,
        "params": [0, 1],
        "object": Call(Global("a B"), (), state={"c": 1}),
    }
    top = {"state_dict": state, "optimizer": [group], "epoch": 3}
    return [write(top) for write in FORMS.values()]


GOODS = _goods()


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    which=st.integers(0, len(GOODS) - 1),
    edits=st.lists(
        st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=5
    ),
    cut=st.integers(0, 4000),
    extra=st.binary(max_size=8),
)
@example(which=0, edits=[(0, 80)], cut=0, extra=b"")
@example(which=1, edits=[(0, 128)], cut=0, extra=b"")
def test_fuzz(read, which, edits, cut, extra):
    data = bytearray(GOODS[which])
    for position, value in edits:
        data[position % len(data)] = value
    data[cut % len(data) : cut % len(data)] = extra
    try:
        found = read(bytes(data))
    except TorchFileError:
        return
    assert 1 <= len(found.arrays) <= 4
    assert sum(a.nbytes for a in found.arrays.values()) <= 4 * len(data) + 2**20
    pickle.dumps(found.meta)
