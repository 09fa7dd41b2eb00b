"""PyTorch's files that are damaged, or made to hurt: one error, and nothing is run."""

import os
import pathlib
import pickle
import struct

import numpy as np
import pytest
import torch_writer
from torch_writer import Call, Global, laughs, tensor

from tsn_keras.checkpoints.torch_file import TorchFileError

ARRAY = np.arange(12, dtype="f4").reshape(3, 4)


# Code.


@pytest.mark.parametrize(
    "place", ["beside", "in the state", "as a name", "as the file"]
)
@pytest.mark.parametrize("asked", ["os system", "posix system", "builtins exec"])
def test_code_is_not_run(form, read, tmp_path, place, asked):
    canary = tmp_path / "canary"
    text = f"touch {canary}" if "system" in asked else f"open({str(canary)!r}, 'w')"
    call = Call(Global(asked), (text,), state={"a": 1})
    top = {"state_dict": {"a": tensor(ARRAY)}, "epoch": 1}
    if place == "beside":
        top["optimizer"] = [call]
    elif place == "in the state":
        top["state_dict"]["b"] = call
    elif place == "as a name":
        top["state_dict"][call] = tensor(ARRAY)
    else:
        top = call
    try:
        found = read(form(top))
    except TorchFileError:
        assert place == "as the file"
    else:
        np.testing.assert_array_equal(found.arrays["a"], ARRAY)
        assert list(found.arrays) == ["a"]
    assert not canary.exists()


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_code_by_any_instruction(read, tmp_path, protocol):
    canary = tmp_path / "canary"

    class Hostile:
        def __init__(self, made):
            self._made = made

        def __reduce_ex__(self, _):
            return self._made

    data = [
        Hostile((os.system, (f"touch {canary}",))),
        Hostile((pathlib.Path(canary).touch, ())),
        Hostile((eval, (f"open({str(canary)!r}, 'w')",), {"state": 1}, iter([1]))),
    ]
    whole = torch_writer.as_zip(
        {"a": tensor(ARRAY)}, pickle_of=lambda _: pickle.dumps(data, protocol)
    )
    with pytest.raises(TorchFileError, match="no tensors by name, but a list"):
        read(whole)
    assert not canary.exists()


_INSTRUCTIONS = {
    "INST": b"(S'touch canary'\nios\nsystem\n",
    "OBJ": b"(cos\nsystem\nS'touch canary'\no",
    "NEWOBJ": b"cos\nsystem\n(S'touch canary'\nt\x81",
    "NEWOBJ_EX": b"\x8c\x02os\x8c\x06system\x93(S'touch canary'\nt}\x92",
    "EXT": b"\x82\x01",
    "PERSID": b"Pthing\n",
    "getattr": b"c__builtin__\ngetattr\n(cos\nS'system'\ntR(S'touch canary'\ntR",
    "dict of a class": b"ccollections\ndefaultdict\n)R(K\x01K\x02u",
    "list of a class": b"ccollections\ndeque\n)R(K\x01K\x02e",
    "state": b"cargparse\nNamespace\n)\x81}(K\x01K\x02ub",
    "others": b"(K\x01K\x02l(K\x01K\x02d0\x8f(K\x03\x90(K\x04\x912(K\x051(00",
}


@pytest.mark.parametrize("name", _INSTRUCTIONS)
def test_instructions_of_other_objects_are_harmless(read, tmp_path, monkeypatch, name):
    """A placeholder, which is put beside the state."""
    monkeypatch.chdir(tmp_path)
    pushed = _INSTRUCTIONS[name]

    def with_more(data):
        # "more": thing, before the dict's last items are set and the file ends.
        return data[:-2] + b"X\x04\0\0\0more" + pushed + data[-2:]

    top = {"state_dict": {"a": tensor(ARRAY)}, "epoch": 1}
    found = read(torch_writer.as_zip(top, pickle_of=with_more))
    assert list(found.arrays) == ["a"]
    assert not (tmp_path / "canary").exists()


