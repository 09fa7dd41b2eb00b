"""The public API with published weights: the whole network, classes, refusals."""

import keras
import numpy as np
import pytest

import tsn_keras as tsn
from tsn_keras.datasets import demo


def test_presets():
    assert len(tsn.presets()) == 153
    found = tsn.presets(dataset="ucf101", modality="flow")
    assert [p.accuracy for p in found] == [87.6, 90.2, 91.3]
    found = tsn.presets(dataset="hmdb51", backbone="resnet50", split=1)
    assert [p.accuracy for p in found] == [48.95, 56.08, 54.25]
    with pytest.raises(
        ValueError, match="`dataset` 'hmdb'; there are .*demo, .*hmdb51"
    ):
        tsn.presets(dataset="hmdb")


@pytest.mark.parametrize(
    ("names", "options", "text"),
    [
        ((), {}, "name a preset or weight file"),
        (("hmdb52_rgb",), {}, "hmdb52_rgb is neither a file nor a preset"),
        (
            ("demo_rgb",),
            {"precision": "int8"},
            "runtime keras has float32",
        ),
        (("demo_rgb",), {"batch": 0}, "`batch` must be an integer of at least 1"),
        (("demo_rgb",), {"workers": 1.5}, "`workers` must be an integer"),
        (("demo_rgb",), {"device": "tpu"}, "`device` is 'tpu'"),
        (("demo_rgb", "demo_rgb"), {}, "both for rgb"),
    ],
)
def test_from_preset_refuses(names, options, text):
    with pytest.raises(ValueError, match=text):
        tsn.Recognizer.from_preset(*names, **options)


def test_loaded_models_know_their_classes():
    model = tsn.load("demo_rgb")
    assert model.class_names == demo.CLASSES
    other = tsn.load("demo_rgb", classes=5, batch_norm="first")
    assert other.output_shape == (None, 5)
    assert other.class_names is None
    for layer in model.layers:
        if layer.name != "fc-action":
            copied = other.get_layer(layer.name).get_weights()
            for value, copy in zip(layer.get_weights(), copied, strict=True):
                np.testing.assert_array_equal(value, copy)
    norms = [x for x in other.layers if x.name.endswith("_bn")]
    assert [x.trainable for x in norms] == [True] + [False] * (len(norms) - 1)
    assert tsn.load("demo_rgb", classes=16).class_names == model.class_names
    factors = tsn.multipliers(other)
    assert factors["fc-action/bias"] == (2.0, 0.0)
    assert set(factors) == {v.path for v in other.trainable_variables}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"classes": 0}, "`classes` must be an integer of at least 1, not 0"),
        ({"classes": True}, "not True"),
        ({"batch_norm": "some"}, "`batch_norm` must be one of first, none, all"),
    ],
)
def test_load_refuses(options, text):
    with pytest.raises(ValueError, match=text):
        tsn.load("demo_rgb", **options)


def test_load_says_what_a_whole_model_is(tmp_path):
    path = tmp_path / "m.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(path)
    with pytest.raises(ValueError, match=r"keras\.models\.load_model"):
        tsn.load(path)
