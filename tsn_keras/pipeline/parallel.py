"""How datasets use the cores of a machine."""

import tensorflow as tf

from tsn_keras.common.cores import cores


def mapped(dataset, function):
    """A dataset of what a function makes of another's elements, on all cores, in order.

    Args:
        dataset: tf.data.Dataset.
        function: of its elements.
    """
    return dataset.map(function, cores(), deterministic=True)


def batches(dataset, function, size, drop_remainder=False):
    """Batches of what a function makes of a dataset, ahead of who takes them.

    Args:
        dataset, function: see `mapped`.
        size: of a batch.
        drop_remainder: whether a smaller last batch is left out.
    """
    dataset = mapped(dataset, function)
    return ahead(dataset.batch(size, drop_remainder=drop_remainder))


def ahead(dataset):
    """A dataset whose batches are made ahead of who takes them.

    tf.data's tuner is off, as nothing is left to it: it measures in periods that grow
    to a minute, and now and then a pass ended only with one (TensorFlow 2.16), seconds
    after its last batch.

    Args:
        dataset: tf.data.Dataset of batches.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    # Two batches keep a device busy; more would only take memory.
    return dataset.prefetch(2).with_options(options)
