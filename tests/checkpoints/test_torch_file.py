"""PyTorch's files read bit for bit: hand-made ones, and random ones of PyTorch."""

import io
import zipfile

import numpy as np
import pytest
import torch_writer
from torch_writer import (
    FORMATS,
    FORMS,
    Call,
    EightBit,
    Global,
    Storage,
    assert_equal,
    tensor,
    view,
)

from tsn_keras.checkpoints import caffemodel, reading, torch_file

RANDOM = np.random.default_rng(0)


@pytest.fixture(params=FORMS)
def write(request, tmp_path):
    """Function of what a file holds to its path, in one of the forms."""

    def write(top, **options):
        path = tmp_path / f"{request.param}.pth"
        path.write_bytes(FORMS[request.param](top, **options))
        assert torch_file.is_one(path)
        return path

    return write


def test_types_of_numbers(write):
    bits = RANDOM.integers(0, 256, 64, dtype="u1")  # Not-a-numbers too.
    arrays = {
        name: np.frombuffer(bits.tobytes(), name).reshape(2, -1)
        for name in torch_writer.STORAGES
        if name != "bool"
    }
    arrays["flags"] = np.array([[True, False], [False, True]])
    arrays["one"] = np.array(3.5, "f4")
    arrays["none"] = np.zeros((0, 3), "f4")
    found = torch_file.read(write({name: tensor(a) for name, a in arrays.items()}))
    assert_equal(found.arrays, arrays)
    assert found.meta == {}


def test_bfloat16_becomes_float32(write):
    """Each value is the upper half of a float32."""
    upper = np.array([0x3F80, 0xC049, 0x7F7F, 0x0001, 0xFF80, 0x7FC1], "u2")
    whole = (upper.astype("u4") << 16).view("f4")
    assert whole[:2].tolist() == [1.0, -3.140625]
    top = {
        "a": tensor(upper, "BFloat16Storage"),
        "b": tensor(upper[1], "BFloat16Storage"),
    }
    found = torch_file.read(write(top))
    assert_equal(found.arrays, {"a": whole, "b": whole[1].reshape(())})


def test_views_of_a_shared_storage(write):
    numbers = RANDOM.normal(size=60).astype("f4")
    storage = Storage("FloatStorage", numbers)
    lattice = numbers[5:53].reshape(6, 8)
    top = {
        "plain": view(storage, 5, (6, 8), (8, 1)),
        "transposed": view(storage, 5, (8, 6), (1, 8)),
        "stepped": view(storage, 5 + 8 + 1, (2, 3), (16, 2)),
        "repeated": view(storage, 59, (3, 2), (0, 0)),
        "channels_last": view(storage, 0, (2, 3, 2, 5), (30, 1, 15, 3)),
        "length_one": view(storage, 7, (1, 4), (2**40, 1)),
        "point": view(storage, 8, (), ()),
        "none": view(storage, 60, (3, 0), (1, 1)),
    }
    expected = {
        "plain": lattice,
        "transposed": lattice.T,
        "stepped": lattice[1::2, 1::2][:2, :3],
        "repeated": np.full((3, 2), numbers[59]),
        "channels_last": numbers.reshape(2, 2, 5, 3).transpose(0, 3, 1, 2),
        "length_one": numbers[None, 7:11],
        "point": numbers[8].reshape(()),
        "none": np.zeros((3, 0), "f4"),
    }
    found = torch_file.read(write(top)).arrays
    assert_equal(
        found,
        {n: np.ascontiguousarray(a).reshape(a.shape) for n, a in expected.items()},
    )
    assert np.shares_memory(found["plain"], found["length_one"])


