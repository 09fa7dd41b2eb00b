"""Commands with a checkpoint of every program, on real clips, end to end."""

import json

import numpy as np
import pytest
import small_network
from commands import call

from tsn_keras.models.backbones import BACKBONES
from tsn_keras.scores import metrics, score_file

pytestmark = pytest.mark.slow
GENUINE = ("tiny_mmengine_training", "tiny_published_legacy", "tiny_module_prefix")


@pytest.fixture(scope="module")
def frames(clips, tmp_path_factory):
    """Two real clips, their frames, and the list of both."""
    root = tmp_path_factory.mktemp("frames")
    videos = [next((clips / "hmdb51" / name).glob("*.avi")) for name in ("run", "sit")]
    lines = []
    for label, video in enumerate(videos):
        done = call("extract", video, root / "data", "--flow", "none")
        assert done.returncode == 0, done.stderr
        count = len(list((root / "data" / video.stem).glob("img_*.jpg")))
        lines.append(f"{video.stem} {count} {label}")
    (root / "list.txt").write_text("\n".join(lines))
    return root, videos


def check(path, frames, tmp_path):
    """`predict` and `eval` take the file, and say the same of the clips."""
    root, videos = frames
    done = call(
        "eval",
        *("--dataset", "list", "--annotations", root / "list.txt"),
        *("--data", root / "data", "--scores", tmp_path / "s.h5"),
        *("--modality", "rgb", "--weights", path),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])["results"][0]
    assert (found["videos"], found["of"]) == (2, 2)
    for video in videos:
        done = call("predict", video, "--weights", path, "--top", "3")
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout.splitlines()[-1])
        # What each is taken for: other programs' files do not say it.
        assert result["protocol"] == "25 snippets x 10 crops"
        with score_file.ScoreFile(tmp_path / "s.h5") as file:
            scores = file.read(video.stem)
        assert np.ptp(scores) > 0
        expected = metrics.softmax(scores.mean((0, 1)))
        for row in result["top"]:
            # Six decimals, and frames that went through JPEG files on one side.
            assert row["probability"] == pytest.approx(expected[row["label"]], abs=5e-3)


@pytest.mark.parametrize("form", small_network.FORMATS)
def test_every_format(form, frames, tmp_path, monkeypatch):
    small = small_network.SMALL
    monkeypatch.setitem(BACKBONES, small.name, small)
    path = small_network.FORMATS[form](small_network.model(), tmp_path)
    check(path, frames, tmp_path)


@pytest.mark.parametrize("name", GENUINE)
def test_files_of_mmaction2(name, golden, frames, tmp_path):
    path = golden / f"mmaction2/checkpoints/{name}.pth"
    check(path, frames, tmp_path)
