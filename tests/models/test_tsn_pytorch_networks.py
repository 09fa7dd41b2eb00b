"""BN-Inception, VGG-16 and Inception V3 against what the genuine tsn-pytorch computes.

Noise floor: the genuine float32 and float64 differ in scores by up to 1e-5, in single
layers by up to 2.8e-5 of the largest value (README of the golden arrays).
"""

import dataclasses
import functools
import json

import golden_networks
import network_checks
import numpy as np
import pytest

from tsn_keras.checkpoints.transfer import read_facts
from tsn_keras.models import bn_inception
from tsn_keras.models.bn_inception import BN_INCEPTION
from tsn_keras.models.inception_v3 import INCEPTION_V3_TSN
from tsn_keras.models.vgg import VGG_16

MODALITIES = {"RGB": 3, "Flow": 10, "RGBDiff": 15}


def probes_of(record, golden, model_layers):
    """Every layer that bears its name in the golden arrays, and the scores."""
    stages = {stage: stage.replace(".", "_") for stage in golden.samples["float32"]}
    found = {stage: name for stage, name in stages.items() if name in model_layers}
    return {**found, "scores": record.head}


def layers_of(record, golden):
    model = record.build(golden.images.shape[1:], classes=None, width=golden.width)
    return {layer.name for layer in model.layers}


@pytest.fixture
def tiny(golden, monkeypatch):
    """Function of a modality to a small BN-Inception with 5 classes, a Golden.

    The makers of its checkpoints left a sixteenth of the channels, but at least 4.
    """
    monkeypatch.setattr(bn_inception, "scaled", lambda count, _: max(4, count // 16))
    return functools.partial(_tiny, golden)


def _tiny(golden, modality):
    folder = golden / "tsn_pytorch"
    whole = golden_networks.load(golden, f"tsn_pytorch/BNInception_{modality}")
    files = json.loads((folder / "checkpoints/tiny.json").read_text())
    entry = files[f"tiny_legacy__{modality.lower()}_checkpoint.pth.tar"]
    rules = golden_networks.rules_of(folder / "regenerate.py")
    arrays = rules.state_arrays({name: shape for name, shape, _ in entry["state_dict"]})
    assert rules.digest(arrays) == entry["values_sha256"]
    tensors = dataclasses.replace(whole.tensors, arrays=arrays)
    stored = np.load(folder / "checkpoints/tiny_forward.npz")
    samples = {
        dtype: {"scores": golden_networks.all_of(stored[f"{modality}:{key}"])}
        for dtype, key in (
            ("float32", "f32:scores_segments"),
            ("float64", "f64:scores_segments"),
        )
    }
    assert whole.images.shape[-1] == MODALITIES[modality]
    return dataclasses.replace(whole, tensors=tensors, classes=5, samples=samples)


def test_small_bn_inception(tiny):
    scores = {"scores": BN_INCEPTION.head}
    network_checks.check_forward(BN_INCEPTION, tiny("RGB"), scores, "float64")


@pytest.mark.whole
@pytest.mark.parametrize("modality", ["Flow", "RGBDiff"])
def test_small_bn_inception_of_other_modalities(tiny, modality):
    """Flow's was trained without dropout: its classifier is `base_model.fc`."""
    scores = {"scores": BN_INCEPTION.head}
    network_checks.check_forward(BN_INCEPTION, tiny(modality), scores, "float64")


@pytest.mark.whole
@pytest.mark.parametrize("modality", ["rgb", "flow", "rgbdiff"])
def test_every_layer_of_bn_inception(golden, modality):
    arrays = golden_networks.load(golden, f"tsn_pytorch/BNInception_{modality}")
    probes = probes_of(BN_INCEPTION, arrays, layers_of(BN_INCEPTION, arrays))
    probes["pooled"] = BN_INCEPTION.features
    # All of the 231 but the classifier, which is among the scores; and both ends.
    assert len(probes) == 232
    for dtype in network_checks.BOUNDS:
        network_checks.check_forward(BN_INCEPTION, arrays, probes, dtype)


@pytest.mark.whole
@pytest.mark.parametrize("dtype", network_checks.BOUNDS)
def test_every_layer_of_the_zoos_inception_v3(golden, dtype):
    arrays = golden_networks.load(golden, "tsn_pytorch/InceptionV3_backbone")
    likeness, facts = read_facts(arrays.tensors, INCEPTION_V3_TSN)
    assert (likeness, facts.channels, facts.classes, facts.width) == (1, 3, 1000, 1)
    probes = probes_of(INCEPTION_V3_TSN, arrays, layers_of(INCEPTION_V3_TSN, arrays))
    assert len(probes) == 308  # All, where the classifier is the scores.
    network_checks.check_forward(INCEPTION_V3_TSN, arrays, probes, dtype)


def test_the_zoos_inception_v3_at_a_small_width(golden, tmp_path):
    """Its names are those of a published file; its last block pools the maximum."""
    sides = (75, 75, 10)
    model = network_checks.check_record(INCEPTION_V3_TSN, sides, 1 / 32, tmp_path)
    pools = [layer for layer in model.layers if layer.name.endswith("tower_2_pool")]
    assert [layer.mode for layer in pools] == ["average"] * 8 + ["max"]
    keys = json.loads(
        (golden / "tsn_pytorch/keys/InceptionV3_backbone.json").read_text()
    )
    published = {name.rpartition(".")[0] for name, _ in keys["backbone"]}
    assert published == {layer.name for layer in model.layers if layer.weights}


@pytest.mark.whole
def test_every_layer_of_vgg16(golden):
    arrays = golden_networks.load(golden, "tsn_pytorch/vgg16_adapted_RGB")
    probes = probes_of(VGG_16, arrays, layers_of(VGG_16, arrays))
    # What modules that hold others give: at 224 `avgpool` changes nothing.
    probes |= {"features": "features_30", "avgpool": "features_30"}
    probes |= {"classifier": VGG_16.features}
    assert len(probes) == len(arrays.samples["float32"]) - 2  # "pooled", "new_fc"
    network_checks.check_forward(VGG_16, arrays, probes)
