"""Which videos a page shows with pictures: the worst, and the most confident wrong."""

import dataclasses

import numpy as np

from tsn_keras.scores import metrics


@dataclasses.dataclass(frozen=True)
class Verdicts:
    """What the fusion says of each video.

    Attributes:
        guess: int64 [V], its best class; of videos with several labels, the best of
            those that are wrong.
        sure: float64 [V], the value of that class.
        true: float64 [V], the value of the video's class; of several labels that of the
            worst. NaN without a label.
        is_right: bool [V], whether the best class of all is the video's, or one of its.
        is_wrong: bool [V], whether `guess` is not the video's.
    """

    guess: np.ndarray
    sure: np.ndarray
    true: np.ndarray
    is_right: np.ndarray
    is_wrong: np.ndarray


def verdicts(values, labels, label_sets=None) -> Verdicts:
    """Compares values of classes with labels.

    Args:
        values: [V, C], probabilities or scores.
        labels: int [V].
        label_sets: for each video all its labels, or None where it has one.
    """
    values = np.asarray(values, np.float64)
    rows = np.arange(len(values))
    best = values.argmax(axis=1)
    if label_sets is None:
        is_right = best == np.asarray(labels)
        own = values[rows, labels]
        return Verdicts(best, values[rows, best], own, is_right, ~is_right)
    is_true = metrics.many_hot(label_sets, values.shape[1])
    others = np.where(is_true, -np.inf, values)
    guess = others.argmax(axis=1)
    own = np.where(is_true, values, np.inf).min(axis=1)
    own[~is_true.any(axis=1)] = np.nan
    is_wrong = ~is_true.all(axis=1)
    sure = np.where(is_wrong, others[rows, guess], np.nan)
    return Verdicts(guess, sure, own, is_true[rows, best], is_wrong)


def worst(found: Verdicts, most) -> np.ndarray:
    """Videos whose class has the smallest value, the worst first; int64 [<= most]."""
    order = np.argsort(found.true, kind="stable")
    return order[: min(most, int((~np.isnan(found.true)).sum()))]


def confident(found: Verdicts, most) -> np.ndarray:
    """Wrong videos by the value of their wrong class, the largest first."""
    wrong = np.flatnonzero(found.is_wrong)
    return wrong[np.argsort(-found.sure[wrong], kind="stable")][:most]


def bars(values, labels, most) -> list[int]:
    """Classes of a video that are shown: the best, and those that are its labels.

    Args:
        values: [C].
        labels: its labels.
        most: how many of the best.

    Example:
        >>> bars(np.array([0.1, 0.5, 0.3, 0.1]), [3], 2)
        [1, 2, 3]
    """
    best = np.argsort(-values, kind="stable")[:most].tolist()
    return best + [label for label in labels if label not in best][:most]
