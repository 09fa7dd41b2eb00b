"""Files of published weights: the whole network, from a file to a model."""

import json

import numpy as np
import pytest

import tsn_keras
from tsn_keras import convert
from tsn_keras.checkpoints import loading, presets
from tsn_keras.common.errors import InputError
from tsn_keras.models import bn_inception


def assert_same(found, expected):
    for name, a, b in zip(
        [w.path for w in expected.weights],
        found.get_weights(),
        expected.get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b, err_msg=name)


@pytest.mark.parametrize("name", ["demo_rgb", "demo_flow"])
def test_saved_weights_of_a_preset_load_again(tmp_path, name):
    """Without what `convert` and `train` add: of width 0.125, not 0.12."""
    loaded = tsn_keras.load(name)
    path = tmp_path / "mine.weights.h5"
    loaded.save_weights(path)
    assert loading.find(path).architecture.width == 0.125
    assert_same(tsn_keras.load(path), loaded)


def test_preset_with_a_published_digest(tmp_path, monkeypatch):
    preset = presets.PRESETS["demo_rgb"]
    other = bn_inception.BNInception((224, 224, 3), classes=16, width=0.1)
    other.save_weights(tmp_path / preset.file)
    with pytest.raises(
        InputError, match=r"is not demo_rgb: its sha256 is \w{64}, that"
    ):
        tsn_keras.load("demo_rgb", folder=tmp_path)


@pytest.mark.parametrize("modality", ["rgb", "flow"])
def test_genuine_caffemodels_convert_and_load(caffemodels, modality, tmp_path):
    source = caffemodels / f"ucf101_{modality}_init.caffemodel"
    target = tmp_path / "genuine.weights.h5"
    result, _ = convert.main([str(source), str(target)])
    assert result["modality"] == modality
    assert (result["classes"], result["width"], result["blobs"]) == (101, 1.0, 416)
    assert result["parameters"] == {"rgb": 10_393_797, "flow": 10_415_749}[modality]
    assert_same(tsn_keras.load(target), tsn_keras.load(source))


def test_shared_presets_bring_their_record(tmp_path):
    recognizer = tsn_keras.Recognizer.from_preset("demo_rgb", "demo_flow")
    written = recognizer.save_preset(tmp_path / "both")
    assert [path.name for path in written] == ["rgb", "flow"]
    about = json.loads((written[0] / "config.json").read_text())["config"]
    assert about["published"] == {"mean class accuracy": 25.0}
    assert (about["dataset"], about["split"]) == ("demo", 1)
    # What training wrote into the weights stays.
    assert about["iteration"] == 800
    assert about["class_names"][0] == "checks_down"
    assert "| licence | BSD-2-Clause |" in (written[1] / "README.md").read_text()
    assert tsn_keras.Recognizer.from_preset(*written).modalities == ("rgb", "flow")
