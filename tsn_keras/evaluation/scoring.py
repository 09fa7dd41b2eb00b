"""One stream of one split: frames and weights to a score file."""

import contextlib
import dataclasses
import pathlib

import numpy as np

import tsn_keras
from tsn_keras.checkpoints.loading import Weights
from tsn_keras.common import files, locks, progress
from tsn_keras.common.errors import InputError
from tsn_keras.datasets.selection import FrameFolder, Selection, VideoSet
from tsn_keras.evaluation import inference
from tsn_keras.pipeline import distribution, reading, snippets
from tsn_keras.protocols.records import Stream, View
from tsn_keras.scores import journal as journals
from tsn_keras.scores import score_file
from tsn_keras.scores.journal import Journal, differing
from tsn_keras.scores.score_file import VideoScores


@dataclasses.dataclass(frozen=True)
class Test:
    """One stream of one split, to be scored.

    Attributes:
        videos: VideoSet.
        selection: Selection of the stream's modality.
        weights: checkpoints.loading.Weights.
        stream: Stream, whose files may have names of their own.
        path: the score file; scores that it already holds are kept.
        order: which output of the weights is which class of the videos, where they
            are in another order; else None.
    """

    __test__ = False  # Not a class of tests.

    videos: VideoSet
    selection: Selection
    weights: Weights
    stream: Stream
    path: pathlib.Path
    order: tuple[int, ...] | None = None

    @property
    def view(self) -> View:
        """How each video is looked at."""
        return self.stream.protocol.test

    @property
    def title(self) -> str:
        """What it is, for people."""
        return f"{self.videos.name} {self.stream.modality.name}"


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to score, whatever the stream.

    Attributes:
        batch: snippets in a batch.
        precision: "float32" or "bfloat16".
    """

    batch: int = 5
    precision: str = "float32"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a stream.

    Attributes:
        test: Test.
        scored: videos in the score file.
        failed: {id: reason} of the videos that could not be read.
    """

    test: Test
    scored: int
    failed: dict[str, str]

    @property
    def total(self) -> int:
        """Videos of the split."""
        return len(self.test.videos.videos)

    @property
    def missing(self) -> int:
        """Number of videos that are not on disk."""
        return len(self.test.selection.missing)


def score(test, settings, listener) -> Outcome:
    """Scores the videos that have no scores yet, and writes the score file.

    Args:
        test: Test.
        settings: Settings.
        listener: progress.Silent.

    Returns:
        Outcome.

    Raises:
        InputError: the score file is of something else, or in use by another run,
            or no video could be read.
        KeyboardInterrupt: with a text that says what was kept.
    """
    about = describe(test, settings)
    kept, todo = _divided(test, about, listener)
    if todo is None:
        _tidy(test, about, kept)
        return Outcome(test, len(kept), dict(test.selection.failed))
    test.path.parent.mkdir(parents=True, exist_ok=True)
    with locks.held(test.path, "name another file with `scores`"):
        # Read again: another run may have ended since.
        kept, todo = _divided(test, about, progress.SILENT)
        if todo is None:
            return Outcome(test, len(kept), dict(test.selection.failed))
        return _score(test, settings, (kept, todo), listener)


def _tidy(test, about, kept):
    """Removes what a run left that was killed when its score file was written."""
    if not locks.is_left(test.path):
        return
    # A run that is ending removes its files itself. Where nothing can be written,
    # nothing can be removed: the scores are there all the same.
    with contextlib.suppress(InputError, OSError), locks.held(test.path, "wait"):
        if journals.place(test.path).exists():
            journal = _journal(test, about)
            # Unless it has scores of videos that were not asked for this time.
            if {video for video, _ in journal.ticks()} <= kept:
                journal.delete()
            else:
                journal.close()


def _journal(test, about):
    shape = (test.view.crops.count, test.weights.architecture.classes)
    return Journal(test.path, about, shape, _differing)


