"""Which windows of a frame are cut out: arithmetic on ints.

Crops of the test, and the windows that training may take (caffe
src/caffe/data_transformer.cpp:49-104): one of several sizes, cut out at one of 13
places, then resized to the size of the input.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Window(NamedTuple):
    """A square crop.

    Attributes:
        top: first row.
        left: first column.
        mirrored: whether what is cut out is then mirrored left to right.
    """

    top: int
    left: int
    mirrored: bool = False


@dataclasses.dataclass(frozen=True)
class Crops:
    """The crops of a test.

    Attributes:
        name: for people, such as "10 crops".
        count: number of crops.
        windows: function (height, width, side) to a list of Window. It uses only
            +, - and //, so that it takes ints and integer tensors.
    """

    name: str
    count: int
    windows: Callable[[int, int, int], list[Window]]


def _centre(height, width, size):
    return [Window((height - size) // 2, (width - size) // 2)]


def _ten(height, width, size):
    down, right = height - size, width - size
    corners = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    return [Window(y, x, mirrored) for mirrored in (False, True) for y, x in corners]


CENTRE = Crops("the centre crop", 1, _centre)

# pyActionRecog/utils/io.py:4-42 and caffe/io.py:337-379: upper left, upper right,
# lower left, lower right, centre, then the same five mirrored.
TEN = Crops("10 crops", 10, _ten)

# Places of a training crop in quarters of the free space, (down, right): corners,
# centre, middles of the sides, between corners and centre.
QUARTERS = (
    *((0, 0), (0, 4), (4, 0), (4, 4), (2, 2)),
    *((0, 2), (4, 2), (2, 0), (2, 4)),
    *((1, 1), (1, 3), (3, 1), (3, 3)),
)


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Which windows a training crop may take, each as likely as the other.

    Attributes:
        places: (down, right) in quarters of the free space.
        max_distort: how far apart in the list of ratios a crop's two sides may be.
    """

    places: tuple[tuple[int, int], ...]
    max_distort: int


def crop_sizes(height, width, ratios, size, max_distort=1):
    """Sizes of training crops, each as likely as the other (:82-104).

    Args:
        height: of the frame.
        width: of the frame.
        ratios: sides of crops over the shorter side of the frame.
        size: side of the input; sides less than 3 pixels off become it.
        max_distort: how far apart in `ratios` the two sides may be.

    Returns:
        list of (height, width).
    """
    # In float32, as in the original: 0.66 of 256 is 168.96, truncated to 168.
    shorter = np.float32(min(height, width))
    sides = [int(shorter * np.float32(ratio)) for ratio in ratios]
    sides = [size if abs(side - size) < 3 else side for side in sides]
    return [
        (rows, columns)
        for a, rows in enumerate(sides)
        for b, columns in enumerate(sides)
        if abs(a - b) <= max_distort
    ]


def crop_offsets(height, width, rows, columns, places=QUARTERS):
    """Places of a training crop, each as likely as the other (:49-75).

    A quarter of the free space is rounded down and then multiplied, so that
    the corners may miss the border by up to 3 pixels.

    Args:
        height: of the frame.
        width: of the frame.
        rows: height of the crop.
        columns: width of the crop.
        places: in quarters.

    Returns:
        list of (top, left), in the order of `places`.
    """
    a, b = (height - rows) // 4, (width - columns) // 4
    return [(y * a, x * b) for y, x in places]
