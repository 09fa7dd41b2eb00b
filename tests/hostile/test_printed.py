"""What is printed of files of strangers: one line that no terminal obeys."""

import json

import commands
import h5py
import numpy as np
import pytest
import small_network

from tsn_keras.models.backbones import BACKBONES

NAME = "\x1b[2J\x1b]0;title\x07\r\n\u202e{}%s"


def _safetensors(network, folder):
    path = folder / "net.safetensors"
    arrays = small_network.as_torch(network) | {f"{NAME}.weight": np.zeros(3, "f4")}
    path.write_bytes(small_network.safetensors(arrays, {"format": NAME}))
    return path


def _tfjs(network, folder):
    path = small_network.FORMATS["TensorFlow.js"](network, folder)
    model = json.loads(path.read_text())
    model["weightsManifest"][0]["paths"][0] = NAME
    path.write_text(json.dumps(model))
    return path


def _older_keras(network, folder):
    path = small_network.FORMATS["Keras HDF5"](network, folder)
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = np.array([NAME.encode()])
    return path


def _caffemodel(network, folder):
    path = small_network.FORMATS["caffemodel"](network, folder)
    path.write_bytes(path.read_bytes().replace(b"scores", NAME.encode()[:6]))
    return path


@pytest.mark.parametrize("write", [_safetensors, _tfjs, _older_keras, _caffemodel])
def test_names_are_escaped(tmp_path, monkeypatch, write):
    monkeypatch.setitem(BACKBONES, small_network.SMALL.name, small_network.SMALL)
    path = write(small_network.model(), tmp_path)
    done = commands.call("convert", path, tmp_path / "out.weights.h5")
    assert done.returncode == 2
    assert "\\x1b[2J" in done.stderr
    # The same for programs follows as JSON.
    assert "[2J" in json.loads(done.stdout)["error"]
    for line in (done.stderr, done.stdout):
        assert line.removesuffix("\n").isprintable()
    assert not (tmp_path / "out.weights.h5").exists()
