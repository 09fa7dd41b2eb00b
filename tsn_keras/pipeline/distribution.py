"""The devices that compute together, on this machine and on others."""

import os

import tensorflow as tf

from tsn_keras.common import json_text
from tsn_keras.common.errors import InputError, reason_of
from tsn_keras.pipeline.training import Share

VARIABLE = "TF_CONFIG"


def of_this_machine():
    """All GPUs of this machine through tf.distribute, or the one device there is."""
    # MirroredStrategy prints its devices, and that there is no NCCL on processors.
    tf.get_logger().setLevel("ERROR")
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def of_one_device():
    """The first GPU, or the processor."""
    return tf.distribute.get_strategy()


def of_all_machines():
    """All GPUs of all machines that TF_CONFIG names, or of this one.

    To be called before TensorFlow computes anything.

    Returns:
        tf.distribute.Strategy.

    Raises:
        InputError: TF_CONFIG cannot be used.
    """
    cluster, _ = _cluster()
    if sum(map(len, cluster.values())) < 2:
        return of_this_machine()
    others = set(cluster) - {"chief", "worker"}
    if others:
        raise InputError(
            f"{VARIABLE} names {sorted(others)}; training knows chief and worker"
        )
    tf.get_logger().setLevel("ERROR")
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (ValueError, TypeError, RuntimeError, tf.errors.OpError) as error:
        raise InputError(f"{VARIABLE} cannot be used: {reason_of(error)}") from None


def is_chief():
    """Whether this process is the one that writes the files."""
    cluster, task = _cluster()
    if not cluster:
        return True
    kind, index = task.get("type"), task.get("index")
    return kind == "chief" or ("chief" not in cluster and index == 0)


def _cluster():
    """Returns (cluster, task) of TF_CONFIG; empty without it."""
    text = os.environ.get(VARIABLE, "")
    if not text:
        return {}, {}
    try:
        read = json_text.parse(text, "it")
        cluster, task = read.get("cluster", {}), read.get("task", {})
        if not all(isinstance(part, list) for part in cluster.values()):
            raise ValueError("cluster must hold lists of HOST:PORT")
        if cluster and task["index"] not in range(len(cluster[task["type"]])):
            raise ValueError(f"there is no task {task}")
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise InputError(f"{VARIABLE} cannot be used: {error!r:.300}") from None
    return cluster, task


def machines(distribution):
    """Number of processes that train together."""
    return distribution.num_replicas_in_sync // _devices(distribution)


def _devices(distribution):
    """Number of devices of this process."""
    if distribution.num_replicas_in_sync == 1:
        return 1
    return len(distribution.extended.worker_devices)


def share(distribution):
    """The Share of every batch that this process reads."""
    count = machines(distribution)
    if count == 1:
        return Share(devices=_devices(distribution))
    cluster, task = _cluster()
    order = [
        (kind, index)
        for kind in ("chief", "worker")
        for index in range(len(cluster.get(kind, ())))
    ]
    place = order.index((task["type"], task["index"]))
    return Share(place, count, _devices(distribution))


def iterate(distribution, make):
    """Runs a pipeline on the devices.

    Args:
        distribution: tf.distribute.Strategy.
        make: function of a Share that returns a dataset of batches of a device.

    Returns:
        Iterator of batches, each distributed if there are several devices.
    """
    part = share(distribution)
    if distribution.num_replicas_in_sync == 1:
        return iter(make(part))
    return iter(distribution.distribute_datasets_from_function(lambda _: make(part)))


def total(distribution, value):
    """Sum of a number over the machines."""
    if machines(distribution) == 1:
        return value
    devices = _devices(distribution)

    def one():
        # The devices of a machine share its number.
        return tf.constant(value / devices, tf.float64)

    return float(distribution.reduce("SUM", distribution.run(one), axis=None))
