"""Scores of a long video's snippets to one score a class: temporal windows, means.

In a long video the action takes a part of the time. Multi-scale temporal window
integration (M-TWI; TSN's journal version, arXiv:1705.02953, section 4.2) takes the best
score within each window and the mean of the best windows, for five lengths of windows.
The paper and the published code (yjxiong/temporal-segment-networks
pyActionRecog/utils/video_funcs.py:7-57) count the windows, and the best of them,
differently; both rules are here by name.
"""

import dataclasses
import fractions
import math
from collections.abc import Callable

import numpy as np

from tsn_keras.common.catalogue import Catalogue
from tsn_keras.common.errors import InputError
from tsn_keras.scores import consensus, metrics
from tsn_keras.scores.consensus import Consensus

SPANS = (1, 2, 4, 8, 16)  # seconds
OVERLAP = 0.2
LEAST_BEST = 15  # windows of each length


@dataclasses.dataclass(frozen=True)
class Rule:
    """How many windows of a length there are, and how many of them are the best.

    Attributes:
        name: what users call it.
        step: snippets from a window to the next, of the width and the overlap.
        count: rounds how many steps a video has, to the number of windows.
        quarter: rounds a quarter of that number, to the number of the best.
    """

    name: str
    step: Callable
    count: Callable
    quarter: Callable

    def starts(self, snippets, width, overlap=OVERLAP):
        """The first snippet of every window; windows end with the video.

        Args:
            snippets: of the video, at least 1.
            width: snippets of a window.
            overlap: share of a window that the next one has too, below 1.

        Returns:
            int64 [N], N at least 1. By the paper's rule a short video may have no
            window: it is one then.

        Example:
            >>> CODE.starts(17, 8), PAPER.starts(17, 8)
            (array([ 0,  7, 14]), array([0, 6]))
        """
        step = self.step(width, overlap)
        count = max(1, self._windows(snippets, step))
        return np.array([math.floor(number * step) for number in range(count)])

    def best(self, snippets, width, overlap=OVERLAP):
        """How many windows the mean is of, where there are as many.

        Example:
            >>> CODE.best(600, 2), PAPER.best(600, 2)
            (75, 94)
        """
        count = self._windows(snippets, self.step(width, overlap))
        return max(LEAST_BEST, self.quarter(fractions.Fraction(count, 4)))

    def _windows(self, snippets, step):
        return self.count(fractions.Fraction(snippets) / step)


def _whole(width, overlap):
    return math.ceil(width * (1 - overlap))


def _exact(width, overlap):
    # 0.2 is a fifth here, not the nearest float: no count depends on its rounding.
    return width * (1 - fractions.Fraction(str(overlap)))


CODE = Rule("code", _whole, math.ceil, math.floor)
PAPER = Rule("paper", _exact, math.floor, math.ceil)
RULES = Catalogue("rule of temporal windows", (CODE, PAPER))


def mtwi(scores, rule=CODE, rate=1, spans=SPANS, overlap=OVERLAP):
    """Multi-scale temporal window integration of a video.

    Args:
        scores: raw, [snippets, crops, C]. The best crop counts, as in the code.
        rule: a Rule.
        rate: snippets a second, a whole number.
        spans: lengths of windows, seconds.
        overlap: share of a window that the next one has too.

    Returns:
        [C], raw, in the type of the scores.

    Raises:
        InputError: no snippets, scores that are not finite, or windows without
            length or step.

    Example:
        >>> mtwi(np.array([[[0.0, 1.0]], [[2.0, 0.0]]]), spans=(1,))
        array([1. , 0.5])
    """
    return _integrated(_finite(scores).max(axis=1), rule, rate, spans, overlap)


def places(snippets, width, rule=CODE, overlap=OVERLAP):
    """Where the windows of one length are.

    Args:
        snippets: of the video, at least 1.
        width: snippets of a window.
        rule, overlap: see `mtwi`.

    Returns:
        (starts, ends): int64 [N], the first snippet; int64 [N], the one after the last.

    Raises:
        InputError: windows without length or step.
    """
    if width < 1 or width != int(width) or not 0 <= overlap < 1:
        raise InputError(
            f"a window must be at least 1 snippet wide, in whole snippets, and "
            f"`overlap` at least 0 and below 1. Received: {width} and {overlap}"
        )
    starts = rule.starts(snippets, int(width), overlap)
    return starts, np.minimum(starts + int(width), snippets)


