"""Learning rates by iteration, against the originals' formulas stated plainly."""

import math

import keras
import numpy as np
import pytest

from tsn_keras import config
from tsn_keras.training import schedules
from tsn_keras.training.schedules import Cosine, Steps, WarmUp

VIDEOS = 300  # Three iterations an epoch of batches of 128.


def rates(values, count):
    """Rates of the first iterations of what a training file says."""
    train = config.training_of({"train": values}).train.in_iterations(VIDEOS)
    made = schedules.of(train)
    return np.array([float(made(step)) for step in range(count)])


def test_steps_in_epochs():
    """PyTorch's MultiStepLR: the drop is at the epoch's start."""
    found = rates({"epochs": 6, "drop_epochs": [2, 4], "base_lr": 0.01}, 18)
    expected = [0.01 * 0.1 ** sum(e >= m for m in (2, 4)) for e in range(6)]
    np.testing.assert_allclose(found, np.repeat(expected, 3), rtol=1e-12)


def test_a_constant_rate():
    found = rates({"epochs": 75, "base_lr": 0.00128}, 225)
    assert set(found) == {0.00128}


def test_cosine_by_epochs():
    """mmcv's CosineAnnealing: min + (base - min) * (1 + cos(pi e / epochs)) / 2."""
    values = {"epochs": 5, "schedule": "cosine", "base_lr": 0.1, "end_lr": 0.01}
    found = rates(values, 15)
    expected = [0.01 + 0.09 * (1 + math.cos(math.pi * e / 5)) / 2 for e in range(5)]
    np.testing.assert_allclose(found, np.repeat(expected, 3), rtol=1e-12)
    assert found[0] == pytest.approx(0.1)
    # The last epoch is above the end, that after it is at the end.
    assert found[-1] == pytest.approx(0.01 + 0.09 * (1 - math.cos(math.pi / 5)) / 2)


def test_cosine_by_iterations():
    found = rates({"iterations": 8, "schedule": "cosine", "base_lr": 0.1}, 10)
    expected = [0.05 * (1 + math.cos(math.pi * i / 8)) for i in range(8)]
    np.testing.assert_allclose(found[:8], expected, rtol=1e-12)
    np.testing.assert_allclose(found[8:], 0, atol=1e-17)


@pytest.mark.parametrize("warmup", [{"warmup": 6}, {"warmup_epochs": 2}])
def test_linear_warm_up(warmup):
    """mmcv's warmup="linear": regular * (1 - (1 - i / count) * (1 - ratio))."""
    values = {"epochs": 4, "drop_epochs": [1], "base_lr": 0.4, "warmup_ratio": 0.25}
    found = rates({**values, **warmup}, 12)
    regular = np.array([0.4] * 3 + [0.04] * 9)
    grown = np.array([1 - (1 - i / 6) * (1 - 0.25) for i in range(6)] + [1.0] * 6)
    np.testing.assert_allclose(found, regular * grown, rtol=1e-12)
    assert found[0] == pytest.approx(0.1)


def test_linear_scaling_of_the_rate():
    values = {"epochs": 2, "drop_epochs": [1], "base_lr": 0.01, "base_batch": 256}
    np.testing.assert_allclose(rates(values, 6), [0.005] * 3 + [0.0005] * 3)
    cosine = {"epochs": 2, "schedule": "cosine", "base_lr": 0.01, "base_batch": 256}
    assert rates({**cosine, "end_lr": 0.001}, 1)[0] == pytest.approx(0.005)


@pytest.mark.parametrize(
    "schedule",
    [
        Cosine(0.1, 0.01, 5, 3),
        WarmUp(Steps(0.1, (4,)), 6, 0.1),
        WarmUp(Cosine(0.1, 0.0, 9), 2, 0.0),
    ],
)
def test_schedules_are_saved(schedule):
    saved = keras.saving.serialize_keras_object(schedule)
    again = keras.saving.deserialize_keras_object(saved)
    assert [float(again(n)) for n in range(12)] == [
        float(schedule(n)) for n in range(12)
    ]


def test_schedules_of_no_length():
    with pytest.raises(ValueError, match="must be positive. Received: 0, 1"):
        Cosine(0.1, 0.0, 0)
    with pytest.raises(ValueError, match="must be positive. Received: 0"):
        WarmUp(Steps(0.1, ()), 0, 0.1)
