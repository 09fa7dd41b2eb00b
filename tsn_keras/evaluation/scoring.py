"""One stream of one split: frames and weights to a score file."""

import contextlib
import dataclasses
import pathlib

import tsn_keras
from tsn_keras.checkpoints.loading import Weights
from tsn_keras.common import cluster as clusters
from tsn_keras.common import files, locks, progress
from tsn_keras.common.errors import InputError
from tsn_keras.datasets.selection import Selection, VideoSet
from tsn_keras.evaluation import attending, cluster, engine, ways
from tsn_keras.evaluation.kept import Kept, differences
from tsn_keras.evaluation.shards import Shard
from tsn_keras.protocols.records import Protocol, Stream, View
from tsn_keras.scores import joining, score_file
from tsn_keras.scores import journal as journals
from tsn_keras.scores.journal import Journal
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
        shard: the share of the split that `videos` are, or None for all.
        own: the weights' own Protocol where the user wants another, else None.
    """

    __test__ = False  # Not a class of tests.

    videos: VideoSet
    selection: Selection
    weights: Weights
    stream: Stream
    path: pathlib.Path
    order: tuple[int, ...] | None = None
    shard: Shard | None = None
    own: Protocol | None = None

    @property
    def view(self) -> View:
        """How each video is looked at."""
        return self.stream.test

    @property
    def fusion_weight(self) -> float:
        """What its scores are multiplied by in a fusion."""
        own = self._published_weight
        return self.stream.fusion_weight if own is None else own

    @property
    def _published_weight(self):
        """The weight that was published for the data set or the protocol, or None."""
        weights, name = self.videos.fusion_weights, self.stream.modality.name
        return weights.get(name, self.stream.published_weight)

    @property
    def told_of_set(self) -> dict[str, object]:
        """What data set and protocol say of the figures: a dict of JSON values."""
        found = {
            "measure": self.videos.measure,
            "published_weight": self._published_weight,
        }
        fused = self.stream.protocol.fused
        found["fused"] = None if fused == joining.AVERAGES[0] else fused
        return {key: value for key, value in found.items() if value is not None}

    @property
    def title(self) -> str:
        """What it is, for people."""
        shard = f" {self.shard}" if self.shard else ""
        return f"{self.videos.name} {self.stream.modality.name}{shard}"

    @property
    def told(self) -> dict[str, object]:
        """What the scores are of, beyond the data set: a dict of JSON values."""
        stride = self.view.stride
        found = {
            "protocol": self.stream.protocol.name,
            "snippets": None if stride else self.view.snippets,
            "crops": self.view.crops.count,
        }
        over_time = self.stream.protocol.over_time
        if stride:
            found |= {"every": str(stride), "over_time": over_time}
        elif self.own is not None and over_time != self.own.over_time:
            found["over_time"] = over_time
        return found | ({"shard": str(self.shard)} if self.shard else {})

    @property
    def note(self) -> str:
        """What is unusual about the scores, for people; else nothing."""
        parts = []
        if self.own is not None:
            over_time = self.stream.protocol.over_time
            way = f", {over_time} over time" if over_time != self.own.over_time else ""
            parts.append(
                f"{self.view} under the protocol {self.stream.protocol.name}{way}, not "
                f"{self.own.test} under {self.own.name}"
            )
        if self.shard is not None:
            parts.append(f"shard {self.shard} of the videos only")
        if self.selection.without:
            parts.append(
                f"{len(self.selection.without)} videos have none, and are fused "
                f"without it"
            )
        name = self.stream.modality.name
        return f"{name}: {'; '.join(parts)}" if parts else ""


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

    @property
    def without(self) -> int:
        """Number of videos that have nothing of the modality: no sound."""
        return len(self.test.selection.without)


def score(test, settings, listener) -> Outcome:
    """Scores the videos that have no scores yet, and writes the score file.

    Args:
        test: Test.
        settings: settings.Settings.
        listener: progress.Silent.

    Returns:
        Outcome.

    Raises:
        InputError: the score file is of something else, or in use by another run,
            or no video could be read.
        KeyboardInterrupt: with a text that says what was kept.
    """
    about = describe(test, settings)
    _check_rates(test)
    before, todo = _divided(test, about, listener)
    if todo is None:
        _tidy(test, about, before.files.keys())
        return _found(test)
    test.path.parent.mkdir(parents=True, exist_ok=True)
    with locks.held(test.path, "name another file with `scores`"):
        # Read again: another run may have ended since.
        before, todo = _divided(test, about, progress.SILENT)
        if todo is None:
            return _found(test)
        return _score(test, settings, (before, todo), listener)


def _check_rates(test):
    """Refuses videos of which it is not known how long they are, if that matters."""
    stride = test.view.stride
    if stride is None or not stride.needs_rate:
        return
    unknown = [f.id for f in test.selection.folders if not f.rate]
    if unknown:
        raise InputError(
            f"how many files a second {len(unknown)} of "
            f"{len(test.selection.folders)} videos have is not known, as {unknown[0]}: "
            f'take a snippet every so many files instead, as `every="30"`'
        )


def _found(test):
    """The Outcome where the score file has all that there is."""
    return Outcome(test, len(test.selection.folders), dict(test.selection.failed))


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
    shape = (test.view.crops.count, attending.outputs(test.weights))
    return Journal(test.path, about, shape, differences)


def _divided(test, about, listener):
    """What earlier runs have scored already.

    Returns:
        (Kept, list of the folders that it lacks; or None where nothing is to be
        written)
    """
    before = Kept.read(test.path, about)
    wanted = test.selection.folders
    todo = [folder for folder in wanted if before.files.get(folder.id) != folder.files]
    failed = test.selection.failed
    before.check_that_none_is_gone({*failed, *(folder.id for folder in wanted)})
    count = len(wanted) - len(todo)
    if count:
        listener.say(f"{test.title}: {count} videos are already in {before}")
        is_all = count == len(before.files) and not todo and failed == before.failed
        if before.is_whole and is_all:
            return before, None
    return before, todo


def _score(test, settings, divided, listener):
    """Scores the folders that are left, and writes the file; see `score`."""
    before, todo = divided
    about = describe(test, settings)
    wanted, failed = test.selection.folders, dict(test.selection.failed)
    journal = _journal(test, about)
    try:
        if todo:
            failed |= _score_into(journal, test, settings, todo, listener)
        good = [folder for folder in wanted if folder.id not in failed]
        if not good:
            name, reason = next(iter(failed.items()))
            raise InputError(
                f"none of {len(failed)} videos could be read; {name}: {reason}"
            )
        left = {folder.id for folder in todo}
        _write(test, about, failed, _scored(test, good, left, (before, journal)))
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


def _score_into(journal, test, settings, todo, listener):
    """Scores videos here or on a cluster; returns {id: reason} of those that fail."""
    left = _not_in(journal, test, todo)
    for folder in left:
        journal.forget(folder.id)
    scored = engine.Scored(test.weights, test.stream, test.order)
    failed = {}
    try:
        with listener.bar(test.title, len(todo), len(todo) - len(left)) as bar:
            if left and settings.scheduler:
                told = listener, bar
                failed = cluster.score(scored, settings, left, journal, told)
            elif left:
                made = engine.Engine(scored, settings)
                failed = engine.score(made, left, journal, bar)
    except (KeyboardInterrupt, *clusters.LOST) as stop:
        finished = len(todo) - len(_not_in(journal, test, todo))
        kept = (
            f"{finished} of {len(todo)} videos are scored and kept in {journal.path}; "
            f"the same command resumes from there"
        )
        if isinstance(stop, KeyboardInterrupt):
            raise KeyboardInterrupt(f"{str(stop) or 'stopped'}: {kept}") from None
        if not settings.scheduler:
            raise
        raise InputError(f"{clusters.words_for(stop)}: {kept}") from None
    for video, reason in failed.items():
        listener.say(f"{video} failed: {reason}")
    return failed


def _not_in(journal, test, folders):
    """Folders whose snippets are not all in the journal."""
    there, length = journal.ticks(), test.stream.modality.length
    return [
        folder
        for folder in folders
        if there.get((folder.id, folder.files))
        != set(range(len(test.view.distinct(folder.files, length, folder.rate)[0])))
    ]


def describe(test, settings):
    """What decides the scores: kept with them, and compared on resumption."""
    return {
        "dataset": test.videos.name,
        "split": test.videos.split,
        "modality": test.stream.modality.name,
        **test.told,
        "average": test.stream.protocol.average,
        "over_time": test.stream.protocol.over_time,
        "every": str(test.view.stride) if test.view.stride else None,
        "a_second": test.view.stride.a_second if test.view.stride else 1,
        "precision": settings.precision,
        "runtime": settings.runtime,
        **ways.told(test.weights),
        "weights": test.weights.name,
        "weights_sha256": test.weights.sha256,
    }


def _scored(test, good, left, sources):
    """Yields the VideoScores of earlier runs and of this one.

    Args:
        test: Test.
        good: FrameFolders that have scores.
        left: ids of those whose scores are in the journal.
        sources: (Kept, Journal).
    """
    length = test.stream.modality.length
    before, journal = sources
    with before.opened() as read:
        for folder in good:
            if folder.id in left:
                ticks, order = test.view.distinct(folder.files, length, folder.rate)
                array = journal.read(folder.id, len(ticks))[order]
                array, attention = attending.parted(array, test.weights)
            else:
                array, attention = read(folder.id)
            about = folder.id, folder.label, folder.files
            yield VideoScores(*about, array, folder.labels, attention)


def _write(test, about, failed, scored):
    """Puts the scores into the score file."""
    numbers = [str(k) for k in range(test.weights.architecture.classes)]
    score_file.write(
        test.path,
        scored,
        classes=test.videos.classes or test.weights.class_names or numbers,
        about={**about, **test.told_of_set, "tsn_keras": tsn_keras.__version__},
        failed=failed,
        without=test.selection.without,
    )
