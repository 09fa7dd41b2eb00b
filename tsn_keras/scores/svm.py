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


@dataclasses.dataclass(frozen=True, eq=False)
class Machine:
    """A trained machine.

    Attributes:
        kernel: float64 [features, C].
    """

    kernel: np.ndarray

    def __call__(self, values):
        """Scores of videos, [V, features] to [V, C]: the largest is the class."""
        return values @ self.kernel


def trained(values, labels, classes, c=DEFAULT_C):
    """Trains a machine.

    Args:
        values: [V, features], what `features` gave.
        labels: int [V].
        classes: their names.
        c: of the machine, above 0: the larger, the more it is bent to the training
            videos.

    Returns:
        Machine.

    Raises:
        InputError: scikit-learn is not installed, C is out of its range, or too large
            for the training to end, or a class has no video.
    """
    if not (isinstance(c, (int, float)) and math.isfinite(c) and c > 0):
        raise InputError(f"`svm_c` must be a number above 0. Received: {c}")
    missing = [name for label, name in enumerate(classes) if label not in set(labels)]
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
            machine.fit(values, labels)
        except exceptions.ConvergenceWarning:
            raise InputError(
                f"the SVM is not found after {_MOST_PASSES} passes over {len(labels)} "
                f"videos: lower `svm_c` (now {c:g})"
            ) from None
    kernel = machine.coef_.T
    if kernel.shape[1] == 1:  # Of two classes it keeps the difference.
        kernel = np.concatenate([-kernel, kernel], axis=1) / 2
    return Machine(kernel)
