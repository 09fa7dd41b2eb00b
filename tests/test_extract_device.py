"""The command `extract` with flow by Keras: the same files but for rounding."""

import json
import signal
import time

import cv2
import numpy as np
import processes
import pytest
import videofiles
from extractions import SMALL, contents, finished, run, start, wait_for

from tsn_keras.common import console

# All of them smaller than 16 after one halving: one scale is compiled.
TINY = ("--size", "40x30")
DEVICE = ("--flow-device", "auto")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five short videos, and one that is still being made when they are ready."""
    root = tmp_path_factory.mktemp("folder")
    for number, count in enumerate((5, 6, 7, 8, 9, 400)):
        pictures = [videofiles.picture(k + 50 * number) for k in range(count)]
        path = root / "wave" / f"v{number}.avi"
        path.parent.mkdir(exist_ok=True)
        videofiles.make(path, pictures)
    return root


@pytest.fixture(scope="module")
def undisturbed(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    done, result = run(folder, out, *TINY, *DEVICE, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert result["made"] == 6
    assert result["files_of_a_kind"] == 4 + 5 + 6 + 7 + 8 + 399
    return contents(out)


def test_files_are_those_of_opencv(tmp_path):
    """The images byte for byte; flow levels within 1 in 99 of 100 pixels."""
    clip = videofiles.make(tmp_path / "a.avi", 6)
    outs = tmp_path / "device", tmp_path / "opencv"
    done, _ = run(clip, outs[0], *SMALL, "--flow-device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "flow by Keras on cpu" in done.stderr
    run(clip, outs[1], *SMALL)
    ours, theirs = map(contents, outs)
    assert ours.keys() == theirs.keys()
    images = [name for name in ours if "/img_" in name]
    assert len(images) == 5
    assert {n: ours[n] for n in images} == {n: theirs[n] for n in images}
    assert np.abs(levels(theirs) - 128).max() > 10
    assert (np.abs(levels(ours) - levels(theirs)) <= 1).mean() >= 0.99


def test_record_says_what_made_the_flow(undisturbed):
    record = json.loads(undisturbed["wave/v0/extract.json"])
    assert record["parameters"]["implementation"] == "keras"
    assert record["versions"]["flow_device"] == "cpu"
    assert {"keras", "tensorflow"} < set(record["versions"])


def test_workers_change_nothing(folder, undisturbed, tmp_path):
    done, _ = run(folder, tmp_path, *TINY, *DEVICE, "--workers", 3)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path) == undisturbed


def levels(files):
    """The flow of a run, one after another, int."""
    names = sorted(name for name in files if "/flow_" in name)
    images = [np.frombuffer(files[name], np.uint8) for name in names]
    return np.array([cv2.imdecode(image, -1) for image in images], int)


def test_batches(folder, undisturbed, tmp_path):
    """Pairs of several videos in one batch, the last ones not full."""
    root = tmp_path / "videos"
    for number in range(5):
        source = folder / "wave" / f"v{number}.avi"
        path = root / "wave" / source.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.read_bytes())
    out = tmp_path / "out"
    done, _ = run(root, out, *TINY, *DEVICE, "--flow-batch", 4, "--workers", 3)
    assert done.returncode == 0, done.stderr
    found = contents(out)
    expected = {name: undisturbed[name] for name in found}
    assert len(found) == 5 + 3 * (4 + 5 + 6 + 7 + 8)
    images = [name for name in found if "/flow_" not in name]
    assert {n: found[n] for n in images} == {n: expected[n] for n in images}
    # Another program: other roundings.
    assert np.abs(levels(expected) - 128).max() > 10
    assert (np.abs(levels(found) - levels(expected)) <= 1).mean() >= 0.99


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_interrupted(folder, undisturbed, tmp_path, number):
    out = tmp_path / "out"
    argv = (folder, out, *TINY, *DEVICE, "--workers", 2)
    process = start(*argv, popen=processes.Popen)
    wait_for(1, out, process)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == console.EXIT_INTERRUPTED, stderr
    assert "Traceback" not in stderr
    assert "the same command resumes from there" in stderr
    assert "interrupted" in json.loads(stdout.splitlines()[-1])
    assert not (out / ".extract").exists()
    found = contents(out)
    assert 0 < len(finished(out)) < 6
    assert found == {name: undisturbed[name] for name in found}
    done, _ = run(*argv)
    assert done.returncode == 0
    assert contents(out) == undisturbed


def test_interrupted_while_it_compiles(folder, tmp_path):
    argv = (folder, tmp_path / "out", *SMALL, *DEVICE)
    process = start(*argv, popen=processes.Popen)
    assert "compiling" in process.stderr.readline()
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == console.EXIT_INTERRUPTED, stderr
    assert "Traceback" not in stderr
    assert "interrupted" in json.loads(stdout.splitlines()[-1])


def test_implementations_are_not_mixed(tmp_path):
    clip = videofiles.make(tmp_path / "a.avi", 3)
    out = tmp_path / "out"
    run(clip, out, *TINY)
    before = contents(out)
    done, result = run(clip, out, *TINY, *DEVICE)
    assert done.returncode == console.EXIT_USAGE
    assert "implementation: there opencv, now keras" in result["error"]
    # A record from before there was a choice.
    path = out / "a" / "extract.json"
    record = json.loads(path.read_text())
    del record["parameters"]["implementation"]
    path.write_text(json.dumps(record))
    assert run(clip, out, *TINY)[0].returncode == 0
    done, result = run(clip, out, *TINY, *DEVICE)
    assert "implementation: there opencv, now keras" in result["error"]
    assert contents(out).keys() == before.keys()


@pytest.mark.slow
@pytest.mark.slow
def test_backward(tmp_path):
    """The flow of the video that runs backwards; a device rounds in any order."""
    frames = [videofiles.picture(k) for k in range(4)]
    for name, order in (("on", frames), ("back", frames[::-1])):
        clip = videofiles.make(tmp_path / f"{name}.avi", order, "ffv1", pixels="bgr0")
        done, _ = run(clip, tmp_path, *SMALL, *DEVICE, "--backward")
        assert done.returncode == 0, done.stderr
    for axis in "xy":
        for number in (1, 2, 3):
            one, other = (
                cv2.imread(str(tmp_path / name), cv2.IMREAD_GRAYSCALE).astype(int)
                for name in (
                    f"on/flow_b{axis}_{number:05d}.jpg",
                    f"back/flow_{axis}_{4 - number:05d}.jpg",
                )
            )
            assert np.abs(one - other).max() <= 1
            assert np.abs(one - 128).max() > 5 or axis == "y"


def test_warped(tmp_path):
    """The whole picture moves: without the camera's motion nothing is left."""
    clip = videofiles.make(tmp_path / "a.avi", 6)
    out = tmp_path / "out"
    done, _ = run(clip, out, *SMALL, *DEVICE, "--flow", "warped")
    assert done.returncode == 0, done.stderr
    plain, warped = (
        cv2.imread(str(out / "a" / f"{n}_x_00004.jpg"), 0).astype(int)
        for n in ("flow", "warped")
    )
    assert np.abs(plain - 128).mean() > 8
    assert np.abs(warped - 128).mean() < 1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--flow-device", "gpu"), "Keras sees no GPU with tensorflow"),
        (("--flow-batch", 4), "--flow-batch is for flow on a device"),
        (("--flow", "none", *DEVICE), "--flow none takes no"),
        (("--flow", "none", "--flow-batch", 2), "--flow none takes no"),
    ],
)
def test_what_cannot_be_done(tmp_path, options, text):
    clip = videofiles.make(tmp_path / "a.avi", 3)
    done, result = run(clip, tmp_path / "out", *TINY, *options)
    assert done.returncode == console.EXIT_USAGE
    assert "Traceback" not in done.stderr
    assert text in result["error"]


def test_videos_that_fail_are_named(folder, tmp_path):
    root = tmp_path / "videos"
    root.mkdir()
    for number in (0, 1):
        source = folder / "wave" / f"v{number}.avi"
        (root / source.name).write_bytes(source.read_bytes())
    (root / "broken.avi").write_bytes(b"RIFF and no more")
    done, result = run(root, tmp_path / "out", *TINY, *DEVICE)
    assert done.returncode == console.EXIT_SOME_FAILED
    assert result["made"] == 2
    assert list(result["failed"]) == ["broken"]
