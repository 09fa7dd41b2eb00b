"""The consensus that weights were trained with, over the snippets of a test.

The functions of models.consensus in NumPy: files are fused without TensorFlow. The
paper tests by the average, whatever was trained (arXiv:1705.02953, section 4.1), and
does not say how weights of K segments would be used otherwise.
"""

import base64
import binascii
import dataclasses

import numpy as np

from tsn_keras.common.errors import InputError
from tsn_keras.scores import metrics

NAME = "consensus"  # of the way over time
# Far more than there are.
_MOST_SNIPPETS, _MOST_FEATURES = 1000, 2**16


def _average(consensus, scores, attention):
    return scores.mean(axis=0)


def _max(consensus, scores, attention):
    return scores.max(axis=0)


def _top_k(consensus, scores, attention):
    return np.sort(scores, axis=0)[-consensus.k :].mean(axis=0)


def _linear(consensus, scores, attention):
    return consensus.weight @ scores


def _attention(consensus, scores, attention):
    return metrics.softmax(attention) @ scores


# By the names that training files give them. The classifier is linear: the average of
# the features has the average of the scores.
_KINDS = {
    "average": _average,
    "features": _average,
    "max": _max,
    "top_k": _top_k,
    "linear": _linear,
    "attention": _attention,
}
_COUNTS, _BY_POSITION, _ATTENDS = "top_k", "linear", "attention"


@dataclasses.dataclass(frozen=True, eq=False)
class Consensus:
    """A consensus of raw scores, before the softmax.

    Attributes:
        kind: one of models.consensus, or "features".
        k: of "top_k", how many scores of each class the mean is of.
        weight: float32, of "linear" [K], of "attention" [features] where a network is
            built; else None.

    Example:
        >>> scores = np.array([[1.0, 0.0], [3.0, 2.0], [2.0, 1.0]])
        >>> Consensus("top_k", k=2)(scores)
        array([2.5, 1.5])
    """

    kind: str
    k: int | None = None
    weight: np.ndarray | None = None

    @classmethod
    def read(cls, told, where):
        """What a weight file or a score file says, checked.

        Args:
            told: what it says: {"kind": ..., "k": ..., "weight": float32 in base64}, or
                None.
            where: its path, for errors.

        Raises:
            InputError: it says nothing, or nothing that can be used.
        """
        if told is None:
            raise InputError(
                f"{where} does not say with which consensus the weights were trained: "
                f"choose another way with `over_time`"
            )
        kind = told.get("kind") if isinstance(told, dict) else None
        if not isinstance(kind, str) or kind not in _KINDS:
            raise InputError(
                f"{where} names a consensus {str(kind)[:40]!r}; there are: "
                f"{', '.join(_KINDS)}"
            )
        k, weight = told.get("k"), told.get("weight")
        if kind == _COUNTS and (type(k) is not int or not 1 <= k <= _MOST_SNIPPETS):
            raise InputError(f"{where}: `k` of its {kind} is {str(k)[:40]!r}")
        # A score file needs no weights of an attention: it has the attention itself.
        if kind == _BY_POSITION or (kind == _ATTENDS and weight is not None):
            most = _MOST_SNIPPETS if kind == _BY_POSITION else _MOST_FEATURES
            weight = _decoded(weight, most, f"{where}: the weights of its {kind}")
        else:
            weight = None
        return cls(kind, k if kind == _COUNTS else None, weight)

    def as_json(self):
        """What a score file says of it: a dict of JSON values for `read`."""
        found = {"kind": self.kind}
        if self.k is not None:
            found["k"] = self.k
        if self.kind == _BY_POSITION:
            data = self.weight.astype("<f4").tobytes()
            found["weight"] = base64.b64encode(data).decode()
        return found

    @property
    def attends(self):
        """Whether a network tells each snippet's attention beside its scores."""
        return self.kind == _ATTENDS

    def check(self, snippets, where, taken):
        """Refuses another number of snippets than there are weights by position.

        Args:
            snippets: of each video; None where that differs.
            where: whose consensus it is, for the error.
            taken: how many snippets there are, for the error.
        """
        if self.kind == _BY_POSITION and snippets != len(self.weight):
            raise InputError(
                f"{where}: the linear consensus was trained on {len(self.weight)} "
                f"snippets of a video, and here there are {taken}: score as many with "
                f"`snippets`, or choose another way with `over_time`"
            )

    def __call__(self, scores, attention=None):
        """A video's score.

        Args:
            scores: raw, [snippets, C].
            attention: [snippets], where `attends`.

        Returns:
            [C].
        """
        return _KINDS[self.kind](self, scores, attention)


def _decoded(text, most, where):
    """The numbers of learned weights, float32 [N]."""
    try:
        data = base64.b64decode(text[: 8 * most], validate=True)
        found = np.frombuffer(data, "<f4")
    except (TypeError, ValueError, binascii.Error):
        raise InputError(f"{where} are no float32 in base64") from None
    if not 1 <= len(found) <= most or not np.isfinite(found).all():
        raise InputError(f"{where} must be 1 to {most} finite numbers")
    return found