# Structures without an end.


def _of_itself():
    found = [1]
    found += [found, {"again": found}]
    found[2]["me"] = found[2]
    return found


@pytest.mark.parametrize(("value", "way"), [(laughs(), 0), (_of_itself(), 1)])
def test_endless_structures(form, read, value, way):
    found = read(form({"state_dict": {"a": tensor(ARRAY)}, "more": value}))
    assert list(found.arrays) == ["a"]
    assert len(pickle.dumps(found.meta)) < 2**20
    deep = found.meta["more"]
    for _ in range(18):
        deep = deep[way]
    assert deep[way] == "<...>"


def _repeated(prefix, piece, count, suffix=b""):
    return lambda _: b"\x80\x02" + prefix + piece * count + suffix + b"."


_LONG = 2**20
_TEXT = b"X" + struct.pack("<I", _LONG) + b"x" * _LONG + b"q\0"
_EIGHT_BIT = b"T" + struct.pack("<I", _LONG) + b"x" * _LONG + b"q\0"
_TUPLE = b"(" + b"N" * 200_000 + b"tq\0"
_PROGRAMS = {
    "too many instructions": _repeated(b"", b"N", 600_000),
    "nested lists": _repeated(b"", b"]", 100_000, b"a" * 99_999),
    "memo of all": _repeated(
        b"N", b"".join(b"r%c%c%c\0" % (k % 256, k // 256, 0) for k in range(65536)), 2
    ),
    "memo of colliding numbers": _repeated(b"N", b"p2305843009213693951\n", 10),
    "keys that are slow to hash": _repeated(
        b"}" + _TUPLE.replace(b"q\0", b"q\1"), b"h\1Ns", 20_000
    ),
    "a text encoded often": _repeated(
        _TEXT + b"c_codecs\nencode\nq\1", b"h\1h\0\x85R", 2000, b"t"
    ),
    "bytes encoded often": _repeated(
        _EIGHT_BIT + b"c_codecs\nencode\nq\1", b"h\1h\0\x85R", 2000
    ),
    "types of long names": _repeated(
        _EIGHT_BIT + b"cnumpy\ndtype\nq\1", b"h\1h\0\x85R", 2000
    ),
    "long names": _repeated(_TEXT, b"h\0h\0\x93", 2000),
    "many arguments": _repeated(_TUPLE + b"ctorch\nSize\nq\1", b"h\1h\0R", 90_000),
    "persistent ids of long tuples": _repeated(_TUPLE, b"h\0Q", 90_000),
    "dicts of one list": _repeated(
        b"](" + b"NN\x86" * 10_000 + b"eq\0ccollections\nOrderedDict\nq\1",
        b"h\1h\0\x85R",
        1000,
    ),
    "sixteen million bits": _repeated(
        b"\x8b" + struct.pack("<I", 2**21) + b"\x7f" * 2**21, b"", 1
    ),
    "bytes that are not there": _repeated(b"\x8e" + struct.pack("<Q", 2**60), b"", 1),
    "text that is not there": _repeated(b"\x8d" + struct.pack("<Q", 2**62), b"", 1),
    "marks above the stack": _repeated(b"", b"((((0000t", 100),
    "nothing": _repeated(b"", b"", 0),
}


@pytest.mark.parametrize("name", _PROGRAMS)
def test_programs_end(read, name):
    whole = torch_writer.as_zip({"a": tensor(ARRAY)}, pickle_of=_PROGRAMS[name])
    with pytest.raises(TorchFileError):
        read(whole)


def test_a_text_that_comes_again_is_shown_once(form, read):
    """Python 2's: shown whole each time, they would take 10 GB."""
    text = torch_writer.EightBit("x" * 200)
    top = {"state_dict": {"a": tensor(ARRAY)}, "more": [text] * 40_000}
    more = read(form(top)).meta["more"]
    assert 2**20 - 4 <= sum(map(len, more)) <= 2**20
