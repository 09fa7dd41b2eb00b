"""Score files joined by video, and their scores averaged and added up."""

import dataclasses

import numpy as np

from tsn_keras.common.errors import InputError
from tsn_keras.scores import metrics, windows
from tsn_keras.scores.consensus import Consensus
from tsn_keras.scores.npz import NpzScores
from tsn_keras.scores.score_file import NotFiniteError, ScoreFile, ScoreFileError

# What may be averaged over crops and snippets, the original's first.
AVERAGES = ("scores", "probabilities")


# How raw scores become probabilities, by the loss that weights were trained with.
CHANCES = {"softmax": metrics.softmax, "sigmoid": metrics.sigmoid}
SOFTMAX = "softmax"


@dataclasses.dataclass(frozen=True)
class Way:
    """How the scores of a video's snippets and crops become one a class.

    Attributes:
        crops: "mean" or "max" over the crops, unless `over_time` says it.
        average: what is averaged: "scores", or "probabilities", of the classes;
            see protocols.records.Protocol.
        over_time: windows.OverTime, over the snippets.
        a_second: snippets a second, for windows.
        loss: of the weights' training, one of CHANCES.
        consensus: consensus.Consensus of the weights, where `over_time` is that.
        fused: what is added up over streams, one of AVERAGES; see
            protocols.records.Protocol.
    """

    crops: str = "mean"
    average: str = AVERAGES[0]
    over_time: windows.OverTime = windows.MEAN
    a_second: int = 1
    loss: str = SOFTMAX
    consensus: Consensus | None = None
    fused: str = AVERAGES[0]

    @classmethod
    def of(cls, file, crops="mean", over_time=None):
        """What a score file says; files that do not say it are of the original's.

        Args:
            file: ScoreFile or NpzScores.
            crops: see above.
            over_time: name of an OverTime, instead of the file's.

        Raises:
            ScoreFileError: the file says something unknown.
            InputError: it does not say what `over_time` needs.
        """
        average = cls._one_of(file, "average", AVERAGES)
        loss = cls._one_of(file, "loss", tuple(CHANCES))
        fused = cls._one_of(file, "fused", AVERAGES)
        if over_time is None:
            over_time = file.about.get("over_time", windows.MEAN.name)
            found = windows.OVER_TIME.find(over_time, str(file.path))
        else:
            found = windows.OVER_TIME.find(over_time, "`over_time`")
        a_second = file.about.get("a_second", 1)
        if type(a_second) is not int or not 1 <= a_second <= 1000:
            raise ScoreFileError(f"{file.path} says its a_second is {a_second!r}")
        trained = None
        if found.trained:
            trained = Consensus.read(file.about.get("consensus"), file.path)
        return cls(crops, average, found, a_second, loss, trained, fused)

    @staticmethod
    def _one_of(file, key, known):
        """A setting of a file, by default the first that is known."""
        found = file.about.get(key, known[0])
        if found not in known:
            raise ScoreFileError(
                f"{file.path} says its {key} is of {found!r}; known are "
                f"{' and '.join(known)}"
            )
        return found

    @property
    def averaged(self):
        """What is averaged, one of AVERAGES: a consensus is trained on raw scores."""
        return AVERAGES[0] if self.over_time.trained else self.average

    @property
    def attends(self):
        """Whether `over` needs the attention of the snippets."""
        return self.consensus is not None and self.consensus.attends

    def of_snippets(self, scores, crops=None):
        """A score a class for each snippet.

        Args:
            scores: raw, [snippets, crops, C].
            crops: "mean" or "max"; None: as the way over time has it.

        Returns:
            float32 [snippets, C].
        """
        crops = crops or self.over_time.crops or self.crops
        return of_snippets(scores, crops, self.averaged, self.loss)

    def over(self, snippets, attention=None):
        """The video's scores.

        Args:
            snippets: what `of_snippets` gave, [snippets, C].
            attention: [snippets], where `attends`.

        Returns:
            float32 [C].
        """
        told = windows.Told(self.a_second, self.consensus, attention)
        return self.over_time.of(snippets, told)

    def __call__(self, scores, attention=None):
        """A video's scores, [snippets, crops, C], to [C].

        Args:
            scores: raw.
            attention: [snippets, crops], where `attends`.
        """
        told = attention.mean(axis=1) if self.attends else None
        return self.over(self.of_snippets(scores), told)

    def of_video(self, file, video):
        """The scores of a video of a score file, [C].

        Raises:
            NotFiniteError: they are not finite.
            InputError: their number is another than that of the learned weights, or
                the file lacks the attention.
        """
        scores = file.read(video)
        if self.consensus is not None:
            self.consensus.check(len(scores), f"{file.path}: {video}", len(scores))
        return self(scores, file.attention(video) if self.attends else None)

    def addends(self, aggregated):
        """What `over` or `of_snippets` gave, as it is added up over streams."""
        if self.fused == AVERAGES[0]:
            return aggregated
        return self.probabilities(aggregated)

    @property
    def together(self):
        """The way of what was added up, of which `probabilities` knows what it is."""
        if self.fused == AVERAGES[0]:
            return self
        return Way(average=self.fused, loss=self.loss, fused=self.fused)

    def probabilities(self, aggregated):
        """What `over` or `of_snippets` gave, as probabilities of the classes."""
        return probabilities(aggregated, self.averaged, self.loss)


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


