"""The records of published weights against the project page's tables."""

import pathlib

import pytest

from tsn_keras.checkpoints import presets
from tsn_keras.common import files
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES


def test_all_published_weights_are_there():
    names = set(presets.PRESETS)
    reference = {
        f"{d}_{m}_split{s}"
        for d in ("ucf101", "hmdb51")
        for m in ("rgb", "flow")
        for s in (1, 2, 3)
    }
    assert reference < names
    others = {"imagenet_rgb", "imagenet_flow", "kinetics_rgb", "kinetics_flow"}
    assert names - reference == others | {"demo_rgb", "demo_flow"}


def test_reference_record():
    preset = presets.PRESETS["hmdb51_flow_split3"]
    file = "hmdb51_split_3_tsn_flow_reference_bn_inception.caffemodel"
    assert preset.file == file
    store = "https://yjxiong.blob.core.windows.net/tsn-reference-models"
    assert preset.url == f"{store}/{file}.v5"
    assert (preset.classes, preset.accuracy) == (51, 63.9)
    assert (preset.backbone, preset.modality) == ("bn_inception", "flow")
    assert preset.protocol == "caffe"


def test_every_preset_names_records_that_are_there():
    for preset in presets.PRESETS.values():
        assert preset.backbone in BACKBONES
        assert preset.modality in MODALITIES
        assert preset.protocol in PROTOCOLS


def test_digests_of_the_demo_are_those_of_its_files():
    root = pathlib.Path(__file__).parents[2] / "weights"
    for name in ("demo_rgb", "demo_flow"):
        preset = presets.PRESETS[name]
        assert files.sha256(root / preset.file) == preset.sha256


def test_presets_are_found_by_what_they_are_for():
    assert presets.trained_on("hmdb51", "flow", 2).name == "hmdb51_flow_split2"
    assert presets.trained_on("demo", "rgb", 1).name == "demo_rgb"
    assert presets.trained_on("demo", "rgbdiff", 1) is None
    name = "hmdb51_split_2_tsn_flow_reference_bn_inception.caffemodel"
    for file in (name, f"{name}.v5", "hmdb51_flow_split2.weights.h5"):
        assert presets.of_file(file).name == "hmdb51_flow_split2"
    assert presets.of_file("mine.weights.h5") is None


@pytest.mark.parametrize(
    ("dataset", "stream", "split", "accuracy"),
    [
        ("ucf101", "rgb", 1, 85.5),
        ("ucf101", "fusion", 3, 94.5),
        ("hmdb51", "flow", None, 63.2),
        ("hmdb51", "fusion", None, 68.5),
        ("list", "rgb", None, None),
    ],
)
def test_published(dataset, stream, split, accuracy):
    assert presets.published(dataset, stream, split) == accuracy
