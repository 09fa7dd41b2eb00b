"""Caffe's update: against a plain statement in NumPy, in float64."""

import keras
import numpy as np
import pytest

from tsn_keras.training.optimizer import CaffeSGD, Steps

SHAPES = {"kernel": (5, 3), "bias": (3,), "frozen_decay": (4,), "fast": (2, 2)}
MULTIPLIERS = {"bias": (2.0, 0.0), "frozen_decay": (1.0, 0.0), "fast": (5.0, 1.0)}
# The velocity's dtype is the variable's.
DTYPE = "float64"


def stated(values, gradients, base, drops, clip, iter_size, momentum=0.9, decay=5e-4):
    """The rule of solver.cpp:611-770, written down step by step.

    Args:
        values: {name: array}.
        gradients: for each iteration a list of iter_size {name: array}.

    Yields:
        {name: array} after each iteration.
    """
    values = {name: value.copy() for name, value in values.items()}
    history = {name: np.zeros_like(value) for name, value in values.items()}
    for iteration, sub_batches in enumerate(gradients):
        rate = base * 0.1 ** sum(iteration >= drop for drop in drops)
        diff = {n: sum(g[n] for g in sub_batches) for n in values}
        norm = np.sqrt(sum((d**2).sum() for d in diff.values()))
        if clip is not None and norm > clip:
            diff = {n: d * clip / norm for n, d in diff.items()}
        for name, value in values.items():
            lr_mult, decay_mult = MULTIPLIERS.get(name, (1.0, 1.0))
            local = diff[name] / iter_size + decay * decay_mult * value
            history[name] = momentum * history[name] + rate * lr_mult * local
            value -= history[name]
        yield {name: value.copy() for name, value in values.items()}


def drawn(iterations, iter_size, seed=0):
    random = np.random.default_rng(seed)
    return [
        [
            {n: random.normal(0, 3, s) for n, s in SHAPES.items()}
            for _ in range(iter_size)
        ]
        for _ in range(iterations)
    ]


def variables():
    random = np.random.default_rng(1)
    found = []
    for name, shape in SHAPES.items():
        variable = keras.Variable(random.normal(0, 1, shape), dtype=DTYPE, name=name)
        found.append(variable)
    return found


@pytest.mark.parametrize("iter_size", [1, 2])
@pytest.mark.parametrize("clip", [None, 5.0, 1000.0])
def test_update_is_caffes(iter_size, clip):
    """Clip active, inactive and absent; an lr drop in the middle; multipliers."""
    weights = variables()
    start = {v.name: keras.ops.convert_to_numpy(v) for v in weights}
    optimizer = CaffeSGD(
        Steps(0.01, (3, 5)),
        clip=clip,
        iter_size=iter_size,
        multipliers={
            v.path: MULTIPLIERS[v.name] for v in weights if v.name in MULTIPLIERS
        },
    )
    gradients = drawn(8, iter_size)
    expected = stated(start, gradients, 0.01, (3, 5), clip, iter_size)
    for sub_batches, after in zip(gradients, expected, strict=True):
        sums = [
            keras.ops.convert_to_tensor(
                sum(g[v.name] for g in sub_batches), dtype=DTYPE
            )
            for v in weights
        ]
        optimizer.apply(sums, weights)
        for variable in weights:
            # The learning rate is float32 in Keras: 1e-7 of a step.
            found = keras.ops.convert_to_numpy(variable)
            np.testing.assert_allclose(found, after[variable.name], rtol=0, atol=2e-8)


def test_the_old_velocity_coasts_on_after_a_drop():
    """The learning rate is inside the velocity, unlike in PyTorch."""
    weight = keras.Variable([0.0], dtype=DTYPE)
    optimizer = CaffeSGD(Steps(1.0, (1,)), weight_decay=0.0, clip=None)
    for gradient in (1.0, 0.0):
        tensor = keras.ops.convert_to_tensor([gradient], dtype=DTYPE)
        optimizer.apply([tensor], [weight])
    # -1, then 0.9 of that again; PyTorch would move on by 0.09.
    assert keras.ops.convert_to_numpy(weight)[0] == pytest.approx(-1.9)


@pytest.mark.parametrize(
    ("iteration", "expected"),
    [(0, 1e-3), (1499, 1e-3), (1500, 1e-4), (2999, 1e-4), (3000, 1e-5), (10**6, 1e-5)],
)
def test_drops_are_at_their_iterations(iteration, expected):
    schedule = Steps(1e-3, (1500, 3000))
    assert float(schedule(iteration)) == pytest.approx(expected, rel=1e-12)


def test_serialisation():
    optimizer = CaffeSGD(
        Steps(0.01, (3, 5)), clip=40.0, iter_size=2, multipliers={"a/b": (2.0, 0.0)}
    )
    config = keras.optimizers.serialize(optimizer)
    again = keras.optimizers.deserialize(config)
    assert again.get_config() == optimizer.get_config()
    assert isinstance(again, CaffeSGD)
    assert again.multipliers == {"a/b": (2.0, 0.0)}


@pytest.mark.parametrize(
    "options", [{"momentum": 1.0}, {"clip": 0.0}, {"clip": -1}, {"iter_size": 0}]
)
def test_values_out_of_range(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        CaffeSGD(**options)


@pytest.mark.parametrize("drops", [(0, 5), (-1,), (3, 3), (5, 3)])
def test_drops_count_from_one(drops):
    with pytest.raises(ValueError, match="increasing and positive"):
        Steps(0.1, drops)


def test_a_norm_may_be_clipped_at_less_than_one():
    assert CaffeSGD(clip=0.25).clip == 0.25


def test_schedule_out_of_order():
    with pytest.raises(ValueError, match="increasing"):
        Steps(0.1, (5, 3))


def test_unknown_multipliers():
    optimizer = CaffeSGD(multipliers={"nothing": (2.0, 0.0)})
    with pytest.raises(ValueError, match="as nothing"):
        optimizer.build(variables())