def test_constructors_of_tensors(write):
    """Parameters, tensors with attributes, and types without a storage of their own."""
    array = np.arange(6, dtype="f4").reshape(2, 3)
    hooks = Call(Global("collections OrderedDict"), ())
    unsigned = Storage(
        "UntypedStorage", np.arange(8, dtype="u1"), module="torch.storage"
    )
    plain = tensor(array)
    dtype = Global("torch uint16")
    third = (unsigned, 1, (3,), (1,), False, hooks, dtype)
    arguments = (
        plain.function,
        Global("torch.nn.parameter Parameter"),
        plain.arguments,
    )
    of_class = Global("torch._tensor _rebuild_from_type_v2")
    top = {
        "a": Call(Global("torch._utils _rebuild_parameter"), (plain, True, hooks)),
        "b": Call(
            Global("torch._utils _rebuild_parameter_with_state"),
            (plain, True, hooks, {"tag": 1}),
        ),
        "c": Call(
            of_class, (*arguments, {"tag": Call(Global("os system"), ("true",))})
        ),
        "d": Call(Global("torch._utils _rebuild_tensor_v3"), third),
        "e": Call(plain.function, plain.arguments, state={"more": 1}),
    }
    found = torch_file.read(write(top)).arrays
    halves = np.frombuffer(np.arange(8, dtype="u1").tobytes(), "<u2")
    assert_equal(found, {**dict.fromkeys("abc", array), "d": halves[1:4], "e": array})


def test_layout_of_python_2(tmp_path):
    """Texts of bytes, dicts of lists of pairs, storages of a graphics card, and parts
    of storages."""
    numbers = np.arange(12, dtype="f4")
    kind = {"kind": "FloatStorage", "module": "torch.cuda", "key": "94001"}
    part = Storage(numbers=numbers, view=(EightBit("7"), 4, 8), **kind)
    pairs = [
        [
            EightBit("module.a"),
            view(Storage(numbers=numbers, **kind), 0, (4, 3), (3, 1), ""),
        ],
        [EightBit("module.b"), view(part, 2, (2, 3), (3, 1), "")],
    ]
    top = {
        EightBit("arch"): EightBit("BNInception"),
        EightBit("state_dict"): Call(Global("collections OrderedDict"), (pairs,)),
    }
    path = tmp_path / "a.pth.tar"
    path.write_bytes(torch_writer.as_stream(top))
    found = torch_file.read(path)
    expected = {
        "module.a": numbers.reshape(4, 3),
        "module.b": numbers[6:].reshape(2, 3),
    }
    assert_equal(found.arrays, expected)
    assert found.meta == {"arch": "BNInception"}


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state"])
def test_where_the_state_lies(write, key):
    array = np.arange(3, dtype="f4")
    top = {
        "epoch": 3,
        "optimizer": {"state": {0: tensor(array)}},
        key: {"a": tensor(array), "_extra": {"b": 1}},
    }
    found = torch_file.read(write(top))
    assert_equal(found.arrays, {"a": array})
    assert found.meta == {
        "epoch": 3,
        "optimizer": {"state": {0: "<float32 tensor (3,)>"}},
        key: {"_extra": {"b": 1}},
    }


def test_arrays_of_numpy_in_a_state(write):
    data = Call(
        Global("_codecs encode"),
        (np.arange(6, dtype=">i2").tobytes().decode("latin-1"), "latin1"),
    )
    kind = Call(Global("numpy dtype"), ("i2", False, True), state=(3, ">", None))
    made = (Global("numpy ndarray"), (0,), "b")
    array = Call(
        Global("numpy._core.multiarray _reconstruct"),
        made,
        state=(1, (2, 3), kind, True, data),
    )
    number = Call(
        Global("numpy.core.multiarray scalar"),
        (Call(Global("numpy dtype"), ("f8",)), b"\0\0\0\0\0\0\xf8?"),
    )
    found = torch_file.read(write({"state_dict": {"a": array, "step": number}}))
    assert_equal(found.arrays, {"a": np.array([[0, 2, 4], [1, 3, 5]], "i2")})
    assert found.meta == {"state_dict": {"step": 1.5}}


def test_plain_values(write):
    top = {
        "w": tensor(np.ones(2, "f4")),
        **{"none": None, "flags": (True, False), "text": "ä\n", "bytes": b"\xff"},
        **{"big": 2**100, "list": [1, [2.5]], 7: {"x": {1}}, "huge": 2**300},
        **{"device": Call(Global("torch device"), ("cuda", 1))},
        **{"size": Call(Global("torch Size"), ((2, 3),))},
        **{"dtype": Global("torch float16")},
        **{"object": Call(Global("argparse Namespace"), (), state={"lr": 0.1})},
    }
    assert torch_file.read(write(top)).meta == {
        **{"none": None, "flags": (True, False), "text": "ä\n", "bytes": b"\xff"},
        **{"big": 2**100, "list": [1, [2.5]], 7: {"x": "<__builtin__.set>"}},
        **{"huge": "<integer of 301 bits>", "device": "cuda:1", "size": (2, 3)},
        **{"dtype": "<torch.float16>", "object": "<argparse.Namespace>"},
    }


