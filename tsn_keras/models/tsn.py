"""Temporal Segment Network: a backbone over segments, and their consensus."""

import keras

from tsn_keras.models import identity
from tsn_keras.models.consensus import SegmentConsensus
from tsn_keras.models.layers import TimeDistributed
from tsn_keras.models.preprocessing import Preprocessing

# Keras takes the output of the model for probabilities in these losses, unless it is
# told that they are raw scores.
_OF_SCORES = {
    "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
    "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
    "binary_crossentropy": keras.losses.BinaryCrossentropy,
}


@keras.saving.register_keras_serializable("tsn_keras")
class SegmentModel(keras.Model):
    """What `TSN` returns: a functional model whose outputs are raw scores."""

    def compile(self, optimizer="rmsprop", loss=None, **kwargs):
        """As `keras.Model.compile`; losses by name are those of raw scores.

        Keras would take the outputs for probabilities, and train something else
        without a word: "sparse_categorical_crossentropy",
        "categorical_crossentropy" and "binary_crossentropy" mean here those with
        `from_logits=True`.
        """
        if isinstance(loss, str) and loss in _OF_SCORES:
            loss = _OF_SCORES[loss](from_logits=True)
        super().compile(optimizer=optimizer, loss=loss, **kwargs)


def TSN(
    backbone: keras.Model,
    segments: int = 3,
    consensus: str | SegmentConsensus = "average",
    preprocess: bool | Preprocessing = False,
    name: str = "tsn",
) -> keras.Model:
    """Builds a segment-level model around a backbone.

    TSN, ECCV 2016 (https://arxiv.org/abs/1608.00859), section 3.1.

    Args:
        backbone: keras.Model, [N, H, W, C] to raw scores [N, classes].
        segments: K, snippets of a video.
        consensus: of raw scores, before the softmax: "average", "max", "top_k" (the
            mean of each class's three best segments), and with weights that are
            learned "linear" and "attention"; "identity" for none. Or a
            models.consensus.SegmentConsensus.
        preprocess: whether the model takes uint8 pixels, and subtracts the mean
            itself. True: as the backbone's weights ask for, if `tsn_keras.load`
            made it. A Preprocessing says it for other backbones.
        name: name of the model.

    Returns:
        keras.Model: [B, K, H, W, C] to raw scores [B, classes], of "identity"
        [B, K, classes]; with
        `preprocess` uint8 [B, K, H, W, planes] (float32 for modalities that stack
        displacements), as `tsn_keras.dataset` gives. Its
        `compile` takes "sparse_categorical_crossentropy" for that of raw scores.

    Raises:
        ValueError: `segments` is not positive, `consensus` is unknown or needs more
            segments, it is not known how to preprocess for this backbone, or this sees
            several steps of a video itself.

    Example:
        >>> import tsn_keras as tsn
        >>> model = tsn.TSN(tsn.load("demo_flow"), segments=3, preprocess=True)
        >>> model.input_shape, model.inputs[0].dtype, model.output_shape
        ((None, 3, 224, 224, 10), 'uint8', (None, 16))
    """
    if segments < 1:
        raise ValueError(f"`segments` must be at least 1. Received: {segments}")
    if len(backbone.input_shape) != 4:
        raise ValueError(
            f"{backbone.name} sees the steps of a video itself, of inputs "
            f"{tuple(backbone.input_shape)}: it has no segments"
        )
    shape = (segments, *backbone.input_shape[1:])
    layer = _preprocessing(backbone, preprocess)

    # === Functional Model ===
    if layer is None:
        inputs = x = keras.Input(shape, name="snippets")
    else:
        modality = layer.stream.modality
        shape = (*shape[:-1], modality.planes)
        inputs = keras.Input(shape, dtype=modality.pixel_type, name="snippets")
        x = layer(inputs)  # [B, K, H, W, C]
    # In the precision of the variables, where the backbone computes in less.
    dtype = backbone.dtype_policy.variable_dtype
    if isinstance(consensus, SegmentConsensus):
        joined = consensus
    else:
        joined = SegmentConsensus(consensus, name="segment_consensus", dtype=dtype)
    if joined.record.reads_features:
        body, classifier = _parts(backbone)
        features = TimeDistributed(body, name="segments")(x)  # [B, K, D]
        x = [TimeDistributed(classifier, name="classifier")(features), features]
    else:
        x = TimeDistributed(backbone, name="segments")(x)  # [B, K, classes]
    return SegmentModel(inputs, joined(x), name=name)


