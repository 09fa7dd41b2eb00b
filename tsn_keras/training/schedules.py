"""The learning rate as a function of the iteration: no state, so that runs resume."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable("tsn_keras")
class Steps(keras.optimizers.schedules.LearningRateSchedule):
    """Drops the learning rate at given iterations (solver.cpp:555).

    Caffe's `step` is this with every multiple of its step, `multistep` with its
    step values. A drop takes effect at its iteration, counted from 0.

    Args:
        base: learning rate of the first iterations.
        drops: increasing iterations.
        gamma: factor of each drop.
    """

    def __init__(self, base, drops, gamma=0.1):
        if list(drops) != sorted(set(drops)) or any(drop < 1 for drop in drops):
            raise ValueError(
                f"`drops` must be increasing and positive. Received: {drops}"
            )
        self.base, self.drops, self.gamma = base, tuple(drops), gamma

    def __call__(self, step):
        rate = ops.convert_to_tensor(self.base, dtype="float64")
        # Powers are computed here in Python, so that they are exact at any drop.
        for count, drop in enumerate(self.drops, 1):
            lower = self.base * self.gamma**count
            rate = ops.where(ops.cast(step, "int64") >= drop, lower, rate)
        return rate

    def get_config(self):
        return {"base": self.base, "drops": list(self.drops), "gamma": self.gamma}


@keras.saving.register_keras_serializable("tsn_keras")
class Cosine(keras.optimizers.schedules.LearningRateSchedule):
    """Half a cosine: end + (base - end) * (1 + cos(pi * n / count)) / 2.

    mmcv's CosineAnnealing and PyTorch's CosineAnnealingLR, as MMAction2 uses them: n
    counts epochs, so that the last epoch's rate is still above `end`.

    Args:
        base: learning rate of the first iterations.
        end: that after the last.
        count: number of steps down.
        every: iterations of each, as many as an epoch has; 1 for a smooth way.
    """

    def __init__(self, base, end, count, every=1):
        if count < 1 or every < 1:
            raise ValueError(
                f"`count` and `every` must be positive. Received: {count}, {every}"
            )
        self.base, self.end, self.count, self.every = base, end, count, every

    def __call__(self, step):
        done = ops.minimum(ops.cast(step, "int64") // self.every, self.count)
        angle = ops.cast(done, "float64") * (math.pi / self.count)
        return self.end + (self.base - self.end) * (1.0 + ops.cos(angle)) / 2.0

    def get_config(self):
        return {
            "base": self.base,
            "end": self.end,
            "count": self.count,
            "every": self.every,
        }


@keras.saving.register_keras_serializable("tsn_keras")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, as mmcv's lr_updater computes it.

    Iteration i has the part ratio + (1 - ratio) * i / count of the rate that the
    schedule says; iteration `count` has all of it.

    Args:
        schedule: learning rate by iteration.
        count: iterations of the warm-up.
        ratio: part that the first iteration has.
    """

    def __init__(self, schedule, count, ratio):
        if count < 1:
            raise ValueError(f"`count` must be positive. Received: {count}")
        self.schedule, self.count, self.ratio = schedule, count, ratio

    def __call__(self, step):
        rate = self.schedule(step)
        grown = ops.cast(step, "float64") / self.count
        part = self.ratio + (1.0 - self.ratio) * grown
        return ops.where(ops.cast(step, "int64") < self.count, rate * part, rate)

    def get_config(self):
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "count": self.count, "ratio": self.ratio}

    @classmethod
    def from_config(cls, config):
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(schedule, config["count"], config["ratio"])


def of(train):
    """The schedule of a run.

    Args:
        train: config.TrainSettings with all lengths in iterations.

    Returns:
        LearningRateSchedule.
    """
    if train.schedule == "cosine":
        count = train.epochs or train.iterations
        every = train.iterations // count
        schedule = Cosine(train.rate, train.end_lr, count, every)
    else:
        schedule = Steps(train.rate, train.drops, train.gamma)
    if train.warmup:
        return WarmUp(schedule, train.warmup, train.warmup_ratio)
    return schedule
