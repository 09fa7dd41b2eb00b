"""What is faster in training: the same function, the same gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tsn_keras.models import training_rules
from tsn_keras.models.bn_inception import BNInception
from tsn_keras.models.layers import CaffeConv2D
from tsn_keras.models.training_graph import FusedNorm, HalfConvolution, for_training
from tsn_keras.models.tsn import TSN
from tsn_keras.training import initialisation


def small(**options):
    """A trainable norm, a frozen one, one behind a ReLU, one whose layer is shared."""
    inputs = keras.Input((9, 9, 3), name="data")
    x = CaffeConv2D(4, 3, strides=2, pad=1, name="first", **options)(inputs)
    x = layers.BatchNormalization(name="first_bn")(x)
    x = layers.ReLU(name="first_relu")(x)
    y = CaffeConv2D(6, 3, pad=1, name="second", **options)(x)
    x = layers.BatchNormalization(name="second_bn", epsilon=1e-2)(y)
    x = layers.ReLU(name="second_relu")(x)
    x = layers.BatchNormalization(name="third_bn")(x)
    x = layers.Conv2D(6, 1, name="third")(x)
    z = layers.BatchNormalization(name="fourth_bn")(x)
    x = layers.Add(name="add")([x, z])
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(inputs, layers.Dense(5, name="classes")(x))
    random = np.random.default_rng(0)
    for variable in model.variables:
        low = 0.5 if "variance" in variable.path or "gamma" in variable.path else -0.5
        variable.assign(random.uniform(low, 1.5, variable.shape))
    return model


def gradients(network, variables, images, labels):
    with tf.GradientTape() as tape:
        scores = network(images, training=True)
        loss = tf.reduce_sum(
            keras.losses.sparse_categorical_crossentropy(
                labels, scores, from_logits=True
            )
        )
    return scores, tape.gradient(loss, [variable.value for variable in variables])


@pytest.mark.parametrize("biases", [True, False])
def test_scores_and_gradients_are_the_same(biases):
    model = small(use_bias=biases)
    training_rules.set_batch_norm(model, "first")
    found = for_training(model, half=True)
    norms = {
        layer.convolution.name: layer.norm and layer.norm.name
        for layer in found.layers
        if isinstance(layer, HalfConvolution)
    }
    # Not the trainable norm, not one behind a ReLU, not that of a layer whose output is
    # read elsewhere too.
    assert norms == {"first": None, "second": "second_bn", "third": None}
    fused = [layer.norm.name for layer in found.layers if isinstance(layer, FusedNorm)]
    assert fused == ["first_bn"]
    assert {v.path for v in found.variables} == {v.path for v in model.variables}
    random = np.random.default_rng(1)
    images = random.normal(size=(4, 9, 9, 3)).astype("f4")
    labels = random.integers(0, 5, 4)
    variables = model.trainable_variables
    assert [v.path for v in found.trainable_variables] == [v.path for v in variables]
    before = [np.array(v) for v in model.variables]
    expected = gradients(model, variables, images, labels)
    for variable, value in zip(model.variables, before, strict=True):
        variable.assign(value)  # The first norm's statistics have moved.
    received = gradients(found, variables, images, labels)
    # A float32 sum in another order.
    np.testing.assert_allclose(received[0], expected[0], rtol=1e-5, atol=1e-6)
    largest = max(np.abs(other).max() for other in expected[1])
    for variable, one, other in zip(variables, received[1], expected[1], strict=True):
        assert one is not None, variable.path
        assert np.abs(one - other).max() <= 1e-6 * largest, variable.path
    moved = {v.path: np.array(v) for v in model.variables}
    changed = [
        variable.path
        for variable, value in zip(model.variables, before, strict=True)
        if not np.array_equal(moved[variable.path], value)
    ]
    assert changed == ["first_bn/moving_mean", "first_bn/moving_variance"]


@pytest.mark.parametrize("half", [False, True])
def test_norms_with_fixed_statistics(half):
    """In training what the model computes in its test, and that one's gradients."""
    model = small()
    training_rules.set_batch_norm(model, "affine")
    found = for_training(model, half=half, fixed=True)
    random = np.random.default_rng(1)
    images = random.normal(size=(4, 9, 9, 3)).astype("f4")
    labels = random.integers(0, 5, 4)
    variables = model.trainable_variables
    assert len([v for v in variables if "gamma" in v.path]) == 4
    assert [v.path for v in found.trainable_variables] == [v.path for v in variables]
    before = [np.array(v) for v in model.variables]

    def tested(images, training):
        return model(images, training=False)

    expected = gradients(tested, variables, images, labels)
    received = gradients(found, variables, images, labels)
    # A float32 sum in another order.
    np.testing.assert_allclose(received[0], expected[0], rtol=1e-5, atol=1e-6)
    largest = max(np.abs(other).max() for other in expected[1])
    for variable, one, other in zip(variables, received[1], expected[1], strict=True):
        assert np.abs(one - other).max() <= 1e-6 * largest, variable.path
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}])
@pytest.mark.parametrize("momentum", [0.9, 0.99])
def test_a_norm_is_the_same(momentum, options):
    random = np.random.default_rng(0)
    images = tf.constant(random.normal(3, 2, (5, 4, 6, 8)).astype("f4"))
    norm = layers.BatchNormalization(momentum=momentum, epsilon=1e-2, **options)
    norm.build(images.shape)
    start = [random.uniform(0.5, 1.5, v.shape) for v in norm.variables]
    upstream = tf.constant(random.normal(size=images.shape).astype("f4"))
    found = []
    for layer in (norm, FusedNorm(norm)):
        norm.set_weights(start)
        values = [v.value for v in norm.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = layer(images, training=True)
        gradients = tape.gradient(outputs, [images, *values], upstream)
        tested = layer(images, training=False)
        found.append([outputs, *gradients, *norm.get_weights(), tested])
    assert not np.allclose(norm.moving_variance, start[-1])
    for expected, received in zip(*found, strict=True):
        # Sums of 120 float32 numbers in another order.
        np.testing.assert_allclose(received, expected, rtol=2e-5, atol=2e-5)


def test_what_can_and_what_pays_is_changed():
    """No fused norm for float64, no products of matrices in float32."""
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(
        inputs, layers.BatchNormalization()(layers.Conv2D(4, 1)(inputs))
    )
    kinds = [type(layer) for layer in for_training(model).layers[1:]]
    assert kinds == [layers.Conv2D, FusedNorm]
    with initialisation.policy("bfloat16"):
        half = keras.models.clone_model(model, clone_function=renewed)
    kinds = [type(layer) for layer in for_training(half).layers[1:]]
    assert kinds == [HalfConvolution, FusedNorm]
    keras.config.set_dtype_policy("float64")
    try:
        double = keras.models.clone_model(model, clone_function=renewed)
    finally:
        keras.config.set_dtype_policy("float32")
    assert for_training(double) is double


def renewed(layer):
    """A layer of the same settings with the precision that is set now."""
    config = layer.get_config()
    del config["dtype"]
    return type(layer).from_config(config)


@pytest.mark.parametrize("size", [7, 8, 14, 15])
@pytest.mark.parametrize(
    ("kernel", "stride", "options"),
    [
        (1, 1, {}),
        (1, 2, {}),
        (1, 3, {"activation": "relu"}),
        (1, 1, {"pad": 1}),
        (3, 1, {"pad": 1}),
        (5, 1, {"pad": 2, "use_bias": False}),
        (3, 1, {"pad": 0}),
        (3, 2, {"pad": 1}),
        (3, 1, {"pad": 1, "groups": 2}),
        (3, 1, {"pad": 1, "dilation_rate": 2}),
        (2, 1, {"pad": 1}),
    ],
)
def test_a_convolution_is_the_same(size, kernel, stride, options):
    """In float64, so that a wrong pixel cannot pass for rounding."""
    random = np.random.default_rng(size)
    layer = CaffeConv2D(6, kernel, stride, dtype="float64", **options)
    inputs = tf.constant(random.normal(size=(3, size, size, 4)))
    layer.build(inputs.shape)
    layer.kernel.assign(random.normal(size=layer.kernel.shape))
    expected = values_and_gradients(layer, layer, inputs)
    received = values_and_gradients(HalfConvolution(layer), layer, inputs)
    for one, other in zip(received, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


def values_and_gradients(call, layer, inputs):
    weights = [variable.value for variable in layer.variables]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = call(inputs)
        sum_of_squares = tf.reduce_sum(outputs**2)
    return [outputs, *tape.gradient(sum_of_squares, [inputs, *weights])]


def test_it_is_nearer_to_single_precision():
    """Less is rounded: a kernel once, not an activation three times."""
    keras.utils.set_random_seed(0)
    model = BNInception(classes=5, width=0.1, dropout=0.0)
    with initialisation.policy("bfloat16"):
        half = BNInception(classes=5, width=0.1, dropout=0.0)
    for variable in model.variables:
        if "gamma" in variable.path:
            variable.assign(np.random.default_rng(3).uniform(1, 2, variable.shape))
    half.set_weights(model.get_weights())
    for network in (model, half):
        training_rules.set_batch_norm(network, "first")
    images = np.random.default_rng(1).normal(size=(2, 3, 224, 224, 3)).astype("f4")
    exact = TSN(model)(50 * images)
    errors = [
        float(np.abs(TSN(network)(50 * images) - exact).max())
        for network in (half, for_training(half))
    ]
    assert errors[1] < errors[0] < 0.1 * float(np.abs(exact).max())
