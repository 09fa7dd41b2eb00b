"""The devices that Keras' backend sees, and its compiler."""

import contextlib
import sys

import keras

from tsn_keras.flow.settings import OPENCV, DeviceError


def kind(device):
    """What "auto" stands for on this machine.

    Args:
        device: "auto", "cpu" or "gpu".

    Returns:
        "cpu" or "gpu".

    Raises:
        DeviceError: "gpu", and there is none.
    """
    found = gpus() if device != "cpu" else []
    if device == "gpu" and not found:
        raise DeviceError(
            f"Keras sees no GPU with {keras.backend.backend()}: install that with "
            f"support for GPUs, choose another by KERAS_BACKEND, or compute flow on "
            f"the processor"
        )
    return "gpu" if found else "cpu"


def gpus():
    """Names of the GPUs, for keras.device."""
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        return [f"gpu:{k}" for k in range(torch.cuda.device_count())]
    try:
        return [name.lower() for name in keras.distribution.list_devices("gpu")]
    except RuntimeError:  # JAX's answer where there are none
        return []


def fastest():
    """What computes flow fastest here: a `device` of settings.FlowSettings."""
    # PyTorch runs operation by operation, on a processor slower than OpenCV.
    slow = keras.backend.backend() == "torch" and not gpus()
    return OPENCV if slow else "auto"


def versions(device):
    """Versions of what computes flow, and on what."""
    backend = keras.backend.backend()
    return {
        "keras": keras.__version__,
        backend: sys.modules[backend].__version__,
        "flow_device": kind(device),
    }


def leave_cores_to_lanes():
    """Keeps a framework from spreading one pair's flow over the cores.

    Lanes do that, a fifth faster. For processes that compute nothing else; where
    TensorFlow has already computed something, nothing changes.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with contextlib.suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(1)
    elif backend == "torch":
        import torch

        torch.set_num_threads(1)


def compiled(function):
    """Compiles a function of tensors with the backend's compiler."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True, autograph=False)
    if backend == "jax":
        import jax

        return jax.jit(function)
    # PyTorch's compiler cuts a program at every loop whose end depends on data,
    # and these are all of it: it runs operation by operation.
    return function
