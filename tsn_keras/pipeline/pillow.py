"""Resizing as Pillow's bilinear filter does it, bit for bit.

Pillow src/libImaging/Resample.c: where an image shrinks, the triangle of the filter
is as wide as a pixel of the result, so that every pixel of the source counts
(antialiasing). First along the rows, then along the columns, each in integers with
weights of 22 bits and rounded to 8 bits. So did Pillow up to 12 (but for pictures a
hundred times as high as wide); 13 may begin with the columns where an image shrinks,
which can change a pixel by one level.
"""

import tensorflow as tf

from tsn_keras.pipeline import transforms

_BITS = 22


def resize(image, height, width):
    """Resizes as PIL.Image.resize((width, height), BILINEAR) does.

    Args:
        image: uint8 [h, w, channels]; or float32, whose triangles are in float32.
        height: rows of the result, an int or int32.
        width: columns of the result, likewise.

    Returns:
        [height, width, channels], of the image's type.
    """
    image = tf.convert_to_tensor(image)
    if image.dtype.is_floating:
        return transforms.interpolated(image, height, width, antialias=True)
    # Columns in front for the first pass, rows in front for the second.
    turned = tf.transpose(image, [1, 0, 2])
    turned = _first_axis(turned, width)
    resized = _first_axis(tf.transpose(turned, [1, 0, 2]), height)
    sides = (tf.get_static_value(side) for side in (height, width))
    return tf.ensure_shape(resized, (*sides, image.shape[-1]))


def _first_axis(image, target):
    """Resizes the first axis to `target` lines."""
    source = tf.shape(image)[0]
    # A side that fits is copied: its filter would be the identity too.
    return tf.cond(source == target, lambda: image, lambda: _filtered(image, target))


def _filtered(image, target):
    source = tf.shape(image)[0]
    first, weights = _filter(source, target)

    def add(tap, total):
        # Weights of lines past the end are 0.
        lines = tf.gather(image, tf.minimum(first + tap, source - 1))
        return tap + 1, total + tf.cast(lines, tf.int32) * weights[tap][:, None, None]

    start = tf.fill(tf.concat([[target], tf.shape(image)[1:]], 0), 1 << (_BITS - 1))
    shape = tf.TensorShape([None, *image.shape[1:]])
    _, total = tf.while_loop(
        lambda tap, _: tap < tf.shape(weights)[0],
        add,
        (0, start),
        shape_invariants=(tf.TensorShape([]), shape),
    )
    # Weights are positive and add up to 1 but for their rounding.
    levels = tf.bitwise.right_shift(total, _BITS)
    return tf.cast(tf.clip_by_value(levels, 0, 255), tf.uint8)


def _filter(source, target):
    """First line and weights of each line of the result.

    Returns:
        (int32 [target], int32 [taps, target])
    """
    source64 = tf.cast(source, tf.float64)
    scale = source64 / tf.cast(target, tf.float64)
    reach = tf.maximum(scale, 1.0)  # half of the triangle's base, in source lines
    centre = (tf.cast(tf.range(target), tf.float64) + 0.5) * scale
    first = tf.floor(tf.maximum(centre - reach + 0.5, 0.0))
    end = tf.floor(tf.minimum(centre + reach + 0.5, source64))
    taps = 2 * tf.cast(tf.math.ceil(reach), tf.int32) + 1
    tap = tf.cast(tf.range(taps), tf.float64)[:, None]
    # In Pillow's order of operations.
    distance = (tap + first - centre + 0.5) * (1.0 / reach)
    weights = tf.maximum(1.0 - tf.abs(distance), 0.0)
    weights = tf.where(tap < end - first, weights, 0.0)
    weights /= _sum_in_order(weights)
    fixed = tf.cast(tf.floor(0.5 + weights * (1 << _BITS)), tf.int32)
    return tf.cast(first, tf.int32), fixed


def _sum_in_order(weights):
    """Sum over the taps, one after the other: the order decides the last bit."""
    return tf.scan(tf.add, weights)[-1]
