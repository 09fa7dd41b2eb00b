"""The segmental consensus: segments' scores to a video's.

TSN's journal version (arXiv:1705.02953, section 3.3) has five functions, all before the
softmax. Neither it nor published code says how learned weights begin: here at the mean.
"""

import dataclasses

import keras
from keras import ops

from tsn_keras.common.catalogue import Catalogue


@dataclasses.dataclass(frozen=True)
class Consensus:
    """A consensus function.

    Attributes:
        name: what users call it.
        of: function (layer, scores [B, K, C], features [B, K, D] or None) to [B, C].
        weights: function of (K, D or None) to the shape of the learned weights;
            None where nothing is learned.
        start: function of K to the value that they begin with.
        reads_features: whether `of` needs the features before the classifier.
        decay: factor on the weight decay of the learned weights.
        alternates: whether these and the network learn in turns, unless a run says
            otherwise (section 3.3).
        counts: whether `of` looks at the layer's `k`.
    """

    name: str
    of: object
    weights: object = None
    start: object = None
    reads_features: bool = False
    decay: float = 1.0
    alternates: bool = False
    counts: bool = False


def _average(layer, scores, features):
    return ops.mean(scores, axis=1)


def _max(layer, scores, features):
    return ops.max(scores, axis=1)


def _top_k(layer, scores, features):
    best, _ = ops.top_k(ops.transpose(scores, (0, 2, 1)), layer.k)
    return ops.mean(best, axis=-1)


def _linear(layer, scores, features):
    return ops.einsum("bkc,k->bc", scores, layer.weight)


def _attention(layer, scores, features):
    # No gradient is stopped: the features learn from the attention too (eq. 12).
    shares = ops.softmax(ops.einsum("bkd,d->bk", features, layer.weight), axis=-1)
    return ops.einsum("bkc,bk->bc", scores, shares)


def _identity(layer, scores, features):
    return scores


CONSENSUS = Catalogue(
    "consensus",
    (
        Consensus("average", _average),
        Consensus("max", _max),
        Consensus("top_k", _top_k, counts=True),
        # One for each position in the video, shared by all classes. They do not decay:
        # 0 is no consensus.
        Consensus(
            *("linear", _linear, lambda k, d: (k,), lambda k: 1 / k),
            decay=0.0,
            alternates=True,
        ),
        Consensus("attention", _attention, lambda k, d: (d,), lambda k: 0.0, True),
        Consensus("identity", _identity),
    ),
)


@keras.saving.register_keras_serializable("tsn_keras")
class SegmentConsensus(keras.layers.Layer):
    """Segmental consensus: one video's score from those of its segments.

    TSN, ECCV 2016, section 3.1, equation 1; journal version, section 3.3. The original
    averages the scores before the softmax, with a 3 x 1 pooling (train_val prototxt,
    "segment_consensus").

    Args:
        kind: "average"; "max", of each class; "top_k", the mean of each class's k
            highest; "linear", a learned weight for each position; "attention", the
            softmax over the segments of a learned vector times their features; or
            "identity", none.
        k: of "top_k", at most K. 3 is the paper's only value (its table 6).

    Call arguments:
        inputs: raw scores [B, K, classes]; for "attention" a list of them and the
            features before the classifier, [B, K, D].

    Returns:
        [B, classes]; "identity": [B, K, classes].

    Raises:
        ValueError: `kind` is unknown, or `k` not from 1 to K.
    """

    def __init__(self, kind="average", k=3, **kwargs):
        super().__init__(**kwargs)
        self.record = CONSENSUS.find(kind, "`kind`")
        if k < 1:
            raise ValueError(f"`k` must be at least 1. Received: {k}")
        self.kind, self.k = self.record.name, k

    def build(self, input_shape):
        features = input_shape[1][-1] if self.record.reads_features else None
        segments = (input_shape[0] if self.record.reads_features else input_shape)[1]
        if self.record.counts and self.k > segments:
            raise ValueError(
                f"`k` is {self.k}, but there are {segments} segments: the mean is of "
                f"at most as many"
            )
        if self.record.weights is not None:
            start = keras.initializers.Constant(self.record.start(segments))
            shape = self.record.weights(segments, features)
            self.weight = self.add_weight(shape, start, name="weight")

    def call(self, inputs):
        scores, features = inputs if self.record.reads_features else (inputs, None)
        return self.record.of(self, scores, features)

    def compute_output_shape(self, input_shape):
        shape = input_shape[0] if self.record.reads_features else input_shape
        return shape if self.kind == "identity" else (shape[0], *shape[2:])

    def get_config(self):
        return {**super().get_config(), "kind": self.kind, "k": self.k}
