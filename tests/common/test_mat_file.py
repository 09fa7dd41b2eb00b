"""Structures of .mat files, as SciPy writes them; and files that are damaged."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import scipy.io

from tsn_keras.common import mat_file

ROWS = [
    {"name": "a", "number": 7, "several": np.uint8([[3], [200]]), "words": ["x", "yz"]},
    {"name": "Geçit", "number": 0.5, "several": np.zeros((0, 0)), "words": []},
    {
        "name": "",
        "number": -(2.0**40),
        "several": np.int16([[1, 2], [3, 4]]),
        "words": 1,
    },
]
EXPECTED = [
    {"name": "a", "number": (7.0,), "several": (3.0, 200.0), "words": ("x", "yz")},
    {"name": "Geçit", "number": (0.5,), "several": (), "words": ()},
    # Columns come first.
    {
        "name": "",
        "number": (-(2.0**40),),
        "several": (1.0, 3.0, 2.0, 4.0),
        "words": (1.0,),
    },
]


def saved(compressed=True, **more):
    rows = []
    for row in ROWS:
        words = row["words"]
        words = np.array(words, object) if isinstance(words, list) else words
        rows.append((row["name"], row["number"], row["several"], words))
    array = np.array(rows, [(field, object) for field in ROWS[0]])
    buffer = io.BytesIO()
    content = {"other": np.arange(3.0), "videos": array[None], **more}
    scipy.io.savemat(buffer, content, do_compression=compressed)
    return buffer.getvalue()


def read(tmp_path, data, name="videos"):
    path = tmp_path / "a.mat"
    path.write_bytes(data)
    return mat_file.structs(path, name)


@pytest.mark.parametrize("compressed", [True, False])
def test_structures_as_scipy_writes_them(tmp_path, compressed):
    assert read(tmp_path, saved(compressed)) == EXPECTED


def element(order, kind, data):
    return struct.pack(f"{order}II", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(order, kind, shape, name, *parts):
    about = struct.pack(f"{order}II", kind, 0)
    shape = struct.pack(f"{order}{len(shape)}i", *shape)
    head = element(order, 6, about) + element(order, 5, shape)
    return element(order, 14, b"".join((head, element(order, 1, name), *parts)))


def whole(order, *elements):
    version = struct.pack(f"{order}H", 0x0100)
    mark = b"IM" if order == "<" else b"MI"
    return bytes(124) + version + mark + b"".join(elements)


def structures(order, shape=(1, 1), names=b"f\0\0\0", *values):
    size = struct.pack(f"{order}I", 4)
    parts = element(order, 5, size), element(order, 1, names)
    return matrix(order, 2, shape, b"videos", *parts, *values)


@pytest.mark.parametrize("order", "<>")
def test_both_orders_of_bytes(tmp_path, order):
    number = matrix(
        order, 6, (1, 1), b"", element(order, 3, struct.pack(f"{order}h", 9))
    )
    short = struct.pack(f"{order}HH2s2x", *((2, 1) if order == ">" else (1, 2)), b"ab")
    word = matrix(order, 4, (1, 2), b"", short)
    wide = element(order, 17, "é".encode("utf-16-le" if order == "<" else "utf-16-be"))
    names = b"f\0\0\0g\0\0\0h\0\0\0"
    data = structures(
        order, (1, 1), names, number, word, matrix(order, 4, (1, 1), b"", wide)
    )
    assert read(tmp_path, whole(order, data)) == [{"f": (9.0,), "g": "ab", "h": "é"}]


def nested(depth):
    """A cell within a cell within a cell."""
    found = b""
    for _ in range(depth):
        found = matrix("<", 1, (1, 1) if found else (0, 0), b"", found)
    return found


BOMB = zlib.compress(bytes(2**26), 9)
CUT = zlib.compress(bytes(range(99)))[:-5]
HEAD = whole("<")
NUMBER = matrix("<", 6, (1, 1), b"", element("<", 9, struct.pack("<d", 1.0)))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no .mat file of version 5"),
        (bytes(200), "no .mat file of version 5"),
        (HEAD, "no variable videos; there are: none"),
        (HEAD[:124] + b"\0\2IM", "MATLAB 7.3: save it with -v7"),
        (saved()[:-9], "bytes are too many where"),
        (saved().replace(b"\x78\x9c", b"\x78\x9d"), "packed in it is damaged"),
        (HEAD + struct.pack("<II", 15, len(BOMB)) + BOMB, "unpacks to more than"),
        (HEAD + struct.pack("<II", 15, len(CUT)) + CUT, "is not whole"),
        (HEAD + struct.pack("<II", 14, 2**31), "2147483648 bytes are too many"),
        (whole("<", structures("<", (2**20, 2**11), b"f\0\0\0", NUMBER)), "too many"),
        (whole("<", structures("<", (2**31 - 1,) * 8, b"f\0\0\0", NUMBER)), "too many"),
        (whole("<", structures("<", (1,) * 9)), "does not say what it is"),
        (whole("<", structures("<", (1, 1), b"f\0\0")), "names of its fields"),
        (whole("<", structures("<", (1, 1), b"")), "have no fields"),
        (whole("<", structures("<", (1, 1), b"f\0\0\0", nested(9))), "more values"),
        (
            whole("<", structures("<", (1, 1), b"f\0\0\0", element("<", 9, b""))),
            "no array",
        ),
        (whole("<", matrix("<", 6, (1, 1), b"videos")), "bytes are too many"),
        (
            whole("<", matrix("<", 9, (1, 1), b"videos", element("<", 2, b"a"))),
            "no array of str",
        ),
        (
            whole("<", matrix("<", 6, (1, 3), b"videos", element("<", 9, bytes(8)))),
            "array of 3 numbers has 8",
        ),
    ],
)
def test_damaged_and_hostile_files(tmp_path, data, words):
    tracemalloc.start()
    try:
        with pytest.raises(mat_file.MatFileError, match=words):
            read(tmp_path, data)
        assert tracemalloc.get_traced_memory()[1] < 80 * 2**20
    finally:
        tracemalloc.stop()


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    with pytest.raises(mat_file.MatFileError, match="cannot read .*No such file"):
        mat_file.structs(tmp_path / "gone.mat", "videos")
    with pytest.raises(mat_file.MatFileError, match="cannot read"):
        mat_file.structs(tmp_path, "videos")
    with pytest.raises(
        mat_file.MatFileError, match="no variable x; there are: other, v"
    ):
        read(tmp_path, saved(), "x")
    with pytest.raises(mat_file.MatFileError, match="other is no array of structures"):
        read(tmp_path, saved(), "other")
    monkeypatch.setattr(mat_file, "MAX_BYTES", 100)
    with pytest.raises(mat_file.MatFileError, match="such a file has at most 100"):
        read(tmp_path, saved())


def test_more_values_than_annotations_have(tmp_path, monkeypatch):
    monkeypatch.setattr(mat_file, "MAX_VALUES", 15)
    with pytest.raises(mat_file.MatFileError, match="more values than annotations do"):
        read(tmp_path, saved())
