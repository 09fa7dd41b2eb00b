"""The command `eval` with presets: their files, and what was published of them."""

import dataclasses
import json
import shutil

import clips
import hdf5files
import pytest
from commands import call
from mmaction2_pages import Row, Run, evaluated, measured, missing

from tsn_keras import eval
from tsn_keras.checkpoints import presets, records
from tsn_keras.common import files
from tsn_keras.common.errors import InputError
from tsn_keras.datasets import demo
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.scores import score_file


@pytest.fixture(scope="module")
def files_of_presets(tmp_path_factory, shallow_network):
    """Folder of the demo's weights: networks without blocks under the demo's names."""
    folder = tmp_path_factory.mktemp("presets")
    for name, channels in (("rgb", 3), ("flow", 10)):
        clips.make_weights(folder / f"demo_{name}.weights.h5", channels, classes=16)
    return folder


@pytest.fixture
def two_demo_videos(files_of_presets, tmp_path, monkeypatch):
    """The demo with two test videos, and a folder for its weights."""
    split = demo.split()
    few = dataclasses.replace(split, test=split.test[:2])
    record = dataclasses.replace(DATASETS["demo"], read=lambda *_: few)
    monkeypatch.setitem(DATASETS, "demo", record)
    for path in files_of_presets.iterdir():
        preset = presets.PRESETS[path.name.split(".")[0]]
        preset = dataclasses.replace(preset, sha256=files.sha256(path))
        monkeypatch.setitem(presets.PRESETS, preset.name, preset)
    folder = tmp_path / "weights"
    folder.mkdir()
    scores = ["--scores", str(tmp_path / "s.h5")]
    return folder, ["--dataset", "demo", "--weights", str(folder), *scores]


def test_a_preset_file_of_another_modality(two_demo_videos, files_of_presets):
    folder, argv = two_demo_videos
    other = files_of_presets / "demo_flow.weights.h5"
    shutil.copy(other, folder / "demo_rgb.weights.h5")
    words = (
        r"should hold demo_rgb \(rgb, 16 classes\), but is a network for 10 channels"
    )
    with pytest.raises(InputError, match=words):
        eval.main([*argv, "--modality", "rgb"])


def test_a_preset_file_of_other_weights(two_demo_videos):
    """Of the right network: only the digest tells."""
    folder, argv = two_demo_videos
    clips.make_weights(folder / "demo_rgb.weights.h5", 3, seed=1, classes=16)
    with pytest.raises(InputError, match="is not demo_rgb: its sha256 is"):
        eval.main([*argv, "--modality", "rgb"])


def test_presets_are_named_in_the_scores(two_demo_videos, files_of_presets, tmp_path):
    folder, argv = two_demo_videos
    shutil.copy(files_of_presets / "demo_rgb.weights.h5", folder)
    result, _ = eval.main([*argv, "--modality", "rgb"])
    assert result["results"][0]["videos"] == 2
    with score_file.ScoreFile(tmp_path / "s.h5") as file:
        assert file.about["weights"] == "demo_rgb"


def test_published_stands_beside_what_was_published(
    two_demo_videos, files_of_presets, tmp_path, monkeypatch
):
    """Its weights, by digest where a path names them, and all of the videos."""
    monkeypatch.setenv("TSN_KERAS_WEIGHTS", str(files_of_presets))
    _, argv = two_demo_videos
    data = tmp_path / "data"
    argv = [*argv[:2], "--modality", "rgb", "--data", str(data), "--weights"]

    def published(name, weights):
        scores = ["--scores", str(tmp_path / name)]
        (row,) = eval.main([*argv, str(weights), *scores])[0]["results"]
        return row["published"], row["videos"]

    copy = tmp_path / "renamed.weights.h5"
    shutil.copy(files_of_presets / "demo_rgb.weights.h5", copy)
    assert published("digest.h5", copy) == (25, 2)
    with hdf5files.editing(copy) as file:
        file["layers/dense/vars/1"][0] += 1
    assert published("own.h5", copy) == (None, 2)
    assert published("preset.h5", "demo_rgb") == (25, 2)
    sorted(data.rglob("img_00003.jpg"))[0].write_bytes(b"")
    assert published("failed.h5", "demo_rgb") == (None, 1)


def test_published_fusion_is_that_of_published_weights(
    two_demo_videos, files_of_presets
):
    folder, argv = two_demo_videos
    shutil.copytree(files_of_presets, folder, dirs_exist_ok=True)
    found = {r["stream"]: r for r in eval.main(argv)[0]["results"]}
    assert found["rgb"]["published"] == 25.0
    assert found["fusion"]["published"] is not None


def test_rows_of_pages_are_measured(
    two_demo_videos, files_of_presets, tmp_path, monkeypatch
):
    """As tests/published measures those of weights that are not here."""
    monkeypatch.setenv("TSN_KERAS_WEIGHTS", str(files_of_presets))
    monkeypatch.chdir(tmp_path)
    evaluated.cache_clear()
    runs = Run("demo_rgb"), Run("demo_flow")
    published = records.Tested("", 0.0)
    alone = [measured(Row((run,), published)) for run in runs]
    assert measured(Row(runs, published))[0] == sum(top1 for top1, _ in alone) / 2
    fused = measured(Row(runs, published, fused=True))
    done = call("fuse", *(run.scores for run in runs), "--weights", 1, 1)
    result = json.loads(done.stdout.splitlines()[-1])["results"][-1]
    assert fused == (result["top1"], result["top5"])
    monkeypatch.setenv("TSN_KERAS_DATA", str(tmp_path))
    assert list(missing(runs[0])) == ["demo in TSN_KERAS_DATA"]
    (tmp_path / "hmdb51").mkdir()
    lacking = list(missing(Run("hmdb51_rgb_split1")))
    assert lacking[0].startswith("hmdb51_split_1_tsn_rgb_reference_bn_inception.caffem")
    assert lacking[1].startswith("hmdb51: ")
    assert len(lacking) == 2
