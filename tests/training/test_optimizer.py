"""Caffe's and PyTorch's update: against a plain statement in NumPy, in float64."""

import keras
import numpy as np
import pytest

from tsn_keras.training.optimizer import CaffeSGD, TorchSGD
from tsn_keras.training.schedules import Steps

SHAPES = {"kernel": (5, 3), "bias": (3,), "frozen_decay": (4,), "fast": (2, 2)}
MULTIPLIERS = {"bias": (2.0, 0.0), "frozen_decay": (1.0, 0.0), "fast": (5.0, 1.0)}
# The velocity's dtype is the variable's.
DTYPE = "float64"


def stated(kind, values, gradients, base, drops, clip, iter_size):
    """The rule of solver.cpp:611-770, or of torch.optim.SGD, step by step.

    Args:
        kind: the optimizer's class.
        values: {name: array}.
        gradients: for each iteration a list of iter_size {name: array}.

    Yields:
        {name: array} after each iteration.
    """
    momentum, decay, inside = 0.9, 5e-4, kind is CaffeSGD
    values = {name: value.copy() for name, value in values.items()}
    history = {name: np.zeros_like(value) for name, value in values.items()}
    for iteration, sub_batches in enumerate(gradients):
        rate = base * 0.1 ** sum(iteration >= drop for drop in drops)
        diff = {n: sum(g[n] for g in sub_batches) for n in values}
        norm = np.sqrt(sum((d**2).sum() for d in diff.values()))
        if inside and clip is not None and norm > clip:
            diff = {n: d * clip / norm for n, d in diff.items()}
        elif clip is not None and not inside:
            # clip_grad_norm_ sees the mean over the sub-batches.
            part = min(1.0, (clip / iter_size) / (norm / iter_size + 1e-6))
            diff = {n: d * part for n, d in diff.items()}
        for name, value in values.items():
            lr_mult, decay_mult = MULTIPLIERS.get(name, (1.0, 1.0))
            local = diff[name] / iter_size + decay * decay_mult * value
            step = rate * lr_mult
            history[name] = momentum * history[name] + (step if inside else 1) * local
            value -= history[name] if inside else step * history[name]
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
@pytest.mark.parametrize("kind", [CaffeSGD, TorchSGD])
def test_update_is_the_originals(kind, iter_size, clip):
    """Clip active, inactive and absent; an lr drop in the middle; multipliers."""
    weights = variables()
    start = {v.name: keras.ops.convert_to_numpy(v) for v in weights}
    optimizer = kind(
        Steps(0.01, (3, 5)),
        clip=clip,
        iter_size=iter_size,
        multipliers={
            v.path: MULTIPLIERS[v.name] for v in weights if v.name in MULTIPLIERS
        },
    )
    gradients = drawn(8, iter_size)
    expected = stated(kind, start, gradients, 0.01, (3, 5), clip, iter_size)
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
    # -1, then 0.9 of that again, in PyTorch a tenth of it.
    for kind, expected in ((CaffeSGD, -1.9), (TorchSGD, -1.09)):
        weight = keras.Variable([0.0], dtype=DTYPE)
        optimizer = kind(Steps(1.0, (1,)), weight_decay=0.0, clip=None)
        for gradient in (1.0, 0.0):
            tensor = keras.ops.convert_to_tensor([gradient], dtype=DTYPE)
            optimizer.apply([tensor], [weight])
        assert keras.ops.convert_to_numpy(weight)[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("iteration", "expected"),
    [(0, 1e-3), (1499, 1e-3), (1500, 1e-4), (2999, 1e-4), (3000, 1e-5), (10**6, 1e-5)],
)
def test_drops_are_at_their_iterations(iteration, expected):
    schedule = Steps(1e-3, (1500, 3000))
    assert float(schedule(iteration)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", [CaffeSGD, TorchSGD])
def test_serialisation(kind):
    optimizer = kind(
        Steps(0.01, (3, 5)), clip=40.0, iter_size=2, multipliers={"a/b": (2.0, 0.0)}
    )
    config = keras.optimizers.serialize(optimizer)
    again = keras.optimizers.deserialize(config)
    assert again.get_config() == optimizer.get_config()
    assert type(again) is kind
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
