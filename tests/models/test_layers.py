"""Single layers against the original Caffe's, forward and backward.

Bound 1e-5 of the largest magnitude: float32 sums of at most 147 terms.
"""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsn_keras.models import consensus, layers

UNITS = np.load(pathlib.Path(__file__).parents[1] / "golden/layer_units.npz")
BOUND = 1e-5


def channels_last(array):
    return array.transpose(0, 2, 3, 1)


def assert_close(found, expected):
    found = np.asarray(found)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= BOUND * np.abs(expected).max()


def check(layer, case, training=False):
    """Output and input gradient of `layer` against those of a golden case.

    Of bn_test only the output: the fork's backward pass of a batch norm in the
    test phase is not part of the forward pass it made.
    """
    inputs = tf.constant(channels_last(UNITS[f"{case}:x"]))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=training)
        loss = tf.reduce_sum(outputs * channels_last(UNITS[f"{case}:dy"]))
    assert_close(outputs, channels_last(UNITS[f"{case}:y"]))
    if case != "bn_test":
        assert_close(tape.gradient(loss, inputs), channels_last(UNITS[f"{case}:dx"]))
    assert layer.compute_output_shape(inputs.shape) == outputs.shape


POOLINGS = sorted(
    key.removesuffix(":y")
    for key in UNITS.files
    if key.startswith("pool_") and key.endswith(":y") and "ties" not in key
)


@pytest.mark.parametrize("case", POOLINGS)
def test_pooling_equals_caffe(case):
    mode, *fields = case.removeprefix("pool_").split("_")
    options = {field[0]: int(field[1:]) for field in fields[:-1]}
    mode = "average" if mode == "ave" else mode
    layer = layers.CaffePooling2D(mode, options["k"], options["s"], options.get("p", 0))
    check(layer, case)


def test_pooling_of_equal_maxima_equals_caffe():
    # Which of the maxima gets the gradient is not compared.
    layer = layers.CaffePooling2D("max", 3, 2)
    found = layer(channels_last(UNITS["pool_max_ties:x"]))
    assert_close(found, channels_last(UNITS["pool_max_ties:y"]))


def test_there_are_poolings_to_compare():
    assert len(POOLINGS) == 26


@pytest.mark.parametrize(
    ("case", "kernel", "stride", "pad"),
    [
        ("conv_k7_s2_p3", 7, 2, 3),
        ("conv_k3_s1_p1", 3, 1, 1),
        ("conv_k3_s2_p1", 3, 2, 1),
        ("conv_k1_s1_p0", 1, 1, 0),
    ],
)
def test_convolution_equals_caffe(case, kernel, stride, pad):
    layer = layers.CaffeConv2D(4, kernel, stride, pad=pad)
    layer.build(channels_last(UNITS[f"{case}:x"]).shape)
    layer.kernel.assign(UNITS[f"{case}:blob0_before"].transpose(2, 3, 1, 0))
    layer.bias.assign(UNITS[f"{case}:blob1_before"])
    check(layer, case)


