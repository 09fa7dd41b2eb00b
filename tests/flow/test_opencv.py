"""TV-L1 by OpenCV with the right parameters."""

import cv2
import numpy as np
import pytest

from tsn_keras.flow import opencv
from tsn_keras.flow.settings import PARAMETERS


def shifted(shift, size=(64, 80)):
    """A smooth texture moved by (x, y) pixels, uint8."""
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    x, y = x - shift[0], y - shift[1]
    value = np.sin(x / 4) * np.cos(y / 5) + 0.6 * np.sin((x + y) / 7)
    return np.rint(128 + 60 * value).astype(np.uint8)


# What section 0 of the fact sheet names, said once more: OpenCV's own setters
# are the check that each value reached its parameter.
EXPECTED = {
    "original": {"ScaleStep": 0.5, "InnerIterations": 300, "OuterIterations": 1}
    | {"MedianFiltering": 1},
    "opencv4": {"ScaleStep": 0.8, "InnerIterations": 30, "OuterIterations": 10}
    | {"MedianFiltering": 5},
}
COMMON = {"Tau": 0.25, "Lambda": 0.15, "Theta": 0.3, "ScalesNumber": 5} | {
    "WarpingsNumber": 5,
    "Epsilon": 0.01,
    "UseInitialFlow": False,
    "Gamma": 0.0,
}


@pytest.mark.parametrize("name", EXPECTED)
def test_flow_is_that_of_opencvs_class(name):
    direct = cv2.optflow.DualTVL1OpticalFlow_create()
    for key, value in {**COMMON, **EXPECTED[name]}.items():
        getattr(direct, f"set{key}")(value)
    first, second = shifted((0, 0)), shifted((2.5, -1))
    found = opencv.tvl1(PARAMETERS[name])(first, second)
    np.testing.assert_array_equal(found, direct.calc(first, second, None))
    # It is the motion from the first to the second, x before y, in pixels.
    inner = found[12:-12, 12:-12]
    np.testing.assert_allclose(np.median(inner, (0, 1)), (2.5, -1), atol=0.1)


def test_the_two_sets_differ():
    first, second = shifted((0, 0)), shifted((2.5, -1))
    fields = [opencv.tvl1(p)(first, second) for p in PARAMETERS.values()]
    assert np.abs(fields[0] - fields[1]).max() > 0.05


def test_opencv4_is_opencvs_default():
    first, second = shifted((0, 0)), shifted((1, 2))
    expected = cv2.optflow.DualTVL1OpticalFlow_create().calc(first, second, None)
    found = opencv.tvl1(PARAMETERS["opencv4"])(first, second)
    np.testing.assert_array_equal(found, expected)
