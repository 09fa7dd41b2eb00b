"""Every command on a disk that fills up: what it says, and what it leaves."""

import json
import os
import subprocess
import time

import caffe_writer
import clips
import disks
import keras
import numpy as np
import processes
import pytest
import shallow
import videofiles
from commands import call

from tsn_keras.common import console, files
from tsn_keras.models import bn_inception
from tsn_keras.scores import npz, score_file
from tsn_keras.scores.score_file import VideoScores

pytestmark = pytest.mark.usefixtures("shallow_network")
NOISE = ("Traceback", "Exception ignored", "Warning", "warning", "Errno", "delete")
BEFORE = b"what was there before"
TRAINING = """
[data]
root = {root!r}
dataset = "folders"
holdout = 0.25
[model]
width = 0.5
[train]
batch = 4
iterations = 2
save_every = 1
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Folder of videos, weights and scores, and of the commands that take them."""
    root = tmp_path_factory.mktemp("given")
    clips.make_case(root, (27, 12))
    (root / "videos").mkdir()
    for number in range(6):
        pictures = [videofiles.picture(k + 50 * number) for k in range(6 + number)]
        videofiles.make(root / "videos" / f"v{number}.avi", pictures)
    rows = [
        VideoScores(f"v{k}", k % 3, 30, np.full((25, 10, 3), k, "f4"))
        for k in range(30)
    ]
    score_file.write(root / "s.h5", rows, classes="abc", about={}, failed={})
    with score_file.ScoreFile(root / "s.h5") as file:
        npz.write(file, root / "s.npz")
    (root / "ids.txt").write_text("\n".join(f"v{k}" for k in range(30)))
    return root


def run(name, *argv, **options):
    """Runs a command: in this process, or with options in one of its own."""
    if not options:
        return call(name, *argv)
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return processes.run(
        [*shallow.START, name, *map(str, argv)],
        text=True,
        timeout=300,
        **options,
    )


def error_of(done):
    """The one error that a run told, the same on both streams."""
    assert done.returncode == console.EXIT_USAGE, done.stderr
    assert not [word for word in NOISE if word in done.stderr], done.stderr
    told = json.loads(done.stdout.splitlines()[-1])["error"]
    assert done.stderr.count("error: ") == 1
    assert f"error: {told}\n" in done.stderr
    return told


def scoring(given, disk, *more):
    return (
        *("eval", "--dataset", "list", "--annotations", given / "list.txt"),
        *("--data", given / "data", "--scores", disk / "s.h5", "--modality", "rgb"),
        *("--weights", given / "rgb.weights.h5", *more),
    )


CASES = {
    "confusion": ("fuse {given}/s.h5 --confusion {disk}/c", "c.png", "c.csv"),
    "npz": ("convert {given}/s.h5 {disk}/a.npz", "a.npz"),
    "h5": ("convert {given}/s.npz {disk}/a.h5 --ids {given}/ids.txt", "a.h5"),
    "picture": (
        "predict {given}/videos/v2.avi --weights {given}/rgb.weights.h5 --plot "
        "{disk}/p.png",
        "p.png",
    ),
    "page": (
        "predict {given}/videos/v2.avi --weights {given}/rgb.weights.h5 --plot "
        "{disk}/p.html",
        "p.html",
    ),
}


@pytest.mark.parametrize("free", [0, 8])
@pytest.mark.parametrize("name", CASES)
def test_a_file_that_does_not_fit(given, small_disk, name, free):
    """It is named; what was there before stays, and nothing else is there."""
    command, *names = CASES[name]
    for target in names:
        (small_disk.path / target).write_bytes(BEFORE)
    small_disk.leave(free)
    argv = command.format(given=given, disk=small_disk.path).split()
    told = error_of(run(*argv))
    assert told == f"cannot write {small_disk.path / names[0]}: {files.NO_SPACE}"
    assert small_disk.names() == sorted(names)
    assert all((small_disk.path / n).read_bytes() == BEFORE for n in names)


def test_weights_that_do_not_fit(given, small_disk):
    """And a temporary folder that is too full for their copy."""
    keras.utils.set_random_seed(0)
    model = bn_inception.BNInception((224, 224, 3), 6, width=0.05)
    source, target = given / "a.caffemodel", small_disk.path / "a.weights.h5"
    names = bn_inception.base_channels()
    source.write_bytes(caffe_writer.of_model(model, names))
    small_disk.leave(8)
    told = error_of(run("convert", source, target))
    assert told == f"cannot write {target}: {files.NO_SPACE}"
    assert small_disk.names() == []
    weights, place = given / "rgb.weights.h5", {"TMPDIR": str(small_disk.path)}
    argv = ("convert", source, given / "no.weights.h5")
    for told in (
        error_of(run(*argv, env=os.environ | place)),
        error_of(run(*scoring(given, given / "none"), env=os.environ | place)),
    ):
        assert f"no space left on the disk of {small_disk.path}" in told
        assert "set TMPDIR to another folder" in told
    assert str(weights) in told
    assert not (given / "no.weights.h5").exists()
    assert small_disk.names() == []


