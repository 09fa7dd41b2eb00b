"""Caffe's SGD as a Keras optimizer: one update as solver.cpp:611-770 makes it.

In this order:

1. g: the sum over iter_size sub-batches of the gradients of their mean losses,
   averaged over the replicas.
2. Clipping of the global norm over all variables: if |g| > clip, g *= clip / |g|.
   Before the division by iter_size, before weight decay, before the
   multipliers.
3. g /= iter_size.
4. g += weight_decay * decay_multiplier * w.
5. v = momentum * v + learning_rate * multiplier * g; w -= v. The learning rate
   is inside the velocity: at a drop the old velocity coasts on.

Keras' own SGD clips each variable or what it sees after other changes, and its
weight decay is decoupled from the gradient; neither gives these numbers.
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable("tsn_keras")
class CaffeSGD(keras.optimizers.Optimizer):
    """Caffe's SGD; see the module.

    Under tf.distribute each replica gives the gradients of its own loss divided
    by the number of replicas; they are summed before they are clipped.

    Args:
        learning_rate: float or schedule, by iteration from 0.
        momentum: float.
        weight_decay: float; L2, on the gradient.
        clip: greatest global norm of a gradient, or None.
        iter_size: sub-batches whose gradients were added up before `apply`.
        multipliers: {path of a variable: (of the learning rate, of the weight
            decay)}; (1, 1) for those that are not in it.
    """

    def __init__(
        self,
        learning_rate=0.001,
        momentum=0.9,
        weight_decay=5e-4,
        clip=None,
        iter_size=1,
        multipliers=None,
        name="caffe_sgd",
        **kwargs,
    ):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        if not 0 <= momentum < 1:
            raise ValueError(f"`momentum` must be in [0, 1). Received: {momentum}")
        if iter_size < 1:
            raise ValueError(f"`iter_size` must be at least 1. Received: {iter_size}")
        if clip is not None and clip <= 0:
            raise ValueError(f"`clip` must be positive or None. Received: {clip}")
        self.momentum = momentum
        # Not Keras' own `weight_decay`, which would decay once more.
        self.l2 = weight_decay
        self.clip = clip
        self.iter_size = iter_size
        self.multipliers = {k: tuple(v) for k, v in (multipliers or {}).items()}

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        unknown = set(self.multipliers) - {v.path for v in variables}
        if unknown:
            raise ValueError(
                f"`multipliers` names {len(unknown)} variables that are not trained, "
                f"as {min(unknown)}"
            )
        # By index: under tf.distribute an update gets tensors without paths.
        self._factors = [self.multipliers.get(v.path, (1.0, 1.0)) for v in variables]
        self._velocities = self.add_optimizer_variables(variables, "velocity")

    def _all_reduce_sum_gradients(self, grads_and_vars):
        # TensorFlow: after the sum over replicas, before the updates.
        reduced = super()._all_reduce_sum_gradients(grads_and_vars)
        grads, variables = zip(*reduced, strict=True)
        return list(zip(self._scaled(grads), variables, strict=True))

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        if keras.backend.backend() != "tensorflow":
            grads = self._scaled(grads)
        super()._backend_update_step(grads, trainable_variables, learning_rate)

    def _scaled(self, grads):
        """Steps 2 and 3."""
        factor = 1.0 / self.iter_size
        if self.clip is not None:
            norm = ops.sqrt(sum(_sum_of_squares(g) for g in grads))
            # Never above 1; a norm of 0 is not clipped.
            factor = factor * ops.minimum(1.0, self.clip / ops.maximum(norm, 1e-30))
        return [g * ops.cast(factor, g.dtype) for g in grads]

    def update_step(self, gradient, variable, learning_rate):
        """Steps 4 and 5."""
        index = self._get_variable_index(variable)
        rate, decay = self._factors[index]
        velocity = self._velocities[index]
        gradient = ops.cast(gradient, variable.dtype)
        step = ops.cast(learning_rate, variable.dtype) * rate
        if self.l2 * decay:
            gradient = gradient + self.l2 * decay * ops.convert_to_tensor(variable)
        if keras.backend.backend() == "tensorflow":
            _move(variable, velocity, step * gradient, self.momentum)
            return
        moved = self.momentum * ops.convert_to_tensor(velocity) + step * gradient
        self.assign(velocity, moved)
        self.assign_sub(variable, moved)

    def get_config(self):
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "weight_decay": self.l2,
            "clip": self.clip,
            "iter_size": self.iter_size,
            "multipliers": self.multipliers,
        }


def _sum_of_squares(gradient):
    """Over all elements, reading them once: an update waits for memory."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return 2 * tf.nn.l2_loss(gradient)
    return ops.sum(ops.square(gradient))


def _move(variable, velocity, step, momentum):
    """v = momentum * v + step; w -= v, in one pass over memory instead of four.

    TensorFlow's operation has the learning rate outside of the velocity, where it is 1
    here. JAX makes one pass of the plain formula by itself.
    """
    import tensorflow as tf

    tf.raw_ops.ResourceApplyMomentum(
        var=variable.handle,
        accum=velocity.value.handle,
        lr=tf.ones((), step.dtype),
        grad=step,
        momentum=tf.constant(momentum, step.dtype),
    )


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
