"""What builders of backbones share: checks of their arguments, and the classifier."""

from collections.abc import Sequence

import keras
from keras import layers


def check(input_shape, classes, width, least, most=None):
    """Refuses arguments out of their range.

    Args:
        input_shape: (H, W, C).
        classes: number of classes, or None.
        width: factor on the numbers of channels.
        least: least side of an image in pixels.
        most: largest side, or None.

    Raises:
        ValueError: naming the argument, its range and what was received.

    Example:
        >>> check((224, 224, 3), classes=51, width=1.0, least=32)
        >>> check((16, 224, 3), classes=51, width=1.0, least=32)
        Traceback (most recent call last):
        ...
        ValueError: `input_shape` must be (height, width, channels), height and width \
of at least 32. Received: input_shape=(16, 224, 3)
    """
    if width <= 0:
        raise ValueError(f"`width` must be positive. Received: width={width}")
    if classes is not None and classes < 1:
        raise ValueError(f"`classes` must be at least 1. Received: classes={classes}")
    known = len(input_shape) == 3 and None not in input_shape
    sides = input_shape[:2] if known else (0,)
    if min(sides) < least or (most is not None and max(sides) > most):
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(
            "`input_shape` must be (height, width, channels), height and width "
            f"{bounds}. Received: input_shape={tuple(input_shape)}"
        )


def dropouts(dropout, count):
    """The fraction that is dropped at each of several places.

    Args:
        dropout: one number for all, or a sequence of one for each.
        count: number of places.

    Raises:
        ValueError: there are not as many numbers as places.

    Example:
        >>> dropouts(0.5, 2), dropouts((0.9, 0.8), 2)
        ((0.5, 0.5), (0.9, 0.8))
    """
    found = tuple(dropout) if isinstance(dropout, Sequence) else (dropout,) * count
    if len(found) != count:
        raise ValueError(
            f"`dropout` must be a number or {count} of them. Received: {dropout}"
        )
    return found


def classifier(x, classes, name):
    """Scores of features: [N, features] to [N, classes].

    It starts near zero, as a TSN's does (tsn-pytorch models.py:61-77): all classes
    are alike then.
    """
    initial = keras.initializers.RandomNormal(stddev=0.001)
    return layers.Dense(classes, kernel_initializer=initial, name=name)(x)
