"""Resizing as MATLAB's imresize does it: bicubic, antialiased where it shrinks.

Each side by itself, that which shrinks most first, in double precision and rounded to 8
bits in between. The kernel is Keys' with a = -0.5, as wide as a pixel of the result
where an image shrinks and is antialiased; past the border the image is reflected.
"""

import tensorflow as tf

_WIDTH = 4.0  # of the kernel, in pixels
_HALF = 0.5 + 1e-9  # what is added before the fraction is dropped


def resize(image, height, width, antialiased=True):
    """Resizes as imresize(image, [height width]) does.

    Args:
        image: uint8 [h, w, channels].
        height: rows of the result, an int or int32.
        width: columns of the result, likewise.
        antialiased: whether a side that shrinks is; False is imresize's
            'Antialiasing', false.

    Returns:
        uint8 [height, width, channels].
    """

    def rows(pixels):
        return _first_axis(pixels, height, antialiased)

    def columns(pixels):
        turned = tf.transpose(pixels, [1, 0, 2])
        return tf.transpose(_first_axis(turned, width, antialiased), [1, 0, 2])

    # Scales are compared as the quotients that they are.
    shape = tf.cast(tf.shape(image)[:2], tf.float64)
    targets = tf.cast(tf.stack([height, width]), tf.float64)
    by_rows, by_columns = tf.unstack(targets / shape)
    resized = tf.cond(
        by_rows <= by_columns,
        lambda: columns(rows(image)),
        lambda: rows(columns(image)),
    )
    sides = (tf.get_static_value(side) for side in (height, width))
    return tf.ensure_shape(resized, (*sides, image.shape[-1]))


def _first_axis(image, target, antialiased):
    """Resizes the first axis to `target` lines."""
    # A side that fits is copied: its weights are 1 and 0.
    fits = tf.equal(tf.shape(image)[0], target)
    return tf.cond(fits, lambda: image, lambda: _filtered(image, target, antialiased))


def _filtered(image, target, antialiased):
    lines, weights = _taps(tf.shape(image)[0], target, antialiased)

    def add(tap, total):
        taken = tf.cast(tf.gather(image, lines[tap]), tf.float64)
        return tap + 1, total + taken * weights[tap][:, None, None]

    start = tf.zeros(tf.concat([[target], tf.shape(image)[1:]], 0), tf.float64)
    shape = tf.TensorShape([None, *image.shape[1:]])
    _, total = tf.while_loop(
        lambda tap, _: tap < tf.shape(weights)[0],
        add,
        (0, start),
        shape_invariants=(tf.TensorShape([]), shape),
    )
    # As MATLAB rounds, a half up: nothing is negative after it is clipped. Halves are
    # frequent, and the order of a sum must not decide them.
    levels = tf.clip_by_value(total + _HALF, 0.0, 255.0)
    return tf.cast(tf.floor(levels), tf.uint8)


def _taps(source, target, antialiased):
    """Lines and weights of each line of the result, [taps, target] each."""
    scale = tf.cast(target, tf.float64) / tf.cast(source, tf.float64)
    shrunk = tf.minimum(scale, 1.0) if antialiased else tf.ones_like(scale)
    reach = _WIDTH / shrunk
    # Counted from 1, as MATLAB does.
    place = tf.cast(tf.range(1, target + 1), tf.float64)
    centre = place / scale + 0.5 * (1.0 - 1.0 / scale)
    first = tf.floor(centre - reach / 2)
    count = tf.cast(tf.math.ceil(reach), tf.int32) + 2
    lines = first + tf.cast(tf.range(count), tf.float64)[:, None]
    weights = _cubic((centre - lines) * shrunk)
    weights /= tf.reduce_sum(weights, axis=0)
    # 1, ..., n, n, ..., 1, and again.
    around = tf.math.floormod(tf.cast(lines, tf.int32) - 1, 2 * source)
    return tf.where(around < source, around, 2 * source - 1 - around), weights


def _cubic(distance):
    x = tf.abs(distance)
    near = 1.5 * x**3 - 2.5 * x**2 + 1.0
    far = -0.5 * x**3 + 2.5 * x**2 - 4.0 * x + 2.0
    return tf.where(x <= 1.0, near, tf.where(x <= 2.0, far, 0.0))
