"""VGG-16 against torchvision's own, which tests/golden/make_torchvision.py ran.

The whole network is in test_tsn_pytorch_networks.py.
"""

import functools
import pathlib

import golden_networks
import network_checks
import numpy as np
import pytest

from tsn_keras.checkpoints.transfer import port, read_facts
from tsn_keras.models.folding import fold
from tsn_keras.models.vgg import VGG16, VGG_16

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
SCORES = {"scores": VGG_16.head}
WIDTH = 1 / 16
load = functools.cache(functools.partial(golden_networks.load, GOLDEN))


def test_a_sixteenth_of_the_channels_equals_torchvision():
    """At 224 x 255, the largest difference of sides with 7 x 7 pixels at the end."""
    golden = load("torchvision/vgg16_narrow")
    network_checks.check_forward(VGG_16, golden, SCORES, "float64")


def test_the_first_matrix_reads_channel_by_channel():
    """Its columns in a file are of [C, 7, 7] in this order, and stay so."""
    golden = load("torchvision/vgg16_narrow")
    model = golden_networks.build(VGG_16, golden)
    genuine = golden.tensors.arrays["classifier.0.weight"]
    np.testing.assert_array_equal(model.get_layer("classifier_0").kernel, genuine.T)
    maps = np.zeros((1, 7, 7, 32), "f4")
    maps[0, 2, 5, 11] = 1
    flat = maps
    for name in ("channels_first", "flatten"):
        flat = model.get_layer(name)(flat)
    assert np.argmax(flat) == 11 * 49 + 2 * 7 + 5


def test_what_a_file_says():
    tensors = load("torchvision/vgg16_narrow").tensors
    likeness, facts = read_facts(tensors, VGG_16)
    assert (likeness, facts.channels, facts.classes) == (1, 3, 101)
    # Any width that gives the same numbers of channels, also of the dense layers.
    model = VGG16(classes=facts.classes, width=facts.width)
    assert model.get_layer("classifier_3").units == 4096 * WIDTH
    port(tensors, model, VGG_16)


@pytest.mark.parametrize("head", ["classifier.6", "module.new_fc", "base_model.fc"])
def test_the_classifiers_names(head):
    """That of torchvision; that of tsn-pytorch with dropout, and without."""
    tensors = load("torchvision/vgg16_narrow").tensors
    arrays = {
        name.replace("classifier.6", head): array
        for name, array in tensors.arrays.items()
    }
    model = VGG16(classes=101, width=WIDTH)
    port(type(tensors)("PyTorch", tensors.layout, arrays), model, VGG_16)
    genuine = tensors.arrays["classifier.6.weight"]
    np.testing.assert_array_equal(model.get_layer(VGG_16.head).kernel, genuine.T)


def test_features_are_after_the_relu_and_before_the_dropout():
    model = VGG16(classes=5, dropout=0.9, width=WIDTH)
    names = [layer.name for layer in model.layers]
    start = names.index("flatten")
    assert names[start:] == ["flatten", *(f"classifier_{k}" for k in range(7))]
    features = VGG16(classes=None, width=WIDTH)
    assert features.layers[-1].name == "classifier_4" == VGG_16.features
    assert features.layers[-3].name == "classifier_2"
    assert min(features(np.ones((1, 224, 224, 3), "f4"))[0]) >= 0
    assert not [n for n in map(type, fold(model).layers) if n.__name__ == "Dropout"]


def test_record_and_training(tmp_path):
    model = network_checks.check_record(VGG_16, (224, 224, 10), 1 / 32, tmp_path)
    network_checks.check_saved(model, tmp_path / "m.keras")
    network_checks.check_learns(model)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"input_shape": (256, 256, 3)}, r"from 224 to 255.*\(256, 256, 3\)"),
        ({"input_shape": (224, 223, 3)}, r"from 224 to 255.*\(224, 223, 3\)"),
        ({"input_shape": (None, 224, 3)}, r"\(None, 224, 3\)"),
        ({"width": 0}, "width=0"),
        ({"classes": 0}, "classes=0"),
    ],
)
def test_errors_name_the_value(options, words):
    with pytest.raises(ValueError, match=words):
        VGG16(**options)


@pytest.mark.whole
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_equal_torchvision(backend):
    name = "torchvision/vgg16_narrow"
    network_checks.check_backend(backend, GOLDEN, name, "vgg:VGG_16", SCORES)
