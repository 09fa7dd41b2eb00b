"""How much snippets and crops count: beside gradients, and they add up."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsn_keras.explanation import shares
from tsn_keras.explanation.explainer import _Snippets
from tsn_keras.models.consensus import SegmentConsensus
from tsn_keras.scores import windows
from tsn_keras.scores.consensus import Consensus
from tsn_keras.scores.joining import Way

WEIGHT = np.float32([0.1, 0.3, -0.2, 0.25, 0.15])
ATTENTION = np.float32([0.2, -0.4, 1.1, 0.0, 0.5])
SCORES = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
KINDS = {
    "average": {},
    "max": {},
    "top_k": {"k": 2},
    "linear": {"weight": WEIGHT},
    "attention": {},
}


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_trained_consensus(kind):
    """The journal version's table of derivatives, by TensorFlow."""
    layer = SegmentConsensus(kind, **{k: v for k, v in KINDS[kind].items() if k == "k"})
    scores, features = tf.constant(SCORES[None]), tf.constant(ATTENTION[None, :, None])
    with tf.GradientTape() as tape:
        tape.watch([scores, features])
        inputs = [scores, features] if kind == "attention" else scores
        layer.build(keras.tree.map_structure(lambda x: x.shape, inputs))
        if layer.weights:
            layer.weights[0].assign(WEIGHT if kind == "linear" else [1.0])
        score = layer(inputs)[0, 1]
    by_scores, by_attention = tape.gradient(score, [scores, features])
    way = Way(
        over_time=windows.OVER_TIME["consensus"],
        consensus=Consensus(kind, **KINDS[kind]),
    )
    found = shares.of(way, SCORES[:, 1:2], ATTENTION)
    np.testing.assert_allclose(found[:, 0], by_scores[0, :, 1], atol=1e-6)
    if kind == "attention":
        slopes = shares.of_attention(SCORES[:, 1], ATTENTION)
        np.testing.assert_allclose(slopes, by_attention[0, :, 0], atol=1e-6)


@pytest.mark.parametrize("name", ["mean", "windows", "windows_paper", "top3"])
@pytest.mark.parametrize("snippets", [1, 40])
def test_they_add_up_to_the_score(name, snippets):
    values = np.random.default_rng(1).normal(size=(snippets, 4)).round(1)
    way = Way(over_time=windows.OVER_TIME[name])
    found = shares.of(way, values)
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1)
    assert (found * values).sum() == pytest.approx(way(values[..., None])[0])


def test_probabilities_are_what_is_averaged_where_the_protocol_says_so():
    """The heat is that of raw scores also then."""
    way = Way(average="probabilities")
    network = types.SimpleNamespace(outputs=3)
    scores = np.random.default_rng(2).normal(size=(5, 2, 3)).astype("float32")
    looked = _Snippets(network, way, scores, None, np.arange(5))
    assert looked._contributions(1).sum() == pytest.approx(way(scores)[1])
    slopes = looked._slopes(1)
    np.testing.assert_allclose(slopes, np.tile([0, 0.1, 0], (5, 2, 1)), atol=1e-12)


def test_equal_snippets_share_nothing_twice():
    """A short video repeats its snippets."""
    way = Way(over_time=windows.OVER_TIME["top3"])
    found = shares.of(way, np.ones((5, 2)))
    assert sorted(found.sum(axis=1)) == pytest.approx([0, 0, 1 / 3, 1 / 3, 1 / 3])
