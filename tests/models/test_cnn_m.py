"""CNN-M-2048: sizes, numbers of parameters, and its two records.

What it computes is in test_caffe_forms.py.
"""

import keras
import network_checks
import numpy as np
import pytest

from tsn_keras.models import cnn_m
from tsn_keras.models.cnn_m import CNN_M_SPATIAL, CNN_M_TEMPORAL, CNNM2048

# Layer: (side of its output, channels, parameters), of 101 classes.
TABLE = {
    "conv1": (109, 96, 14_208),
    "norm1": (109, 96, 0),
    "pool1": (54, 96, 0),
    "conv2": (26, 256, 614_656),
    "norm2": (26, 256, 0),
    "pool2": (13, 256, 0),
    "conv3": (13, 512, 1_180_160),
    "conv4": (13, 512, 2_359_808),
    "conv5": (13, 512, 2_359_808),
    "pool5": (6, 512, 0),
    "fc6": (None, 4096, 75_501_568),
    "fc7": (None, 2048, 8_390_656),
    "fc8": (None, 101, 206_949),
}


def table(model):
    found = {}
    for layer in model.layers:
        if layer.name in TABLE:
            *sides, channels = layer.output.shape[1:]
            assert len(set(sides)) <= 1
            parameters = layer.count_params()
            found[layer.name] = next(iter(sides), None), channels, parameters
    return found


@pytest.fixture
def _zeros(monkeypatch):
    """Networks of zeros: to draw 90 million numbers takes ten seconds."""

    def zeros(self, shape, dtype=None, **kwargs):
        return keras.ops.zeros(shape, dtype)

    monkeypatch.setattr(keras.initializers.RandomNormal, "__call__", zeros)


@pytest.mark.usefixtures("_zeros")
def test_the_net_of_images():
    model = CNN_M_SPATIAL.build((224, 224, 3), classes=101)
    assert table(model) == TABLE
    assert model.count_params() == 90_627_813
    # What the ImageNet file has: 1,000 classes.
    assert model.count_params() + 899 * 2049 == 92_469_864
    names = [layer.name for layer in model.layers]
    assert names[1:9] == [
        *("conv1", "relu1", "norm1", "pool1"),
        *("conv2", "relu2", "norm2", "pool2"),
    ]


@pytest.mark.usefixtures("_zeros")
def test_the_net_of_flow():
    model = CNN_M_TEMPORAL.build((224, 224, 20), classes=101)
    expected = {**TABLE, "conv1": (109, 96, 94_176)}
    del expected["norm2"]
    assert table(model) == expected
    assert model.count_params() == 90_707_781


def test_normalisations_are_those_of_the_file():
    model = CNNM2048(classes=5, width=1 / 32)
    for name in cnn_m.SPATIAL_NORMS:
        norm = model.get_layer(name)
        assert (norm.size, norm.alpha, norm.beta, norm.bias) == (5, 5e-4, 0.75, 2.0)


def test_dropouts():
    model = CNNM2048(classes=5, dropout=(0.9, 0.8), width=1 / 32)
    shares = [model.get_layer(name).rate for name in ("drop6", "drop7")]
    assert shares == [0.9, 0.8]
    model = CNNM2048(classes=None, dropout=0.3, width=1 / 32)
    assert model.get_layer("drop6").rate == 0.3
    assert model.layers[-1].name == "relu7" == CNN_M_SPATIAL.features


@pytest.mark.parametrize(
    "record", [CNN_M_SPATIAL, pytest.param(CNN_M_TEMPORAL, marks=pytest.mark.slow)]
)
def test_record_and_training(record, tmp_path):
    model = network_checks.check_record(record, (224, 224, 20), 1 / 32, tmp_path)
    network_checks.check_saved(model, tmp_path / "m.keras")
    network_checks.check_learns(model)


def test_sides_of_images():
    for side in (cnn_m.SIDES[0], cnn_m.SIDES[-1]):
        model = CNNM2048((side, side, 3), 5, width=1 / 32)
        assert model.get_layer("pool5").output.shape[1:3] == (6, 6)
    assert np.ptp(cnn_m.SIDES) == 31


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"input_shape": (200, 224, 3)}, r"from 201 to 232.*\(200, 224, 3\)"),
        ({"input_shape": (224, 233, 3)}, r"from 201 to 232.*\(224, 233, 3\)"),
        ({"width": 0}, "width=0"),
        ({"classes": 0}, "classes=0"),
        ({"dropout": (0.5,) * 3}, r"a number or 2 of them. Received: \(0.5, 0.5"),
    ],
)
def test_errors_name_the_value(options, words):
    with pytest.raises(ValueError, match=words):
        CNNM2048(**options)
