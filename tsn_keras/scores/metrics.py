"""Accuracies as the original computes them (pyActionRecog/utils/metrics.py).

And those of videos with several labels, as MMAction2 does (0.x
mmaction/core/evaluation/accuracy.py).
"""

import dataclasses
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from tsn_keras.common.catalogue import Catalogue
from tsn_keras.common.errors import InputError
from tsn_keras.scores import submission


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """Accuracies of a test, in percent.

    Attributes:
        mean_class_accuracy: mean over the classes of the share predicted right.
        top1: share of the videos predicted right.
        top5: share of the videos whose class is among the five best.
    """

    HEADINGS: ClassVar = ("mean class acc.", "top-1", "top-5")

    mean_class_accuracy: float
    top1: float
    top5: float

    @property
    def main(self) -> float:
        """The figure that a test is about."""
        return self.mean_class_accuracy


@dataclasses.dataclass(frozen=True)
class ClassPrecision:
    """Precision of a test some of whose videos show no class, in percent.

    Attributes:
        mean_average_precision: mean over the classes that have a video.
    """

    HEADINGS: ClassVar[tuple[str, ...]] = ("mAP",)

    mean_average_precision: float

    @property
    def main(self) -> float:
        """The figure that a test is about."""
        return self.mean_average_precision


@dataclasses.dataclass(frozen=True)
class Precision(ClassPrecision):
    """Precisions of a test of videos with several labels, in percent.

    Attributes:
        video_mean_average_precision: mean over the videos that have a label, as
            Multi-Moments in Time is measured.
    """

    HEADINGS: ClassVar = ("mAP", "mAP over videos")

    video_mean_average_precision: float


@dataclasses.dataclass(frozen=True)
class ServerFigures(ClassPrecision):
    """What ActivityNet's server tells of a test, in percent; see scores.submission.

    Its precisions are interpolated.

    Attributes:
        top1: share of the videos of which a label is the best prediction.
        top3: share of those of which a label is among the three best.
    """

    HEADINGS: ClassVar = ("mAP", "top-1", "top-3")

    top1: float
    top3: float


Figures = Accuracy | ClassPrecision


def softmax(scores, axis=-1):
    """Softmax along an axis (metrics.py:8-11, at temperature 1)."""
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def measured(scores, labels, label_sets=None, measure=None, chances=softmax):
    """Accuracy of scores; with several labels a video, their precisions.

    Args:
        scores: [V, C], one score a class for each video.
        labels: int [V].
        label_sets: for each video all its labels, or None where one is all.
        measure: a Measure for several labels; None: Precision.
        chances: function of scores to probabilities, for measures of those.

    Raises:
        InputError: videos may have several labels, and none has one.
    """
    if label_sets is None:
        return accuracy(scores, labels)
    if not any(label_sets):
        raise InputError(
            f"none of {len(label_sets)} videos shows a class: there is no precision"
        )
    is_true = many_hot(label_sets, scores.shape[1])
    measure = measure or MEASURES["tied"]
    return measure.of(chances(scores) if measure.of_chances else scores, is_true)


def measured_by_class(scores, labels, label_sets=None, measure=None, chances=softmax):
    """What `measured` is the mean of, class by class.

    Args:
        scores, labels, label_sets, measure, chances: see `measured`.

    Returns:
        float64 [C] in percent: the share of its videos that is right, or its average
        precision; NaN of a class without a video.
    """
    if label_sets is None:
        matrix = confusion_matrix(scores.argmax(axis=1), labels, scores.shape[1])
        return 100 * per_class_accuracy(matrix)
    measure = measure or MEASURES["tied"]
    is_true = many_hot(label_sets, scores.shape[1])
    ranked = chances(scores) if measure.of_chances else scores
    return 100 * average_precisions(ranked, is_true, measure.average)


def precision(scores, is_true):
    """Precisions of scores.

    Args:
        scores: [V, C], one score a class for each video.
        is_true: bool [V, C].

    Returns:
        Precision.
    """
    return Precision(
        100 * mean_average_precision(scores, is_true),
        100 * video_mean_average_precision(scores, is_true),
    )


