"""Folding: what is exact is folded, and what is not stays.

The networks compute in float64. A fold changes the order of a dozen operations, which
moves a result by some 1e-15 of its size; what must not be folded moves it by 1e-2.
"""

import keras
import numpy as np
import pytest
from keras import layers

from tsn_keras.models.folding import fold
from tsn_keras.models.layers import CaffeConv2D
from tsn_keras.models.mobileone import PaddedDepthwiseConv2D

CHANNELS = 6
BOUND = 1e-12


@pytest.fixture(autouse=True)
def _float64():
    """Layers compute in float64."""
    kept = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(kept)


def norm(**options):
    return layers.BatchNormalization(epsilon=1e-3, **options)


def conv(filters=CHANNELS, kernel=1, **options):
    return layers.Conv2D(filters, kernel, **options)


def model_of(network):
    """The model of a function of a layer's output, with random weights."""
    inputs = keras.Input((8, 8, CHANNELS))
    model = keras.Model(inputs, network(inputs))
    random = np.random.default_rng(0)
    for layer in model.layers:
        for variable in layer.weights:
            values = random.normal(size=variable.shape)
            if variable.name == "moving_variance":
                values = np.abs(values) + 0.1
            variable.assign(values)
    return model


def outputs_of(model):
    images = np.random.default_rng(1).normal(size=(2, 8, 8, CHANNELS))
    outputs = model(images)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return [np.asarray(output) for output in outputs]


def fold_and_compare(network):
    """Folds a network; returns the kinds of its layers with weights and of sums."""
    model = model_of(network)
    folded = fold(model)
    assert folded.dtype == "float64"
    for found, expected in zip(outputs_of(folded), outputs_of(model), strict=True):
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= BOUND * np.abs(expected).max()
    kept = {layer.name for layer in model.layers[1:]}
    assert {layer.name for layer in folded.layers[1:]} <= kept
    shown = [x for x in folded.layers if x.weights or isinstance(x, layers.Add)]
    return [type(layer).__name__ for layer in shown]


def parallel(*branches):
    """The sum of parallel layers, each with a batch norm; None is only that."""

    def network(x):
        x = layers.ReLU()(x)  # What the branches read, is read by all of them.
        ends = [x if layer is None else layer(x) for layer in branches]
        return layers.Add()([norm()(end) for end in ends])

    return network


def chain(*parts):
    """Layers one after another."""

    def network(x):
        for layer in parts:
            x = layer(x)
        return x

    return network


# {case: (network, kinds of the layers that remain)}; functions, since a layer can be
# used once.
FOLDED = {
    "after a convolution": lambda: (chain(conv(4, 3), norm()), ["Conv2D"]),
    "after one without a bias": lambda: (
        chain(conv(4, 3, use_bias=False), norm(scale=False)),
        ["Conv2D"],
    ),
    "after a padded one": lambda: (
        chain(CaffeConv2D(4, 3, 2, pad=1), norm(center=False)),
        ["CaffeConv2D"],
    ),
    "after a grouped one": lambda: (chain(conv(4, 3, groups=2), norm()), ["Conv2D"]),
    "after a depthwise one": lambda: (
        chain(layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False), norm()),
        ["DepthwiseConv2D"],
    ),
    "after a dense layer": lambda: (chain(layers.Dense(4), norm()), ["Dense"]),
    "after dropout": lambda: (
        chain(layers.Dense(4), layers.Dropout(0.5), norm()),
        ["Dense"],
    ),
    "two after a convolution": lambda: (chain(conv(), norm(), norm()), ["Conv2D"]),
    "before a 1x1 convolution": lambda: (
        chain(norm(), conv(4, use_bias=False, padding="same", strides=2)),
        ["Conv2D"],
    ),
    "before an unpadded one": lambda: (
        chain(norm(), conv(4, 3, activation="relu")),
        ["Conv2D"],
    ),
    "before a grouped one": lambda: (
        chain(norm(scale=False), conv(4, (3, 2), groups=2)),
        ["Conv2D"],
    ),
    "before a depthwise one": lambda: (
        chain(norm(), layers.DepthwiseConv2D(3, depth_multiplier=2, strides=2)),
        ["DepthwiseConv2D"],
    ),
    "before a dense layer": lambda: (
        chain(norm(), layers.Dense(3, activation="softmax")),
        ["Dense"],
    ),
    "before pooling and a classifier": lambda: (
        chain(
            norm(),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            layers.Dense(3),
        ),
        ["Dense"],
    ),
    "before pooling and a convolution": lambda: (
        chain(norm(), layers.GlobalAveragePooling2D(keepdims=True), conv(3)),
        ["Conv2D"],
    ),
    "between an activation and a layer": lambda: (
        chain(conv(4, activation="relu"), norm(), conv(2, 3)),
        ["Conv2D", "Conv2D"],
    ),
    "before and after a layer": lambda: (
        chain(layers.ReLU(), norm(), conv(4, 3), norm()),
        ["Conv2D"],
    ),
    "parallel convolutions": lambda: (
        parallel(
            CaffeConv2D(4, 3, 2, pad=1), CaffeConv2D(4, 1, 2), CaffeConv2D(4, 5, 2, 2)
        ),
        ["CaffeConv2D"],
    ),
    "parallel to a batch norm": lambda: (
        parallel(None, conv(use_bias=False), conv(kernel=3, padding="same")),
        ["Conv2D"],
    ),
    "two batch norms and a convolution": lambda: (
        parallel(None, conv(), None),
        ["Conv2D"],
    ),
    "parallel grouped convolutions": lambda: (
        parallel(conv(groups=2), None, conv(kernel=3, padding="same", groups=2)),
        ["Conv2D"],
    ),
    "parallel depthwise convolutions": lambda: (
        parallel(PaddedDepthwiseConv2D(1), PaddedDepthwiseConv2D(3, 1, pad=1), None),
        ["PaddedDepthwiseConv2D"],
    ),
    "parallel strided depthwise convolutions": lambda: (
        parallel(PaddedDepthwiseConv2D(3, 2, pad=1), PaddedDepthwiseConv2D(1, 2)),
        ["PaddedDepthwiseConv2D"],
    ),
}


