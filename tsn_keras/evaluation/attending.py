"""Networks that tell each snippet's attention beside its scores.

Where an attention consensus was trained and the test asks for it. The attention is a
vector times the features that the classifier reads (TSN's journal version,
arXiv:1705.02953, section 3.3): as one more class of the classifier it is computed,
kept and averaged over crops as the scores are.
"""

import dataclasses

import numpy as np

from tsn_keras.common.errors import InputError
from tsn_keras.evaluation import ways


def attends(weights):
    """Whether the test of the weights needs the attention.

    Args:
        weights: checkpoints.loading.Weights, under the protocol of the test.
    """
    trained = ways.trained(weights)
    return trained is not None and trained.attends


def outputs(weights):
    """Numbers that the network tells of a crop: the scores of the classes, or more."""
    return weights.architecture.classes + attends(weights)


def parted(values, weights):
    """What such a network told, as scores and attention.

    Args:
        values: float32 [..., outputs].
        weights: see `attends`.

    Returns:
        (float32 [..., classes], float32 [...] or None)
    """
    if not attends(weights):
        return values, None
    return values[..., :-1], values[..., -1]


def build(weights, side):
    """Builds the model of weights, with the attention as a last class if need be.

    Args:
        weights: see `attends`.
        side: of the input, pixels.

    Returns:
        keras.Model, [N, side, side, channels] to [N, outputs].

    Raises:
        InputError: the weights cannot be used, or the attention is not of their
            features.
    """
    model = weights.build(side)
    if not attends(weights):
        return model
    known, attention = weights.architecture, ways.trained(weights).weight
    name = known.backbone.head
    kernel, *biases = model.get_layer(name).get_weights()
    if attention is None:
        raise InputError(f"{weights.path} does not say the weights of its attention")
    if kernel.ndim != 2 or len(kernel) != len(attention):
        raise InputError(
            f"{weights.path}: the weights of its attention are for {len(attention)} "
            f"features, the classifier has a kernel of {kernel.shape}"
        )
    wider = dataclasses.replace(known, classes=known.classes + 1).build(side)
    for layer, source in zip(wider.layers, model.layers, strict=True):
        if layer.name != name:
            layer.set_weights(source.get_weights())
    wider.get_layer(name).set_weights(
        [np.column_stack([kernel, attention]), *(np.append(b, 0) for b in biases)]
    )
    return wider