def many_hot(label_sets, classes):
    """Sets of labels as a table.

    Returns:
        bool [V, C].
    """
    table = np.zeros((len(label_sets), classes), bool)
    for row, labels in zip(table, label_sets, strict=True):
        row[list(labels)] = True
    return table


def accuracy(aggregated, labels):
    """Accuracies of scores.

    Args:
        aggregated: [V, C], one score a class for each video.
        labels: int [V].

    Returns:
        Accuracy.
    """
    right = mean_class_accuracy(aggregated.argmax(axis=1), labels, aggregated.shape[1])
    return Accuracy(
        100 * right,
        100 * top_k_accuracy(aggregated, labels, 1),
        100 * top_k_accuracy(aggregated, labels, 5),
    )


def mean(accuracies):
    """Mean of several records of one kind, such as those of the splits."""
    records = tuple(accuracies)
    rows = [dataclasses.astuple(one) for one in records]
    means = (float(np.mean(column)) for column in zip(*rows, strict=True))
    return type(records[0])(*means)


def sigmoid(scores):
    """Sigmoid of each score: the probability of a class that others do not exclude."""
    scores = np.asarray(scores)
    # Of numbers that are not positive, whose powers never overflow.
    powers = np.exp(-np.abs(scores))
    return np.where(scores >= 0, 1, powers) / (1 + powers)


def confusion_matrix(predictions, labels, classes):
    """Counts predictions by true class.

    Args:
        predictions: int [V].
        labels: int [V].
        classes: number of classes, C.

    Returns:
        int64 [C, C], rows the true class, columns the predicted one.
    """
    pairs = np.asarray(labels) * classes + np.asarray(predictions)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def per_class_accuracy(matrix):
    """Share of each class's videos that are predicted right; NaN without videos."""
    counts = matrix.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.diag(matrix) / counts


def mean_class_accuracy(predictions, labels, classes, predicted_count=False):
    """Mean over classes of the share predicted right (metrics.py:53-60).

    Over the classes that have videos. The original also counts a class that is
    predicted but has none, which makes its mean NaN; on the official splits
    every class has videos and the two are the same.

    Args:
        predictions: int [V].
        labels: int [V].
        classes: number of classes, C.
        predicted_count: whether a class that is predicted but has no video counts,
            with 0, as in MMAction2.

    Returns:
        float in [0, 1].
    """
    matrix = confusion_matrix(predictions, labels, classes)
    shares = per_class_accuracy(matrix)
    if predicted_count:
        return float(np.nan_to_num(shares)[(matrix + matrix.T).any(axis=1)].mean())
    return float(np.nanmean(shares))


def top_k_accuracy(scores, labels, k):
    """Share of videos whose class is among the k of the highest score.

    A class that ties with the k-th counts as among them only if fewer than k
    classes score higher or tie and come before it: the order of argsort.
    (MMAction2's sort leaves the order of ties to chance; without ties it is the same.)

    Args:
        scores: [V, C].
        labels: int [V].
        k: at least 1; more than C is as C.

    Returns:
        float in [0, 1].
    """
    order = np.argsort(-np.asarray(scores), axis=1, kind="stable")[:, :k]
    return float((order == np.asarray(labels)[:, None]).any(axis=1).mean())


def average_precision(scores, is_true):
    """Average precision: the mean of the precision over steps of the recall.

    Not interpolated. Scores that tie are one step (accuracy.py, binary_precision_
    recall_curve).

    Args:
        scores: [N].
        is_true: bool [N].

    Returns:
        float in [0, 1], or NaN where nothing is true.

    Example:
        >>> scores = np.array([0.1, 0.4, 0.35, 0.8])
        >>> round(average_precision(scores, np.array([False, False, True, True])), 4)
        0.8333
    """
    order = np.argsort(scores, kind="stable")[::-1]
    ranked, found = scores[order], np.cumsum(is_true[order])
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    if not found[-1]:
        return float("nan")
    hits = found[last]
    steps = np.diff(hits, prepend=0) / found[-1]
    return float((hits / (last + 1) * steps).sum())