def _divided(test, about, listener):
    """What a score file has already.

    Returns:
        (ids of the videos that it has, list of the folders that it lacks; or None
        where nothing is to be written)
    """
    before = _Before.read(test.path, about)
    wanted = test.selection.folders
    kept = {f.id for f in wanted if before.files.get(f.id) == f.files}
    todo = [folder for folder in wanted if folder.id not in kept]
    failed = test.selection.failed
    before.check_that_none_is_gone(test.path, {*failed, *(f.id for f in wanted)})
    if kept:
        listener.say(f"{test.title}: {len(kept)} videos are already in {test.path}")
        if len(kept) == len(before.files) and not todo and failed == before.failed:
            return kept, None
    return kept, todo


def _score(test, settings, divided, listener):
    """Scores the folders that are left, and writes the file; see `score`."""
    kept, todo = divided
    about = describe(test, settings)
    wanted, failed = test.selection.folders, dict(test.selection.failed)
    journal = _journal(test, about)
    try:
        if todo:
            failed |= _Run(test, settings, todo, journal).go(listener)
        good = [folder for folder in wanted if folder.id not in failed]
        if not good:
            name, reason = next(iter(failed.items()))
            raise InputError(
                f"none of {len(failed)} videos could be read; {name}: {reason}"
            )
        _write(test, about, failed, _scored(test, good, kept, journal))
    except files.DiskFullError as error:
        journal.close()
        raise files.DiskFullError(
            f"{error}; what is scored is kept in {journal.path}, and the same command "
            f"resumes from there"
        ) from None
    except BaseException:
        journal.close()
        raise
    journal.delete()
    return Outcome(test, len(good), failed)


def describe(test, settings):
    """What decides the scores: kept with them, and compared on resumption."""
    return {
        "dataset": test.videos.name,
        "split": test.videos.split,
        "modality": test.stream.modality.name,
        "protocol": test.stream.protocol.name,
        "snippets": test.view.snippets,
        "crops": test.view.crops.count,
        "average": test.stream.protocol.average,
        "precision": settings.precision,
        "weights": test.weights.name,
        "weights_sha256": test.weights.sha256,
    }


def _differing(there, now):
    """Keys in which scores are of something else.

    The digest tells the weights, whatever they are called; score files of
    version 0.1 do not say what is averaged, which their protocol does.
    """
    there = {"average": now["average"], **there}
    return [key for key in differing(there, now) if key in now and key != "weights"]


