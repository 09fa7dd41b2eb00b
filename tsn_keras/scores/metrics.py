"""Accuracies as the original computes them (pyActionRecog/utils/metrics.py)."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """Accuracies of a test, in percent.

    Attributes:
        mean_class_accuracy: mean over the classes of the share predicted right.
        top1: share of the videos predicted right.
        top5: share of the videos whose class is among the five best.
    """

    mean_class_accuracy: float
    top1: float
    top5: float


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
    """Mean of several Accuracy records, such as those of the splits."""
    rows = [dataclasses.astuple(one) for one in accuracies]
    return Accuracy(*(float(np.mean(column)) for column in zip(*rows, strict=True)))


def softmax(scores, axis=-1):
    """Softmax along an axis (metrics.py:8-11, at temperature 1)."""
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


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


def mean_class_accuracy(predictions, labels, classes):
    """Mean over classes of the share predicted right (metrics.py:53-60).

    Over the classes that have videos. The original also counts a class that is
    predicted but has none, which makes its mean NaN; on the official splits
    every class has videos and the two are the same.

    Returns:
        float in [0, 1].
    """
    matrix = confusion_matrix(predictions, labels, classes)
    return float(np.nanmean(per_class_accuracy(matrix)))


def top_k_accuracy(scores, labels, k):
    """Share of videos whose class is among the k of the highest score.

    A class that ties with the k-th counts as among them only if fewer than k
    classes score higher or tie and come before it: the order of argsort.

    Args:
        scores: [V, C].
        labels: int [V].
        k: at least 1; more than C is as C.

    Returns:
        float in [0, 1].
    """
    order = np.argsort(-np.asarray(scores), axis=1, kind="stable")[:, :k]
    return float((order == np.asarray(labels)[:, None]).any(axis=1).mean())