@pytest.mark.parametrize("case", FOLDED)
def test_folds_exactly(case):
    network, kinds = FOLDED[case]()
    assert fold_and_compare(network) == kinds


def _read_twice(x):
    y = conv(4)(x)
    return layers.Concatenate()([y, norm()(y)])


def _norm_read_twice(x):
    y = norm()(layers.ReLU()(x))
    return layers.Concatenate()([conv(2)(y), conv(4)(y)])


def _norm_read_beside_pooling(x):
    y = norm()(x)
    pooled = layers.GlobalAveragePooling2D()(y)
    return [layers.Dense(3)(pooled), layers.GlobalMaxPooling2D()(y)]


def _pooled_is_an_output(x):
    pooled = layers.GlobalAveragePooling2D()(norm()(x))
    return [pooled, layers.Dense(3)(pooled)]


def _norm_is_an_output(x):
    y = norm()(x)
    return [y, conv(2)(y)]


def _convolution_is_an_output(x):
    y = conv(4)(x)
    return [norm()(y), y]


def _shared_convolution(x):
    shared = conv()
    return norm()(shared(shared(x)))


def _shared_norm(x):
    shared = norm()
    return shared(conv()(shared(conv()(x))))


def _branch_is_read_elsewhere(x):
    y = conv()(x)
    return layers.Concatenate()([layers.Add()([y, conv()(x)]), y])


def _branches_of_two_inputs(x):
    return layers.Add()([conv()(x), conv()(layers.ReLU()(x))])


def _a_branch_twice(x):
    y = conv()(x)
    return layers.Add()([y, y])


def _input_itself(x):
    return layers.Add()([conv()(x), x])