def ranked_precision(scores, is_true):
    """Average precision as THUMOS14's kit computes it (TH14evalRecog.m:46-67).

    The mean of the precision at each video that is true. Not interpolated. Scores that
    tie keep the order of the videos, so that each is a step of its own.

    Args:
        scores: [N].
        is_true: bool [N].

    Returns:
        float in [0, 1], or NaN where nothing is true.

    Example:
        >>> is_true = np.array([True, False, True])
        >>> scores = np.array([0.5, 0.5, 0.5])
        >>> round(ranked_precision(scores, is_true), 4), average_precision(
        ...     scores, is_true)
        (0.8333, 0.6666666666666666)
    """
    ranked = is_true[np.argsort(-scores, kind="stable")]
    if not ranked.any():
        return float("nan")
    return float((np.cumsum(ranked) / np.arange(1, len(ranked) + 1))[ranked].mean())


def mean_average_precision(scores, is_true, average=average_precision):
    """Mean of the average precisions of the classes that have a video.

    Args:
        scores: [V, C].
        is_true: bool [V, C].
        average: function of (scores [N], is_true [N]), as average_precision.

    Returns:
        float in [0, 1], or NaN where no class has a video.
    """
    found = average_precisions(scores, is_true, average)
    found = found[~np.isnan(found)]
    return float(found.mean()) if found.size else float("nan")


def average_precisions(scores, is_true, average=average_precision):
    """The average precision of each class.

    Args:
        scores, is_true, average: see `mean_average_precision`.

    Returns:
        float64 [C], 0 to 1; NaN of a class without a video.
    """
    return np.array(
        [
            average(one, true) if true.any() else np.nan
            for one, true in zip(scores.T, is_true.T, strict=True)
        ]
    )


def video_mean_average_precision(scores, is_true):
    """Mean of the average precisions of the videos, each over the classes.

    What MMAction2 calls mmit_mean_average_precision.

    Args:
        scores: [V, C].
        is_true: bool [V, C].

    Returns:
        float in [0, 1], over the videos that have a label; NaN where none has.
    """
    having = is_true.any(axis=1)
    found = list(map(average_precision, scores[having], is_true[having]))
    return float(np.mean(found)) if found else float("nan")


@dataclasses.dataclass(frozen=True)
class Measure:
    """How a test of videos of several labels is told.

    Attributes:
        name: what data sets and score files call it.
        of: function of (scores [V, C], is_true bool [V, C]) to a record of percents.
        of_chances: whether it takes probabilities in the place of scores.
        average: its average precision of a class, a function of (scores [V],
            is_true [V]).
    """

    name: str
    of: Callable
    of_chances: bool = False
    average: Callable = average_precision


def _ranked(scores, is_true):
    found = mean_average_precision(scores, is_true, ranked_precision)
    return ClassPrecision(100 * found)


def _interpolated(chances, is_true):
    """Average precision of a class; of equal probabilities the last video is first."""
    order = np.argsort(chances, kind="stable")[::-1]
    return submission.interpolated(is_true[order], is_true.sum())


def _served(chances, is_true):
    """As submission.figures has them, of all classes of all videos."""
    mean = mean_average_precision(chances, is_true, _interpolated)
    ranked = np.argsort(-chances, axis=1, kind="stable")
    hits = np.take_along_axis(is_true, ranked, axis=1)
    tops = (hits[:, :k].any(axis=1).mean() for k in (1, 3))
    return ServerFigures(*(100 * float(figure) for figure in (mean, *tops)))


MEASURES = Catalogue(
    "measure",
    (
        Measure("tied", precision),
        Measure("ranked", _ranked, average=ranked_precision),
        Measure("server", _served, of_chances=True, average=_interpolated),
    ),
)
