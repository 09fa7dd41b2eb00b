"""Layers models of TensorFlow.js: shards, stored numbers, and hostile manifests."""

import json
import os

import numpy as np
import pytest

from tsn_keras.checkpoints import foreign, reading, tfjs
from tsn_keras.checkpoints.tfjs import TfjsError

ABOUT = {"format": "layers-model", "generatedBy": "keras v2.2.4-tf"}


def entry(name, shape, dtype="float32", **more):
    return {"name": name, "shape": list(shape), "dtype": dtype, **more}


def written(folder, weights, shards, **more):
    """Writes a model.json of one group.

    Args:
        folder: where to.
        weights: entries of the manifest.
        shards: {name: bytes}.
        more: what stands at the top of model.json.
    """
    for name, data in shards.items():
        (folder / name).write_bytes(data)
    manifest = [{"paths": list(shards), "weights": weights}]
    model = {**ABOUT, "weightsManifest": manifest, **more}
    path = folder / "model.json"
    path.write_text(json.dumps(model))
    return path


ONE = entry("a/kernel", (2,))
EIGHT = np.arange(2, dtype="<f4").tobytes()


@pytest.mark.parametrize("length", [1, 7, 16, 1000])
def test_arrays_go_over_the_ends_of_shards(tmp_path, length):
    random = np.random.default_rng(0)
    arrays = {
        "conv1_conv/kernel": random.normal(size=(3, 3, 2, 5)).astype("f4"),
        "conv1_bn/gamma": random.normal(size=5).astype("f4"),
        "step": np.array(70000, "i4"),
        "flags": np.array([True, False, True]),
        "none": np.zeros((0, 3), "f4"),
    }
    data = b"".join(array.tobytes() for array in arrays.values())
    cuts = range(0, len(data), length)
    shards = {
        f"group1-shard{k}of9.bin": data[c : c + length] for k, c in enumerate(cuts)
    }
    kinds = {"f": "float32", "i": "int32", "b": "bool"}
    weights = [entry(n, a.shape, kinds[a.dtype.kind]) for n, a in arrays.items()]
    path = written(tmp_path, weights, shards)
    found = reading.read(path)
    assert (found.format, found.layout) == ("TensorFlow.js", foreign.KERAS)
    assert (found.meta, found.ordered) == (ABOUT, False)
    assert [part.name for part in found.parts] == list(shards)
    assert found.arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays[name], array)


def test_several_groups(tmp_path):
    path = written(tmp_path, [ONE], {"a.bin": EIGHT})
    model = json.loads(path.read_text())
    model["weightsManifest"].append(
        {"paths": ["b.bin"], "weights": [entry("b/bias", (1,))]}
    )
    path.write_text(json.dumps(model))
    (tmp_path / "b.bin").write_bytes(np.float32(7).tobytes())
    found = tfjs.read(path).arrays
    assert found["a/kernel"].tolist() == [0, 1]
    assert found["b/bias"].tolist() == [7]


def test_numbers_that_were_stored_short(tmp_path, monkeypatch):
    """As tfjs computes: number * scale + min, in float64, then float32."""
    monkeypatch.setattr(tfjs, "_PIECE", 3)
    bytes_, words = np.arange(0, 250, 31, "u1"), np.arange(0, 65536, 9000, "<u2")
    halves = np.array([1.5, -2, 65504, 6e-8], "<f2")
    scales = {"scale": 0.0123456789, "min": -1.7654321}
    weights = [
        entry("b", bytes_.shape, quantization={"dtype": "uint8", **scales}),
        entry("w", (2, 4), quantization={"dtype": "uint16", **scales}),
        entry("h", halves.shape, quantization={"dtype": "float16"}),
    ]
    data = bytes_.tobytes() + words.tobytes() + halves.tobytes()
    found = tfjs.read(written(tmp_path, weights, {"x.bin": data})).arrays
    for name, stored in (("b", bytes_), ("w", words.reshape(2, 4))):
        expected = (stored * 0.0123456789 - 1.7654321).astype("f4")
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], expected)
    np.testing.assert_array_equal(found["h"], halves.astype("f4"))