def test_checksums(tmp_path):
    """A number that has changed is found; PyTorch may leave checksums out."""
    data = torch_writer.as_zip({"a": tensor(np.full(3, 1.5, "f4"))})
    numbers = np.full(3, 1.5, "<f4").tobytes()
    path = tmp_path / "a.pth"
    path.write_bytes(data.replace(numbers, numbers[::-1]))
    with pytest.raises(
        torch_file.TorchFileError, match="data/0 is damaged: Bad CRC-32"
    ):
        torch_file.read(path)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            data = data.replace(info.CRC.to_bytes(4, "little"), bytes(4))
    path.write_bytes(data)
    assert torch_file.read(path).arrays["a"].tolist() == [1.5] * 3


def test_other_files_are_none(tmp_path):
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    assert not torch_file.is_one(path)
    with pytest.raises(caffemodel.CaffemodelError, match="if it is a .keras file"):
        reading.read(path)
    for data in (b"", b"PK\3\4", b"\x80\x02]q\0.", b"<html>"):
        path.write_bytes(data)
        assert not torch_file.is_one(path)
        with pytest.raises(torch_file.TorchFileError, match=r"a\.keras is not"):
            torch_file.read(path)
    with pytest.raises(FileNotFoundError):
        torch_file.is_one(tmp_path / "absent.pth")


def test_members_of_a_repacked_archive(tmp_path):
    """Another program may have put them in another order."""
    data = torch_writer.as_zip({"a": tensor(np.ones(2, "f4"))}, order=None)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {n.partition("/")[2]: archive.read(n) for n in archive.namelist()}
    path = tmp_path / "a.pt"
    path.write_bytes(torch_writer.zipped(dict(reversed(members.items())), root="x y"))
    assert reading.read(path).arrays["a"].tolist() == [1.0, 1.0]


# Beside PyTorch itself, where it is installed.


def _states(torch):
    """Random state dicts."""
    for seed in range(20):
        torch.manual_seed(seed)
        random = np.random.default_rng(seed)
        state = {}
        for name in "abcdefgh":
            shape = tuple(random.integers(0, 5, random.integers(0, 5)).tolist())
            kinds = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
            kinds += (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
            kind = (*kinds, torch.bool)[random.integers(10)]
            value = (100 * torch.randn(shape)).to(kind)
            if value.ndim:
                value = value.transpose(0, -1)[:: random.integers(1, 3)]
            if random.random() < 0.3 and state:
                value = state[random.choice(list(state))].reshape(-1)[1:]
            state[name] = value
        yield {"state_dict": state, "epoch": seed, "net": torch.nn.Linear(2, 3)}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 4])
def test_beside_pytorch(tmp_path, zipped, protocol):
    torch = pytest.importorskip("torch")
    path = tmp_path / "a.pth"
    for top in _states(torch):
        torch.save(
            top,
            path,
            pickle_protocol=protocol,
            _use_new_zipfile_serialization=zipped,
        )
        found = reading.read(path)
        assert found.format == FORMATS["zip" if zipped else "stream"]
        assert_equal(
            found.arrays,
            {
                name: (a.float() if a.dtype == torch.bfloat16 else a)
                .contiguous()
                .numpy()
                for name, a in top["state_dict"].items()
            },
        )
        assert found.meta == {
            "epoch": top["epoch"],
            "net": "<torch.nn.modules.linear.Linear>",
        }


def test_hand_made_files_are_those_of_pytorch(write):
    torch = pytest.importorskip("torch")
    array = RANDOM.normal(size=(4, 3)).astype("f4")
    top = {
        "a": tensor(array),
        "b": view(Storage("LongStorage", np.arange(9)), 1, (2, 2), (1, 4)),
    }
    found = torch.load(write(top), weights_only=True)
    np.testing.assert_array_equal(found["a"].numpy(), array)
    assert found["b"].tolist() == [[1, 5], [2, 6]]
