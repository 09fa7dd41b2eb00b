"""Bicubic resizing against MATLAB's imresize, written anew in NumPy, pixel by pixel.

The same double precision in another order of sums. Halves are frequent and go up in
both, so that pixels are equal.
"""

import math

import numpy as np
import pytest

from tsn_keras.pipeline import matlab, resizing


def imresize(image, height, width, antialiased=True):
    """As imresize.m is described: contributions, then one side after the other."""
    targets, scales = (height, width), []
    scales = [
        target / length for target, length in zip(targets, image.shape, strict=False)
    ]
    for axis in sorted((0, 1), key=lambda k: scales[k]):
        image = _along(
            np.moveaxis(image, axis, 0), targets[axis], scales[axis], antialiased
        )
        image = np.moveaxis(image, 0, axis)
    return image


def _along(image, target, scale, antialiased):
    length, found = len(image), []
    shrunk = min(scale, 1) if antialiased else 1
    for number in range(1, target + 1):
        centre = number / scale + 0.5 * (1 - 1 / scale)
        reach = 4 / shrunk
        left = math.floor(centre - reach / 2)
        lines = range(left, left + math.ceil(reach) + 2)
        weights = np.array([_kernel(centre - n, shrunk) for n in lines])
        weights /= weights.sum()
        order = [*range(length), *reversed(range(length))]
        pixels = np.stack([image[order[(n - 1) % len(order)]] for n in lines])
        value = np.tensordot(weights, pixels.astype(float), 1)
        # Halves go up, whatever the order of the sum.
        level = np.floor(np.clip(value, 0, 255) + 0.5 + 1e-9)
        found.append(np.minimum(level, 255).astype(np.uint8))
    return np.stack(found)


def _kernel(x, scale):
    x = abs(scale * x)
    if x <= 1:
        return scale * (1.5 * x**3 - 2.5 * x**2 + 1)
    return scale * (-0.5 * x**3 + 2.5 * x**2 - 4 * x + 2) if x <= 2 else 0.0


@pytest.mark.parametrize("antialiased", [True, False])
@pytest.mark.parametrize(
    ("shape", "target"),
    [
        ((30, 41), (24, 24)),  # smaller
        ((21, 17), (24, 40)),  # larger
        ((33, 20), (24, 24)),  # one of each
        ((24, 31), (24, 24)),  # one side fits
        ((5, 9), (24, 2)),
    ],
)
def test_pixels_are_those_of_imresize(shape, target, antialiased):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    resize = resizing.RESIZE["matlab" if antialiased else "matlab_plain"]
    expected = imresize(image, *target, antialiased)
    np.testing.assert_array_equal(resize(image, *target), expected)


def test_a_picture_of_one_grey_stays_so():
    image = np.full((30, 50, 2), 137, np.uint8)
    assert (matlab.resize(image, 24, 24).numpy() == 137).all()
    random = np.random.default_rng(1).integers(0, 256, (24, 24, 1), np.uint8)
    np.testing.assert_array_equal(matlab.resize(random, 24, 24), random)
