"""Mixup: its draws, what it blends, and the loss of an update."""

import json
import pathlib
import sys

import numpy as np
import processes
import pytest
import scipy.stats
import tensorflow as tf
import test_trainer

from tsn_keras.models.preprocessing import network_input
from tsn_keras.pipeline import draws
from tsn_keras.training import checkpoint
from tsn_keras.training.mixup import Mixup

# Of a right generator one test in ten thousand falls below; the seeds are fixed.
LEAST = 1e-4


def drawn(count, alpha, videos=3, seed=5):
    """Draws of many sets of videos, in one graph."""

    def one(number):
        return draws.blending(seed, number, videos, alpha)

    found = tf.function(
        lambda: tf.map_fn(
            one,
            tf.range(count, dtype=tf.int64),
            fn_output_signature=(tf.float64, tf.int32),
        )
    )()
    return [part.numpy() for part in found]


@pytest.mark.parametrize("alpha", [1e-3, 0.2, 8.0])
def test_shares_are_of_the_distribution(alpha):
    """Also where nearly all of them are 0 or 1."""
    shares, partners = drawn(3000, alpha)
    assert np.isfinite(shares).all()
    inner = (shares > 1e-9) & (shares < 1 - 1e-9)
    expected = scipy.stats.beta(alpha, alpha)
    low, high = expected.cdf(1e-9), expected.sf(1 - 1e-9)
    parts = [(shares <= 1e-9).sum(), inner.sum(), (shares >= 1 - 1e-9).sum()]
    if alpha < 1:
        found = scipy.stats.chisquare(
            parts, 3000 * np.array([low, 1 - low - high, high])
        )
        assert found.pvalue > LEAST
    if alpha > 0.1:
        assert scipy.stats.kstest(shares, expected.cdf).pvalue > LEAST
    # All six orders of three videos, as often as one another.
    _, counts = np.unique(partners, axis=0, return_counts=True)
    assert len(counts) == 6
    assert scipy.stats.chisquare(counts).pvalue > LEAST


def test_the_draws_are_the_same_everywhere():
    """Resumed runs rest on it, on other machines too: it was written down once."""
    share, partners = draws.blending(3, 7, 8, 0.2)
    assert float(share) == pytest.approx(0.22461799850183828, rel=1e-12)
    assert partners.numpy().tolist() == [7, 5, 2, 6, 4, 3, 1, 0]


def test_inputs_and_labels_are_blended_alike():
    random = np.random.default_rng(0)
    inputs = random.normal(size=(4, 2, 3, 3, 1)).astype("f4")
    share, partners = (one.numpy() for one in draws.blending(1, 6, 4, 0.2))
    sets = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 1], [1, 0, 0]], "f4")
    for labels, table in (
        (np.array([2, 0, 1, 0]), np.eye(3, dtype="f4")[[2, 0, 1, 0]]),
        (sets, sets),
    ):
        found = Mixup(0.2, 3, 1)(tf.constant(inputs), tf.constant(labels), 6)
        for values, plain in zip(found, (inputs, table), strict=True):
            expected = share * plain + (1 - share) * plain[partners]
            np.testing.assert_allclose(values, expected, rtol=0, atol=1e-6)


def test_the_loss_of_an_update():
    """Of each part, by its own draws; a resumed run draws the same."""
    trainer = test_trainer.make(
        *("none", 2), dropout=0.0, mixup=0.4, seed=11, base_lr=1e-30
    )
    trainer.step([test_trainer.batch(seed) for seed in (5, 6)])
    parts = [test_trainer.batch(seed) for seed in (0, 1)]
    expected = []
    for number, (images, labels) in enumerate(parts, 2):
        share, partners = (v.numpy() for v in draws.blending(11, number, 4, 0.4))
        inputs = network_input(tf.constant(images), trainer._stream).numpy()
        inputs = share * inputs + (1 - share) * inputs[partners]
        told = tf.nn.log_softmax(trainer.network(inputs, training=True)).numpy()
        one, other = told[range(4), labels], told[range(4), labels[partners]]
        expected.append(-(share * one + (1 - share) * other).mean())
    assert trainer.step(parts) == pytest.approx(np.mean(expected), rel=1e-5)


def test_a_resumed_run_draws_what_an_undisturbed_one_draws(tmp_path):
    given = [[test_trainer.batch(seed)] for seed in range(3)]
    whole, second = (test_trainer.make(mixup=0.2) for _ in range(2))
    losses = [whole.step(given[0])]
    checkpoint.save(whole, tmp_path / "c.h5", {})
    losses += [whole.step(parts) for parts in given[1:]]
    checkpoint.restore(second, tmp_path / "c.h5", {})
    assert [second.step(parts) for parts in given[1:]] == losses[1:]


REPLICAS = """
import json, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration() for _ in range(2)]
tf.config.set_logical_device_configuration(cpu, two)
sys.path.insert(0, sys.argv[1])
from tsn_keras.training.mixup import Mixup
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
@tf.function
def labels():
    images = tf.zeros((4, 1, 1, 1, 1))
    return Mixup(0.4, 4, 9)(images, tf.range(4), tf.constant(3, tf.int64))[1]
found = strategy.experimental_local_results(strategy.run(labels))
print(json.dumps([one.numpy().tolist() for one in found]))
"""


@pytest.mark.slow
def test_devices_draw_their_own():
    root = str(pathlib.Path(__file__).parents[2])
    done = processes.run(
        [sys.executable, "-c", REPLICAS, root], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    for number, labels in enumerate(found, 6):
        share, partners = (one.numpy() for one in draws.blending(9, number, 4, 0.4))
        expected = share * np.eye(4) + (1 - share) * np.eye(4)[partners]
        np.testing.assert_allclose(labels, expected, rtol=0, atol=1e-6)
    assert found[0] != found[1]
