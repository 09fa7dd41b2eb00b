"""One stream of one split: frames and weights to a score file."""

import dataclasses
import pathlib

import tsn_keras
from tsn_keras.checkpoints import loading
from tsn_keras.data import frames, pipeline
from tsn_keras.engine import console, inference, progress, scores
from tsn_keras.engine.journal import Journal

SNIPPETS = 25


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to score, whatever the stream.

    Attributes:
        batch: snippets in a batch; each is scored in ten crops.
        precision: "float32" or "bfloat16".
        prefixes: frames.Prefixes.
    """

    batch: int
    precision: str
    prefixes: frames.Prefixes


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a stream.

    Attributes:
        path: the score file.
        total: videos of the split.
        scored: videos in the score file.
        missing: number of videos that are not on disk.
        failed: {id: reason} of the videos that could not be read.
    """

    path: pathlib.Path
    total: int
    scored: int
    missing: int
    failed: dict[str, str]


def open_weights(names, jobs):
    """Opens the weight file of each stream, and checks that it fits.

    Args:
        names: {(split, modality): path}, or paths that are told apart by the
            modality that they hold.
        jobs: {(split, modality): (VideoSet, Selection)}.

    Returns:
        {(split, modality): loading.Weights}.

    Raises:
        config.InputError: a file cannot be used, or is not for its stream.
    """
    if isinstance(names, dict):
        opened = {key: loading.find(name) for key, name in names.items()}
    else:
        found = [loading.find(name) for name in names]
        by_modality = {weights.architecture.modality: weights for weights in found}
        opened = {key: by_modality.get(key[1]) for key in jobs}
    for (split, modality), (test, _) in jobs.items():
        weights = opened[split, modality]
        if weights is None or weights.architecture.modality != modality:
            given = {str(w.path): w.architecture.modality for w in found}
            raise console.UsageError(
                f"no weights for {modality}; the files given are for {given}"
            )
        classes = weights.architecture.classes
        needed = len(test.classes or ()) or max(v.label for v in test.videos) + 1
        if (test.classes and classes != needed) or (classes or 0) < needed:
            raise console.UsageError(
                f"{weights.path} has {classes} classes; {test.name} needs {needed}"
            )
    return opened


def score(test, selection, weights, path, settings):
    """Scores the videos that have no scores yet, and writes the score file.

    Args:
        test: datasets.VideoSet.
        selection: datasets.Selection of the modality of the weights.
        weights: checkpoints.loading.Weights.
        path: the score file; scores that it already holds are kept.
        settings: Settings.

    Returns:
        Outcome.

    Raises:
        console.UsageError: the score file is of something else, or no video
            could be read.
        KeyboardInterrupt: with a text that says what was kept.
    """
    about = describe(test, weights, settings)
    done, failed_before = _already_scored(path, about)
    wanted = {
        video.id: (video, folder, count)
        for video, folder, count in zip(
            selection.videos, selection.folders, selection.counts, strict=True
        )
    }
    kept = {name for name in wanted if done.get(name) == wanted[name][2]}
    todo = {name: row for name, row in wanted.items() if name not in kept}
    failed = dict(selection.failed)
    gone = set(done) - set(wanted) - set(failed)
    if gone:
        raise console.UsageError(
            f"{path} holds scores of {len(gone)} videos that are not on disk now, as "
            f"{min(gone)}: to keep them name another file with --scores"
        )
    stream = f"{test.name} {weights.architecture.modality}"
    if kept:
        console.say(f"{stream}: {len(kept)} videos are already in {path}")
        if set(kept) == set(done) and not todo and failed == failed_before:
            missing = len(selection.missing)
            return Outcome(path, len(test.videos), len(kept), missing, failed)
    path.parent.mkdir(parents=True, exist_ok=True)
    journal = Journal(path, about, inference.CROPS, weights.architecture.classes)
    try:
        if todo:
            failed |= _run(stream, list(todo.values()), weights, settings, journal)
        good = [row for name, row in wanted.items() if name not in failed]
        if not good:
            name, reason = next(iter(failed.items()))
            raise console.UsageError(
                f"none of {len(failed)} videos could be read; {name}: {reason}"
            )
        _write(path, good, kept, journal, test, weights, about, failed)
    except BaseException:
        journal.close()
        raise
    journal.delete()
    return Outcome(path, len(test.videos), len(good), len(selection.missing), failed)


