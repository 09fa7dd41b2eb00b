"""Which stream saves and loses which video, by hand."""

import numpy as np
import pytest

from tsn_keras.scores import contributions
from tsn_keras.scores.joining import Joined

LABELS = np.array([0, 0, 0, 0])
# Right with both only; right in either; lost by flow; saved by flow.
RGB = np.float32([[2, 3, 0], [5, 1, 0], [3, 1, 0], [1, 3, 0]])
FLOW = np.float32([[2, 0, 3], [5, 1, 0], [0, 4, 0], [4, 0, 0]])


def joined(scores, sets=None, scored=None):
    ids = tuple(f"v{k}" for k in range(len(LABELS)))
    told = tuple(scored or [np.ones(len(ids), bool)] * len(scores))
    return Joined(ids, LABELS, tuple(scores), 0, sets, scored=told)


def test_of_two_streams():
    found = contributions.effects(joined([RGB, FLOW]), (1, 1))
    # Without RGB it is flow alone: wrong, right, wrong, right.
    assert found[0].tolist() == [1, 0, 0, 0]
    assert found[1].tolist() == [1, 0, -1, 1]


def test_weights_decide():
    found = contributions.effects(joined([RGB, FLOW]), (1, 0))
    # A stream of weight 0 changes nothing; without RGB all scores are 0, class 0.
    assert found[1].tolist() == [0, 0, 0, 0]
    assert found[0].tolist() == [-1, 0, 0, -1]


def test_a_stream_alone_is_compared_with_nothing():
    assert contributions.effects(joined([RGB]), (1,)).tolist() == [[0, 0, 0, 0]]
    scored = [np.array([True, False, True, True]), np.ones(4, bool)]
    found = contributions.effects(joined([RGB * 0, FLOW], scored=scored), (1, 1))
    # Flow has nothing beside it in the second video.
    assert found[1].tolist() == [-1, 0, -1, 0]


def test_of_several_labels_the_order_counts():
    sets = ((0, 1), (0,), (0, 2), ())
    found = contributions.effects(joined([RGB, FLOW], sets), (1, 1))
    # Sums: [4, 3, 3], [10, 2, 0], [3, 5, 0], [5, 3, 0]; classes in the order of scores.
    merit = contributions.merits(joined([RGB, FLOW], sets), RGB + FLOW)
    # Ties are one step: 1 of 1, then 2 of 3. The second row has its class first.
    assert merit[:3] == pytest.approx([5 / 6, 1.0, (1 / 2 + 2 / 3) / 2])
    assert np.isnan(merit[3])
    # RGB alone: 1 and 1; 1; 1 and 2/3. Flow alone: 1/2 and 2/3; 1; 2/3 and 2/3.
    assert found[1].tolist() == [-1, 0, -1, 0]
    assert found[0][:2].tolist() == [1, 0]
