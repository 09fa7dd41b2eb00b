"""The command `eval` with files of the whole network: the demo's, the original's."""

import dataclasses
import pathlib
import shutil

import hdf5files
import numpy as np
import pytest
from commands import call

import tsn_keras
from tsn_keras import eval
from tsn_keras.common.errors import InputError
from tsn_keras.datasets import demo
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.protocols import sampling
from tsn_keras.scores import score_file

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture
def two_demo_videos(tmp_path, monkeypatch):
    """The demo with two test videos, and a folder for its weights."""
    split = demo.split()
    few = dataclasses.replace(split, test=split.test[:2])
    record = dataclasses.replace(DATASETS["demo"], read=lambda *_: few)
    monkeypatch.setitem(DATASETS, "demo", record)
    folder = tmp_path / "weights"
    folder.mkdir()
    scores = ["--scores", str(tmp_path / "s.h5")]
    return folder, ["--dataset", "demo", "--weights", str(folder), *scores]


def test_a_preset_file_of_another_modality(two_demo_videos):
    folder, argv = two_demo_videos
    shutil.copy(ROOT / "weights/demo_flow.weights.h5", folder / "demo_rgb.weights.h5")
    words = (
        r"should hold demo_rgb \(rgb, 16 classes\), but is a network for 10 channels"
    )
    with pytest.raises(InputError, match=words):
        eval.main([*argv, "--modality", "rgb"])


def test_a_preset_file_of_other_weights(two_demo_videos):
    """Of the right network: only the digest tells."""
    folder, argv = two_demo_videos
    model = tsn_keras.load("demo_rgb")
    model.save_weights(folder / "demo_rgb.weights.h5")
    with pytest.raises(InputError, match="is not demo_rgb: its sha256 is"):
        eval.main([*argv, "--modality", "rgb"])


def test_presets_are_named_in_the_scores(two_demo_videos, tmp_path):
    folder, argv = two_demo_videos
    shutil.copy(ROOT / "weights/demo_rgb.weights.h5", folder)
    result, _ = eval.main([*argv, "--modality", "rgb"])
    assert result["results"][0]["videos"] == 2
    with score_file.ScoreFile(tmp_path / "s.h5") as file:
        assert file.about["weights"] == "demo_rgb"


def test_published_stands_beside_what_was_published(two_demo_videos, tmp_path):
    """Its weights, by digest where a path names them, and all of the videos."""
    _, argv = two_demo_videos
    data = tmp_path / "data"
    argv = [*argv[:2], "--modality", "rgb", "--data", str(data), "--weights"]

    def published(name, weights):
        scores = ["--scores", str(tmp_path / name)]
        (row,) = eval.main([*argv, str(weights), *scores])[0]["results"]
        return row["published"], row["videos"]

    copy = tmp_path / "renamed.weights.h5"
    shutil.copy(ROOT / "weights/demo_rgb.weights.h5", copy)
    assert published("digest.h5", copy) == (25, 2)
    with hdf5files.editing(copy) as file:
        file["layers/dense/vars/1"][0] += 1
    assert published("own.h5", copy) == (None, 2)
    assert published("preset.h5", "demo_rgb") == (25, 2)
    sorted(data.rglob("img_00003.jpg"))[0].write_bytes(b"")
    assert published("failed.h5", "demo_rgb") == (None, 1)


def test_published_fusion_is_that_of_published_weights(two_demo_videos):
    folder, argv = two_demo_videos
    for name in ("rgb", "flow"):
        shutil.copy(ROOT / f"weights/demo_{name}.weights.h5", folder)
    found = {r["stream"]: r for r in eval.main(argv)[0]["results"]}
    assert found["rgb"]["published"] == 25.0
    assert found["fusion"]["published"] is not None


def test_golden_scores(golden, caffemodels, tmp_path):
    """The original's own scores of the same JPEG files and weights."""
    (tmp_path / "list.txt").write_text("frames/v1 31 42\nframes/v2 14 100\n")
    done = call(
        "eval",
        *("--dataset", "list", "--annotations", tmp_path / "list.txt"),
        *("--data", golden / "data", "--scores", tmp_path / "s.h5", "--weights"),
        *(caffemodels / f"ucf101_{m}_init.caffemodel" for m in ("rgb", "flow")),
    )
    assert done.returncode == 0, done.stderr
    expected = np.load(golden / "eval/eval_25x10.npz")
    for modality in ("rgb", "flow"):
        for name in ("v1", "v2"):
            with score_file.ScoreFile(tmp_path / f"s_{modality}.h5") as file:
                found = file.read(f"frames/{name}")
            values = expected[f"{name}_{modality}_scores"]
            error = np.abs(found - values).max()
            assert error <= 2e-4 * np.abs(values).max()


def test_golden_ticks(golden):
    expected = np.load(golden / "eval/eval_25x10.npz")
    for name, count in (("v1", 31), ("v2", 14)):
        for modality, depth in (("rgb", 1), ("flow", 5)):
            found = sampling.eval_ticks(count, depth)
            assert found == expected[f"{name}_{modality}_ticks"].tolist()