def describe(test, weights, settings):
    """What decides the scores: kept with them, and compared on resumption."""
    architecture = weights.architecture
    preset = weights.preset
    return {
        "dataset": test.name,
        "split": test.split,
        "modality": architecture.modality,
        "protocol": architecture.preprocess.protocol,
        "snippets": SNIPPETS,
        "crops": inference.CROPS,
        "precision": settings.precision,
        "weights": preset.name if preset else weights.path.name,
        "weights_sha256": weights.sha256,
    }


def _already_scored(path, about):
    """What a finished score file holds: ({video id: number of files}, failed)."""
    if not path.exists():
        return {}, {}
    try:
        with scores.open(path) as file:
            there = {key: file.about.get(key) for key in about}
            found = dict(zip(file.video_ids, map(int, file.frames), strict=True))
            failed = file.failed
    except (scores.ScoreFileError, OSError) as error:
        raise console.UsageError(
            f"{error}; delete it, or name another file with --scores"
        ) from None
    for key, value in about.items():
        if there[key] != value:
            raise console.UsageError(
                f"{path} holds other scores: its {key} is {there[key]}, now it is "
                f"{value}; delete it, or name another file with --scores"
            )
    return found, failed


def _run(stream, rows, weights, settings, journal):
    """Scores videos into the journal; returns {id: reason} of those that fail."""
    preprocess = weights.architecture.preprocess
    prefixes = settings.prefixes.of(preprocess.modality)
    depth = preprocess.snippet_length
    ticks = {
        video.id: len(pipeline.distinct_ticks(count, depth, SNIPPETS)[0])
        for video, _, count in rows
    }
    there = journal.ticks()
    for video, _, count in rows:
        if len(there.get((video.id, count), ())) != ticks[video.id]:
            journal.forget(video.id)
    left = {
        index: count
        for index, (video, _, count) in enumerate(rows)
        if len(there.get((video.id, count), ())) != ticks[video.id]
    }
    snippets = pipeline.plan(left, depth, SNIPPETS)
    pending = {index: ticks[rows[index][0].id] for index in left}
    distribution = inference.strategy()
    replicas = distribution.num_replicas_in_sync
    batch = -(-settings.batch // replicas) * replicas
    with distribution.scope():
        scorer = inference.scorer(weights.build, preprocess, settings.precision)
    step = inference.stepper(scorer, distribution)
    dataset = pipeline.for_test(
        [folder for _, folder, _ in rows], snippets, preprocess, prefixes, batch
    )
    bar = progress.videos(stream, len(rows), len(rows) - len(left))
    try:
        with bar:
            for videos, indices, values in inference.run(step, dataset, distribution):
                journal.add(
                    (rows[video][0].id, rows[video][2], int(tick), value)
                    for video, tick, value in zip(videos, indices, values, strict=True)
                )
                for video in videos:
                    pending[video] -= 1
                    bar.update(pending[video] == 0)
    except KeyboardInterrupt as stop:
        finished = len(rows) - sum(map(bool, pending.values()))
        raise KeyboardInterrupt(
            f"{stop or 'stopped'}: {finished} of {len(rows)} videos are scored and "
            f"kept in {journal.path}; the same command goes on from there"
        ) from None
    return _explain(rows, pending, snippets, preprocess, prefixes, journal)


def _explain(rows, pending, snippets, preprocess, prefixes, journal):
    """Names and forgets the videos of which a snippet never came."""
    failed = {}
    for index in (index for index, count in pending.items() if count):
        video, folder, _ = rows[index]
        reasons = (
            pipeline.explain(folder, numbers, preprocess, prefixes)
            for numbers in snippets.files[snippets.video == index]
        )
        failed[video.id] = next(
            filter(None, reasons),
            f"{folder}: a file could not be read, but can be now: run again",
        )
        journal.forget(video.id)
        console.say(f"{video.id} failed: {failed[video.id]}")
    return failed


def _write(path, rows, kept, journal, test, weights, about, failed):
    """Puts the scores of earlier runs and of this one into the score file."""
    depth = weights.architecture.preprocess.snippet_length
    numbers = [str(i) for i in range(weights.architecture.classes)]
    classes = test.classes or weights.class_names or numbers

    def arrays(old):
        for video, _, count in rows:
            if video.id in kept:
                array = old.read(video.id)
            else:
                order = pipeline.distinct_ticks(count, depth, SNIPPETS)[1]
                array = journal.read(video.id)[order]
            yield video.id, video.label, count, array

    about = {**about, "tsn_keras": tsn_keras.__version__}
    if kept:
        with scores.open(path) as old:
            scores.write(path, arrays(old), classes=classes, about=about, failed=failed)
    else:
        scores.write(path, arrays(None), classes=classes, about=about, failed=failed)
