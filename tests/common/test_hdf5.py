"""The one reader of HDF5: plain arrays of this file, and nothing else."""

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
        large.create_dataset("values", (2**20, 2**20), "f4", chunks=(1, 2**10))
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
        for name in "abc":
            # Never written: the file holds no byte of it.
            file.create_dataset(name, (300,), "f4")
    size = path.stat().st_size
    with hdf5.Reader(path) as file:
        assert 1200 < size < 2 * 1200
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
