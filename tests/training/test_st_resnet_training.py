"""What an update of ST-ResNet is made of: losses of all steps, statistics once, factors.

In float32, against NumPy: 1e-5 of values of about 1, where sums of many numbers round.
"""

import keras
import numpy as np
import pytest
import shallow_st_resnet
import tensorflow as tf

from tsn_keras import config
from tsn_keras.models import training_rules
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.models.preprocessing import network_input
from tsn_keras.protocols.modalities import RGB_FLOW
from tsn_keras.protocols.records import Stream
from tsn_keras.protocols.st_resnet import ST_RESNET
from tsn_keras.training import losses
from tsn_keras.training.trainer import Network, Trainer

STREAM = Stream(RGB_FLOW, ST_RESNET)
WIDTH, STEPS, CLASSES, PARTS = shallow_st_resnet.WIDTH, 2, 3, 2


def test_losses_of_all_steps_and_streams_are_added():
    random = np.random.default_rng(0)
    scores = random.normal(size=(2, 4, 2, CLASSES)).astype("f4")
    labels = np.array([2, 0])
    found = losses.of_steps(losses.cross_entropy)(tf.constant(scores), labels)
    logs = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    expected = [-logs[n, ..., label].sum() for n, label in enumerate(labels)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # Those of a validation are of videos already.
    joined = losses.of_steps(losses.cross_entropy)(scores.mean((1, 2)), labels)
    assert joined.shape == (2,)
    soft = tf.one_hot(labels, CLASSES)
    again = losses.of_steps(losses.cross_entropy)(tf.constant(scores), soft)
    np.testing.assert_allclose(again, expected, rtol=1e-5)


@pytest.fixture(scope="module")
def trained():
    """(trainer after an update of two sub-batches, pixels, values before, loss)."""
    keras.utils.set_random_seed(1)
    settings = config.TrainSettings(
        solver="matconvnet",
        groups="matconvnet",
        base_lr=0.01,
        drops=(),
        clip=0.0,
        weight_decay=0.0,
    )
    with shallow_st_resnet.applied():
        record = BACKBONES["st_resnet50"]
        shape = (STEPS, *STREAM.input_shape)
        backbone = record.build(shape, CLASSES, width=WIDTH)
    network = Network(backbone, record, STREAM, STEPS, "all")
    trainer = Trainer(network, settings, PARTS, tf.distribute.get_strategy())
    random = np.random.default_rng(2)
    pixels = random.integers(0, 256, (PARTS, 2, *shape), np.uint8)
    labels = random.integers(0, CLASSES, (PARTS, 2)).astype(np.int32)
    before = {v.path: np.asarray(v) for v in backbone.variables}
    parts = [tuple(map(tf.constant, part)) for part in zip(pixels, labels, strict=True)]
    loss = trainer.step(parts)
    return trainer, pixels, before, loss


def test_statistics_move_once_by_means_and_deviations(trained):
    trainer, pixels, before, _ = trained
    norm = trainer.backbone.get_layer("bn_conv1_temporal")
    name = norm.moving_mean.path.rpartition("/")[0]
    conv = trainer.backbone.get_layer("conv1_temporal")
    kernel, bias = (before[v.path] for v in (conv.kernel, conv.bias))
    means, deviations = [], []
    for part in pixels:
        inputs = network_input(tf.constant(part), STREAM)[..., 3:]
        inputs = tf.pad(
            tf.reshape(inputs, (-1, *inputs.shape[2:])),
            [[0, 0], [3, 3], [3, 3], [0, 0]],
        )
        maps = np.asarray(tf.nn.conv2d(inputs, kernel, 2, "VALID") + bias, np.float64)
        means.append(maps.mean((0, 1, 2)))
        deviations.append(np.sqrt(maps.var((0, 1, 2)) + norm.epsilon))
    old = before[f"{name}/moving_mean"], before[f"{name}/moving_variance"]
    mean = 0.95 * old[0] + 0.05 * np.mean(means, axis=0)
    deviation = 0.95 * np.sqrt(old[1] + norm.epsilon) + 0.05 * np.mean(
        deviations, axis=0
    )
    np.testing.assert_allclose(norm.moving_mean, mean, rtol=1e-4, atol=1e-4)
    found = np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
    np.testing.assert_allclose(found, deviation, rtol=1e-5)
    assert np.abs(found - np.sqrt(old[1])).max() > 0.1


def test_the_loss_is_the_sum_over_steps_and_streams(trained):
    # Classes are alike at first: log(3) of each of two steps of two streams.
    assert trained[3] == pytest.approx(STEPS * 2 * np.log(CLASSES), rel=0.2)


def test_biases_and_slopes_learn_twice_as_fast(trained):
    trainer, *_ = trained
    factors = trainer.optimizer.multipliers
    assert factors["conv1_spatial/kernel"] == (1.0, 1.0)
    assert factors["conv1_spatial/bias"] == (2.0, 0.0)
    assert factors["fc_temporal/bias"] == (2.0, 0.0)
    assert factors["res3b_branch2a_temporal/kernel"] == (1.0, 1.0)
    assert factors["bn3b_branch2a_temporal/gamma"] == (2.0, 0.0)
    assert factors["bn3b_branch2a_temporal/beta"] == (1.0, 0.0)
    assert factors.keys() == {v.path for v in trainer.backbone.trainable_variables}
    others = training_rules.multipliers(
        trainer.backbone, BACKBONES["st_resnet50"], 1.0, training_rules.CAFFE
    )
    assert others["bn3b_branch2a_temporal/gamma"] == (1.0, 0.0)


def test_an_update_moves_every_kernel(trained):
    trainer, _, before, _ = trained
    for variable in trainer.backbone.trainable_variables:
        moved = np.abs(np.asarray(variable) - before[variable.path]).max()
        assert moved > 0, variable.path
