"""Score files joined by video, and their scores averaged and added up."""

import dataclasses

import numpy as np

from tsn_keras.common.errors import InputError
from tsn_keras.scores import metrics, windows
from tsn_keras.scores.npz import NpzScores
from tsn_keras.scores.score_file import NotFiniteError, ScoreFile, ScoreFileError

# What may be averaged over crops and snippets, the original's first.
AVERAGES = ("scores", "probabilities")


@dataclasses.dataclass(frozen=True)
class Way:
    """How the scores of a video's snippets and crops become one a class.

    Attributes:
        crops: "mean" or "max" over the crops, unless `over_time` says it.
        average: what is averaged: "scores", or "probabilities", after the softmax;
            see protocols.records.Protocol.
        over_time: windows.OverTime, over the snippets.
        a_second: snippets a second, for windows.
    """

    crops: str = "mean"
    average: str = AVERAGES[0]
    over_time: windows.OverTime = windows.MEAN
    a_second: int = 1

    @classmethod
    def of(cls, file, crops="mean", over_time=None):
        """What a score file says; files that do not say it are of the original's.

        Args:
            file: ScoreFile or NpzScores.
            crops: see above.
            over_time: name of an OverTime, instead of the file's.

        Raises:
            ScoreFileError: the file says something unknown.
        """
        average = file.about.get("average", AVERAGES[0])
        if average not in AVERAGES:
            raise ScoreFileError(
                f"{file.path} says its average is of {average!r}; known are "
                f"{' and '.join(AVERAGES)}"
            )
        if over_time is None:
            over_time = file.about.get("over_time", windows.MEAN.name)
            found = windows.OVER_TIME.find(over_time, str(file.path))
        else:
            found = windows.OVER_TIME.find(over_time, "`over_time`")
        a_second = file.about.get("a_second", 1)
        if type(a_second) is not int or not 1 <= a_second <= 1000:
            raise ScoreFileError(f"{file.path} says its a_second is {a_second!r}")
        return cls(crops, average, found, a_second)

    def __call__(self, scores):
        """`aggregate` of a video's scores, [snippets, crops, C], to [C]."""
        values = of_snippets(scores, self.over_time.crops or self.crops, self.average)
        return self.over_time.of(values, self.a_second)


def aggregate(scores, crops="mean", average="scores"):
    """Scores of a video's crops to one score a class (eval_scores.py:33).

    Args:
        scores: raw, [snippets, crops, C].
        crops: "mean" or "max" over the crops; then the mean over the snippets.
        average: what is averaged: "scores", or "probabilities", after the softmax;
            see protocols.records.Protocol.

    Returns:
        float32 [C].
    """
    return Way(crops, average)(scores)


def of_snippets(scores, crops="mean", average="scores"):
    """Like `aggregate`, but of each snippet: float32 [snippets, C]."""
    if crops not in ("mean", "max"):
        raise ValueError(f'`crops` must be "mean" or "max". Received: {crops!r}')
    if average not in AVERAGES:
        raise ValueError(f"`average` must be one of {AVERAGES}. Received: {average!r}")
    values = scores if average == AVERAGES[0] else metrics.softmax(scores)
    return getattr(values, crops)(axis=1)


def probabilities(aggregated, average="scores"):
    """What `aggregate` or `of_snippets` gave, as probabilities of the classes."""
    return metrics.softmax(aggregated) if average == AVERAGES[0] else aggregated


@dataclasses.dataclass(frozen=True)
class Aggregated:
    """A score file, with one score a class for each of its videos.

    Attributes:
        file: ScoreFile or NpzScores.
        scores: float32 [V, C].
    """

    file: ScoreFile | NpzScores
    scores: np.ndarray

    @property
    def accuracy(self) -> metrics.Accuracy | metrics.Precision:
        """That of all its videos."""
        return metrics.measured(self.scores, self.file.labels, self.file.label_sets)


def aggregate_file(file, crops="mean", over_time=None) -> Aggregated:
    """Every video of a score file, with one score a class; see `Way`.

    Raises:
        NotFiniteError: scores or their means are not finite; names the videos.
        ScoreFileError: the file averages something unknown.
    """
    way = Way.of(file, crops, over_time)
    scores, bad = [], []
    for video in file.video_ids:
        try:
            # Numbers near float32's largest become infinite when they are summed.
            with np.errstate(over="ignore", invalid="ignore"):
                scores.append(way(file.read(video)))
            if not np.isfinite(scores[-1]).all():
                bad.append(video)
        except NotFiniteError:
            bad.append(video)
    if bad:
        raise NotFiniteError(file.path, bad)
    return Aggregated(file, np.stack(scores))