def of_snippets(scores, crops="mean", average="scores", loss=SOFTMAX):
    """Like `aggregate`, but of each snippet: float32 [snippets, C]."""
    if crops not in ("mean", "max"):
        raise ValueError(f'`crops` must be "mean" or "max". Received: {crops!r}')
    if average not in AVERAGES:
        raise ValueError(f"`average` must be one of {AVERAGES}. Received: {average!r}")
    values = scores if average == AVERAGES[0] else CHANCES[loss](scores)
    return getattr(values, crops)(axis=1)


def probabilities(aggregated, average="scores", loss=SOFTMAX):
    """What `aggregate` or `of_snippets` gave, as probabilities of the classes."""
    return CHANCES[loss](aggregated) if average == AVERAGES[0] else aggregated


@dataclasses.dataclass(frozen=True)
class Aggregated:
    """A score file, with one score a class for each of its videos.

    Attributes:
        file: ScoreFile or NpzScores.
        scores: float32 [V, C].
        way: how they came from those of snippets and crops.
    """

    file: ScoreFile | NpzScores
    scores: np.ndarray
    way: Way = Way()

    @property
    def accuracy(self) -> metrics.Figures:
        """That of all its videos."""
        known = self.file.labels, self.file.label_sets, measure_of(self.file)
        return metrics.measured(self.scores, *known, self.way.probabilities)


def measure_of(file):
    """The metrics.Measure that a score file says, or None.

    Raises:
        InputError: it says something unknown.
    """
    name = file.about.get("measure")
    return None if name is None else metrics.MEASURES.find(name, str(file.path))


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
                scores.append(way.of_video(file, video))
            if not np.isfinite(scores[-1]).all():
                bad.append(video)
        except NotFiniteError:
            bad.append(video)
    if bad:
        raise NotFiniteError(file.path, bad)
    return Aggregated(file, np.stack(scores), way)


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
        scores: for each file, float32 [n, C], one score a class, as it is added up.
        left_out: number of videos that some file lacks.
        label_sets: for each video all its labels, or None where it has one.
        measure: metrics.Measure of such, or None for the usual one.
        scored: for each file, bool [n]: whether it has scores of the video. Where it
            says that there is nothing to be scored, as no sound, its scores are 0, so
            that the others alone are added up.
        way: what the ways of all files have in common: what is averaged, and the loss.
    """

    video_ids: tuple[str, ...]
    labels: np.ndarray
    scores: tuple[np.ndarray, ...]
    left_out: int
    label_sets: tuple[tuple[int, ...], ...] | None = None
    measure: metrics.Measure | None = None
    scored: tuple[np.ndarray, ...] = ()
    way: Way = Way()

    def accuracy_of(self, scores) -> metrics.Figures:
        """Accuracy of scores of these videos, [n, C]."""
        known = self.labels, self.label_sets, self.measure
        return metrics.measured(scores, *known, self.way.probabilities)

    def by_class(self, scores) -> np.ndarray:
        """Accuracy or average precision of each class in percent, see metrics."""
        known = self.labels, self.label_sets, self.measure
        return metrics.measured_by_class(scores, *known, self.way.probabilities)

    def accuracy_of_file(self, place) -> metrics.Figures:
        """Accuracy of the scores of a file alone, of the videos that it has."""
        return metrics.measured(*self._of_file(place))

    def file_by_class(self, place) -> np.ndarray:
        """`by_class` of a file alone, of the videos that it has."""
        return metrics.measured_by_class(*self._of_file(place))

    def _of_file(self, place):
        """What metrics are told of the videos that a file has scores of."""
        kept = self.scored[place]
        sets = self.label_sets and tuple(
            labels
            for labels, is_kept in zip(self.label_sets, kept, strict=True)
            if is_kept
        )
        known = self.labels[kept], sets, self.measure
        return self.scores[place][kept], *known, self.way.probabilities

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


def check_classes(first, file):
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
        check_classes(named, part.file)
        position = {video: index for index, video in enumerate(part.file.video_ids)}
        index = np.array([position.get(video, -1) for video in ids])
        _note_labels(found, part.file, ids, index)
        is_there = index >= 0
        addends = part.way.addends(part.scores[index])
        scores.append(np.where(is_there[:, None], addends, 0))
        scored.append(is_there)
    labels = np.array([found[video][0] for video in ids], np.int64)
    several = any(file.label_sets for file in opened)
    sets = tuple(found[video][1] for video in ids) if several else None
    measure = next(filter(None, [measure_of(file) for file in opened]), None)
    told = measure, tuple(scored), parts[0].way.together
    return Joined(ids, labels, tuple(scores), left_out, sets, *told)


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