SCALED = {"dtype": "uint8", "scale": 0.5, "min": 0}


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        ("a", "a weight of its manifest is no object"),
        (entry("", (2,)), "a weight has the name ''"),
        (entry(None, (2,)), "a weight has the name None"),
        (entry("x" * 300, (2,)), "a weight has the name 'xxx"),
        (entry("a", (-1,)), r"'a' has shape \[-1\]"),
        (entry("a", (2.0,)), r"'a' has shape \[2.0\]"),
        (entry("a", (True,)), r"'a' has shape \[True\]"),
        (entry("a", (2**40,)), r"'a' has shape \[1099511627776\]"),
        (entry("a", [1] * 40), r"'a' has shape \[1, 1"),
        ({**ONE, "shape": 2}, "has shape 2"),
        (entry("a", [2**30] * 9), r"its weights need \d+ bytes, its files have 8"),
        (entry("a", (3,)), "its weights need 12 bytes, its files have 8"),
        (entry("a", (1,)), "its weights need 4 bytes, its files have 8"),
        (entry("a", (2,), "float64"), "has dtype 'float64', which is unknown"),
        (entry("a", (2,), "string"), "has dtype 'string', which is unknown"),
        (entry("a", (2,), ["float32"]), "has dtype"),
        (entry("a", (8,), quantization={"dtype": "uint4"}), "has quantization"),
        (entry("a", (8,), quantization=[]), r"has quantization \[\]"),
        (entry("a", (8,), quantization={"dtype": "uint8"}), "has quantization"),
        (entry("a", (8,), quantization={**SCALED, "min": "0"}), "has quantization"),
        (entry("a", (8,), "int32", quantization=SCALED), "quantization of 'int32'"),
    ],
)
def test_weights_that_are_none(tmp_path, weight, words):
    path = written(tmp_path, [weight], {"a.bin": EIGHT})
    with pytest.raises(TfjsError, match=words) as caught:
        tfjs.read(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "name", ["../a.bin", "/etc/hostname", "..", ".", "", "b/../a.bin", "b\\a", "a\0"]
)
def test_files_elsewhere_are_not_opened(tmp_path, name):
    path = written(tmp_path, [ONE], {"a.bin": EIGHT})
    path.write_text(path.read_text().replace('"a.bin"', json.dumps(name)))
    with pytest.raises(TfjsError, match="which is not beside it"):
        tfjs.read(path)


def test_links_pipes_folders_and_missing_files(tmp_path):
    path = written(tmp_path, [ONE], {"a.bin": EIGHT})
    (tmp_path / "a.bin").rename(tmp_path / "other.bin")
    with pytest.raises(TfjsError, match=r"its file 'a.bin' is missing"):
        tfjs.read(path)
    (tmp_path / "a.bin").symlink_to("other.bin")
    with pytest.raises(TfjsError, match=r"'a.bin' cannot be read: it is a link"):
        tfjs.read(path)
    (tmp_path / "a.bin").unlink()
    os.mkfifo(tmp_path / "a.bin")
    with pytest.raises(TfjsError, match=r"'a.bin' is not an ordinary file"):
        tfjs.read(path)
    (tmp_path / "a.bin").unlink()
    (tmp_path / "a.bin").mkdir()
    with pytest.raises(TfjsError, match=r"'a.bin' (is not|cannot be)"):
        tfjs.read(path)


def changed(path, **more):
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"weightsManifest": None}, "it has no weightsManifest"),
        ({"weightsManifest": []}, "it has no weightsManifest"),
        ({"weightsManifest": [3]}, "a group of its manifest is no object"),
        ({"weightsManifest": [{"paths": []}]}, "lacks paths or weights"),
        ({"weightsManifest": [{"paths": [], "weights": []}]}, "it has no weights"),
        (
            {"weightsManifest": [{"paths": ["a.bin"] * 2, "weights": [ONE]}]},
            "names the file 'a.bin' twice",
        ),
        (
            {"weightsManifest": [{"paths": ["a.bin"], "weights": [ONE]}] * 2},
            "names the weight 'a/kernel' twice",
        ),
        (
            {"weightsManifest": [{"paths": [["a.bin"]], "weights": [ONE]}]},
            "has a file of the name",
        ),
        ({"format": "graph-model"}, "it is a graph model"),
    ],
)
def test_manifests_that_are_none(tmp_path, more, words):
    path = written(tmp_path, [ONE], {"a.bin": EIGHT})
    changed(path, **more)
    with pytest.raises(TfjsError, match=words):
        tfjs.read(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "it is not JSON"),
        ("[]", "it is not a JSON object"),
        ('{"a":' * 3000, "it is nested too deeply"),
        ('{"weightsManifest": [1e999]}', "not a finite number"),
        ('{"a": "' + "x" * 2**23 + '"}', "it has more than 8388608 bytes"),
    ],
)
def test_texts_that_are_none(tmp_path, text, words):
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(TfjsError, match=words):
        reading.read(path)


def test_the_digest_is_that_of_all_files(tmp_path):
    path = written(tmp_path, [ONE], {"a.bin": EIGHT})
    first = reading.digest("0" * 64, tfjs.read(path))
    assert first == reading.digest("0" * 64, tfjs.read(path))
    assert first != reading.digest("1" * 64, tfjs.read(path))
    (tmp_path / "a.bin").write_bytes(EIGHT[::-1])
    assert first != reading.digest("0" * 64, tfjs.read(path))
    alone = foreign.Tensors("any", foreign.KERAS, {})
    assert reading.digest("0" * 64, alone) == "0" * 64