def fuse(parts, weights):
    """Weighted sum of raw scores, not divided (eval_scores.py:36-38).

    Args:
        parts: sequence of [V, C].
        weights: one number for each.

    Returns:
        [V, C].

    Raises:
        InputError: the sum is not finite.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        fused = sum(w * part for w, part in zip(weights, parts, strict=True))
    if not np.isfinite(fused).all():
        raise InputError(f"`weights` {list(weights)} make scores that are not finite")
    return fused


@dataclasses.dataclass(frozen=True)
class Joined:
    """Videos that several score files have in common.

    Attributes:
        video_ids: ids in the order of the first file.
        labels: int64 [n].
        scores: for each file, float32 [n, C], one score a class.
        left_out: number of videos that some file lacks.
        label_sets: for each video all its labels, or None where it has one.
        scored: for each file, bool [n]: whether it has scores of the video. Where it
            says that there is nothing to be scored, as no sound, its scores are 0, so
            that the others alone are added up.
    """

    video_ids: tuple[str, ...]
    labels: np.ndarray
    scores: tuple[np.ndarray, ...]
    left_out: int
    label_sets: tuple[tuple[int, ...], ...] | None = None
    scored: tuple[np.ndarray, ...] = ()

    def accuracy_of(self, scores) -> metrics.Accuracy | metrics.Precision:
        """Accuracy of scores of these videos, [n, C]."""
        return metrics.measured(scores, self.labels, self.label_sets)

    def accuracy_of_file(self, place) -> metrics.Accuracy | metrics.Precision:
        """Accuracy of the scores of a file alone, of the videos that it has."""
        kept = self.scored[place]
        sets = self.label_sets and tuple(
            labels
            for labels, is_kept in zip(self.label_sets, kept, strict=True)
            if is_kept
        )
        return metrics.measured(self.scores[place][kept], self.labels[kept], sets)

    @property
    def incomplete(self) -> int:
        """Number of videos of which a file has nothing to be scored."""
        if not self.scored:
            return 0
        return int((~np.stack(self.scored)).any(axis=0).sum())


def known_classes(file):
    """Names of a score file's classes, or None where it has only numbers."""
    numbers = tuple(map(str, range(len(file.classes))))
    return None if tuple(file.classes) == numbers else tuple(file.classes)


def _check_classes(first, file):
    """Refuses files of other classes; what one of them does not say is not compared."""
    counts = len(first.classes), len(file.classes)
    names = known_classes(first), known_classes(file)
    if counts[0] == counts[1] and (None in names or names[0] == names[1]):
        return
    text = f"{first.path} and {file.path} are of other classes: "
    if counts[0] != counts[1]:
        raise ScoreFileError(f"{text}{counts[0]} and {counts[1]}")
    pairs = enumerate(zip(*names, strict=True))
    label, (one, other) = next(pair for pair in pairs if pair[1][0] != pair[1][1])
    raise ScoreFileError(f"{text}{label} is {one!r} and {other!r}")


def join(parts, allow_missing=False) -> Joined:
    """Joins score files by video id.

    The original takes the files' order on trust (eval_scores.py:26-28).

    Args:
        parts: sequence of Aggregated.
        allow_missing: leave out videos that a file lacks, instead of failing.

    Returns:
        Joined.

    Raises:
        ScoreFileError: videos, labels or classes differ.
    """
    opened = [part.file for part in parts]
    ids, left_out = _common(opened, allow_missing)
    named = next((file for file in opened if known_classes(file)), opened[0])
    found = {}  # {video: (label, further labels, file that said so)}
    scores, scored = [], []
    for part in parts:
        # The first file that names its classes: not all do.
        _check_classes(named, part.file)
        position = {video: index for index, video in enumerate(part.file.video_ids)}
        index = np.array([position.get(video, -1) for video in ids])
        _note_labels(found, part.file, ids, index)
        is_there = index >= 0
        scores.append(np.where(is_there[:, None], part.scores[index], 0))
        scored.append(is_there)
    labels = np.array([found[video][0] for video in ids], np.int64)
    several = any(file.label_sets for file in opened)
    sets = tuple(found[video][1] for video in ids) if several else None
    return Joined(ids, labels, tuple(scores), left_out, sets, tuple(scored))


def _common(opened, allow_missing):
    """(ids of the videos that are joined, in order; how many are left out)."""
    everything = dict.fromkeys(video for file in opened for video in file.video_ids)
    known = [{*file.video_ids, *file.without} for file in opened]
    ids = tuple(v for v in everything if all(v in videos for videos in known))
    if len(ids) != len(everything) and not allow_missing:
        texts = [
            f"{file.path} lacks {len(absent)} ({', '.join(sorted(absent)[:3])})"
            for file, videos in zip(opened, known, strict=True)
            if (absent := set(everything) - videos)
        ]
        raise ScoreFileError(
            f"the files are not of the same videos: {'; '.join(texts)}; to use the "
            f"{len(ids)} that all have: `allow_missing=True`"
        )
    if not ids:
        raise ScoreFileError("the files have no video in common")
    return ids, len(everything) - len(ids)


def _note_labels(found, file, ids, index):
    """Notes the labels of a file's videos; refuses those that differ."""
    differ = []
    for video, place in zip(ids, index.tolist(), strict=True):
        if place < 0:
            continue
        label = int(file.labels[place])
        sets = file.label_sets and file.label_sets[place]
        there = found.setdefault(video, (label, sets, file))
        if there[0] != label:
            differ.append((video, there, label))
        elif there[1] != sets:
            raise ScoreFileError(
                f"{there[2].path} and {file.path} differ in the further labels of "
                f"videos"
            )
    if differ:
        video, (first, _, other), label = differ[0]
        raise ScoreFileError(
            f"{other.path} and {file.path} differ in the labels of {len(differ)} "
            f"videos: {video} is {first} and {label}"
        )
