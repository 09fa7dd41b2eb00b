"""Local response normalisation across channels against Caffe's formula.

In float32 each value is a power of a sum of six numbers: some roundings of 6e-8, so
1e-6 of it. The reference's vectors have eight decimals: 5e-9 in float64.
"""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsn_keras.models.local_response import LocalResponseNormalization

INPUTS = 30 * np.sin(np.arange(8) + 1)
CNN_M = {"size": 5, "alpha": 5e-4, "beta": 0.75, "bias": 2.0}
GOOGLENET = {"size": 5, "alpha": 1e-4, "beta": 0.75, "bias": 1.0}
VECTORS = (
    (
        CNN_M,
        [14.26790740, 15.14516546, 2.28603473, -12.49396889]
        + [-16.02392003, -4.53523859, 10.84909997, 16.81062633],
    ),
    (
        GOOGLENET,
        [24.72690816, 26.52078077, 4.06740595, -21.99034590]
        + [-28.00669156, -8.06024042, 19.09223321, 29.09795470],
    ),
)


@pytest.mark.parametrize(("settings", "expected"), VECTORS)
@pytest.mark.parametrize(
    ("dtype", "relative", "absolute"), [("float32", 1e-6, 0), ("float64", 0, 6e-9)]
)
def test_vectors(settings, expected, dtype, relative, absolute):
    layer = LocalResponseNormalization(**settings, dtype=dtype)
    found = np.array(layer(INPUTS.astype(dtype)[None, None, None]))[0, 0, 0]
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=relative, atol=absolute)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_the_gradient_equals_differences_of_the_function(size):
    """Of float64: central differences of 1e-5 err by some 1e-9."""
    random = np.random.default_rng(size)
    inputs, upstream = (
        random.normal(size=(2, 2, 3, 6)),
        random.normal(size=(2, 2, 3, 6)),
    )
    layer = LocalResponseNormalization(size, 0.7, 0.6, 1.5, dtype="float64")
    with tf.GradientTape() as tape:
        x = tf.constant(inputs)
        tape.watch(x)
        loss = tf.reduce_sum(layer(x) * upstream)
    found = tape.gradient(loss, x).numpy()
    step, expected = 1e-5, np.empty_like(inputs)
    for place in np.ndindex(inputs.shape):
        values = []
        for sign in (1, -1):
            moved = inputs.copy()
            moved[place] += sign * step
            values.append((np.array(layer(moved)) * upstream).sum())
        expected[place] = (values[0] - values[1]) / (2 * step)
    np.testing.assert_allclose(found, expected, atol=1e-8)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_squares_beyond_half_precision(dtype):
    """300 squared is more than float16 holds."""
    layer = LocalResponseNormalization(**CNN_M, dtype=dtype)
    found = layer(tf.constant(np.full((1, 1, 1, 4), 300.0), dtype))
    assert found.dtype == dtype
    exact = 300 / (2 + 1e-4 * 3 * 300**2) ** 0.75
    # An end of four channels sees three of them; half precision has 8 bits or more.
    assert float(found[0, 0, 0, 0]) == pytest.approx(exact, rel=2**-8)


def test_saved_and_loaded(tmp_path):
    inputs = keras.Input((3, 2, 8))
    outputs = LocalResponseNormalization(7, 2e-4, 0.5, 3.0, name="norm")(inputs)
    model = keras.Model(inputs, outputs)
    model.save(tmp_path / "m.keras")
    copy = keras.models.load_model(tmp_path / "m.keras")
    layer = copy.get_layer("norm")
    assert (layer.size, layer.alpha, layer.beta, layer.bias) == (7, 2e-4, 0.5, 3.0)
    assert layer.compute_output_shape((None, 3, 2, 8)) == (None, 3, 2, 8)
    images = np.random.default_rng(0).normal(size=(1, 3, 2, 8)).astype("f4")
    np.testing.assert_array_equal(np.array(model(images)), np.array(copy(images)))


@pytest.mark.parametrize("size", [0, 4, -1])
def test_windows_are_odd(size):
    with pytest.raises(ValueError, match=f"odd and at least 1. Received: {size}"):
        LocalResponseNormalization(size)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends(backend):
    pytest.importorskip(backend)
    code = (
        "import json, numpy as np\n"
        "from tsn_keras.models.local_response import LocalResponseNormalization\n"
        f"x = np.array({INPUTS.tolist()}, 'f4')[None, None, None]\n"
        f"y = LocalResponseNormalization(**{CNN_M})(x)\n"
        "print(json.dumps(np.array(y).ravel().tolist()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(found, VECTORS[0][1], rtol=1e-6)
