"""Splits whose videos are shared out to the workers of a Dask cluster."""

import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
import shared_work
import small_network
import small_worker

from tsn_keras import eval
from tsn_keras.common import cluster as clusters
from tsn_keras.common import locks, progress
from tsn_keras.common.errors import InputError
from tsn_keras.datasets.selection import FrameFolder
from tsn_keras.evaluation import cluster
from tsn_keras.models.backbones import BACKBONES

distributed = pytest.importorskip("distributed")
COUNTS = (30, 27, 4, 40, 31, 33)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setitem(BACKBONES, small_network.SMALL.name, small_network.SMALL)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """(folder, arguments, scores of one process) of six videos."""
    root = tmp_path_factory.mktemp("cluster")
    return shared_work.prepared(root, COUNTS, "--snippets", str(shared_work.FEW))


@pytest.fixture
def case(prepared, tmp_path):
    """The same with a score file of its own."""
    root, argv, whole = prepared
    return root, [*argv, "--scores", str(tmp_path / "s.h5")], whole, tmp_path


@pytest.fixture(scope="module")
def threads():
    """Arguments for a cluster of two workers that are threads of this process."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
    ) as found:
        yield ("--backend", "dask", "--scheduler", found.scheduler_address)


def test_scores_are_those_of_one_process(case, threads):
    _, argv, whole, folder = case
    result, status = eval.main([*argv, *threads])
    assert (status, result["results"][0]["videos"]) == (0, 6)
    shared_work.demand_equal(shared_work.read(folder / "s.h5"), whole)
    assert {path.name for path in folder.iterdir()} == {"s.h5"}


@pytest.mark.slow
def test_a_shard_on_a_cluster(case, threads):
    _, argv, whole, folder = case
    assert eval.main([*argv, *threads, "--shard", "2/2"])[1] == 0
    found = shared_work.read(folder / "s_shard2of2.h5")
    shared_work.demand_equal(found, {v: whole[v] for v in ("v01", "v03", "v05")})


def test_what_is_wrong_with_videos_is_said(case, threads, tmp_path, capsys):
    root, argv, whole, folder = case
    data = tmp_path / "data"
    for video in (root / "data").iterdir():
        (data / video.name).mkdir(parents=True)
        for file in video.glob("img_*.jpg"):
            os.link(file, data / video.name / file.name)
    bad = data / "v03/img_00001.jpg"
    bad.unlink()
    bad.write_bytes(b"no picture")
    argv = [*argv, "--data", str(data), *threads]
    result, status = eval.main(argv)
    assert (status, list(result["results"][0]["failed"])) == (1, ["v03"])
    assert "img_00001.jpg" in result["results"][0]["failed"]["v03"]
    assert "v03 failed: " in capsys.readouterr().err
    bad.unlink()
    os.link(root / "data/v03/img_00001.jpg", bad)
    assert eval.main(argv)[1] == 0
    shared_work.demand_equal(shared_work.read(folder / "s.h5"), whole)


def test_interrupted_and_resumed_without_the_cluster(case, threads, monkeypatch):
    """What the cluster has scored is used, and the other way round."""
    _, argv, whole, folder = case
    monkeypatch.setattr(cluster, "_VIDEOS", 1)
    share_out = cluster.cluster.share_out

    def stopped(*args):
        for number, result in enumerate(share_out(*args)):
            if number == 2:
                raise KeyboardInterrupt
            yield result

    with monkeypatch.context() as patched:
        patched.setattr(cluster.cluster, "share_out", stopped)
        with pytest.raises(
            KeyboardInterrupt, match="2 of 6 videos are scored and kept"
        ):
            eval.main([*argv, *threads])
    assert not (folder / "s.h5").exists()
    assert eval.main(argv)[1] == 0
    shared_work.demand_equal(shared_work.read(folder / "s.h5"), whole)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            clusters.WorkerLost("several workers died"),
            "several workers died: 1 of 6 vi",
        ),
        (
            ModuleNotFoundError("No module x"),
            "lacks a package: No module x: 1 of 6 vid",
        ),
    ],
)
def test_a_cluster_that_gives_up(case, threads, monkeypatch, error, words):
    _, argv, _, folder = case
    monkeypatch.setattr(cluster, "_VIDEOS", 1)
    share_out = cluster.cluster.share_out

    def failing(*args):
        yield next(share_out(*args))
        raise error

    monkeypatch.setattr(cluster.cluster, "share_out", failing)
    with pytest.raises(InputError, match=f"{words}.* the same command resumes"):
        eval.main([*argv, *threads])
    assert {path.name for path in folder.iterdir()} == {"s.h5.partial"}


def job_of(path, weights="absent.h5", sha256="0"):
    """A job of one video, as a worker gets it."""
    located = cluster.Located(pathlib.Path(weights))
    task = cluster.Task(located, sha256, None, None, None)
    return cluster.Job(task, (FrameFolder("v", 0, pathlib.Path(path), 30),))


def test_workers_that_do_not_see_the_files(case, tmp_path):
    root, _, _, _ = case
    with pytest.raises(InputError, match=r"does not see .*elsewhere: .* same paths"):
        cluster.run(job_of(tmp_path / "elsewhere"))
    with pytest.raises(InputError, match=r"does not see absent\.h5: .* same paths"):
        cluster.run(job_of(tmp_path))
    other = job_of(tmp_path, root / "rgb.weights.h5")
    with pytest.raises(InputError, match=r"rgb\.weights\.h5 is another file for"):
        cluster.run(other)


def test_no_cluster_there(case):
    _, argv, _, folder = case
    address = "tcp://127.0.0.1:9"
    with pytest.raises(InputError, match=f"no Dask scheduler answers at {address}"):
        eval.main([*argv, "--backend", "dask", "--scheduler", address])
    for options in (("--backend", "dask"), ("--scheduler", address)):
        with pytest.raises(InputError, match="go together"):
            eval.main([*argv, *options])
    with locks.held(folder / "s.h5", "x"):
        pass  # The run has let it go.


@pytest.fixture
def processes():
    """A cluster of two worker processes, which know the small network."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        preload=[small_worker.__file__],
    ) as found:
        yield found


