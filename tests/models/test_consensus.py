"""The consensus functions and their gradients, with the numbers of their formulas.

Of the fact sheet's vectors, eight digits each: K=5 segments, 4 classes, 3 features.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsn_keras.common.errors import InputError
from tsn_keras.models.consensus import CONSENSUS, SegmentConsensus

TOLERANCE = 1e-8
SEGMENT = np.arange(5)[:, None]
SCORES = 2 * np.sin(1.1 * SEGMENT + 0.7 * np.arange(4) + 0.3)
FEATURES = np.cos(0.9 * SEGMENT + 1.7 * np.arange(3))
LINEAR = [0.1, 0.3, 0.2, 0.25, 0.15]
ATTENTION = [0.5, -0.25, 0.75]
LABEL = 2


def computed(kind, weight=None):
    """(G, loss, {name: gradient}) of a video."""
    layer = SegmentConsensus(kind, dtype="float64")
    scores, features = tf.constant(SCORES[None]), tf.constant(FEATURES[None])
    inputs = [scores, features] if kind == "attention" else scores
    layer.build([x.shape for x in inputs] if kind == "attention" else inputs.shape)
    if weight is not None:
        layer.weight.assign(weight)
    with tf.GradientTape() as tape:
        tape.watch([scores, features])
        found = layer(inputs)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits([LABEL], found)
    sources = {"scores": scores, "features": features}
    if weight is not None:
        sources["weight"] = layer.weight.value
    gradients = tape.gradient(loss, sources)
    squeezed = {
        name: np.squeeze(g, 0) if name != "weight" else np.asarray(g)
        for name, g in gradients.items()
        if g is not None
    }
    return np.asarray(found)[0], float(loss[0]), squeezed


@pytest.mark.parametrize(
    ("kind", "weight", "expected", "loss", "gradient"),
    [
        (
            "max",
            None,
            (1.97089946, 1.72641873, 1.98332962, 1.35092636),
            1.19161596,
            (-0.69626995, 0, 0, 0, 0),
        ),
        (
            "average",
            None,
            (0.17479935, -0.01704969, -0.20087999, -0.29023330),
            1.52001952,
            (-0.15625848,) * 5,
        ),
        (
            "top_k",
            None,
            (1.25296139, 1.09753747, 0.76299364, 0.54586220),
            1.57575508,
            (-0.26438290, -0.26438290, 0, 0, -0.26438290),
        ),
        (
            "linear",
            LINEAR,
            (0.36852554, -0.02704216, -0.40989150, -0.59996247),
            1.69953075,
            (-0.08172307, -0.24516922, -0.16344615, -0.20430768, -0.12258461),
        ),
        (
            "attention",
            ATTENTION,
            (0.26979675, -0.12855546, -0.46644603, -0.58495975),
            1.68237273,
            (-0.11014261, -0.16718338, -0.21412589, -0.19188802, -0.13072781),
        ),
    ],
)
def test_scores_loss_and_gradient(kind, weight, expected, loss, gradient):
    found, value, gradients = computed(kind, weight)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    assert value == pytest.approx(loss, abs=TOLERANCE)
    got = gradients["scores"][:, LABEL]
    np.testing.assert_allclose(got, gradient, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("max", (0, 0.29997801, 0, 0, 0)),
        # Class 0 has other best segments than class 2.
        ("top_k", (0.11254528, 0.11254528, 0.11254528, 0, 0)),
    ],
)
def test_each_class_has_segments_of_its_own(kind, expected):
    got = computed(kind)[2]["scores"][:, 0]
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)


def test_gradients_of_the_learned_weights():
    got = computed("linear", LINEAR)[2]["weight"]
    expected = -0.73032341, 0.59373276, 1.26895316, 0.55745170, -0.76323730
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)
    gradients = computed("attention", ATTENTION)[2]
    expected = -0.06118443, -0.34136111, 0.14914943
    np.testing.assert_allclose(gradients["weight"], expected, rtol=0, atol=TOLERANCE)
    # The features learn too.
    expected = [
        [-0.07290156, 0.03645078, -0.10935233],
        [0.02049565, -0.01024782, 0.03074347],
    ]
    np.testing.assert_allclose(
        gradients["features"][:2], expected, rtol=0, atol=TOLERANCE
    )


@pytest.mark.parametrize("kind", ["linear", "attention"])
def test_learned_weights_begin_at_the_mean(kind):
    inputs = [SCORES[None], FEATURES[None]] if kind == "attention" else SCORES[None]
    found = SegmentConsensus(kind, dtype="float64")(inputs)
    # Keras' initializer makes a float32 of 1/5.
    np.testing.assert_allclose(found[0], SCORES.mean(axis=0), rtol=3e-8)


def test_identity_changes_nothing():
    layer = SegmentConsensus("identity", dtype="float64")
    np.testing.assert_array_equal(layer(SCORES[None])[0], SCORES)
    assert layer.compute_output_shape((None, 5, 4)) == (None, 5, 4)


@pytest.mark.parametrize("kind", list(CONSENSUS))
def test_every_function_is_saved_and_loaded(kind, tmp_path):
    scores = keras.Input((5, 4))
    features = keras.Input((5, 3))
    layer = SegmentConsensus(kind, k=2, name="consensus")
    needs = layer.record.reads_features
    inputs = [scores, features] if needs else scores
    model = keras.Model(inputs, layer(inputs))
    for weight in layer.weights:
        weight.assign(np.linspace(0.1, 0.9, weight.shape[0]))
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    values = [SCORES[None], FEATURES[None]] if needs else SCORES[None]
    assert copy.get_layer("consensus").k == 2
    np.testing.assert_array_equal(copy(values), model(values))


def test_wrong_settings_are_named():
    with pytest.raises(
        InputError, match="no consensus 'vote'; there are: average, max"
    ):
        SegmentConsensus("vote")
    with pytest.raises(ValueError, match="at least 1. Received: 0"):
        SegmentConsensus("top_k", k=0)
    with pytest.raises(ValueError, match="`k` is 6, but there are 5 segments"):
        SegmentConsensus("top_k", k=6)(SCORES[None])
