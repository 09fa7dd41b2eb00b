"""The originals' SGD as Keras optimizers: Caffe's, and PyTorch's.

Caffe's (solver.cpp:611-770), in this order:

1. g: the sum over iter_size sub-batches of the gradients of their mean losses,
   averaged over the replicas.
2. Clipping of the global norm over all variables: if |g| > clip, g *= clip / |g|.
   Before the division by iter_size, before weight decay, before the
   multipliers.
3. g /= iter_size.
4. g += weight_decay * decay_multiplier * w.
5. v = momentum * v + learning_rate * multiplier * g; w -= v. The learning rate
   is inside the velocity: at a drop the old velocity coasts on.

PyTorch's, as tsn-pytorch (main.py:181-186) and MMAction2 use it, is alike but for two
things. The clipped gradient is g * clip / (|g| + 1e-6); and the rate is outside
of the velocity: v = momentum * v + g; w -= learning_rate * multiplier * v, so that a
drop is felt at once.

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
            factor = factor * ops.minimum(1.0, self._clipped(norm))
        return [g * ops.cast(factor, g.dtype) for g in grads]

    def _clipped(self, norm):
        """By what a gradient of this norm is multiplied, where that is below 1."""
        # A norm of 0 is not clipped.
        return self.clip / ops.maximum(norm, 1e-30)

    def update_step(self, gradient, variable, learning_rate):
        """Steps 4 and 5."""
        index = self._get_variable_index(variable)
        rate, decay = self._factors[index]
        gradient = ops.cast(gradient, variable.dtype)
        rate = ops.cast(learning_rate, variable.dtype) * rate
        if self.l2 * decay:
            gradient = gradient + self.l2 * decay * ops.convert_to_tensor(variable)
        self._move(variable, self._velocities[index], gradient, rate)

    def _move(self, variable, velocity, gradient, rate):
        self._descend(variable, velocity, rate * gradient, ops.ones((), rate.dtype))

    def _descend(self, variable, velocity, step, rate):
        """v = momentum * v + step; w -= rate * v."""
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            # One pass over memory instead of four. JAX makes one by itself.
            tf.raw_ops.ResourceApplyMomentum(
                var=variable.handle,
                accum=velocity.value.handle,
                lr=rate,
                grad=step,
                momentum=tf.constant(self.momentum, step.dtype),
            )
            return
        moved = self.momentum * ops.convert_to_tensor(velocity) + step
        self.assign(velocity, moved)
        self.assign_sub(variable, rate * moved)

    def get_config(self):
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "weight_decay": self.l2,
            "clip": self.clip,
            "iter_size": self.iter_size,
            "multipliers": self.multipliers,
        }


@keras.saving.register_keras_serializable("tsn_keras")
class TorchSGD(CaffeSGD):
    """PyTorch's SGD; see the module. Arguments are those of CaffeSGD."""

    def __init__(self, *args, name="torch_sgd", **kwargs):
        super().__init__(*args, name=name, **kwargs)

    def _clipped(self, norm):
        # torch.nn.utils.clip_grad_norm_ sees the mean over the sub-batches.
        return self.clip / (norm + 1e-6 * self.iter_size)

    def _move(self, variable, velocity, gradient, rate):
        self._descend(variable, velocity, gradient, rate)


def _sum_of_squares(gradient):
    """Over all elements, reading them once: an update waits for memory."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return 2 * tf.nn.l2_loss(gradient)
    return ops.sum(ops.square(gradient))
