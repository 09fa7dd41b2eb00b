"""Temporal Segment Network: a backbone over segments, and their consensus."""

import keras

from tsn_keras.models.consensus import SegmentConsensus
from tsn_keras.models.layers import TimeDistributed


def TSN(backbone, segments=3, consensus="average", name="tsn"):
    """Builds a segment-level model around a backbone.

    TSN, ECCV 2016 (https://arxiv.org/abs/1608.00859), section 3.1.

    Args:
        backbone: keras.Model, [N, H, W, C] to raw scores [N, classes].
        segments: K, snippets of a video.
        consensus: "average", of raw scores, before the softmax.
        name: name of the model.

    Returns:
        keras.Model: [B, K, H, W, C] to raw scores [B, classes].

    Raises:
        ValueError: if `segments` is not positive or `consensus` is unknown.
    """
    if segments < 1:
        raise ValueError(f"`segments` must be at least 1. Received: {segments}")

    # === Functional Model ===
    inputs = keras.Input((segments, *backbone.input_shape[1:]), name="snippets")
    x = TimeDistributed(backbone, name="segments")(inputs)  # [B, K, classes]
    # In the precision of the variables, where the backbone computes in less.
    dtype = backbone.dtype_policy.variable_dtype
    x = SegmentConsensus(consensus, name="segment_consensus", dtype=dtype)(x)
    return keras.Model(inputs, x, name=name)
