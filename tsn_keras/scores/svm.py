"""A linear SVM over the probabilities of several streams, in the place of their sum.

Two-Stream Convolutional Networks, NIPS 2014, section 5: a multi-class linear SVM
(Crammer and Singer, On the Algorithmic Implementation of Multiclass Kernel-based Vector
Machines, 2001) is trained on the L2-normalised softmax scores of all streams, one after
another in a vector. The paper gives neither C nor how the training videos were scored.
As Crammer and Singer's, it has no bias.
"""

import dataclasses
import math
import warnings

import numpy as np

from tsn_keras.common.errors import InputError
from tsn_keras.scores import joining

DEFAULT_C = 1.0
# Some hundred are enough for thousands of videos.
_MOST_PASSES = 10_000


def features(joined):
    """What the machine sees of videos.

    Args:
        joined: joining.Joined.

    Returns:
        float64 [V, streams * C], of each stream a vector of length 1, or 0 where it has
        no scores.
    """
    return np.concatenate(
        [
            one / np.linalg.norm(one, axis=1, keepdims=True).clip(1e-30)
            for one in chances(joined)
        ],
        axis=1,
    )


def chances(joined):
    """Probabilities of each stream, float64 [V, C], 0 where it has no scores.

    Args:
        joined: joining.Joined.
    """
    return [
        np.where(scored[:, None], joined.way.probabilities(np.float64(scores)), 0.0)
        for scores, scored in zip(joined.scores, joined.scored, strict=True)
    ]


def average(joined):
    """The average of the probabilities of all streams, [V, C]."""
    return np.mean(chances(joined), axis=0)


def check_alike(tested, trained_on):
    """Refuses a score file of training videos that is of another stream.

    Args:
        tested, trained_on: ScoreFile or NpzScores.

    Raises:
        InputError: classes, modality, protocol, or the split of one data set differ.
    """
    joining.check_classes(tested, trained_on)
    one, other = tested.about, trained_on.about
    same = one.get("dataset") == other.get("dataset")
    for key in ("modality", "protocol", *(["split"] if same else [])):
        values = one.get(key), other.get(key)
        if None not in values and values[0] != values[1]:
            raise InputError(
                f"{tested.path} is of {key} {values[0]}, and {trained_on.path}, on "
                f"which the SVM is trained, of {values[1]}"
            )


@dataclasses.dataclass(frozen=True, eq=False)
class Machine:
    """A trained machine.

    Attributes:
        kernel: float64 [streams * C, C].
        c: its C.
    """

    kernel: np.ndarray
    c: float

    def __call__(self, joined):
        """Scores of videos, a joining.Joined, [V, C]: the largest is the class.

        Raises:
            InputError: the videos have several labels.
        """
        _refuse_several(joined)
        return features(joined) @ self.kernel


def _refuse_several(joined):
    if joined.label_sets is not None:
        raise InputError(
            "the videos have several labels each, and an SVM tells one: leave `svm` out"
        )


def trained(joined, classes, c=None):
    """Trains a machine.

    Args:
        joined: joining.Joined of training videos.
        classes: their names.
        c: of the machine, above 0: the larger, the more it is bent to the training
            videos. None: DEFAULT_C.

    Returns:
        Machine.

    Raises:
        InputError: scikit-learn is not installed, C is out of its range, or too large
            for the training to end, a class has no video, or videos have several
            labels.
    """
    _refuse_several(joined)
    c = DEFAULT_C if c is None else c
    labels = joined.labels
    if not (isinstance(c, (int, float)) and math.isfinite(c) and c > 0):
        raise InputError(f"`svm_c` must be a number above 0. Received: {c}")
    present = set(labels.tolist())
    missing = [name for label, name in enumerate(classes) if label not in present]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(classes)} classes have no training video for the "
            f"SVM, as {missing[0]}: `svm` needs scores of videos of all"
        )
    if len(classes) < 2:
        raise InputError("`svm` tells classes apart, and the scores are of one")
    try:
        from sklearn import exceptions, svm
    except ImportError:
        raise InputError(
            "`svm` needs scikit-learn, which is not installed: pip install "
            "'tsn-keras[svm]', or pip install scikit-learn"
        ) from None
    machine = svm.LinearSVC(
        multi_class="crammer_singer",
        C=float(c),
        fit_intercept=False,
        max_iter=_MOST_PASSES,
        random_state=0,  # The order in which videos are looked at.
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", exceptions.ConvergenceWarning)
        try:
            machine.fit(features(joined), labels)
        except exceptions.ConvergenceWarning:
            raise InputError(
                f"the SVM is not found after {_MOST_PASSES} passes over {len(labels)} "
                f"videos: lower `svm_c` (now {c:g})"
            ) from None
    kernel = machine.coef_.T
    if kernel.shape[1] == 1:  # Of two classes it keeps the difference.
        kernel = np.concatenate([-kernel, kernel], axis=1) / 2
    return Machine(kernel, float(c))
