"""Scores on devices: what is said when a device fails."""

import numpy as np
import pytest
import tensorflow as tf

from tsn_keras.common.errors import InputError
from tsn_keras.evaluation import inference

OOM = tf.errors.ResourceExhaustedError(
    None, None, "OOM when allocating tensor with shape[9]\n\t [[{{node x}}]] [Op:y]"
)


def test_a_device_without_memory(monkeypatch):
    # The error is raised as the compiled function would raise it.
    monkeypatch.setattr(tf, "function", lambda score, **_: score)

    def score(frames):
        raise OOM

    with pytest.raises(InputError) as error:
        inference.compiled(score)(np.zeros(3, np.uint8))
    assert str(error.value) == (
        "scoring failed: OOM when allocating tensor with shape[9]: a smaller `batch` "
        "takes less memory"
    )
    devices = tf.distribute.get_strategy()
    rows = tf.data.Dataset.from_tensors((tf.zeros(1),) * 4)
    step = inference.stepper(score, devices)
    with pytest.raises(InputError, match="^scoring failed: OOM when"):
        list(inference.run(step, rows, devices))


def test_a_pipeline_that_fails():
    devices = tf.distribute.get_strategy()
    rows = tf.data.Dataset.range(1).map(
        lambda n: tf.io.decode_jpeg(tf.strings.as_string(n))
    )
    with pytest.raises(InputError, match="scoring failed: Unknown image file") as error:
        list(inference.run(None, rows, devices))
    assert "node" not in str(error.value)


def test_batches_are_scored_in_order():
    devices = tf.distribute.get_strategy()
    video, tick = np.array([0, 1, 2, -1]), np.arange(4)
    rows = (video, tick, tick + 10, tick * 2.0)
    rows = tf.data.Dataset.from_tensor_slices(rows).batch(2)
    step = inference.stepper(lambda frames: frames + 1, devices)
    found = [
        [part.tolist() for part in row] for row in inference.run(step, rows, devices)
    ]
    assert found == [[[0, 1], [0, 1], [10, 11], [1.0, 3.0]], [[2], [2], [12], [5.0]]]
