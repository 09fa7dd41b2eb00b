"""Layers of windowed attention, beside their definitions in float64.

Float64 layers differ from NumPy by the order of additions, 1e-15; the bound is 1e-12.
"""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsn_keras.models.windows import (
    Linear,
    PatchMerging,
    TokenNorm,
    WindowAttention,
    gelu,
)

RANDOM = np.random.default_rng(0)


def attention(inputs, table, window, shift):
    """Attention by definition: over all tokens, with those outside taken out.

    Two tokens see one another if they share a window of the rolled image and are
    less than a window apart in the image itself.
    """
    count, height, width, _ = inputs.shape
    heads = table.shape[1]
    x = inputs.reshape(count, height * width, 3, heads, -1)
    queries, keys, values = np.moveaxis(x, 2, 0)
    row, column = np.divmod(np.arange(height * width), width)
    distance = [place[:, None] - place for place in (row, column)]
    rolled = ((row - shift) % height // window, (column - shift) % width // window)
    seen = np.all([place[:, None] == place for place in rolled], axis=0)
    seen &= np.all([np.abs(d) < window for d in distance], axis=0)
    down, right = (np.where(seen, d, 0) + window - 1 for d in distance)
    bias = table[down * (2 * window - 1) + right].transpose(2, 0, 1)
    scores = np.einsum("nqhc,nkhc->nhqk", queries, keys) / math.sqrt(x.shape[-1]) + bias
    scores = np.exp(np.where(seen, scores, -np.inf))
    scores /= scores.sum(-1, keepdims=True)
    x = np.einsum("nhqk,nkhc->nqhc", scores, values)
    return x.reshape(count, height, width, -1)


@pytest.mark.parametrize("window", [2, 3])
@pytest.mark.parametrize("shift", [0, 1])
def test_attention_is_that_of_its_definition(window, shift):
    inputs = RANDOM.normal(size=(2, 2 * window, 3 * window, 3 * 2 * 4))
    layer = WindowAttention(2, window, shift, dtype="float64")
    layer.build(inputs.shape)
    table = RANDOM.normal(size=((2 * window - 1) ** 2, 2))
    layer.relative_position_bias_table.assign(table)
    expected = attention(inputs, table, window, shift)
    np.testing.assert_allclose(layer(inputs), expected, atol=1e-12)
    # Rolling tells: another shift gives something else.
    other = attention(inputs, table, window, 1 - shift)
    assert np.abs(other - expected).max() > 0.1


def test_scaled_queries_are_not_scaled_again():
    inputs = RANDOM.normal(size=(1, 4, 4, 3 * 2 * 4))
    scaled = inputs.copy()
    scaled[..., : 2 * 4] /= math.sqrt(4)
    layer = WindowAttention(2, 2, 1, dtype="float64")
    expected = layer(inputs)
    layer.scaled = True
    np.testing.assert_allclose(layer(scaled), expected, atol=1e-12)


def test_merging_takes_neighbours_in_the_order_of_timm():
    inputs = RANDOM.normal(size=(2, 4, 6, 3)).astype("f4")
    places = ((0, 0), (1, 0), (0, 1), (1, 1))
    parts = [inputs[:, row::2, column::2] for row, column in places]
    np.testing.assert_array_equal(PatchMerging()(inputs), np.concatenate(parts, -1))


def test_gelu_is_exact():
    x = np.linspace(-6, 6, 1001)
    expected = [v / 2 * (1 + math.erf(v / math.sqrt(2))) for v in x]
    found = np.asarray(gelu(keras.ops.convert_to_tensor(x, "float64")))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)


def test_linear_is_a_dense_layer():
    inputs = RANDOM.normal(size=(2, 3, 4, 5)).astype("f4")
    linear, dense = Linear(6, activation=gelu), keras.layers.Dense(6, activation=gelu)
    expected = dense(inputs)
    linear.build(inputs.shape)
    linear.set_weights(dense.get_weights())
    # float32 sums of five products.
    np.testing.assert_allclose(linear(inputs), expected, atol=1e-6)


@pytest.mark.parametrize("scale", [3e-3, 1.0, 100.0])
def test_norm_keeps_its_epsilon(scale):
    """Also where TensorFlow has one operation for it: of constant weights."""
    x = RANDOM.normal(size=(2, 3, 4, 64)) * scale + scale
    gamma, beta = RANDOM.normal(size=(2, 64))
    deviation = np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    expected = (x - x.mean(-1, keepdims=True)) / deviation * gamma + beta
    layer = TokenNorm(epsilon=1e-5)
    layer.build(x.shape)
    layer.set_weights([gamma, beta])
    constants = [np.asarray(variable) for variable in layer.weights]
    x = x.astype("f4")
    compiled = tf.function(lambda x: layer.stateless_call(constants, [], x)[0])
    # The epsilon of 1e-3 would change the first by 0.9, the second by 1e-3. Rounding
    # of the input alone gives 1e-6.
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)
    np.testing.assert_allclose(compiled(tf.constant(x)), expected, atol=1e-5)


def test_norm_in_half_precision_has_statistics_in_float32():
    x = RANDOM.normal(size=(4, 256)) + 30
    x = np.asarray(keras.ops.cast(x, "bfloat16"), "f4")
    expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(
        x.var(-1, keepdims=True) + 1e-5
    )
    found = TokenNorm(epsilon=1e-5, dtype="bfloat16")(x)
    # 8 bits: a result of up to 4 is rounded by 2**-7.
    np.testing.assert_allclose(np.asarray(found, "f4"), expected, atol=2**-7)
