"""The median filter gives exactly OpenCV's values."""

import cv2
import keras
import numpy as np
import pytest

from tsn_keras.flow.median import median


@pytest.mark.parametrize("size", [(40, 33), (5, 5), (4, 3), (2, 7), (1, 1)])
@pytest.mark.parametrize("side", [3, 5])
def test_values_are_opencvs(side, size):
    images = np.random.default_rng(0).normal(size=(3, *size)).astype("f4")
    found = keras.ops.convert_to_numpy(median(images, side))
    expected = [cv2.medianBlur(image, side) for image in images]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("side", [3, 5])
def test_equal_values_and_steps(side):
    """What flow is made of: many equal values, and jumps."""
    images = np.random.default_rng(1).integers(0, 3, (4, 24, 24)).astype("f4")
    found = keras.ops.convert_to_numpy(median(images, side))
    expected = [cv2.medianBlur(image, side) for image in images]
    np.testing.assert_array_equal(found, expected)


def test_one_pixel_is_no_filter():
    images = np.random.default_rng(0).normal(size=(1, 4, 5)).astype("f4")
    np.testing.assert_array_equal(median(images, 1), images)