def test_scores_that_do_not_fit(given, small_disk):
    """At the journal's start, in it, and at the score file; then it resumes."""
    partial = small_disk.path / "s.h5.partial"
    small_disk.leave(8)
    told = error_of(run(*scoring(given, small_disk.path)))
    assert told == f"cannot write {partial}: {files.NO_SPACE}"
    assert small_disk.names() == []
    for free, path in ((36, partial), (46, small_disk.path / "s.h5")):
        partial.unlink(missing_ok=True)
        small_disk.leave(free)
        told = error_of(run(*scoring(given, small_disk.path)))
        assert told.startswith(f"cannot write {path}: {files.NO_SPACE}; ")
        assert f"kept in {partial}, and the same command resumes" in told
        assert small_disk.names() == ["s.h5.partial"]
    small_disk.leave(100)
    done = run(*scoring(given, small_disk.path))
    assert done.returncode == console.EXIT_OK, done.stderr
    assert small_disk.names() == ["s.h5"]


@pytest.mark.parametrize(
    "options",
    ["--flow none --workers 1", "--workers 2", "--flow-device cpu"],
)
def test_frames_that_do_not_fit(given, small_disk, options):
    out = small_disk.path / "out"
    small_disk.leave(60)
    argv = (given / "videos", out, "--size", "96x64", *options.split())
    told = error_of(run("extract", *argv))
    assert f": cannot write {out}/v" in told
    assert f"{files.NO_SPACE}: " in told
    assert "of 6 videos are in" in told
    assert "the same command resumes from there" in told
    assert not (out / ".extract").exists()


def test_drawn_videos_that_do_not_fit(given, small_disk):
    place = small_disk.path / "demo"
    weights = given / "rgb.weights.h5"
    argv = ("--dataset", "demo", "--modality", "rgb", "--weights", weights)
    scores = ("--data", place, "--scores", given / "demo.h5")
    told = error_of(run("eval", *argv, *scores))
    assert f"cannot write {place}/" in told
    assert files.NO_SPACE in told
    assert all(not path.name.startswith(".") for path in place.iterdir())


def test_a_run_whose_disk_fills_up(tmp_path, small_disk):
    """At a file of the start; at a checkpoint; then the same command resumes."""
    for label, name in enumerate(("jump", "run")):
        for number in range(4):
            folder = tmp_path / "frames" / name / f"{name}_{number}"
            clips.make_video(folder, 8, 10 * label + number)
    settings = tmp_path / "small.toml"
    settings.write_text(TRAINING.format(root=str(tmp_path / "frames")))
    with disks.mounted(tmp_path / "larger", 8000) as disk:
        out = disk.path / "run"
        argv = ("train", "--config", settings, "--out", out)
        disk.leave(100)
        assert "no space for checkpoints in" in error_of(run(*argv))
        disk.leave(6000)
        process = processes.Popen(
            [*shallow.START, *map(str, argv)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        end = time.monotonic() + 120
        # The first update takes seconds after that.
        while not (out / "log.csv").exists():
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < end
            time.sleep(0.01)
        disk.leave(12)
        output, errors = process.communicate(timeout=300)
        done = subprocess.CompletedProcess(argv, process.returncode, output, errors)
        told = error_of(done)
        assert told.startswith(f"cannot write {out}/checkpoint.h5: {files.NO_SPACE}; ")
        assert "there is no checkpoint yet" in told
        assert sorted(n for n in disk.names() if "tensorboard" not in n) == sorted(
            ["run", "run/log.csv", "run/run.json", "run/validation.csv"]
        )
        disk.leave(6000)
        done = run(*argv)
        assert done.returncode == console.EXIT_OK, done.stderr
        assert json.loads(done.stdout.splitlines()[-1])["iterations"] == 2


def test_standard_streams_that_do_not_fit(given):
    """Of output there is a word; of errors only the exit status is left."""
    argv = ("fuse", given / "s.h5")
    with open("/dev/full", "w") as full:
        done = run(*argv, stdout=full)
        assert done.returncode == console.EXIT_USAGE
        assert done.stderr == f"error: cannot write standard output: {files.NO_SPACE}\n"
        done = run("fuse", given / "none.h5", stderr=full)
    assert done.returncode == console.EXIT_USAGE
    assert "none.h5" in json.loads(done.stdout)["error"]
