"""The one reader of HDF5: plain arrays of this file, and nothing else."""

import os

import h5py
import numpy as np
import pytest

from tsn_keras.common import hdf5


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.h5"
    # Large attributes need the newer layout.
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["format"] = "text"
        file.attrs["about"] = '{"a": [1]}'
        file.attrs["list"] = "[1]"
        file.attrs["scale"] = [2.0, 3]
        file.attrs["number"] = 4
        file.attrs["long"] = np.zeros(20_000, "f4")
        file.attrs["deep"] = "[" * 60_000
        file["group/deep/values"] = np.arange(6.0, dtype="f4").reshape(2, 3)
        file["group/more"] = np.arange(4)
        file["texts"] = np.array(["a", "é"], dtype=h5py.string_dtype("utf-8"))
        file["one"] = "text"
        packed = file.create_group("packed")
        packed.create_dataset("values", data=np.zeros(1000), compression="gzip")
        file["links/outside"] = h5py.ExternalLink("/etc/hostname", "x")
        file["links/soft"] = h5py.SoftLink("/group/more")
        file["folder"] = h5py.ExternalLink("other.h5", "folder")
        large = file.create_group("large")
        large.create_dataset("values", (2**20, 2**20), "f4")
    return path


def test_what_is_there_is_read(path):
    with hdf5.Reader(path) as file:
        assert file.text("format") == "text"
        assert file.text("absent") is None
        assert file.json_object("about") == {"a": [1]}
        assert file.json_object("absent") is None
        assert file.numbers("scale") == [2.0, 3.0]
        assert file.names("group") == ["deep", "more"]
        values = file.values("group/deep/values", (2, 3))
        np.testing.assert_array_equal(values, [[0, 1, 2], [3, 4, 5]])
        assert file.integers("group/more").tolist() == [0, 1, 2, 3]
        assert file.texts("texts") == ("a", "é")
        assert file.one_text("one") == "text"
        assert list(file.arrays("group")) == ["group/deep/values", "group/more"]


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda f: f.text("number"), "attribute number is not a text"),
        (lambda f: f.text("long"), "attribute long is too large"),
        (lambda f: f.numbers("long"), "attribute long is too large"),
        (lambda f: f.json_object("list"), "attribute list is not a JSON object"),
        (lambda f: f.json_object("deep"), "attribute deep is nested too deeply"),
        (lambda f: f.names("texts"), "texts is not a group"),
        (lambda f: f.names("folder"), "folder is missing, or a link"),
        (lambda f: f.array("absent"), "absent is missing, or a link"),
        (lambda f: f.array("folder/x"), "folder is missing, or a link"),
        (lambda f: f.array("texts/x"), "texts is not a group"),
        (lambda f: f.array("links/outside"), "outside is missing, or a link"),
        (lambda f: f.array("links/soft"), "soft is missing, or a link"),
        (lambda f: f.array("group"), "group is not a plain array"),
        (lambda f: f.array("packed/values"), "values is not a plain array"),
        (lambda f: f.array("large/values"), "declares more data than its"),
        (lambda f: f.values("group/more", (5,)), r"has shape \(4,\) of int64"),
        (lambda f: f.values("texts", (2,)), "has shape"),
        (lambda f: f.integers("group/deep/values"), "is not a list of integers"),
        (lambda f: f.texts("group/more"), "is not a list of strings"),
        (lambda f: f.one_text("texts"), "texts is not a text"),
        (lambda f: f.arrays(), "not a plain array|missing, or a link"),
    ],
)
def test_nothing_else_is(path, ask, words):
    with hdf5.Reader(path) as file, pytest.raises(ValueError, match=words):
        ask(file)


def test_arrays_together_are_no_larger_than_the_file(tmp_path):
    path = tmp_path / "b.h5"
    with h5py.File(path, "w") as file:
        file["a"] = np.zeros(1000, "f4")
        file["b"] = file["a"]  # The same bytes under another name.
    size = path.stat().st_size
    with hdf5.Reader(path) as file:
        assert 4000 < size < 2 * 4000
        file.array("a")
        file.array("a")  # The same again takes no more.
        with pytest.raises(ValueError, match=f"than its {size} bytes hold"):
            file.array("b")


