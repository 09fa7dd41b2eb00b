"""What an update over time is made of: losses of all steps, statistics, factors.

In float32, against NumPy: 1e-5 of values of about 1, where sums of many numbers round.
"""

import dataclasses

import keras
import numpy as np
import pytest
import shallow_st_resnet
import tensorflow as tf

from tsn_keras import config
from tsn_keras.common.errors import InputError
from tsn_keras.models import over_time, training_rules
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.models.preprocessing import network_input
from tsn_keras.models.records import Backbone
from tsn_keras.protocols.modalities import RGB_FLOW
from tsn_keras.protocols.records import Stream
from tsn_keras.protocols.st_resnet import ST_RESNET
from tsn_keras.training import losses
from tsn_keras.training.trainer import Network, Trainer

STREAM = Stream(RGB_FLOW, ST_RESNET)
SIDE, STEPS, CLASSES, PARTS = 64, 2, 3, 2
STREAMS = "spatial", "temporal"


def test_losses_of_all_steps_and_streams_are_added():
    random = np.random.default_rng(0)
    scores = random.normal(size=(2, 4, 2, CLASSES)).astype("f4")
    labels = tf.constant([2, 0])
    found = losses.of_steps(losses.cross_entropy)(tf.constant(scores), labels)
    logs = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    expected = [-logs[n, ..., label].sum() for n, label in enumerate(labels.numpy())]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # Those of a validation are of videos already.
    mean = tf.constant(scores.mean((1, 2)))
    joined = losses.of_steps(losses.cross_entropy)(mean, labels)
    assert joined.shape == (2,)
    soft = tf.one_hot(labels, CLASSES)
    again = losses.of_steps(losses.cross_entropy)(tf.constant(scores), soft)
    np.testing.assert_allclose(again, expected, rtol=1e-5)


def build(input_shape, classes, dropout=0.0, width=1.0):
    """A convolution and a batch norm of each stream, and their classifiers."""
    steps = input_shape[0]
    inputs = keras.Input(input_shape)
    scores = []
    for stream, channels in (("spatial", (0, 3)), ("temporal", (3, 20))):
        x = over_time.StepsAsBatch(*channels)(inputs)
        x = keras.layers.Conv2D(4, 7, strides=8, name=f"conv_{stream}")(x)
        x = keras.layers.BatchNormalization(momentum=0.95, name=f"bn_{stream}")(x)
        x = over_time.WindowMean()(keras.layers.ReLU()(x))
        scores.append(keras.layers.Dense(classes, name=f"fc_{stream}")(x))
    return keras.Model(inputs, over_time.StepsOfStreams(steps)(scores))


SMALL = Backbone(
    *("small", "small", build, "bn_spatial", "conv_spatial", "fc_spatial"),
    channels={},
    steps=STEPS,
)


@pytest.fixture(scope="module")
def trained():
    """(trainer after an update of two sub-batches, pixels, values before, loss)."""
    keras.utils.set_random_seed(1)
    settings = config.TrainSettings(
        solver="matconvnet",
        base_lr=0.01,
        drops=(),
        clip=0.0,
        weight_decay=0.0,
    )
    shape = (STEPS, SIDE, SIDE, 23)
    backbone = build(shape, CLASSES)
    network = Network(backbone, SMALL, STREAM, STEPS, "all")
    trainer = Trainer(network, settings, PARTS, tf.distribute.get_strategy())
    random = np.random.default_rng(2)
    pixels = random.integers(0, 256, (PARTS, 2, *shape), np.uint8)
    labels = random.integers(0, CLASSES, (PARTS, 2)).astype(np.int32)
    before = {v.path: np.asarray(v) for v in backbone.variables}
    parts = [tuple(map(tf.constant, part)) for part in zip(pixels, labels, strict=True)]
    loss = trainer.step(parts)
    return trainer, (pixels, labels), before, loss


def maps_of(pixels, stream, before):
    """What a batch norm gets of a sub-batch, float64 [N, H, W, 4]."""
    inputs = network_input(tf.constant(pixels), STREAM)
    inputs = inputs[..., :3] if stream == "spatial" else inputs[..., 3:]
    inputs = tf.reshape(inputs, (-1, *inputs.shape[2:]))
    kernel, bias = (before[f"conv_{stream}/{name}"] for name in ("kernel", "bias"))
    return np.asarray(tf.nn.conv2d(inputs, kernel, 8, "VALID") + bias, np.float64)


@pytest.mark.parametrize("stream", ["spatial", "temporal"])
def test_statistics_move_once_by_means_and_deviations(trained, stream):
    trainer, (pixels, _), before, _ = trained
    norm = trainer.backbone.get_layer(f"bn_{stream}")
    maps = [maps_of(part, stream, before) for part in pixels]
    means = [one.mean((0, 1, 2)) for one in maps]
    deviations = [np.sqrt(one.var((0, 1, 2)) + norm.epsilon) for one in maps]
    mean = 0.05 * np.mean(means, axis=0)
    deviation = 0.95 * np.sqrt(1 + norm.epsilon) + 0.05 * np.mean(deviations, axis=0)
    np.testing.assert_allclose(norm.moving_mean, mean, rtol=1e-4, atol=1e-4)
    found = np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
    np.testing.assert_allclose(found, deviation, rtol=1e-5)
    assert np.abs(found - 1).min() > 0.1


