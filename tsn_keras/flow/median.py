"""Median filters of small windows, by sorting networks.

A general sort of every window is what makes a median slow; a network of minima
and maxima runs over whole images at once.
"""

import numpy as np
from keras import ops

SIDES = (1, 3, 5)  # those that cv2.medianBlur has for float images


def median(images, side):
    """Filters images, their border repeated outside (as cv2.medianBlur does).

    Args:
        images: float [N, H, W].
        side: of the window: 1, 3 or 5 pixels.

    Returns:
        As `images`: the middle value of the window around each pixel, exactly.
    """
    if side == 1:
        return images
    _, height, width = images.shape
    images = _repeated(_repeated(images, height, side, 1), width, side, 2)
    # Each column is sorted once for all windows that share it.
    columns = _sorted([images[:, k : k + height] for k in range(side)])
    # The rows of a window whose columns are sorted: sorted too, they leave the
    # columns in order.
    rows = [
        _sorted([column[:, :, k : k + width] for k in range(side)])
        for column in columns
    ]
    # Element (i, j) has (i + 1)(j + 1) - 1 others at or below it and
    # (side - i)(side - j) - 1 at or above: with more than half of the window on
    # one side it is not the middle, and as many fall out below as above.
    half = (side * side + 1) // 2
    return _middle(
        [
            rows[i][j]
            for i in range(side)
            for j in range(side)
            if (i + 1) * (j + 1) <= half and (side - i) * (side - j) <= half
        ]
    )


def _repeated(images, size, side, axis):
    """Adds side // 2 copies of the outermost pixels at both ends of an axis."""
    around = np.arange(-(side // 2), size + side // 2)
    return ops.take(images, np.clip(around, 0, size - 1), axis=axis)


def _sorted(values):
    """Sorts tensors element by element, smallest first."""
    values = list(values)
    for end in range(len(values) - 1, 0, -1):
        for k in range(end):
            _exchange(values, k, k + 1)
    return values


def _middle(values):
    """The median of an odd number of tensors, element by element.

    Of more than half of them neither the smallest nor the largest can be the
    median: both are dropped and the next value joins.
    """
    waiting = list(values)
    enough = len(waiting) // 2 + 2
    held, waiting = waiting[:enough], waiting[enough:]
    while len(held) > 1:
        # The smaller of each pair to the first half; then the smallest of that
        # half to its front, and the largest of the other to its end. With an odd
        # number the one in the middle belongs to both.
        last = len(held) - 1
        for k in range(len(held) // 2):
            _exchange(held, k, last - k)
        for k in range(len(held) // 2, last):
            _exchange(held, k, last)
        for k in range(1, last // 2 + 1):
            _exchange(held, 0, k)
        held = held[1:-1]
        if waiting:
            held.append(waiting.pop(0))
    return held[0]


def _exchange(values, low, high):
    a, b = values[low], values[high]
    values[low], values[high] = ops.minimum(a, b), ops.maximum(a, b)