@pytest.mark.parametrize(
    ("kernel", "options", "expected"),
    [
        (3, {}, 6),
        (3, {"pad": 0}, 6),
        (3, {"pad": 1}, 8),
        (5, {"pad": 1}, 6),
        (3, {"pad": 2}, 10),
    ],
)
def test_convolution_pads_as_it_is_told(kernel, options, expected):
    layer = layers.CaffeConv2D(2, kernel, **options)
    assert layer(np.zeros((1, 8, 8, 3), "f4")).shape == (1, expected, expected, 2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_convolution_in_groups_is_several(dtype):
    random = np.random.default_rng(0)
    layer = layers.CaffeConv2D(6, 3, 2, pad=1, groups=2, dtype=dtype)
    inputs = tf.constant(random.normal(size=(2, 7, 7, 4)).astype(dtype))
    layer.build(inputs.shape)
    parts = [layers.CaffeConv2D(3, 3, 2, pad=1, dtype=dtype) for _ in range(2)]
    for k, part in enumerate(parts):
        part.build((None, 7, 7, 2))
        part.kernel.assign(layer.kernel[..., 3 * k : 3 * k + 3])
    with tf.GradientTape(persistent=True) as tape:
        found = layer(inputs)
        halves = tf.split(inputs, 2, axis=3)
        expected = tf.concat(
            [part(half) for part, half in zip(parts, halves, strict=True)], axis=3
        )
        sums = [tf.reduce_sum(y**2) for y in (found, expected)]
    assert_close(found, expected)
    kernels = [part.kernel.value for part in parts]
    assert_close(
        tape.gradient(sums[0], layer.kernel.value),
        tf.concat(tape.gradient(sums[1], kernels), axis=3),
    )


def test_defaults_of_a_pooling():
    layer = layers.CaffePooling2D("max", 3)
    assert (layer.stride, layer.pad, layer.ceil) == (1, 0, True)


@pytest.mark.parametrize(
    ("case", "training", "options"),
    [
        ("bn_test", False, {}),
        ("bn_train", True, {}),
        ("bn_train_fwd3", True, {}),
        ("bn_frozen_train", True, {}),
        ("bn_train_mom_eps", True, {"momentum": 0.7, "epsilon": 0.01}),
    ],
)
def test_batch_norm_equals_caffe(case, training, options):
    """Keras' batch norm, at Caffe's settings, is the fork's BN layer."""
    layer = keras.layers.BatchNormalization(
        **{"momentum": 0.9, "epsilon": 1e-5, **options},
        trainable="frozen" not in case,
    )
    layer.build(channels_last(UNITS[f"{case}:x"]).shape)
    layer.set_weights([UNITS[f"{case}:blob{i}_before"] for i in range(4)])
    if case == "bn_train_fwd3":
        # Three passes in all, of which `check` does the last.
        for _ in range(2):
            layer(channels_last(UNITS[f"{case}:x"]), training=True)
    check(layer, case, training)
    for i, weight in enumerate(
        (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
    ):
        assert_close(weight, UNITS[f"{case}:blob{i}_after"][0])


def test_inner_product_equals_caffe():
    layer = keras.layers.Dense(6)
    layer.build((None, 5))
    layer.set_weights([UNITS["ip:blob0_before"].T, UNITS["ip:blob1_before"]])
    assert_close(layer(UNITS["ip:x"][:, :, 0, 0]), UNITS["ip:y"])


def test_consensus_equals_caffe():
    layer = consensus.SegmentConsensus()
    assert_close(layer(UNITS["consensus_k3:x"][:, 0]), UNITS["consensus_k3:y"][:, 0, 0])


@pytest.mark.parametrize(
    ("length", "size", "stride", "pad", "expected"),
    [(112, 3, 2, 0, 56), (56, 3, 2, 0, 28), (28, 3, 2, 0, 14), (14, 3, 2, 0, 7)]
    + [(7, 3, 2, 0, 3), (7, 3, 1, 1, 7), (7, 7, 1, 0, 1), (8, 3, 2, 1, 5)]
    # A last window that would begin beyond the image and its left padding.
    + [(7, 2, 2, 1, 4), (6, 2, 2, 1, 4), (7, 2, 2, 0, 4)],
)
def test_pooled_length(length, size, stride, pad, expected):
    assert layers.pooled_length(length, size, stride, pad) == expected


@pytest.mark.parametrize(
    ("length", "size", "stride", "pad", "expected"),
    [(112, 3, 2, 1, 56), (113, 3, 2, 1, 57), (112, 3, 2, 0, 55), (7, 2, 2, 0, 3)]
    + [(8, 3, 1, 1, 8), (5, 2, 3, 1, 2)],
)
def test_pooled_length_rounded_down(length, size, stride, pad, expected):
    assert layers.pooled_length(length, size, stride, pad, ceil=False) == expected


@pytest.mark.parametrize("mode", ["max", "average"])
@pytest.mark.parametrize(
    ("size", "stride", "pad"), [(3, 2, 1), (3, 2, 0), (2, 2, 0), (3, 1, 1), (2, 3, 1)]
)
def test_pooling_rounded_down(mode, size, stride, pad):
    """Each window by itself, as PyTorch has it; also of an image of unknown size."""
    inputs = np.random.default_rng(0).normal(size=(2, 9, 8, 3)).astype("float32") - 5
    layer = layers.CaffePooling2D(mode, size, stride, pad, ceil=False)
    sides = [(0, 0), (pad, pad), (pad, pad), (0, 0)]
    padded = np.pad(inputs, sides, constant_values=-np.inf if mode == "max" else 0)
    reduce = np.max if mode == "max" else np.mean
    rows, columns = ((n + 2 * pad - size) // stride + 1 for n in (9, 8))
    expected = np.empty((2, rows, columns, 3), "float32")
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride, j * stride
            window = padded[:, top : top + size, left : left + size]
            expected[:, i, j] = reduce(window, axis=(1, 2))
    assert_close(layer(inputs), expected)
    assert layer.compute_output_shape(inputs.shape) == expected.shape
    free = keras.Input((None, None, 3))
    model = keras.Model(free, layer(free))
    assert model.output_shape == (None, None, None, 3)
    assert_close(model(inputs), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("stride", "pad"), [(1, 1), (2, 1)])
def test_convolution_in_groups(dtype, stride, pad):
    """It is one convolution a group, and so are its gradients."""
    random = np.random.default_rng(0)
    inputs = tf.constant(random.normal(size=(2, 7, 6, 8)), dtype)
    layer = layers.CaffeConv2D(12, 3, stride, pad=pad, groups=4, dtype=dtype)
    layer.build(inputs.shape)
    assert layer.kernel.shape == (3, 3, 2, 12)
    bias = random.normal(size=12)
    layer.bias.assign(bias)

    def split(inputs):
        found = []
        for group in range(4):
            part = layers.CaffeConv2D(3, 3, stride, pad=pad, dtype=dtype)
            part.build((2, 7, 6, 2))
            kernel = layer.kernel[..., 3 * group : 3 * group + 3]
            shift = bias[3 * group : 3 * group + 3]
            of_group = inputs[..., 2 * group : 2 * group + 2]
            found.append(part.stateless_call([kernel, shift], [], of_group)[0])
        return tf.concat(found, -1)

    results = []
    for function in (tf.function(layer), split):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = function(inputs)
            loss = tf.reduce_sum(outputs**3)
        kernel = layer.kernel.value
        results.append((outputs, *tape.gradient(loss, (inputs, kernel))))
    for found, expected in zip(*results, strict=True):
        assert_close(found, expected.numpy())
    assert layer.compute_output_shape(inputs.shape) == results[0][0].shape


def test_same_and_explicit_padding_agree():
    """The short cut through "same" gives what explicit padding gives."""
    inputs = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32") - 5
    layer = layers.CaffePooling2D("max", 3, 1, 1)
    assert layer._is_same(8)
    shortcut = layer(inputs)
    layer._is_same = lambda length: False
    np.testing.assert_array_equal(shortcut, layer(inputs))


@pytest.mark.parametrize(
    "layer",
    [
        layers.CaffePooling2D("average", 3, 2, 1, name="a"),
        layers.CaffePooling2D("max", 3, 2, 1, ceil=False, name="d"),
        layers.CaffePooling2D("max", 3, 2, 1, positive=True, name="z"),
        layers.CaffeConv2D(4, 3, 2, pad=1, name="b"),
        consensus.SegmentConsensus(name="c"),
    ],
)
def test_config_round_trip(layer):
    copy = layer.__class__.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    shape = (2, 5, 6, 3)
    assert copy.compute_output_shape(shape) == layer.compute_output_shape(shape)


def test_errors_name_the_value():
    with pytest.raises(ValueError, match="'median'"):
        layers.CaffePooling2D("median", 3)
    with pytest.raises(ValueError, match="known height and width"):
        layers.CaffePooling2D("max", 3)(keras.Input((None, None, 3)))


def test_a_convolution_in_groups_needs_no_graph():
    """Its own gradients may not read a variable; each group is one by itself."""
    layer = layers.CaffeConv2D(6, 3, pad=1, groups=3)
    images = np.random.default_rng(0).normal(size=(2, 5, 5, 6)).astype("f4")
    with tf.GradientTape() as tape:
        found = layer(images)
        loss = tf.reduce_sum(found**2)
    (gradient,) = tape.gradient(loss, [layer.kernel.value])
    parts = []
    for k in range(3):
        kernel = tf.constant(layer.kernel.numpy()[..., 2 * k : 2 * k + 2])
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            part = tf.nn.conv2d(images[..., 2 * k : 2 * k + 2], kernel, 1, "SAME")
            loss = tf.reduce_sum(part**2)
        parts.append((part, tape.gradient(loss, kernel)))
    expected, by_kernel = (np.concatenate(p, -1) for p in zip(*parts, strict=True))
    # Sums of 18 and 50 products in another order.
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(gradient, by_kernel, rtol=1e-4, atol=1e-4)


def test_zeros_stand_for_padding_where_nothing_is_negative():
    images = np.random.default_rng(3).normal(size=(2, 9, 8, 3)).astype("f4")
    options = {"pool_size": 3, "stride": 2, "pad": 1, "ceil": False}
    plain = layers.CaffePooling2D("max", **options)
    positive = layers.CaffePooling2D("max", **options, positive=True)
    behind_relu = np.maximum(images, 0)
    np.testing.assert_array_equal(positive(behind_relu), plain(behind_relu))
    # Else a border of zeros would be seen.
    assert np.asarray(plain(-1 - behind_relu)).max() == -1
    assert np.asarray(positive(-1 - behind_relu)).max() == 0