@dataclasses.dataclass(frozen=True)
class _Before:
    """What an earlier run has left in the score file.

    Attributes:
        files: {video id: number of files} of the videos that were scored.
        failed: {video id: reason}.
    """

    files: dict[str, int] = dataclasses.field(default_factory=dict)
    failed: dict[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def read(cls, path, about):
        if not path.exists():
            return cls()
        try:
            with score_file.ScoreFile(path) as file:
                keys = _differing(file.about, about)
                files = dict(zip(file.video_ids, map(int, file.frames), strict=True))
                failed, there = file.failed, file.about
        except (score_file.ScoreFileError, OSError) as error:
            raise InputError(
                f"{error}; delete it, or name another file with `scores`"
            ) from None
        for key in keys:
            raise InputError(
                f"{path} holds other scores: its {key} is {there.get(key)}, now it is "
                f"{about[key]}; delete it, or name another file with `scores`"
            )
        return cls(files, failed)

    def check_that_none_is_gone(self, path, known):
        gone = set(self.files) - known
        if gone:
            raise InputError(
                f"{path} holds scores of {len(gone)} videos that are not on disk now, "
                f"as {min(gone)}: to keep them name another file with `scores`"
            )


class _Run:
    """Scores videos into the journal.

    Args:
        test: Test.
        settings: Settings.
        folders: FrameFolder of each video without scores.
        journal: Journal.
    """

    def __init__(self, test, settings, folders, journal):
        self._test, self._settings, self._journal = test, settings, journal
        self._total = len(folders)
        self._left = self._without(journal.ticks(), folders)
        self._snippets = snippets.plan(self._left, test.stream, test.view)
        # For each video the snippets that are not scored yet.
        counts = np.bincount(self._snippets.video, minlength=len(self._left))
        self._pending = counts.tolist()
        self._sizes = {}  # {index of the video: size of its files}

    def _without(self, there, folders):
        """Folders whose snippets are not all in the journal; forgets their rest."""
        length, left = self._test.stream.modality.length, []
        for folder in folders:
            needed = len(self._test.view.distinct(folder.files, length)[0])
            if there.get((folder.id, folder.files)) != set(range(needed)):
                self._journal.forget(folder.id)
                left.append(folder)
        return left

    def go(self, listener):
        """Returns {id: reason} of the videos that fail."""
        done = self._total - len(self._left)
        try:
            with listener.bar(self._test.title, self._total, done) as bar:
                for batch in self._batches():
                    self._keep(*self._of_equal_size(*batch), bar)
        except KeyboardInterrupt as stop:
            finished = self._total - sum(map(bool, self._pending))
            raise KeyboardInterrupt(
                f"{stop or 'stopped'}: {finished} of {self._total} videos are scored "
                f"and kept in {self._journal.path}; the same command resumes from there"
            ) from None
        return self._explained(listener)

    def _batches(self):
        """Yields (index of the video, tick, size, scores) of each batch."""
        if not self._left:
            return  # A run before this one ended at the score file.
        test, settings = self._test, self._settings
        devices = distribution.of_this_machine()
        replicas = devices.num_replicas_in_sync
        batch = -(-settings.batch // replicas) * replicas
        with devices.scope():
            scorer = inference.scorer(test.weights, test.view, settings.precision)
        step = inference.stepper(scorer, devices)
        dataset = snippets.for_test(self._left, self._snippets, test.stream, batch)
        for *batch_of, values in inference.run(step, dataset, devices):
            yield *batch_of, values if test.order is None else values[..., test.order]

    def _of_equal_size(self, videos, indices, sizes, values):
        """Drops snippets of another size than the first of their video.

        Their video lacks them then, and fails.
        """
        fits = [
            self._sizes.setdefault(video, size) == size
            for video, size in zip(videos.tolist(), sizes.tolist(), strict=True)
        ]
        return videos[fits], indices[fits], values[fits]

    def _keep(self, videos, indices, values, bar):
        folders = [self._left[video] for video in videos]
        self._journal.add(
            (folder.id, folder.files, int(tick), value)
            for folder, tick, value in zip(folders, indices, values, strict=True)
        )
        for video in videos:
            self._pending[video] -= 1
            bar.update(self._pending[video] == 0)

    def _explained(self, listener):
        """Names and forgets the videos of which a snippet never came."""
        failed = {}
        for index in (k for k, count in enumerate(self._pending) if count):
            folder: FrameFolder = self._left[index]
            snippets = self._snippets.of(index)
            failed[folder.id] = (
                reading.explain_video(folder, snippets, self._test.stream)
                or f"{folder.path}: a file could not be read, but can be now: run again"
            )
            self._journal.forget(folder.id)
            listener.say(f"{folder.id} failed: {failed[folder.id]}")
        return failed


def _scored(test, good, kept, journal):
    """Yields the VideoScores of earlier runs and of this one."""
    length = test.stream.modality.length
    old = score_file.ScoreFile(test.path) if kept else None
    try:
        for folder in good:
            if folder.id in kept:
                array = old.read(folder.id)
            else:
                ticks, order = test.view.distinct(folder.files, length)
                array = journal.read(folder.id, len(ticks))[order]
            about = folder.id, folder.label, folder.files
            yield VideoScores(*about, array, folder.labels)
    finally:
        if old is not None:
            old.close()


def _write(test, about, failed, scored):
    """Puts the scores into the score file."""
    numbers = [str(k) for k in range(test.weights.architecture.classes)]
    score_file.write(
        test.path,
        scored,
        classes=test.videos.classes or test.weights.class_names or numbers,
        about={**about, "tsn_keras": tsn_keras.__version__},
        failed=failed,
    )
