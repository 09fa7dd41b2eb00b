"""Pixels of motion to grey levels: the values, halves, and other bounds."""

import numpy as np
import pytest

from tsn_keras.flow.quantiser import quantise


@pytest.mark.parametrize(
    ("pixels", "level"),
    [(-20, 0), (-1, 121), (-0.1, 127), (0, 128), (0.05, 128), (0.1, 128), (1, 134)]
    + [(20, 255), (20.1, 255), (-25, 0), (1000, 255)],
)
def test_quantiser(pixels, level):
    found = quantise(np.full((2, 3), pixels))
    assert found.dtype == np.uint8
    assert (found == level).all()


def test_quantiser_rounds_half_to_even():
    # 255 * (v + 17) / 34 is 127.5 at 0 and exactly 7.5 * n at these.
    pixels = np.arange(-17, 18, dtype=float)
    exact = 7.5 * np.arange(35)
    expected = [2 * round(x / 2) if x % 1 else x for x in exact]
    assert list(quantise(pixels, bound=17)) == expected


def test_other_bounds():
    assert list(quantise([-5, 0, 5, 2.5], bound=5)) == [0, 128, 255, 191]
