"""The command `explain`, and the files that it writes."""

import json

import av
import pytest
from commands import call, help_without_frameworks
from PIL import Image

from tsn_keras.common import console
from tsn_keras.explain import METHODS, SUFFIXES
from tsn_keras.explanation import drawing, grad_cam


def explain(*argv, status=0):
    done = call("explain", *argv)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_it_knows_what_the_library_knows():
    assert tuple(grad_cam.METHODS) == METHODS
    assert tuple(drawing.WRITERS) == SUFFIXES
    assert "--class-visualisation" in help_without_frameworks("explain")


def test_a_folder_gets_all_pictures(video, weights_file, tmp_path):
    folder = tmp_path / "why"
    argv = [video, "--weights", weights_file, "--fast", "--class", "Run"]
    result = explain(*argv, "--out", folder)
    assert result["written"] == [str(folder / f"heat{s}") for s in SUFFIXES]
    assert {path.name for path in folder.iterdir()} == {f"heat{s}" for s in SUFFIXES}
    assert (result["class"], result["method"]) == ("run", "grad_cam")
    stream = result["streams"]["rgb"]
    assert sum(stream["contributions"]) == pytest.approx(stream["score"], abs=1e-5)
    assert stream["crops"] == pytest.approx([stream["score"]], abs=1e-5)
    snippets = len(stream["frames"])
    assert snippets == 3
    with Image.open(folder / "heat.png") as sheet:
        assert sheet.size[0] > 1000
    with Image.open(folder / "heat.gif") as film:
        assert film.n_frames == snippets
    with av.open(str(folder / "heat.mp4")) as film:
        pictures = list(film.decode(video=0))
    assert len(pictures) == snippets
    assert pictures[0].width % 2 == pictures[0].height % 2 == 0


def test_a_class_is_drawn(weights_file, tmp_path):
    path = tmp_path / "sit.png"
    argv = ["--class-visualisation", "sit", "--weights", weights_file]
    result = explain(*argv, "--iterations", "2", "--seed", "5", "--out", path)
    assert result["written"] == [str(path)]
    assert (result["class"], result["label"], result["modality"]) == ("sit", 2, "rgb")
    assert 0 <= result["probability"] <= 1
    with Image.open(path) as picture:
        assert min(picture.size) > 200


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--out", "a.png"], "name a video, or a class with --class-visualisation"),
        (["VIDEO", "--out", "a.jpg"], "a.jpg: must end in .png, .gif, .mp4"),
        (["VIDEO", "--out", "no/a.png"], "there is no folder no"),
        (["VIDEO", "--out", "no/a"], "there is no folder no"),
        (["no.avi", "--out", "a.png"], "no.avi"),
        (["BROKEN", "--out", "a.png"], "no video that can be read"),
        ([".", "--out", "a.png"], "takes one; predict takes many"),
        (["VIDEO", "--out", "a.png", "--class", "sing"], "no class 'sing'"),
        (["VIDEO", "--out", "a.png", "--seed", "2"], "--seed: not without --class-vis"),
        (
            ["VIDEO", "--out", "a.png", "--method", "grad_cam++", "--fast"],
            "take --method grad_cam",
        ),
        (
            ["VIDEO", "--out", "a.png", "--fast", "--class-visualisation", "sit"],
            "--fast, VIDEO: not with --class-visualisation",
        ),
        (["--out", "a.gif", "--class-visualisation", "sit"], "must end in .png"),
    ],
)
def test_what_cannot_be(argv, text, video, weights_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.avi").write_text("no video")
    (tmp_path / "copy.avi").write_bytes(video.read_bytes())
    argv = [{"VIDEO": video, "BROKEN": "broken.avi"}.get(one, one) for one in argv]
    before = set(tmp_path.iterdir())
    result = explain(*argv, "--weights", weights_file, status=console.EXIT_USAGE)
    assert text in result["error"]
    assert set(tmp_path.iterdir()) == before