def mean(scores):
    """Mean over snippets and crops: the test of short videos.

    Args:
        scores: raw, [snippets, crops, C].

    Returns:
        [C].
    """
    return _finite(scores).mean(axis=1).mean(axis=0)


def top_k(scores, k, crops=np.mean):
    """Mean of the k best snippets of each class (video_funcs.py:60-79).

    Args:
        scores: raw, [snippets, crops, C].
        k: of fewer snippets all count.
        crops: how the crops of a snippet become one score: np.mean, or np.max.

    Returns:
        [C].
    """
    if k < 1:
        raise InputError(f"`k` must be at least 1. Received: {k}")
    return _mean_of_best(crops(_finite(scores), axis=1), k)


def attention(scores, weights, temperature=3.0):
    """Mean of the snippets by a learned attention (UntrimmedNets' test).

    wanglimin/UntrimmedNet matlab/aggregation_attention.m:3-18.

    Args:
        scores: raw, [snippets, crops, C]. The mean over the crops counts.
        weights: raw, [snippets]: higher where the action is.
        temperature: divides the weights before their softmax.

    Returns:
        [C], raw.
    """
    found = _finite(scores).mean(axis=1)
    if np.shape(weights) != found.shape[:1] or not np.isfinite(weights).all():
        raise InputError(
            f"`weights` must be finite numbers, one for each of {len(found)} snippets. "
            f"Received: an array of shape {np.shape(weights)}"
        )
    return metrics.softmax(np.asarray(weights) / temperature) @ found


def _finite(scores):
    """The scores of a video, if they are what they must be."""
    scores = np.asarray(scores)
    if scores.ndim != 3 or not scores.size:
        raise InputError(
            f"`scores` of a video must be of shape [snippets, crops, classes], none of "
            f"them 0. Received: shape {scores.shape}"
        )
    if not np.isfinite(scores).all():
        raise InputError("`scores` of the video are not all finite")
    return scores


def _integrated(best, rule, rate, spans=SPANS, overlap=OVERLAP):
    """`mtwi` of the best crops, [snippets, C]."""
    widths = [span * rate for span in spans]
    return np.mean([_of_span(best, rule, w, overlap) for w in widths], axis=0)


def _of_span(best, rule, width, overlap):
    starts, ends = places(len(best), width, rule, overlap)
    # reduceat takes pairs of a start and an end; the end of the last is one more row.
    padded = np.concatenate([best, best[-1:]])
    pairs = np.stack([starts, ends], axis=1).ravel()
    values = np.maximum.reduceat(padded, pairs, axis=0)[::2]
    return _mean_of_best(values, rule.best(len(best), width, overlap))


def _mean_of_best(values, count):
    """Mean of each class's highest values, or of all where there are fewer."""
    return np.sort(values, axis=0)[-count:].mean(axis=0)


@dataclasses.dataclass(frozen=True)
class Told:
    """What a way over time may need to know beside the scores.

    Attributes:
        a_second: snippets a second.
        consensus: the consensus.Consensus of the weights, or None.
        attention: of each snippet, [snippets], where that needs it.
    """

    a_second: int = 1
    consensus: Consensus | None = None
    attention: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class OverTime:
    """How the scores of a video's snippets become the video's.

    Attributes:
        name: what users call it.
        of: function (scores [snippets, C], Told) to [C].
        crops: how the crops of a snippet become one score: "max", or None for as the
            user says.
        trained: whether it is the consensus of the weights. Training knows raw scores
            only, so that these are averaged, whatever the protocol says.
    """

    name: str
    of: Callable
    crops: str | None = None
    trained: bool = False


_TOP = 3  # TSN-Top3, the journal version's table 6

MEAN = OverTime("mean", lambda scores, told: scores.mean(axis=0))
OVER_TIME = Catalogue(
    "way over time",
    (
        MEAN,
        OverTime("windows", lambda s, told: _integrated(s, CODE, told.a_second), "max"),
        OverTime(
            "windows_paper", lambda s, told: _integrated(s, PAPER, told.a_second), "max"
        ),
        OverTime(f"top{_TOP}", lambda s, told: _mean_of_best(s, _TOP)),
        OverTime(
            consensus.NAME,
            lambda s, told: told.consensus(s, told.attention),
            trained=True,
        ),
    ),
)