def _parts(backbone):
    """A backbone up to its classifier's input, dropout included, and the rest.

    UntrimmedNets' attention reads the features after the dropout; the journal version
    of TSN does not say.
    """
    # By the calls of this model: its layers may be another model's too.
    calls = [
        node for _, level in sorted(backbone._nodes_by_depth.items()) for node in level
    ]
    dense = [c for c in calls if isinstance(c.operation, keras.layers.Dense)]
    if not dense or len(dense[0].input_tensors[0].shape) != 2:
        raise ValueError(
            f"this consensus reads the features before the classifier, and "
            f"{backbone.name} does not end with a Dense layer over them"
        )
    features = dense[0].input_tensors[0]
    return (
        keras.Model(backbone.inputs[0], features, name="features"),
        keras.Model(features, backbone.outputs[0], name="scores"),
    )


def feature_network(body, classifier, segments, joined, name="tsn"):
    """A segment-level model that classifies the segments' mean features.

    MMAction2's head (models/heads/tsn_head.py:77-97). The classifier is linear, so that
    its scores are the mean of the segments' scores; but in training the dropout before
    it draws once for a video, and not for each segment.

    Args:
        body: keras.Model, [N, H, W, C] to pooled features [N, ...].
        classifier: keras.Model, [N, ...] to raw scores [N, classes].
        segments: K.
        joined: SegmentConsensus, "average".
        name: name of the model.

    Returns:
        keras.Model: [B, K, H, W, C] to raw scores [B, classes].
    """
    inputs = keras.Input((segments, *body.input_shape[1:]), name="snippets")
    x = TimeDistributed(body, name="segments")(inputs)  # [B, K, ...]
    dtype = body.dtype_policy.variable_dtype
    x = classifier(joined(x))
    # In the precision of the variables, where the classifier computes in less.
    x = keras.layers.Identity(name="scores", dtype=dtype)(x)
    return SegmentModel(inputs, x, name=name)


def halves(backbone, features):
    """A backbone's pooled features, and what it makes of them.

    Args:
        backbone: keras.Model.
        features: layer whose output are the pooled features, see records.Backbone.

    Returns:
        (keras.Model up to that layer, keras.Model from there on)
    """
    pooled = backbone.get_layer(features).output
    return (
        keras.Model(backbone.inputs[0], pooled, name="features"),
        keras.Model(pooled, backbone.outputs[0], name="classifier"),
    )


def _preprocessing(backbone, preprocess):
    """The layer that a user asks for, or None."""
    if not preprocess:
        return None
    if isinstance(preprocess, Preprocessing):
        layer = preprocess
    else:
        known = identity.of(backbone)
        if known is None:
            raise ValueError(
                f"`preprocess=True` needs a model that tsn_keras.load made, which says "
                f"how its input is made; {backbone.name} does not: give "
                f"`preprocess=Preprocessing(modality, protocol)`"
            )
        stream = known.stream
        layer = Preprocessing(stream.modality.name, stream.protocol.name)
    channels = layer.stream.modality.channels
    if backbone.input_shape[-1] != channels:
        raise ValueError(
            f"`preprocess` is for {layer.stream.modality.name}, of {channels} "
            f"channels; {backbone.name} takes {backbone.input_shape[-1]}"
        )
    return layer
