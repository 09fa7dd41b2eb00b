"""TV-L1 with the right parameters, and the quantiser."""

import cv2
import numpy as np
import pytest

from tsn_keras.data import flow


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
    found = flow.tvl1(flow.PARAMETERS[name])(first, second)
    np.testing.assert_array_equal(found, direct.calc(first, second, None))
    # It is the motion from the first to the second, x before y, in pixels.
    inner = found[12:-12, 12:-12]
    np.testing.assert_allclose(np.median(inner, (0, 1)), (2.5, -1), atol=0.1)


def test_the_two_sets_differ():
    first, second = shifted((0, 0)), shifted((2.5, -1))
    fields = [flow.tvl1(p)(first, second) for p in flow.PARAMETERS.values()]
    assert np.abs(fields[0] - fields[1]).max() > 0.05


def test_opencv4_is_opencvs_default():
    first, second = shifted((0, 0)), shifted((1, 2))
    expected = cv2.optflow.DualTVL1OpticalFlow_create().calc(first, second, None)
    found = flow.tvl1(flow.PARAMETERS["opencv4"])(first, second)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("pixels", "level"),
    [(-20, 0), (-1, 121), (-0.1, 127), (0, 128), (0.05, 128), (0.1, 128), (1, 134)]
    + [(20, 255), (20.1, 255), (-25, 0), (1000, 255)],
)
def test_quantiser(pixels, level):
    found = flow.quantise(np.full((2, 3), pixels))
    assert found.dtype == np.uint8
    assert (found == level).all()


def test_quantiser_rounds_half_to_even():
    # 255 * (v + 17) / 34 is 127.5 at 0 and exactly 7.5 * n at these.
    pixels = np.arange(-17, 18, dtype=float)
    exact = 7.5 * np.arange(35)
    expected = [2 * round(x / 2) if x % 1 else x for x in exact]
    assert list(flow.quantise(pixels, bound=17)) == expected


def test_other_bounds():
    assert list(flow.quantise([-5, 0, 5, 2.5], bound=5)) == [0, 128, 255, 191]