def rows(journal):
    try:
        with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as database:
            return database.execute("SELECT count(*) FROM scores").fetchone()[0]
    except sqlite3.Error:
        return 0


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_command_that_is_stopped(tmp_path, processes, stop):
    """It resumes; jobs that were on their way are done again."""
    argv = shared_work.make(tmp_path, [30 + k for k in range(40)])
    assert eval.main([*argv, "--scores", str(tmp_path / "whole.h5")])[1] == 0
    argv += ["--backend", "dask", "--scheduler", processes.scheduler_address]
    process = subprocess.Popen(
        [sys.executable, small_worker.__file__, *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    journal = tmp_path / "s.h5.partial"
    while process.poll() is None and rows(journal) < 25:
        time.sleep(0.01)
    process.send_signal(stop)
    out, err = process.communicate(timeout=120)
    assert not (tmp_path / "s.h5").exists()
    before = rows(journal)
    assert 25 <= before < 25 * 40
    if stop == signal.SIGINT:
        assert process.returncode == 130
        assert f"{before // 25} of 40 videos" in json.loads(out)["interrupted"]
        assert "Traceback" not in err
    assert eval.main(argv)[1] == 0
    found, whole = (shared_work.read(tmp_path / f"{n}.h5") for n in ("s", "whole"))
    shared_work.demand_equal(found, whole)


@pytest.mark.slow
def test_a_job_of_which_workers_die(processes):
    """Tried on several, then given up."""
    jobs = small_worker.end_the_process, [1], progress.SILENT
    with (
        pytest.raises(clusters.WorkerLost, match="several workers died of one job"),
        clusters.connected(processes.scheduler_address) as client,
    ):
        list(clusters.share_out(client, *jobs))


@pytest.mark.slow
def test_a_worker_that_is_killed(tmp_path, processes, monkeypatch):
    """Its videos are scored by others, with the same bits."""
    counts = [30 + k for k in range(40)]
    argv = shared_work.make(tmp_path, counts)
    assert eval.main([*argv, "--scores", str(tmp_path / "whole.h5")])[1] == 0
    monkeypatch.setattr(cluster, "_VIDEOS", 1)
    scored, killed = [], []
    share_out = cluster.cluster.share_out

    def watched(*args):
        for result in share_out(*args):
            scored.append(result)
            if len(scored) == 5:
                victim = processes.workers[0].pid
                os.kill(victim, signal.SIGKILL)
                killed.append(victim)
            yield result

    monkeypatch.setattr(cluster.cluster, "share_out", watched)
    address = ("--backend", "dask", "--scheduler", processes.scheduler_address)
    result, status = eval.main([*argv, *address])
    assert (status, result["results"][0]["videos"]) == (0, 40)
    assert len(killed) == 1
    found, whole = (shared_work.read(tmp_path / f"{n}.h5") for n in ("s", "whole"))
    shared_work.demand_equal(found, whole)