def test_a_cycle_of_groups_ends(tmp_path):
    path = tmp_path / "c.h5"
    with h5py.File(path, "w") as file:
        file.create_group("a")
        file["a/b"] = file["a"]
    with hdf5.Reader(path) as file, pytest.raises(ValueError, match="too deeply"):
        file.arrays()


def swelling(path):
    """Writes 12 kB of references to one text of 12 kB: a thousand times as much."""
    text = "x" * 12_000
    with h5py.File(path, "w") as file:
        kind = h5py.string_dtype("utf-8")
        file["texts"] = np.array([text] + [""] * 1000, dtype=kind)
        at = file["texts"].id.get_offset()
    data = bytearray(path.read_bytes())
    # A reference has 16 bytes: length, address of the heap, index in it.
    data[at : at + 16 * 1001] = data[at : at + 16] * 1001
    path.write_bytes(data)


def test_names_need_room(tmp_path):
    """Thousands of names of one array cost time, whatever it holds."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["0"] = 1.0
        for number in range(1, 3000):
            file[f"{number}"] = file["0"]
    with pytest.raises(ValueError, match=r"has no room for \d+ arrays"):
        hdf5.Reader(tmp_path / "a.h5")


def test_texts_are_no_longer_than_the_file(tmp_path):
    swelling(tmp_path / "t.h5")
    with pytest.raises(ValueError, match="its texts are longer than its"):
        hdf5.Reader(tmp_path / "t.h5")


def test_doubled_links_are_no_pile(tmp_path):
    """Each group holds the next one twice: 2^18 ways to the last."""
    path = tmp_path / "c.h5"
    with h5py.File(path, "w") as file:
        below = file.create_group("g0")
        for k in range(1, 18):
            group = file.create_group(f"g{k}")
            group["a"], group["b"] = below, below
            below = group
    with hdf5.Reader(path) as file, pytest.raises(ValueError, match="too deeply"):
        file.arrays()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a list", "is not of numbers"),
        (np.array(["a", "b"], dtype=h5py.string_dtype()), "is of type object"),
        (np.array([1 + 2j]), "is of type complex128"),
    ],
)
def test_attributes_of_other_types(tmp_path, content, words):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["x"] = content
    with hdf5.Reader(tmp_path / "a.h5") as file:
        with pytest.raises(ValueError, match=words):
            file.numbers("x")
        assert file.text("y") is None


def test_a_sealed_file_names_its_damage(tmp_path):
    path = tmp_path / "s.h5"
    with h5py.File(path, "w", userblock_size=hdf5.BLOCK) as file:
        file["values"] = np.arange(100)
    with path.open("r+b") as file:
        hdf5.seal(file)
    with hdf5.Reader(path) as file:
        assert file.integers("values").tolist() == list(range(100))
    good = path.read_bytes()
    for at in (hdf5.BLOCK, hdf5.BLOCK + 700, len(good) - 1):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises(ValueError, match="its SHA-256 is another"):
            hdf5.Reader(path)
    # Other programs read it as before.
    path.write_bytes(good)
    with h5py.File(path) as file:
        assert file["values"][7] == 7


def looping(path):
    """Writes a file whose heap has a text of no bytes, over which HDF5 loops."""
    with h5py.File(path, "w") as file:
        file["texts"] = np.array(["ab", "cd"], dtype=h5py.string_dtype("utf-8"))
    data = bytearray(path.read_bytes())
    # 16 bytes of the heap, then of a text: its number, uses, and length.
    length = data.index(b"GCOL") + 16 + 8
    assert data[length] == 2
    data[length] = 0
    path.write_bytes(data)
    return path


def test_the_library_may_loop(tmp_path):
    path = looping(tmp_path / "l.h5")
    with pytest.raises(ValueError, match="does not end within 3 s"):
        hdf5.Reader(path)
    with h5py.File(tmp_path / "good.h5", "w") as file:
        file["values"] = np.arange(3)
    with hdf5.Reader(tmp_path / "good.h5") as file:
        assert file.integers("values").tolist() == [0, 1, 2]


def test_files_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="not an ordinary file"):
        hdf5.Reader(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such file"):
        hdf5.Reader(tmp_path / "absent")
    (tmp_path / "text").write_text("text")
    with pytest.raises(ValueError, match="file signature not found"):
        hdf5.Reader(tmp_path / "text")
