"""The records of published weights against the project page's tables."""

import pytest

from tsn_keras.models import presets


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
    assert preset.preprocess.mean == (128.0,)
    assert preset.preprocess.channels == 10


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
