"""Blobs into variables: each once, or nothing is changed."""

import dataclasses
import time

import keras
import numpy as np
import pytest
import small_network

import tsn_keras
from tsn_keras.checkpoints import foreign, transfer
from tsn_keras.checkpoints.transfer import PortError
from tsn_keras.common.errors import InputError
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.models.layers import CaffeConv2D
from tsn_keras.models.records import Backbone

TOY = Backbone(
    name="toy",
    title="toy",
    build=None,
    features="",
    first="a_conv",
    head="fc-action",
    channels={"a/conv": 3},
)


def port(blobs, model):
    transfer.port(foreign.of_caffe(blobs), model, TOY)


@pytest.fixture
def model():
    inputs = keras.Input((4, 4, 2))
    x = CaffeConv2D(3, 3, pad=1, name="a_conv")(inputs)
    x = keras.layers.BatchNormalization(name="a_conv_bn")(x)
    x = keras.layers.Dropout(0.5)(keras.layers.Flatten()(x))
    return keras.Model(inputs, keras.layers.Dense(5, name="fc-action")(x))


@pytest.fixture
def blobs():
    random = np.random.default_rng(0)
    return {
        "a/conv": [random.normal(size=(3, 2, 3, 3)), random.normal(size=3)],
        "a/conv_bn": [random.uniform(1, 2, size=(1, 3)) for _ in range(4)],
        "fc-action": [random.normal(size=(5, 48)), random.normal(size=5)],
    }


def test_axes_are_turned(model, blobs):
    port(blobs, model)
    kernel = model.get_layer("a_conv").kernel.numpy()
    expected = blobs["a/conv"][0].astype("f4")
    np.testing.assert_array_equal(kernel[2, 0, 1, 2], expected[2, 1, 2, 0])
    norm = model.get_layer("a_conv_bn")
    for variable, blob in zip(
        (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance),
        blobs["a/conv_bn"],
        strict=True,
    ):
        np.testing.assert_array_equal(variable, blob[0].astype("f4"))
    dense = model.get_layer("fc-action")
    np.testing.assert_array_equal(dense.kernel, blobs["fc-action"][0].T.astype("f4"))


def test_legacy_shapes_of_four_axes(model, blobs):
    port(blobs, model)
    expected = [w.copy() for w in model.get_weights()]
    for weight in model.weights:
        weight.assign(np.zeros(weight.shape))
    blobs["fc-action"][0] = blobs["fc-action"][0].reshape(1, 1, 5, 48)
    blobs["fc-action"][1] = blobs["fc-action"][1].reshape(1, 1, 1, 5)
    blobs["a/conv"][1] = blobs["a/conv"][1].reshape(1, 1, 1, 3)
    port(blobs, model)
    for found, value in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(found, value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda b: b.pop("a/conv_bn"), "variables without a blob: a_conv_bn/beta"),
        (lambda b: b.update(x=[np.zeros(2)]), r"without a place in the model: x\[0\]"),
        (lambda b: b["a/conv"].append(np.zeros(1)), r"a/conv\[2\] \(1,\)"),
        (lambda b: b["a/conv"].pop(), "without a blob: a_conv/bias"),
        (
            lambda b: b.update({"a/conv": [np.zeros((3, 2, 5, 3)), np.zeros(3)]}),
            r"a/conv\[0\] has shape \(3, 2, 5, 3\)",
        ),
    ],
)
def test_remainders_are_listed_and_nothing_is_changed(model, blobs, change, words):
    before = [w.copy() for w in model.get_weights()]
    change(blobs)
    with pytest.raises(PortError, match=words):
        port(blobs, model)
    for found, value in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, value)


def test_facts_of_a_convolution_that_looks_like_an_old_matrix():
    """[1, 1, 3, 3] is one channel's 3x3 kernel, but for the head [1, 1, O, I]."""
    backbone = dataclasses.replace(TOY, channels={"a/conv": 1})
    blobs = {"a/conv": [np.zeros((1, 1, 3, 3))], "fc-action": [np.zeros((1, 1, 5, 4))]}
    likeness, facts = transfer.read_facts(foreign.of_caffe(blobs), backbone)
    assert likeness == 1.0
    assert facts.classes == 5


def test_facts_of_another_network():
    found = transfer.read_facts(foreign.of_caffe({"b": [np.zeros((3, 2, 3, 3))]}), TOY)
    assert found == (0.0, None)


def test_ten_names_are_all_named(model, blobs):
    blobs["x"] = [np.zeros(2)] * 10
    with pytest.raises(PortError, match=r"x\[9\] \(2,\)") as caught:
        port(blobs, model)
    assert "more" not in str(caught.value)
    blobs["x"] = [np.zeros(2)] * 11
    with pytest.raises(PortError, match="and 1 more"):
        port(blobs, model)


def test_axes_of_a_depthwise_kernel():
    inputs = keras.Input((8, 8, 5))
    layer = keras.layers.DepthwiseConv2D(3, name="conv")
    model = keras.Model(inputs, layer(inputs))
    kernel = np.arange(45, dtype="f4").reshape(5, 1, 3, 3)
    found = transfer._to_keras(kernel, layer, layer.kernel, foreign.TORCH)
    np.testing.assert_array_equal(found[..., 0], kernel[:, 0].transpose(1, 2, 0))
    assert found.shape == model.get_layer("conv").kernel.shape


def test_long_names_and_short_messages(tmp_path, monkeypatch):
    monkeypatch.setitem(BACKBONES, small_network.SMALL.name, small_network.SMALL)
    arrays = small_network.as_torch(small_network.model())
    path = tmp_path / "net.safetensors"

    def refused(words):
        path.write_bytes(small_network.safetensors(arrays))
        with pytest.raises(InputError, match=words) as caught:
            tsn_keras.load(path)
        assert str(path) in str(caught.value)
        assert len(str(caught.value)) < 2000

    arrays |= {f"{'x' * 190}{k}.weight": np.zeros(3, "f4") for k in range(12)}
    refused(r"without a place in the model: x{100}\.\.\. \(3,\), xx")
    arrays[f"{'x' * 10**5}.weight"] = np.zeros(3, "f4")
    refused("the name of one of its tensors has 100007 characters")
    arrays = {f"{'y' * 190}{k}.weight": np.zeros(3, "f4") for k in range(12)}
    refused(r"its first tensors are y{100}\.\.\., yy")


def test_thousands_of_arrays_are_refused_soon():
    """Names are compared with those of every network, which are many."""
    kernel = np.zeros((1, 1, 1, 1), "f4")
    arrays = {f"{'module.' * 27}{k}.weight": kernel for k in range(10_000)}
    tensors, begin = foreign.Tensors("any", foreign.TORCH, arrays), time.process_time()
    for backbone in BACKBONES.values():
        assert transfer.read_facts(tensors, backbone) == (0.0, None)
    assert time.process_time() - begin < 0.1


@pytest.mark.parametrize("name", ["bn_inception", "resnet18"])
def test_no_network_has_so_many_arrays(name):
    """Of all these have the most for each convolution."""
    backbone = BACKBONES[name]
    model = backbone.build((224, 224, 3), classes=5, width=0.1)
    known = len(backbone.channels) + backbone.matrices + transfer._LAYERS
    assert 1.5 * len(model.weights) < transfer._ARRAYS * known
