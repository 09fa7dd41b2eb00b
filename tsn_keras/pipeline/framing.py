"""Frames brought to the size from which a protocol cuts its crops."""

import tensorflow as tf

from tsn_keras.pipeline import resizing, transforms
from tsn_keras.protocols.sizes import Clamped, ShorterSide


def framed(image, protocol):
    """Resizes an image as a protocol does for its test.

    Args:
        image: uint8 [h, w, channels].
        protocol: protocols.records.Protocol.

    Returns:
        uint8 [height, width, channels].

    Raises:
        tf.errors.InvalidArgumentError: it is so narrow that the result would be
            larger than any image that is read, see `is_possible`.
    """
    if protocol.fixed_size is not None:
        return transforms.resize(image, *protocol.fixed_size)
    return by_shorter_side(image, protocol.frame_size)


def by_shorter_side(image, rule: ShorterSide | Clamped):
    """Resizes an image, or equal images stacked on the last axis; see `framed`."""
    sides = tf.cast(tf.shape(image)[:2], tf.float64)
    target = tf.cast(rule.lengths(sides, tf.reduce_min(sides)), tf.int32)
    allowed = tf.debugging.assert_less_equal(
        tf.reduce_prod(tf.cast(target, tf.int64)),
        tf.constant(transforms.MAX_PIXELS, tf.int64),
        message="too narrow",
    )
    # In eager mode the check has run already, and is None.
    with tf.control_dependencies([] if allowed is None else [allowed]):
        height, width = tf.unstack(tf.identity(target))
    return resizing.of(rule)(image, height, width)


def is_possible(height, width, protocol):
    """Whether a protocol's frames of an image of that size can be made."""
    if protocol.fixed_size is not None:
        return True
    rows, columns = protocol.frame_size.of(height, width)
    return rows * columns <= transforms.MAX_PIXELS
