"""Commands and the API on folders of video files, beside extracted frames."""

import json

import clips
import numpy as np
import pytest
import videofiles
from commands import call

import tsn_keras
from tsn_keras.common.errors import InputError
from tsn_keras.scores.score_file import Scores

pytestmark = pytest.mark.usefixtures("shallow_network")
NAMES = ("a", "b.mp4", "c")


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """Videos of a list, their frames as `extract` makes them, and weights."""
    root = tmp_path_factory.mktemp("case")
    for number, suffix in enumerate(("avi", "mp4", "mkv")):
        pictures = [videofiles.picture(5 * number + k, (320, 240)) for k in range(12)]
        path = root / "videos" / f"{'abc'[number]}.{suffix}"
        path.parent.mkdir(exist_ok=True)
        videofiles.make(path, pictures, "mpeg4" if suffix == "avi" else "libx264")
    done = call("extract", root / "videos", root / "frames", "--flow", "none")
    assert done.returncode == 0, done.stderr
    (root / "frames/b").rename(root / "frames/b.mp4")
    (root / "list.txt").write_text("".join(f"{n} 0 {k}\n" for k, n in enumerate(NAMES)))
    clips.make_weights(root / "rgb.weights.h5", 3)
    return root


def evaluate(root, data, *more):
    return call(
        *("eval", "--dataset", "list", "--annotations", root / "list.txt"),
        *("--data", data, "--modality", "rgb"),
        *("--weights", root / "rgb.weights.h5", *more),
    )


def test_scores_are_those_of_extracted_frames(case, tmp_path):
    """Bit for bit: the same pixels, the same network."""
    found = {}
    for data in ("videos", "frames"):
        path = tmp_path / f"{data}.h5"
        done = evaluate(case, case / data, "--scores", path)
        assert done.returncode == 0, done.stderr
        found[data] = Scores(path)
    assert list(found["videos"]) == list(NAMES)
    for name in NAMES:
        videos, frames = (found[data][name] for data in ("videos", "frames"))
        assert videos.shape == (25, 10, clips.CLASSES)
        np.testing.assert_array_equal(videos, frames)
        assert videos.std() > 0
    # Whichever they came from, they need not be computed again.
    again = evaluate(case, case / "frames", "--scores", tmp_path / "videos.h5")
    assert "3 videos are already in" in again.stderr


def test_a_bad_file_fails_its_video(case, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for path in (case / "videos").iterdir():
        (data / path.name).write_bytes(path.read_bytes())
    videofiles.cut(case / "videos/a.avi", 0.8, data / "a.avi")
    done = evaluate(case, data, "--scores", tmp_path / "s.h5")
    assert done.returncode == 1
    (result,) = json.loads(done.stdout.splitlines()[-1])["results"]
    assert result["videos"] == 2
    assert list(result["failed"]) == ["a"]
    assert f"{data / 'a.avi'} is damaged" in result["failed"]["a"]
    assert f"a failed: {data / 'a.avi'} is damaged" in done.stderr
    # Repaired, it is scored.
    (data / "a.avi").write_bytes((case / "videos/a.avi").read_bytes())
    done = evaluate(case, data, "--scores", tmp_path / "s.h5")
    assert done.returncode == 0
    assert "2 videos are already in" in done.stderr


def test_flow_of_files_says_what_to_do(case):
    for modality in (["flow"], ["rgb", "flow"]):
        done = call(
            *("eval", "--dataset", "list", "--annotations", case / "list.txt"),
            *("--data", case / "videos", "--modality", *modality),
            *("--weights", *["w.h5"] * len(modality)),
        )
        assert done.returncode == 2
        assert "extract it first with python -m tsn_keras.extract" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """Class folders of video files."""
    root = tmp_path_factory.mktemp("classes")
    for name in ("jump", "run"):
        (root / name).mkdir()
        for number in range(2):
            pictures = [
                videofiles.picture(7 * number + k * (1 + (name == "run")), (320, 240))
                for k in range(8)
            ]
            videofiles.make(root / name / f"{name}_{number}.avi", pictures)
    return root


def test_training(classes, tmp_path):
    """Training, validation and the test at the end read the files."""
    config = {
        "data": {"dataset": "folders", "root": str(classes), "holdout": 0.5},
        "model": {"width": 0.05},
        "train": {
            **{"batch": 2, "iterations": 2, "base_lr": 0.01, "drops": []},
            **{"validate_every": 2, "save_every": 2},
        },
    }
    done = tsn_keras.train(config, out=tmp_path / "run", evaluate=True)
    assert [one["videos"] for one in done.validations] == [2]
    assert done.evaluation.streams["rgb"].videos == 2
    assert len((tmp_path / "run/validation.txt").read_text().splitlines()) == 2
    config["data"]["modality"] = "flow"
    with pytest.raises(InputError, match=r"extract it first"):
        tsn_keras.train(config, out=tmp_path / "flow")


@pytest.mark.slow
def test_dataset_of_the_api(classes, tmp_path):
    frames = tmp_path / "frames"
    tsn_keras.extract(classes, frames, flow="none")
    batches = [
        list(
            tsn_keras.dataset(
                "folders", data=data, part=part, holdout=0.5, batch=2
            ).as_numpy_iterator()
        )
        for data in (classes, frames)
        for part in ("train", "test")
    ]
    for of_files, of_frames in zip(batches[:2], batches[2:], strict=True):
        for (images, labels), (expected, right) in zip(
            of_files, of_frames, strict=True
        ):
            assert images.shape == (2, 3, 224, 224, 3)
            np.testing.assert_array_equal(images, expected)
            np.testing.assert_array_equal(labels, right)
