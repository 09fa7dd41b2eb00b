"""The segmental consensus: segments' scores to a video's."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("tsn_keras")
class SegmentConsensus(keras.layers.Layer):
    """Segmental consensus: one video's score from those of its segments.

    TSN, ECCV 2016, section 3.1, equation 1. The original averages the scores
    before the softmax, with a 3 x 1 pooling (train_val prototxt,
    "segment_consensus").

    Args:
        kind: "average".

    Call arguments:
        inputs: raw scores [B, K, classes].

    Returns:
        [B, classes].
    """

    def __init__(self, kind="average", **kwargs):
        super().__init__(**kwargs)
        if kind != "average":
            raise ValueError(f'`kind` must be "average". Received: {kind!r}')
        self.kind = kind

    def call(self, inputs):
        return ops.mean(inputs, axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *input_shape[2:])

    def get_config(self):
        return {**super().get_config(), "kind": self.kind}
