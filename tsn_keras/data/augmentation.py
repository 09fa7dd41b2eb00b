"""Which window of a frame a training crop takes: arithmetic on ints.

The original's data layer (caffe src/caffe/data_transformer.cpp:49-104): a crop
of one of several sizes, cut out at one of 13 places, then resized to the size
of the input.
"""

import numpy as np

RATIOS = {
    "rgb": (1.0, 0.875, 0.75, 0.66),
    "flow": (1.0, 0.875, 0.75),
    "rgbdiff": (1.0, 0.875, 0.75),
}
# Places of a crop in quarters of the free space, (down, right): corners, centre,
# middles of the sides, between corners and centre.
QUARTERS = (
    *((0, 0), (0, 4), (4, 0), (4, 4), (2, 2)),
    *((0, 2), (4, 2), (2, 0), (2, 4)),
    *((1, 1), (1, 3), (3, 1), (3, 3)),
)


def crop_sizes(height, width, ratios, size, max_distort=1):
    """Sizes of crops, each as likely as the other (:82-104).

    Args:
        height: of the frame.
        width: of the frame.
        ratios: sides of crops over the shorter side of the frame.
        size: side of the input; sides less than 3 pixels off become it.
        max_distort: how far apart in `ratios` the two sides may be.

    Returns:
        list of (height, width).
    """
    # In float32, as the original: 0.66 of 256 is 168.96, cut off to 168.
    shorter = np.float32(min(height, width))
    sides = [int(shorter * np.float32(ratio)) for ratio in ratios]
    sides = [size if abs(side - size) < 3 else side for side in sides]
    return [
        (rows, columns)
        for a, rows in enumerate(sides)
        for b, columns in enumerate(sides)
        if abs(a - b) <= max_distort
    ]


def crop_offsets(height, width, rows, columns):
    """Places of a crop, each as likely as the other (:49-75).

    A quarter of the free space is rounded down and then multiplied, so that
    the corners may miss the border by up to 3 pixels.

    Args:
        height: of the frame.
        width: of the frame.
        rows: height of the crop.
        columns: width of the crop.

    Returns:
        list of 13 (top, left), in the order of QUARTERS.
    """
    a, b = (height - rows) // 4, (width - columns) // 4
    return [(y * a, x * b) for y, x in QUARTERS]