NOT_FOLDED = {
    "activation in the convolution": lambda: (
        chain(conv(4, activation="relu"), norm(), layers.ReLU()),
        ["Conv2D", "BatchNormalization"],
    ),
    "activation before a convolution": lambda: (
        chain(norm(), layers.ReLU(), conv(4)),
        ["BatchNormalization", "Conv2D"],
    ),
    "zeros after the norm": lambda: (
        chain(norm(), conv(4, 3, padding="same")),
        ["BatchNormalization", "Conv2D"],
    ),
    "strided zeros after the norm": lambda: (
        chain(norm(), conv(4, 2, padding="same", strides=2)),
        ["BatchNormalization", "Conv2D"],
    ),
    "explicit zeros after the norm": lambda: (
        chain(norm(), CaffeConv2D(4, 1, pad=1)),
        ["BatchNormalization", "CaffeConv2D"],
    ),
    "explicit zeros before a depthwise convolution": lambda: (
        chain(norm(), PaddedDepthwiseConv2D(3, 2, pad=1)),
        ["BatchNormalization", "PaddedDepthwiseConv2D"],
    ),
    "norm of rows": lambda: (
        chain(conv(), norm(axis=1), conv()),
        ["Conv2D", "BatchNormalization", "Conv2D"],
    ),
    "maximum after the norm": lambda: (
        chain(norm(), layers.GlobalMaxPooling2D(), layers.Dense(3)),
        ["BatchNormalization", "Dense"],
    ),
    "means of rows": lambda: (
        chain(
            norm(),
            layers.GlobalAveragePooling2D(data_format="channels_first"),
            layers.Dense(3),
        ),
        ["BatchNormalization", "Dense"],
    ),
    "pixels as features": lambda: (
        chain(norm(), layers.Flatten(), layers.Dense(3)),
        ["BatchNormalization", "Dense"],
    ),
    "two readers": lambda: (_read_twice, ["Conv2D", "BatchNormalization"]),
    "two readers of the norm": lambda: (
        _norm_read_twice,
        ["BatchNormalization", "Conv2D", "Conv2D"],
    ),
    "a reader beside pooling": lambda: (
        _norm_read_beside_pooling,
        ["BatchNormalization", "Dense"],
    ),
    "pooled features as an output": lambda: (
        _pooled_is_an_output,
        ["BatchNormalization", "Dense"],
    ),
    "the norm as an output": lambda: (
        _norm_is_an_output,
        ["BatchNormalization", "Conv2D"],
    ),
    "the convolution as an output": lambda: (
        _convolution_is_an_output,
        ["Conv2D", "BatchNormalization"],
    ),
    "a shared convolution": lambda: (
        _shared_convolution,
        ["Conv2D", "BatchNormalization"],
    ),
    "a shared norm": lambda: (
        _shared_norm,
        ["Conv2D", "BatchNormalization", "Conv2D"],
    ),
    "branches of two inputs": lambda: (
        _branches_of_two_inputs,
        ["Conv2D", "Conv2D", "Add"],
    ),
    "a branch twice": lambda: (_a_branch_twice, ["Conv2D", "Add"]),
    "a branch that is read elsewhere": lambda: (
        _branch_is_read_elsewhere,
        ["Conv2D", "Conv2D", "Add"],
    ),
    "the input itself": lambda: (_input_itself, ["Conv2D", "Add"]),
    "branches with an activation": lambda: (
        parallel(conv(activation="relu"), conv()),
        ["Conv2D", "Conv2D", "BatchNormalization", "Add"],
    ),
    "branches of other grids": lambda: (
        # Keras pads these on the right only.
        parallel(conv(kernel=3, strides=2, padding="same"), conv(strides=2)),
        ["Conv2D", "Conv2D", "Add"],
    ),
    "branches of other kinds": lambda: (
        parallel(conv(), layers.DepthwiseConv2D(1)),
        ["Conv2D", "DepthwiseConv2D", "Add"],
    ),
    "branches of other groups": lambda: (
        parallel(conv(), conv(groups=2)),
        ["Conv2D", "Conv2D", "Add"],
    ),
    "dilated branches": lambda: (
        parallel(conv(kernel=3, dilation_rate=2), conv(kernel=5)),
        ["Conv2D", "Conv2D", "Add"],
    ),
    "one branch for all channels": lambda: (
        parallel(conv(1), conv(4)),
        ["Conv2D", "Conv2D", "Add"],
    ),
    "batch norms alone": lambda: (
        parallel(None, None),
        ["BatchNormalization", "BatchNormalization", "Add"],
    ),
}


@pytest.mark.parametrize("case", NOT_FOLDED)
def test_what_is_not_exact_stays(case):
    network, kinds = NOT_FOLDED[case]()
    assert sorted(fold_and_compare(network)) == sorted(kinds)


def test_operations_that_are_no_layers_stay():
    kinds = fold_and_compare(lambda x: norm()(conv(4)(x * 2.0)))
    assert kinds == ["Conv2D"]


def test_a_sum_by_keyword():
    def network(x):
        x = layers.ReLU()(x)
        return layers.Add()(inputs=[norm()(x), conv()(x)])

    assert fold_and_compare(network) == ["Conv2D"]


def test_dropout_is_taken_out():
    model = model_of(chain(layers.Dropout(0.5), layers.ReLU(), layers.Dropout(0.5)))
    assert [type(x).__name__ for x in fold(model).layers] == ["InputLayer", "ReLU"]


def test_the_original_is_unchanged():
    model = model_of(chain(norm(), conv(), norm()))
    before = model.get_weights()
    fold(model)
    for kept, value in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(kept, value)
    assert len(model.layers) == 4


def test_weights_are_computed_in_float64():
    """A mean of 1000 costs three of the seven digits that float32 has."""
    keras.config.set_dtype_policy("float32")
    inputs = keras.Input((8, 8, 3))
    x = conv(4, name="conv")(inputs)
    model = keras.Model(inputs, layers.BatchNormalization(epsilon=1e-5)(x))
    random = np.random.default_rng(0)
    gamma, beta, bias = random.normal(size=(3, 4)).astype("f4")
    mean, variance = (1000 + 100 * random.random((2, 4))).astype("f4")
    kernel = random.normal(size=(1, 1, 3, 4)).astype("f4")
    model.set_weights([kernel, bias, gamma, beta, mean, variance])

    def expected(dtype):
        values = (v.astype(dtype) for v in (kernel, bias, gamma, beta, mean, variance))
        kernel_, bias_, gamma_, beta_, mean_, variance_ = values
        scale = gamma_ / np.sqrt(variance_ + dtype(1e-5))
        found = kernel_ * scale, bias_ * scale + (beta_ - mean_ * scale)
        return [value.astype("f4") for value in found]

    found = fold(model).get_layer("conv").get_weights()
    for value, exact in zip(found, expected(np.float64), strict=True):
        np.testing.assert_array_equal(value, exact)
    assert (expected(np.float32)[1] != expected(np.float64)[1]).any()
