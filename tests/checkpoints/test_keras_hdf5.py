"""Older weight files of Keras: their lists, and where these lead."""

import struct

import h5py
import hdf5files
import numpy as np
import pytest
import small_network

import tsn_keras
from tsn_keras.checkpoints import keras_hdf5, reading
from tsn_keras.checkpoints.keras_file import WeightFileError
from tsn_keras.checkpoints.keras_hdf5 import KerasHDF5Error
from tsn_keras.common import inspection


@pytest.fixture
def path(tmp_path):
    network = small_network.model()
    return small_network.FORMATS["Keras HDF5"](network, tmp_path)


def test_arrays_come_in_the_order_of_the_lists(path):
    found = reading.read(path)
    assert (found.format, found.ordered) == ("Keras HDF5", True)
    expected = small_network.as_keras(small_network.model())
    assert [name.partition(":")[0] for name in found.arrays] == list(expected)
    for array, value in zip(found.arrays.values(), expected.values(), strict=True):
        np.testing.assert_array_equal(array, value)


def _relist(name, texts, layer=None):
    def change(file):
        group = file if layer is None else file[layer]
        group.attrs[name] = np.array(texts, "S")

    return change


def _link(file):
    del file["body"]
    file["body"] = h5py.ExternalLink("other.h5", "body")


WEIGHTS = ["stem/kernel:0", "stem/bias:0"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_relist("layer_names", ["stem", "stem"]), "it lists stem/kernel:0 twice"),
        (_relist("layer_names", ["stem", "absent"]), "absent is missing, or a link"),
        (_relist("layer_names", ["stem", "../stem"]), r"\.\. is missing, or a link"),
        (_relist("layer_names", [""]), "it holds no weights"),
        (_relist("weight_names", ["../body/x"], "stem"), r"stem/\.\. is missing"),
        (_relist("weight_names", ["\x1b[2J"], "stem"), "is missing, or a link"),
        (_relist("weight_names", [WEIGHTS[0]] * 2, "stem"), "kernel:0 twice"),
        (_link, "body is missing, or a link to another place"),
    ],
)
def test_lists_that_lead_nowhere(path, change, words):
    with hdf5files.editing(path) as file:
        change(file)
    with pytest.raises(KerasHDF5Error, match=words) as caught:
        keras_hdf5.read(path)
    assert str(path) in str(caught.value)


def test_a_file_without_lists_is_another(path):
    with hdf5files.editing(path) as file:
        file.attrs["layer_names"] = [1.0, 2.0]
    assert keras_hdf5.read(path) is None
    with pytest.raises(WeightFileError, match="is not a BN-Inception"):
        tsn_keras.load(path)


def test_texts_that_are_one_in_the_file(path):
    """A list of 2,000 references to one text, which the file holds once."""
    text = "y" * 400_000
    with h5py.File(path, "r+") as file:
        texts = np.array([text] + [""] * 2000, object)
        file["body"].attrs.create("weight_names", texts, dtype=h5py.string_dtype())
    data = bytearray(path.read_bytes())
    # A reference has 16 bytes: length, address of the heap, index in it.
    at = data.index(struct.pack("<I", len(text)))
    data[at : at + 16 * 2001] = data[at : at + 16] * 2001
    path.write_bytes(data)
    with pytest.raises(KerasHDF5Error, match="it needs too much memory: it is damaged"):
        reading.read(path)


@pytest.mark.parametrize("name", ["net.h5", "net.weights.h5", "net.pth"])
def test_a_damaged_file_is_inspected_once(path, monkeypatch, name):
    """Each inspection of one that makes the library loop takes seconds."""
    asked = []

    def contents(path):
        asked.append(path)
        raise ValueError("reading it does not end within 3 s: it is damaged")

    monkeypatch.setattr(inspection, "contents", contents)
    with pytest.raises(KerasHDF5Error, match="does not end within 3 s"):
        tsn_keras.load(path.rename(path.with_name(name)))
    assert len(asked) == 1
