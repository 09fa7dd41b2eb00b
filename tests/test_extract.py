"""The command `extract`: what it makes, faults, interruption, clusters."""

import errno
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
import videofiles
from commands import extract
from extractions import command, contents, finished, run, start, wait_for

from tsn_keras.common import console
from tsn_keras.common.errors import InputError
from tsn_keras.datasets import frames
from tsn_keras.extraction import extractor, provenance, video_job
from tsn_keras.extraction import run as extraction_run
from tsn_keras.extraction.settings import Settings
from tsn_keras.extraction.video_job import Crew, Job
from tsn_keras.extraction.workers import Workers
from tsn_keras.video.sources import Source

SMALL = ("--size", "64x48")  # flow of a pair in a fortieth of a second
IMAGES = (*SMALL, "--flow", "none")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return videofiles.make(tmp_path_factory.mktemp("clip") / "a.avi", 6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight videos of different lengths in two classes."""
    root = tmp_path_factory.mktemp("folder")
    for number in range(8):
        path = root / ("wave", "jump")[number % 2] / f"v{number}.avi"
        path.parent.mkdir(exist_ok=True)
        pictures = [videofiles.picture(k + 50 * number) for k in range(6 + number)]
        videofiles.make(path, pictures)
    return root


@pytest.fixture(scope="module")
def undisturbed(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    done, result = run(folder, out, *SMALL, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert result["made"] == 8
    return contents(out)


def test_layout_and_last_line(folder, undisturbed, tmp_path):
    """With two workers: the bytes that one makes, and nothing beside them."""
    out = tmp_path / "new" / "out"
    done, result = run(folder, out, *SMALL, "--workers", 2)
    assert done.returncode == 0
    assert contents(out) == undisturbed
    seconds = result.pop("seconds")
    assert 0 < seconds < 300
    assert result == {
        "videos": 8,
        "already_there": 0,
        "made": 8,
        "frames_decoded": sum(range(6, 14)),
        "files_of_a_kind": sum(range(5, 13)),
        "damaged": {},
        "failed": {},
    }
    # Frames are counted, so that the bar of a long video moves.
    assert "68/68" in done.stderr
    assert "8 of 8 videos" in done.stderr
    assert sorted(p.name for p in out.iterdir()) == ["jump", "wave"]
    for number in range(8):
        place = out / ("wave", "jump")[number % 2] / f"v{number}"
        for prefixes in (("img_",), ("flow_x_", "flow_y_")):
            assert frames.count(place, prefixes) == 5 + number
    done, result = run(folder, out, *SMALL)
    assert (done.returncode, result["already_there"], result["made"]) == (0, 8, 0)
    assert contents(out) == undisturbed


def test_record(clip, tmp_path):
    run(clip, tmp_path, *SMALL, "--bound", 15)
    record = json.loads((tmp_path / "a" / "extract.json").read_text())
    assert record["decoded_frames"] == 6
    assert record["files"] == 5
    assert record["damage"] is None
    assert record["source"] == {"name": "a.avi", "bytes": clip.stat().st_size}
    assert set(record["versions"]) == {"tsn_keras", "opencv", "pyav"}
    parameters = record["parameters"]
    tvl1 = parameters.pop("tvl1")
    assert (tvl1["scale_step"], tvl1["inner_iterations"]) == (0.5, 300)
    assert parameters == {
        "flow": "tvl1",
        "flow_parameters": "original",
        "size": [64, 48],
        "flow_coding": "bound",
        "bound": 15.0,
        "backward": False,
        "jpeg_quality": 95,
        "implementation": "opencv",
    }


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_and_restarted(folder, undisturbed, tmp_path, workers):
    out = tmp_path / "out"
    argv = (folder, out, *SMALL, "--workers", workers)
    process = start(*argv)
    wait_for(2, out, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    there = len(finished(out))
    assert 2 <= there < 8
    done, result = run(*argv)
    assert done.returncode == 0
    assert result["already_there"] == there
    assert result["made"] == 8 - there
    assert contents(out) == undisturbed


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(folder, undisturbed, tmp_path, workers, number):
    out = tmp_path / "out"
    argv = (folder, out, *SMALL, "--workers", workers)
    process = start(*argv)
    wait_for(1, out, process)
    # A terminal tells the whole group, a scheduler the process that it started.
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == console.EXIT_INTERRUPTED
    assert "Traceback" not in stderr
    assert "the same command resumes from there" in stderr
    result = json.loads(stdout.splitlines()[-1])
    assert result["interrupted"].startswith("stopped")
    assert not (out / ".extract").exists()
    found = contents(out)
    assert found == {name: undisturbed[name] for name in found}
    # No worker keeps running in the background.
    time.sleep(1)
    assert contents(out) == found
    done, _ = run(*argv)
    assert done.returncode == 0
    assert contents(out) == undisturbed


@pytest.mark.parametrize(
    ("option", "text"),
    [
        (("--bound", 15), "bound: there 20, now 15"),
        (("--size", "96x64"), "size: there [64, 48], now [96, 64]"),
        (("--flow", "none"), "flow: there tvl1, now none"),
        (("--flow-parameters", "opencv4"), "flow_parameters: there original"),
    ],
)
def test_other_parameters_than_those_there(clip, tmp_path, option, text):
    run(clip, tmp_path, *SMALL)
    before = contents(tmp_path)
    done, _ = run(clip, tmp_path, *SMALL, *option)
    assert done.returncode == console.EXIT_USAGE
    assert text in done.stderr
    assert "Name another folder" in done.stderr
    assert contents(tmp_path) == before


def test_another_video_of_the_same_name(clip, tmp_path):
    run(clip, tmp_path / "out", *IMAGES)
    other = videofiles.make(tmp_path / "a.avi", 9)
    done, _ = run(other, tmp_path / "out", *IMAGES)
    assert done.returncode == console.EXIT_USAGE
    assert f"now a.avi of {other.stat().st_size}" in done.stderr


def test_a_folder_that_something_else_made(clip, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "img_00001.jpg").touch()
    done, _ = run(clip, tmp_path, *IMAGES)
    assert done.returncode == console.EXIT_USAGE
    assert "no extraction made it" in done.stderr
    (tmp_path / "a" / "extract.json").write_text('{"source": 3}')
    done, _ = run(clip, tmp_path, *IMAGES)
    assert done.returncode == console.EXIT_USAGE
    assert "no record of extracted frames" in done.stderr


def test_files_that_were_lost(clip, tmp_path):
    run(clip, tmp_path, *IMAGES)
    (tmp_path / "a" / "img_00005.jpg").unlink()
    done, result = run(clip, tmp_path, *IMAGES)
    assert done.returncode == console.EXIT_SOME_FAILED
    assert "has lost files" in result["failed"]["a"]
    (tmp_path / "a" / "img_00002.jpg").unlink()
    _, result = run(clip, tmp_path, *IMAGES)
    assert "img_00002.jpg is missing" in result["failed"]["a"]


@pytest.fixture
def faulty(clip, tmp_path):
    """A folder with every fault, among good videos with awkward names."""
    root = tmp_path / "faulty"
    root.mkdir()
    for name in ("good.avi", "with space.avi", "hash#[1](2)&+!;@~.avi", "ünï-視頻.avi"):
        os.link(clip, root / name)
    whole = videofiles.make(tmp_path / "whole.avi", 30)
    videofiles.cut(whole, 0.75, root / "truncated.avi")
    (root / "empty.avi").touch()
    (root / "text.avi").write_text("no video\n" * 500)
    (root / "folder.avi").mkdir()
    (root / "loop.avi").symlink_to(root / "loop.avi")
    os.mkfifo(root / "pipe.avi")
    videofiles.make(root / "single.avi", 1)
    (root / "notes.txt").write_text("left out")
    return root


FAULTS = {
    "truncated": "is damaged",
    "empty": "is empty",
    "text": "no video that can be read",
    "folder": "is a folder",
    "loop": "Too many levels of symbolic links",
    "pipe": "no regular file",
    "single": "no two frames",
}
GOOD = {"good", "with space", "hash#[1](2)&+!;@~", "ünï-視頻"}


@pytest.mark.parametrize("workers", [1, 2])
def test_faults_are_named_and_counted(faulty, tmp_path, workers):
    out = tmp_path / "out"
    done, result = run(faulty, out, *IMAGES, "--workers", workers)
    assert done.returncode == console.EXIT_SOME_FAILED
    assert result["failed"].keys() == FAULTS.keys()
    for name, text in FAULTS.items():
        assert text in result["failed"][name]
        assert f"{faulty / name}.avi" in result["failed"][name]
        assert f"{name} failed: " in done.stderr
    assert "Traceback" not in done.stderr
    assert (result["made"], result["videos"]) == (4, 11)
    assert {path.name for path in out.iterdir()} == GOOD
    assert "4 of 11 videos are in" in done.stdout
    # Again: the good are kept, the others tried again.
    done, result = run(faulty, out, *IMAGES)
    assert done.returncode == console.EXIT_SOME_FAILED
    assert (result["already_there"], len(result["failed"])) == (4, 7)


def test_good_frames_of_a_truncated_video_can_be_kept(faulty, tmp_path):
    out = tmp_path / "out"
    run(faulty, out, *IMAGES)
    done, result = run(faulty, out, *IMAGES, "--damaged", "keep")
    assert done.returncode == console.EXIT_SOME_FAILED
    assert result["failed"].keys() == FAULTS.keys() - {"truncated"}
    assert "cut off" in result["damaged"]["truncated"]
    assert "truncated is damaged" in done.stderr
    record = provenance.read(out / "truncated")
    assert record["damage"] == result["damaged"]["truncated"]
    assert frames.count(out / "truncated", ("img_",)) == record["files"] < 29
    # It stays known as damaged, and is not passed where damage must fail.
    _, again = run(faulty, out, *IMAGES, "--damaged", "keep")
    assert again["damaged"] == result["damaged"]
    _, again = run(faulty, out, *IMAGES)
    assert "set --damaged keep" in again["failed"]["truncated"]


def test_no_permission(clip, tmp_path):
    root = tmp_path / "videos"
    root.mkdir()
    for name in ("locked.avi", "open.avi"):
        (root / name).write_bytes(clip.read_bytes())
    (root / "locked.avi").chmod(0)
    options = command(root, tmp_path / "out", *IMAGES)
    if os.geteuid() == 0:
        # Root may read everything, unless that right is given up.
        if shutil.which("setpriv") is None:
            pytest.skip("needs another user than root, or the command setpriv")
        rights = "-dac_override,-dac_read_search"
        options["args"] = [
            *("setpriv", "--bounding-set", rights, "--inh-caps", rights),
            *options["args"],
        ]
    done = subprocess.run(**options, capture_output=True, check=False)
    assert done.returncode == console.EXIT_SOME_FAILED, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert "Permission denied" in result["failed"]["locked"]
    assert result["made"] == 1


@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_wrong_path(tmp_path, kind):
    (tmp_path / "empty").mkdir()
    done, result = run(tmp_path / kind, tmp_path / "out", *IMAGES)
    assert done.returncode == console.EXIT_USAGE
    assert str(tmp_path / kind) in result["error"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_full_disk(folder, small_disk, workers):
    out = small_disk.path / "out"
    done, result = run(folder, out, *IMAGES, "--workers", workers)
    assert done.returncode == console.EXIT_USAGE
    assert "no space left on the disk" in result["error"]
    assert "the same command resumes" in result["error"]
    there = finished(out)
    assert 0 < len(there) < 8
    assert f"{len(there)} of 8 videos are in" in result["error"]
    assert not (out / ".extract").exists()
    for record in there:
        whole = provenance.read(record.parent)
        assert frames.count(record.parent, ("img_",)) == whole["files"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_faults_of_the_disk_are_not_blamed_on_the_video(
    clip, tmp_path, monkeypatch, number
):
    def fail(*_):
        raise OSError(number, os.strerror(number), "x")

    monkeypatch.setattr(extractor.jpeg, "write", fail)
    settings = Settings(flow=None, size=(96, 64))
    request = extraction_run.Request(
        clip, tmp_path / "out", settings, workers=Workers(1)
    )
    with pytest.raises(InputError, match="stopped at .*a.avi.*0 of 1"):
        extraction_run.extract(request)
    assert list((tmp_path / "out").iterdir()) == []


def test_dask_cluster(folder, undisturbed, tmp_path):
    """A scheduler and two worker processes, each with its own working folder."""
    distributed = pytest.importorskip("distributed")
    out = tmp_path / "out"
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        address = ("--backend", "dask", "--scheduler", cluster.scheduler_address)
        done, result = run(folder, out, *SMALL, *address)
        assert done.returncode == 0, done.stderr
        assert result["made"] == 8
        assert contents(out) == undisturbed
        bad = folder.parent / "bad.avi"
        bad.write_text("no video")
        done, result = run(bad, tmp_path / "bad", *IMAGES, *address)
        assert done.returncode == console.EXIT_SOME_FAILED
        assert "no video that can be read" in result["failed"]["bad"]


def test_no_cluster_there(clip, tmp_path):
    argv = (clip, tmp_path / "out", *IMAGES)
    address = "tcp://127.0.0.1:9"
    done, _ = run(*argv, "--backend", "dask", "--scheduler", address)
    assert done.returncode == console.EXIT_USAGE
    assert f"no Dask scheduler answers at {address}" in done.stderr
    for options in (("--backend", "dask"), ("--scheduler", address)):
        done, _ = run(*argv, *options)
        assert done.returncode == console.EXIT_USAGE
        assert "go together" in done.stderr


def test_flow_options_without_flow(clip, tmp_path):
    for options in (("--bound", 5), ("--flow-parameters", "opencv4")):
        done, _ = run(clip, tmp_path / "out", *IMAGES, *options)
        assert done.returncode == console.EXIT_USAGE
        assert "--flow none takes no" in done.stderr


@pytest.mark.parametrize(
    ("option", "text"),
    [(("--bound", "0"), "--bound is 0"), (("--size", "15x256"), "--size is 15x256")],
)
def test_values_out_of_range(clip, tmp_path, option, text):
    with pytest.raises(InputError, match=text):
        extract.main([str(clip), str(tmp_path / "out"), *option])
    assert not (tmp_path / "out").exists()


def test_a_worker_that_dies(folder, undisturbed, tmp_path):
    """As when memory runs out: the kernel kills it."""
    out = tmp_path / "out"
    argv = (folder, out, *SMALL, "--workers", 2)
    process = start(*argv)
    wait_for(2, out, process)
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for child in children.read_text().split():
        words = pathlib.Path(f"/proc/{child}/cmdline").read_text()
        if "popen_loky" in words:
            os.kill(int(child), signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == console.EXIT_USAGE
    assert "a worker died" in stderr
    assert "fewer --workers take less memory" in stderr
    assert "Traceback" not in stderr
    assert json.loads(stdout.splitlines()[-1])["error"]
    assert not (out / ".extract").exists()
    done, _ = run(*argv)
    assert done.returncode == 0
    assert contents(out) == undisturbed


def test_two_runs_may_make_the_same_video(clip, tmp_path):
    """The one that comes second takes what the first has made."""
    settings = Settings(flow=None, size=(96, 64))
    source = Source(clip, "a")
    out, aside = tmp_path / "out", tmp_path / "aside"
    aside.mkdir()
    job = Job(source, out, aside, settings)
    results = [video_job.run(job, Crew(1)) for _ in range(2)]
    assert results[0] == results[1]
    assert results[0].made.files == 5
    assert list(aside.iterdir()) == []
    # But not what something else has made.
    (out / "a" / "extract.json").unlink()
    result = video_job.run(job, Crew(1))
    assert "not empty" in result.error


def test_a_video_that_went_away_is_not_blamed_on_its_frames(clip, tmp_path):
    (tmp_path / "a.avi").write_bytes(clip.read_bytes())
    (tmp_path / "list.txt").write_text("a.avi\n")
    run(tmp_path / "list.txt", tmp_path / "out", *IMAGES)
    (tmp_path / "a.avi").unlink()
    _, result = run(tmp_path / "list.txt", tmp_path / "out", *IMAGES)
    assert "cannot be read any more" in result["failed"]["a"]
    assert "delete" not in result["failed"]["a"]


def test_a_worker_that_sees_another_disk(clip, tmp_path):
    """It must not write where nobody looks, and call that done."""
    source = Source(clip, "a")
    settings = Settings(flow=None, size=(96, 64))
    place = tmp_path / "elsewhere" / "out"
    aside = place / ".extract" / "host-1"
    result = video_job.run(Job(source, place, aside, settings), Crew(1))
    assert result.fatal
    assert f"cannot write to {aside}" in result.error
    assert not place.exists()


def test_leftovers_of_a_run_killed_at_its_end_go(clip, tmp_path):
    """When all videos were in place, so that nothing is left to do."""
    run(clip, tmp_path, *IMAGES)
    whole = contents(tmp_path)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    aside = tmp_path / ".extract" / f"{socket.gethostname()}-{ended.pid}"
    (aside / "0a1b").mkdir(parents=True)
    (aside / "0a1b" / "img_00001.jpg").write_bytes(b"half")
    _, result = run(clip, tmp_path, *IMAGES)
    assert result["already_there"] == 1
    assert not (tmp_path / ".extract").exists()
    assert contents(tmp_path) == whole


def test_leftovers_of_others_stay(clip, tmp_path):
    """Another machine's run on the same disk may be at work."""
    other = tmp_path / ".extract" / "elsewhere-1"
    other.mkdir(parents=True)
    mine = tmp_path / ".extract" / f"{extraction_run.socket.gethostname()}-999999999"
    mine.mkdir()
    done, _ = run(clip, tmp_path, *IMAGES)
    assert done.returncode == 0
    assert other.is_dir()
    assert not mine.exists()


def test_job_survives_no_folder_to_write_to(clip, tmp_path):
    (tmp_path / "file").touch()
    source = Source(clip, "a")
    settings = Settings(flow=None, size=(96, 64))
    place = tmp_path / "file" / "x"
    result = video_job.run(Job(source, tmp_path, place, settings), Crew(1))
    assert result.fatal
    assert str(place) in result.error


@pytest.mark.parametrize("size", ["340", "x", "340x", "3.4x5", "axb"])
def test_malformed_size(size, capsys):
    with pytest.raises(SystemExit):
        extract.parse_args(["a", "b", "--size", size])
    assert "must be like 340x256" in capsys.readouterr().err


def test_videos_with_names_that_act(clip, tmp_path):
    """They fail by name, escaped; the others are made."""
    (tmp_path / "in").mkdir()
    names = ("good", "a\nb", "\x1b[31mred", "a\udcff", "\u202eivad")
    for name in names:
        shutil.copy(clip, tmp_path / "in" / f"{name}.avi")
    done, result = run(tmp_path / "in", tmp_path / "out", *IMAGES)
    assert done.returncode == 1, done.stderr
    assert set(result["failed"]) == {"a\nb", "\x1b[31mred", "a\udcff"}
    assert r"a\nb.avi has the character '\n' in its name: rename it" in done.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "good",
        "\u202eivad",
    ]
    for text in (done.stdout, done.stderr.replace("\r", "")):
        assert all(c.isprintable() or c == "\n" for c in text)
