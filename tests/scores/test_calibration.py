"""Reliability diagrams, beside sums in plain loops."""

import math

import numpy as np
import pytest

from tsn_keras.scores.calibration import calibration


def in_loops(chances, is_right, bins):
    """The same by the formulas of Guo et al., one prediction at a time."""
    members = [[] for _ in range(bins)]
    for chance, right in zip(chances, is_right, strict=True):
        place = next(m for m in range(bins) if chance <= (m + 1) / bins)
        members[place].append((chance, right))
    error = 0.0
    for one in filter(None, members):
        said = math.fsum(chance for chance, _ in one) / len(one)
        right = sum(right for _, right in one) / len(one)
        error += len(one) / len(chances) * abs(right - said)
    return [len(one) for one in members], error


@pytest.mark.parametrize("bins", [1, 7, 15])
def test_as_in_loops(bins):
    random = np.random.default_rng(bins)
    chances, is_right = random.random(500), random.random(500) < 0.4
    counts, error = in_loops(chances.tolist(), is_right.tolist(), bins)
    found = calibration(chances, is_right, bins)
    assert found.counts.tolist() == counts
    assert found.error == pytest.approx(error, abs=1e-12)


def test_edges_are_of_the_bin_below():
    found = calibration([0.0, 0.5, 0.50001, 1.0], [False, True, False, True], bins=2)
    assert found.counts.tolist() == [2, 2]
    assert found.accuracy.tolist() == [0.5, 0.5]


def test_what_is_as_sure_as_it_is_right_has_no_error():
    assert calibration([0.75] * 4, [True, True, True, False]).error == 0
    assert calibration([1.0] * 4, [False] * 4).error == 1
