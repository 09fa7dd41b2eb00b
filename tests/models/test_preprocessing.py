"""Pixels to the network's input: colours, mean, deviation, differences; as a layer."""

import dataclasses

import clips
import keras
import numpy as np
import pytest
import tensorflow as tf

import tsn_keras
from tsn_keras.models.bn_inception import BNInception
from tsn_keras.models.preprocessing import Preprocessing, network_input
from tsn_keras.models.tsn import TSN
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.modalities import FLOW, MODALITIES, RGB
from tsn_keras.protocols.records import Normalisation, Stream

# Which network takes the pixels does not matter.
pytestmark = pytest.mark.usefixtures("shallow_network")


def pixels_of(modality, *shape):
    planes = MODALITIES[modality].planes
    random = np.random.default_rng(0)
    return random.integers(0, 256, (*shape, planes), dtype=np.uint8)


def test_mean_is_subtracted_plane_by_plane():
    pixels = np.array([[104, 117, 123], [0, 255, 128]], np.uint8)
    found = network_input(pixels, Stream(RGB, CAFFE))
    np.testing.assert_array_equal(found, [[0, 0, 0], [-104, 138, 5]])
    flow = np.full((1, 10), 127, np.uint8)
    found = network_input(flow, Stream(FLOW, CAFFE))
    np.testing.assert_array_equal(found, np.full((1, 10), -1))


def test_a_protocol_may_turn_colours_round_and_divide():
    rule = {
        "image": Normalisation((10.0, 20.0, 30.0), (1.0, 2.0, 4.0)),
        "flow": Normalisation((128.0,), (0.5,)),
    }
    rgb = dataclasses.replace(CAFFE, red_first=True, normalisation=rule)
    pixels = np.array([[1, 2, 3, 4, 5, 6]], np.uint8)  # B, G, R, B, G, R
    pair = dataclasses.replace(RGB, name="pair", length=2)
    found = network_input(pixels, Stream(pair, rgb))
    expected = [[-7, -9, -29 / 4, -4, -15 / 2, -26 / 4]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    # Flow has no colours.
    found = network_input(pixels[:, :2], Stream(FLOW, rgb))
    np.testing.assert_array_equal(found, [[-254, -252]])
    # Of values that are divided by a scale the mean is one of the divided ones.
    rule = {"image": Normalisation((0.5, 1.0, 1.5), (1.0, 2.0, 4.0), scale=2.0)}
    scaled = dataclasses.replace(CAFFE, normalisation=rule)
    found = network_input(pixels[:, :3], Stream(RGB, scaled))
    np.testing.assert_array_equal(found, [[0, 0, 0]])
    found = network_input(pixels[:, 3:], Stream(RGB, scaled))
    np.testing.assert_array_equal(found, [[1.5, 0.75, 0.375]])


def test_differences_of_steps():
    pixels = np.arange(18, dtype=np.uint8)[None] ** 2
    found = network_input(pixels, Stream(MODALITIES["rgbdiff"], CAFFE))
    plain = pixels.astype("f4")
    np.testing.assert_array_equal(found, plain[:, 3:] - plain[:, :-3])


def test_differences_are_later_less_earlier():
    pixels = np.array([[10, 20, 30, 13, 19, 30, 255, 0, 1]], np.uint8)
    three = dataclasses.replace(MODALITIES["rgbdiff"], length=3)
    found = network_input(pixels, Stream(three, CAFFE))
    np.testing.assert_array_equal(found, [[3, -1, 0, 242, -19, -29]])


@pytest.mark.parametrize("modality", MODALITIES)
def test_layer_gives_the_bits_of_the_pipeline(modality):
    pixels = pixels_of(modality, 2, 3, 8, 9)
    layer = Preprocessing(modality)
    expected = network_input(tf.constant(pixels), Stream(MODALITIES[modality], CAFFE))
    found = layer(pixels)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == "float32"
    inputs = keras.Input(pixels.shape[1:], dtype="uint8")
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, *found.shape[1:])
    np.testing.assert_array_equal(model.predict(pixels, verbose=0), expected)


def test_layer_subtracts_in_float32_under_another_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = Preprocessing("rgb")
    finally:
        keras.config.set_dtype_policy("float32")
    found = layer(np.full((1, 1, 1, 3), 255, np.uint8))
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found, [[[[151, 138, 132]]]])


def test_layer_refuses_what_it_cannot_know():
    with pytest.raises(ValueError, match="of flow must have 10 planes.*, 3\\)"):
        Preprocessing("flow")(np.zeros((1, 4, 4, 3), np.uint8))
    with pytest.raises(ValueError, match="no modality 'rbg'"):
        Preprocessing("rbg")
    with pytest.raises(ValueError, match="no protocol 'torch'"):
        Preprocessing("rgb", "torch")


@pytest.mark.parametrize("modality", ["rgb", "flow"])
def test_model_takes_pixels(modality, tmp_path):
    file = tmp_path / f"{modality}.weights.h5"
    clips.make_weights(file, MODALITIES[modality].channels)
    backbone = tsn_keras.load(file)
    pixels = pixels_of(modality, 2, 3, 224, 224)
    model = TSN(backbone, segments=3, preprocess=True)
    inputs = network_input(tf.constant(pixels), Stream(MODALITIES[modality], CAFFE))
    expected = TSN(backbone, segments=3).predict(inputs, verbose=0)
    np.testing.assert_array_equal(model.predict(pixels, verbose=0), expected)
    # Saved, it takes its preprocessing along.
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(copy.predict(pixels, verbose=0), expected)


def test_model_does_not_guess_its_preprocessing():
    backbone = BNInception(classes=4, width=0.05)
    with pytest.raises(ValueError, match="bn_inception does not: give `preprocess=P"):
        TSN(backbone, preprocess=True)
    with pytest.raises(ValueError, match="`preprocess` is for flow, of 10 channels"):
        TSN(backbone, preprocess=Preprocessing("flow"))
    model = TSN(backbone, segments=2, preprocess=Preprocessing("rgb"))
    assert model.input_shape == (None, 2, 224, 224, 3)
    assert model.inputs[0].dtype == "uint8"


def test_losses_by_name_are_of_raw_scores():
    backbone = BNInception(classes=4, width=0.05)
    model = TSN(backbone, segments=1, preprocess=Preprocessing("rgb"))
    pixels, labels = pixels_of("rgb", 2, 1, 224, 224), np.array([1, 3])
    scores = model.predict(pixels, verbose=0).astype("f8")
    logs = np.log(np.exp(scores).sum(axis=1)) - scores[[0, 1], labels]
    for loss, given in (
        ("sparse_categorical_crossentropy", labels),
        ("categorical_crossentropy", np.eye(4)[labels]),
    ):
        model.compile("sgd", loss, metrics=["accuracy"])
        found = model.evaluate(pixels, given, verbose=0)
        # float32 of numbers near 1.
        assert found[0] == pytest.approx(logs.mean(), rel=1e-5)
        assert found[1] == (scores.argmax(axis=1) == labels).mean()
    several = np.array([[1, 0, 1, 0], [0, 0, 0, 1]])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    each = np.log1p(np.exp(np.where(several, -scores, scores)))
    found = model.evaluate(pixels, several, verbose=0)
    assert found[0] == pytest.approx(each.mean(), rel=1e-5)
