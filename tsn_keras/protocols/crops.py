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
            +, -, *, // and %, so that it takes ints and integer tensors.
        inverts: whether mirroring changes the sign of horizontal flow.
        whole: whether a window is the whole frame, whatever its size.
    """

    name: str
    count: int
    windows: Callable[[int, int, int], list[Window]]
    inverts: bool = True
    whole: bool = False


def _centre(height, width, size):
    return [Window((height - size) // 2, (width - size) // 2)]


def _ten(height, width, size):
    down, right = height - size, width - size
    corners = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    return [Window(y, x, mirrored) for mirrored in (False, True) for y, x in corners]


def _rounded_centre(height, width, size):
    # A half goes to the even neighbour, as Python 3 rounds.
    down, right = (
        space // 2 + space % 2 * (space // 2 % 2)
        for space in (height - size, width - size)
    )
    return [Window(down, right)]


def _three(height, width, size):
    # One of the two steps is 0: a crop is as long as the shorter side.
    down, right = (height - size) // 2, (width - size) // 2
    return [Window(0, 0), Window(2 * down, 2 * right), Window(down, right)]


def _ten_quarters(height, width, size):
    down, right = (height - size) // 4, (width - size) // 4
    return [
        Window(y * down, x * right, mirrored)
        for y, x in CORNERS
        for mirrored in (False, True)
    ]


def _ten_of_mirrored(height, width, size):
    down, right = height - size, width - size
    # The centre lies two columns right of the middle: 60 of 116.
    places = [(0, 0), (0, right), (down // 2, right // 2 + 2), (down, 0), (down, right)]
    # The frame is mirrored and then cut, so each mirrored crop is of the other side.
    other = [Window(y, right - x, mirrored=True) for y, x in places]
    return [Window(y, x) for y, x in places] + other


CENTRE = Crops("the centre crop", 1, _centre)

# st-resnet cnn_train_dag.m:345-399: the frame as it is, and mirrored.
_FRAME = [Window(0, 0), Window(0, 0, True)]
FRAME = Crops("the frame", 1, lambda *_: _FRAME[:1], whole=True)
FRAME_AND_MIRRORED = Crops(
    "the frame, also mirrored", 2, lambda *_: list(_FRAME), whole=True
)

# tsn-pytorch transforms.py, GroupCenterCrop: torchvision's CenterCrop.
ROUNDED_CENTRE = Crops("the centre crop", 1, _rounded_centre)

# mmaction2 0.x pipelines/augmentations.py:1557-1798: the two ends of the longer side,
# then its middle. The second may miss the border by a pixel.
THREE = Crops("3 crops", 3, _three)

# pyActionRecog/utils/io.py:4-42 and caffe/io.py:337-379: upper left, upper right,
# lower left, lower right, centre, then the same five mirrored.
TEN = Crops("10 crops", 10, _ten)

# yjxiong/caffe, branch action_recog, action_python/VideoSpatialPrediction.py:32-66:
# upper left, upper right, centre, lower left, lower right, then the same five windows
# of the mirrored frame.
TEN_OF_MIRRORED = Crops("10 crops", 10, _ten_of_mirrored)

# tsn-pytorch transforms.py:95-129: the corners as far as whole quarters of the free
# space reach, and the centre, each followed by its mirror image.
TEN_QUARTERS = Crops("10 crops", 10, _ten_quarters)

# The same windows in mmaction2 0.x pipelines/augmentations.py:1557-1798, which mirrors
# flow like any picture: horizontal motion keeps its sign.
TEN_QUARTERS_AS_PICTURES = Crops("10 crops", 10, _ten_quarters, inverts=False)

# Places of a training crop in quarters of the free space, (down, right): corners,
# centre, middles of the sides, between corners and centre.
QUARTERS = (
    *((0, 0), (0, 4), (4, 0), (4, 4), (2, 2)),
    *((0, 2), (4, 2), (2, 0), (2, 4)),
    *((1, 1), (1, 3), (3, 1), (3, 3)),
)
# Corners and centre alone.
CORNERS = QUARTERS[:5]


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