def test_the_loss_is_the_sum_over_steps_and_streams(trained):
    """And the mean over videos; each sub-batch has its own statistics."""
    _, (pixels, labels), before, loss = trained
    losses_of = []
    for part, wanted in zip(pixels, labels, strict=True):
        total = 0
        for stream in ("spatial", "temporal"):
            maps = maps_of(part, stream, before)
            normal = (maps - maps.mean((0, 1, 2))) / np.sqrt(maps.var((0, 1, 2)) + 1e-3)
            features = over_time.WindowMean()(np.maximum(normal, 0))
            scores = np.asarray(features) @ before[f"fc_{stream}/kernel"]
            logs = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
            logs = logs.reshape(2, STEPS, CLASSES)
            total = total - np.stack(
                [one[:, n] for one, n in zip(logs, wanted, strict=True)]
            )
        losses_of.append(total.sum(axis=1).mean())
    assert loss == pytest.approx(np.mean(losses_of), rel=1e-4)


def test_an_update_moves_every_variable(trained):
    trainer, _, before, _ = trained
    for variable in trainer.backbone.trainable_variables:
        # Biases before a batch norm have no gradient.
        if variable.path.endswith("bias") and "conv" in variable.path:
            continue
        moved = np.abs(np.asarray(variable) - before[variable.path]).max()
        assert moved > 0, variable.path


def test_scores_of_a_validation_are_means(trained):
    trainer, (pixels, _), *_ = trained
    inputs = network_input(tf.constant(pixels[0]), STREAM)
    every = np.asarray(trainer.backbone(inputs, training=False))
    found = trainer.scorer(inputs, training=False)
    np.testing.assert_allclose(found, every.mean((1, 2)), atol=1e-5)


def test_statistics_that_stay_do_not_move():
    settings = config.TrainSettings(solver="matconvnet", drops=(), clip=0.0)
    backbone = build((STEPS, SIDE, SIDE, 23), CLASSES)
    network = Network(backbone, SMALL, STREAM, STEPS, "affine")
    trainer = Trainer(network, settings, 1, tf.distribute.get_strategy())
    pixels = np.random.default_rng(0).integers(0, 256, (2, STEPS, SIDE, SIDE, 23))
    trainer.step([(tf.constant(pixels, tf.uint8), tf.constant([0, 1]))])
    for stream in ("spatial", "temporal"):
        norm = backbone.get_layer(f"bn_{stream}")
        np.testing.assert_array_equal(norm.moving_mean, np.zeros(4))
        np.testing.assert_array_equal(norm.moving_variance, np.ones(4))


@dataclasses.dataclass(frozen=True)
class _TwoHeads(Backbone):
    heads = "fc_spatial", "fc_temporal"


def test_classifiers_alone():
    """Of both streams; statistics stay."""
    told = {f.name: getattr(SMALL, f.name) for f in dataclasses.fields(SMALL)}
    backbone = build((STEPS, SIDE, SIDE, 23), CLASSES)
    network = Network(
        backbone, _TwoHeads(**told), STREAM, STEPS, "first", trainable="head"
    )
    settings = config.TrainSettings(solver="matconvnet", drops=(), clip=0.0)
    trainer = Trainer(network, settings, 1, tf.distribute.get_strategy())
    before = {v.path: np.asarray(v) for v in backbone.variables}
    pixels = np.random.default_rng(0).integers(0, 256, (2, STEPS, SIDE, SIDE, 23))
    trainer.step([(tf.constant(pixels, tf.uint8), tf.constant([0, 1]))])
    moved = {
        v.path for v in backbone.variables if (before[v.path] != np.asarray(v)).any()
    }
    assert moved == {f"fc_{s}/{v}" for s in STREAMS for v in ("kernel", "bias")}


def test_sources_must_have_as_many_steps():
    network = Network(build((STEPS, SIDE, SIDE, 23), 2), SMALL, STREAM, STEPS, "all")
    with pytest.raises(InputError, match="sees 2 segments at once"):
        network.over_segments(3, network.joined(), False)


def test_biases_and_slopes_learn_twice_as_fast():
    with shallow_st_resnet.applied(shallow_st_resnet.STAGE):
        record = BACKBONES["st_resnet50"]
        model = record.build((2, 224, 224, 23), CLASSES, width=0.0625)
    groups = training_rules.GROUPS["matconvnet"]
    factors = training_rules.multipliers(model, record, 1.0, groups)
    assert factors["conv1_spatial/kernel"] == (1.0, 1.0)
    assert factors["conv1_spatial/bias"] == (2.0, 0.0)
    assert factors["fc_temporal/bias"] == (2.0, 0.0)
    assert factors["res2b_branch2a_temporal/kernel"] == (1.0, 1.0)
    assert factors["bn2b_branch2a_temporal/gamma"] == (2.0, 0.0)
    assert factors["bn2b_branch2a_temporal/beta"] == (1.0, 0.0)
    assert factors.keys() == {v.path for v in model.trainable_variables}
    others = training_rules.multipliers(model, record, 1.0)
    assert others["bn2b_branch2a_temporal/gamma"] == (1.0, 0.0)
    faster = training_rules.GROUPS["mmaction2_tsm"]
    others = training_rules.multipliers(model, record, 1.0, faster)
    assert others["fc_spatial/kernel"] == others["fc_temporal/kernel"] == (5.0, 1.0)
