"""TSN: the consensus of a backbone's scores, saved and loaded."""

import keras
import numpy as np
import pytest

from tsn_keras.models.bn_inception import BNInception
from tsn_keras.models.folding import fold
from tsn_keras.models.tsn import TSN
from tsn_keras.scores import metrics

pytestmark = pytest.mark.usefixtures("shallow_network")


@pytest.fixture(scope="module")
def backbone(shallow_network):
    keras.utils.set_random_seed(0)
    return BNInception(classes=4, width=0.1)


@pytest.fixture
def videos():
    random = np.random.default_rng(0)
    return random.normal(0, 50, (2, 3, 224, 224, 3)).astype("f4")


def test_score_is_the_mean_of_the_segments_raw_scores(backbone, videos):
    model = TSN(backbone, segments=3)
    assert model.input_shape == (None, 3, 224, 224, 3)
    found = model.predict(videos, verbose=0)
    parts = [backbone.predict(videos[:, k], verbose=0) for k in range(3)]
    expected = np.mean(parts, axis=0)
    # The same float32 sums in batches of another size.
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_a_trainable_batch_norm_sees_all_segments_at_once(videos):
    """Its statistics are over B * K images, as in the original."""
    inputs = keras.Input((224, 224, 3))
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    norm = keras.layers.BatchNormalization(momentum=0.0, epsilon=1e-5)
    outputs = norm(x)
    model = TSN(keras.Model(inputs, outputs), segments=3)
    scores = model(videos, training=True)
    pooled = videos.mean(axis=(2, 3))  # [B, K, 3]
    mean, deviation = pooled.mean((0, 1)), np.sqrt(pooled.var((0, 1)) + 1e-5)
    expected = ((pooled - mean) / deviation).mean(axis=1)
    # Means of 50,000 float32 pixels.
    np.testing.assert_allclose(scores, expected, atol=1e-3)
    np.testing.assert_allclose(norm.moving_mean, mean, atol=1e-4)


def test_saves_and_loads(backbone, videos, tmp_path):
    model = TSN(backbone, segments=3, consensus="average")
    model.save(tmp_path / "tsn.keras")
    copy = keras.models.load_model(tmp_path / "tsn.keras")
    np.testing.assert_array_equal(
        model.predict(videos, verbose=0), copy.predict(videos, verbose=0)
    )
    assert copy.get_layer("segment_consensus").kind == "average"


@pytest.mark.parametrize("consensus", ["max", "top_k", "linear", "attention"])
def test_consensus_of_the_backbones_scores(backbone, videos, consensus, tmp_path):
    model = TSN(backbone, segments=3, consensus=consensus)
    layer = model.get_layer("segment_consensus")
    for weight in layer.weights:
        weight.assign(np.linspace(-1, 1, weight.shape[0]))
    scores = np.stack([backbone.predict(videos[:, k], verbose=0) for k in range(3)], 1)
    dense = backbone.layers[-1]
    pooled = keras.Model(backbone.inputs, dense.input)
    features = np.stack([pooled.predict(videos[:, k], verbose=0) for k in range(3)], 1)
    expected = {
        "max": scores.max(axis=1),
        "top_k": scores.mean(axis=1),  # All three of three.
        "linear": scores[:, 2] - scores[:, 0],
        "attention": np.einsum(
            "bkc,bk->bc",
            scores,
            metrics.softmax(features @ np.linspace(-1, 1, features.shape[-1])),
        ),
    }[consensus]
    found = model.predict(videos, verbose=0)
    # Another batch size may sum in another order.
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    model.save(tmp_path / "tsn.keras")
    copy = keras.models.load_model(tmp_path / "tsn.keras")
    np.testing.assert_array_equal(copy.predict(videos, verbose=0), found)


def test_errors_name_the_value(backbone):
    with pytest.raises(ValueError, match="Received: 0"):
        TSN(backbone, segments=0)
    with pytest.raises(ValueError, match="'vote'"):
        TSN(backbone, consensus="vote")
    with pytest.raises(ValueError, match="`k` is 3, but there are 2 segments"):
        TSN(backbone, segments=2, consensus="top_k")
    headless = keras.Model(backbone.inputs, backbone.layers[-1].input, name="headless")
    with pytest.raises(ValueError, match="headless does not end with a Dense layer"):
        TSN(headless, consensus="attention")


def test_fold_leaves_the_model_alone_and_the_function_the_same(backbone, videos):
    random = np.random.default_rng(1)
    for layer in backbone.layers:
        if layer.name.endswith("_bn"):
            shape = layer.gamma.shape
            layer.set_weights([random.uniform(0.5, 1.5, shape) for _ in range(4)])
    before = [w.copy() for w in backbone.get_weights()]
    folded = fold(backbone)
    for found, value in zip(backbone.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, value)
    kinds = {type(layer).__name__ for layer in folded.layers}
    assert not kinds & {"BatchNormalization", "Dropout"}
    expected = backbone.predict(videos[0], verbose=0)
    found = folded.predict(videos[0], verbose=0)
    assert np.abs(found - expected).max() <= 2e-4 * np.abs(expected).max()
