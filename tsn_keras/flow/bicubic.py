"""Images read at moved positions, by bicubic interpolation."""

import numpy as np
from keras import ops

# The sharpness of OpenCV's cubic kernel (Keys 1981 with a = -0.75).
_A = -0.75
# Rows and columns of zeros on each side: all four taps of the nearest position
# that touches no pixel.
_FRAME = 4


class Reader:
    """Reads planes of images at positions that differ from pixel to pixel.

    As cv2.remap does with INTER_CUBIC and BORDER_CONSTANT: outside is zero.

    Args:
        planes: sequence of float32 [N, H, W].
        subpixels: positions are rounded to this part of a pixel (halves to
            even); cv2.remap's is 32. None: they are exact.
    """

    def __init__(self, planes, subpixels=None):
        self._count, self._height, self._width = planes[0].shape
        self._subpixels = subpixels
        around = [(0, 0), (_FRAME, _FRAME), (_FRAME, _FRAME)]
        self._planes = [
            ops.reshape(ops.pad(plane, around), (self._count, -1)) for plane in planes
        ]

    def __call__(self, right, down):
        """Reads all planes at each pixel's place, moved.

        Args:
            right, down: float32 [N, H * W], pixels.

        Returns:
            List of float32 [N, H * W], one for each plane.
        """
        y, x = np.mgrid[: self._height, : self._width].astype(np.float32)
        left, across = self._split(right, x, self._width)
        top, along = self._split(down, y, self._height)
        stride = self._width + 2 * _FRAME
        first = (top - 1) * stride + left - 1
        across, along = _weights(across), ops.stack(_weights(along))

        # A loop over the four rows instead of sixteen taps: as fast, and it compiles in
        # an eighth of the time.
        def add_row(row, *sums):
            start = first + row * stride
            for plane, total in zip(self._planes, sums, strict=True):
                taps = (
                    weight * ops.take_along_axis(plane, start + k, axis=1)
                    for k, weight in enumerate(across)
                )
                yield total + along[row] * sum(taps)

        sums = [ops.zeros_like(right) for _ in self._planes]
        return ops.while_loop(
            lambda row, *sums: row < 4,
            lambda row, *sums: (row + 1, *add_row(row, *sums)),
            (0, *sums),
        )[1:]

    def _split(self, motion, place, size):
        """Index among the padded pixels at or before, and the part beyond it."""
        place = ops.convert_to_tensor(place.reshape(1, -1)) + motion
        if self._subpixels:
            place = ops.round(place * self._subpixels) / self._subpixels
        whole = ops.floor(place)
        # Farther outside there are only zeros too, and integers stay small. The first
        # tap is one pixel before.
        index = ops.cast(ops.clip(whole, 1 - _FRAME, size + 1), "int32")
        return index + _FRAME, place - whole


def _weights(part):
    """Weights of the pixels at -1, 0, 1 and 2, a part of a pixel beyond 0."""

    def near(t):  # up to 1 away
        return ((_A + 2) * t - (_A + 3)) * t * t + 1

    def far(t):  # 1 to 2 away
        return ((_A * t - 5 * _A) * t + 8 * _A) * t - 4 * _A

    weights = far(part + 1), near(part), near(1 - part)
    return *weights, 1 - sum(weights)
