"""NaN and infinity in the weights of every format: refused where they would be used."""

import numpy as np
import pytest
import small_network
import torch_writer

from tsn_keras.checkpoints import loading
from tsn_keras.checkpoints.keras_file import WeightFileError
from tsn_keras.checkpoints.transfer import PortError
from tsn_keras.common import finite
from tsn_keras.common.errors import InputError
from tsn_keras.models.backbones import BACKBONES


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    small = small_network.SMALL
    monkeypatch.setitem(BACKBONES, small.name, small)


# What each format calls the kernel of the second convolution and the last bias.
NAMES = {
    "caffemodel": ("body[0]", "scores[1]"),
    "PyTorch, zip": ("module.body.weight", "module.scores.bias"),
    "PyTorch, stream": ("module.body.weight", "module.scores.bias"),
    "safetensors": ("module.body.weight", "module.scores.bias"),
    "TensorFlow.js": ("body/kernel", "scores/bias"),
    "Keras HDF5": ("body/kernel:0", "scores/bias:0"),
    "own": ("body/kernel", "scores/bias"),
}


def test_all_formats_are_here():
    assert NAMES.keys() == small_network.FORMATS.keys()


@pytest.mark.parametrize("form", NAMES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_every_format_is_checked(tmp_path, form, value):
    network = small_network.model()
    path = small_network.FORMATS[form](network, tmp_path)
    for found, expected in zip(
        loading.find(path).build().get_weights(), network.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    for layer, place in (("body", 0), ("scores", 1)):
        arrays = network.get_layer(layer).get_weights()
        arrays[place].flat[-1] = value
        network.get_layer(layer).set_weights(arrays)
    path = small_network.FORMATS[form](network, tmp_path)
    with pytest.raises((PortError, WeightFileError)) as caught:
        loading.find(path).build()
    text, (kernel, bias) = str(caught.value), NAMES[form]
    assert text.startswith(f"{path}")
    assert text.endswith(
        f"it has values that are not finite numbers, in {kernel}, {bias}: it is damaged"
    )


def test_what_is_not_used_is_not_looked_at(tmp_path):
    network = small_network.model()
    state = small_network.as_torch(network)
    state["module.stem_bn.num_batches_tracked"] = np.array(np.nan, "f4")
    tensors = {name: torch_writer.tensor(array) for name, array in state.items()}
    moment = torch_writer.tensor(np.full(9, np.nan, "f4"))
    path = tmp_path / "net.pth"
    top = {"state_dict": tensors, "optimizer": {"exp_avg": moment}}
    path.write_bytes(torch_writer.as_zip(top))
    assert loading.find(path).build().get_weights()


def test_nothing_is_assigned(tmp_path):
    network = small_network.model()
    bias = np.array([np.inf, 0, 0], "f4")
    state = small_network.as_torch(network) | {"module.scores.bias": bias}
    path = tmp_path / "net.safetensors"
    path.write_bytes(small_network.safetensors(state))
    before = network.get_weights()
    with pytest.raises(PortError, match="in module.scores.bias: it is damaged"):
        loading.port(loading.find(path).tensors, network, small_network.SMALL)
    for found, expected in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def _demand(*arrays, dtype="float32"):
    pairs = ((f"a{k}", np.asarray(array), dtype) for k, array in enumerate(arrays))
    finite.demand(pairs, InputError)


def test_what_overflows_is_not_finite():
    large = np.array([1.0, 1e300])
    _demand(large, dtype="float64")
    with pytest.raises(InputError, match="not finite numbers, in a0: "):
        _demand(large)
    with pytest.raises(InputError, match="in a1: "):
        _demand(np.float32(6e4), np.float32(7e4), dtype="float16")
    _demand(np.array([2**63 - 1]), np.array([True]), np.zeros((0, 3)))


def test_every_block_is_looked_at(monkeypatch):
    monkeypatch.setattr(finite, "_BLOCK", 4)
    for place in range(10):
        array = np.zeros((5, 2), "f4")
        array.flat[place] = np.nan
        with pytest.raises(InputError, match="in a0: "):
            _demand(array)
        with pytest.raises(InputError, match="in a0: "):
            _demand(array.T)


def test_messages_are_short():
    arrays = [(f"{k}{'x' * 500}", np.array(np.nan), "float32") for k in range(9)]
    with pytest.raises(InputError, match=r"in 0x+, 1x+, 2x+ and 6 more: ") as caught:
        finite.demand(arrays, InputError)
    assert len(str(caught.value)) < 400
