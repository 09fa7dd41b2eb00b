"""Videos that are shared out to the workers of a Dask cluster, a few at a time.

A worker returns the scores of its videos, which this process puts into the one
journal. So nothing is to be merged, nobody else writes files, and a run that stopped
is resumed with a cluster or without.
"""

import dataclasses
import pathlib
import threading

from tsn_keras.checkpoints.folders import Located
from tsn_keras.common import cluster, console, progress, storage
from tsn_keras.common.errors import InputError
from tsn_keras.datasets.selection import FrameFolder
from tsn_keras.evaluation.settings import Settings
from tsn_keras.protocols.records import Stream

# Enough that a worker seldom waits for the next, few enough to lose with a worker.
_VIDEOS = 4


@dataclasses.dataclass(frozen=True)
class Task:
    """What is the same for all videos of a stream.

    Attributes:
        located: the weight file, as the workers see it.
        sha256: its digest.
        stream: Stream, under the protocol of the test.
        order: see engine.Scored.
        settings: Settings.
    """

    located: Located
    sha256: str
    stream: Stream
    order: tuple[int, ...] | None
    settings: Settings


@dataclasses.dataclass(frozen=True)
class Job:
    """Some videos for a worker.

    Attributes:
        task: Task.
        folders: FrameFolder of each.
    """

    task: Task
    folders: tuple[FrameFolder, ...]


@dataclasses.dataclass
class Result:
    """What a worker found; it keeps scores as a journal does.

    Attributes:
        rows: {video id: [(video id, number of files, tick, float32 [crops, C])]}.
        failed: {video id: reason}.
    """

    rows: dict[str, list] = dataclasses.field(default_factory=dict)
    failed: dict[str, str] = dataclasses.field(default_factory=dict)

    def add(self, rows):
        """Keeps scores; see scores.journal.Journal."""
        for row in rows:
            self.rows.setdefault(row[0], []).append(row)

    def forget(self, video):
        """Drops those of a video."""
        self.rows.pop(video, None)


def score(scored, settings, folders, journal, told):
    """Scores videos on the cluster of the settings.

    Args:
        scored: engine.Scored.
        settings: Settings.
        folders: list of FrameFolder.
        journal: scores.journal.Journal.
        told: (progress.Silent, progress.Bar that counts the videos).

    Returns:
        {id: reason} of the videos that fail.

    Raises:
        InputError: the cluster does not answer, or a worker does not see what it
            needs.
        cluster.LOST: workers died, or lack a package.
    """
    listener, bar = told
    weights, failed = scored.weights, {}
    task = Task(
        Located(_absolute(weights.path), weights.preset),
        weights.sha256,
        scored.stream,
        scored.order,
        settings,
    )
    with cluster.connected(settings.scheduler) as client:
        threads = sum(client.nthreads().values())
        jobs = _jobs(task, folders, min(_VIDEOS, -(-len(folders) // threads)))
        for result in cluster.share_out(client, run, jobs, listener):
            journal.add(row for rows in result.rows.values() for row in rows)
            failed |= result.failed
            bar.update(len(result.rows) + len(result.failed))
    return failed


def _jobs(task, folders, count):
    for first in range(0, len(folders), count):
        yield Job(
            task,
            tuple(
                dataclasses.replace(folder, path=_absolute(folder.path))
                for folder in folders[first : first + count]
            ),
        )


def _absolute(path):
    """A path as workers need it, whose working folders are others."""
    return path.absolute() if isinstance(path, pathlib.Path) else path


# TensorFlow takes all cores for one job: the other threads of a worker wait.
_ONE_AT_A_TIME = threading.Lock()


def run(job: Job) -> Result:
    """Scores videos; called on a worker.

    Raises:
        InputError: the worker does not see what it needs, or its device fails.
    """
    with _ONE_AT_A_TIME:
        for folder in job.folders:
            if not storage.is_remote(folder.path):
                cluster.demand(folder.path.exists(), folder.path)
        places = (job.task.located.path, *(folder.path for folder in job.folders))
        with console.quiet_frameworks():
            storage.prepare(map(str, places))
            from tsn_keras.evaluation import engine
        found = Result()
        found.failed = engine.score(
            _engine(job.task), job.folders, found, progress.Bar()
        )
        return found


class _Last:
    """The engine of the last job: the next is mostly of the same task."""

    def __init__(self, make):
        self._make, self._task, self._made = make, None, None

    def __call__(self, task):
        if task != self._task:
            self._task = self._made = None  # Its memory is free before the next.
            self._made = self._make(task)
            self._task = task
        return self._made


@_Last
def _engine(task):
    """Loads the weights and compiles, which takes seconds."""
    from tsn_keras.checkpoints import loading
    from tsn_keras.evaluation import engine

    path = task.located.path
    cluster.demand(path.exists(), path)
    weights = loading.read(task.located)
    if weights.sha256 != task.sha256:
        raise InputError(
            f"{path} is another file for a worker of the cluster: copy the weights to "
            f"the same path on all machines"
        )
    weights = dataclasses.replace(weights, protocol=task.stream.protocol)
    return engine.Engine(engine.Scored(weights, task.stream, task.order), task.settings)
