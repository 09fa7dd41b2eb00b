"""Reading between pixels: OpenCV's values, and exact positions."""

import cv2
import keras
import numpy as np
import pytest

from tsn_keras.flow.bicubic import Reader

SIZE = (20, 24)


def read(planes, right, down, subpixels):
    count = len(planes[0])
    motion = [np.reshape(m, (count, -1)).astype("f4") for m in (right, down)]
    found = Reader(planes, subpixels)(*motion)
    return [keras.ops.convert_to_numpy(f).reshape(planes[0].shape) for f in found]


@pytest.fixture
def images():
    random = np.random.default_rng(0)
    return random.uniform(0, 255, (2, *SIZE)).astype("f4")


# Within, across and far beyond the border.
@pytest.mark.parametrize("farthest", [1, 7, 1e6])
def test_values_are_those_of_opencvs_remap(images, farthest):
    random = np.random.default_rng(1)
    right, down = random.uniform(-farthest, farthest, (2, *images.shape)).astype("f4")
    found, half = read([images, images / 2], right, down, subpixels=32)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype("f4")
    expected = [
        cv2.remap(image, x + r, y + d, cv2.INTER_CUBIC)
        for image, r, d in zip(images, right, down, strict=True)
    ]
    # Sums of 16 products of up to 255 in another order.
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(half, found / 2, atol=1e-4)


def test_whole_pixels_are_shifted(images):
    still = np.zeros_like(images)
    (found,) = read([images], still + 3, still - 2, subpixels=None)
    expected = np.zeros_like(images)
    expected[:, 2:, :-3] = images[:, :-2, 3:]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_positions_are_rounded_or_exact(images):
    still = np.zeros_like(images)
    at = {
        (shift, parts): read([images], still + shift, still, parts)[0]
        for shift in (10 / 32, 10.4 / 32)
        for parts in (32, None)
    }
    np.testing.assert_array_equal(at[10 / 32, 32], at[10.4 / 32, 32])
    np.testing.assert_array_equal(at[10 / 32, 32], at[10 / 32, None])
    assert np.abs(at[10.4 / 32, None] - at[10 / 32, None]).max() > 0.5
    # Keys' kernel with a = -0.75, by its formula in float64.
    t = np.float64(np.float32(10.4 / 32))
    near = [((-0.75 + 2) * s - (-0.75 + 3)) * s**2 + 1 for s in (t, 1 - t)]
    far = [-0.75 * (s**3 - 5 * s**2 + 8 * s - 4) for s in (1 + t, 2 - t)]
    weights = [far[0], near[0], near[1], far[1]]
    expected = sum(
        w * np.float64(images[:, :, k : SIZE[1] - 3 + k]) for k, w in enumerate(weights)
    )
    np.testing.assert_allclose(at[10.4 / 32, None][:, :, 1:-2], expected, atol=2e-3)
