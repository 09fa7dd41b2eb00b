"""Scores of snippets as they come: the same numbers as all together, in less memory."""

import tracemalloc

import numpy as np
import pytest

from tsn_keras.common.errors import InputError
from tsn_keras.prediction.collecting import Collected
from tsn_keras.scores import joining, windows
from tsn_keras.scores.consensus import Consensus


def filled(scores, way, keep_crops=False, attention=None, size=4):
    order = np.arange(len(scores))
    found = Collected(order, way, keep_crops)
    for k in range(0, len(scores), size):
        part = slice(k, k + size)
        found.add(scores[part], None if attention is None else attention[part])
    return found


@pytest.mark.parametrize("over_time", ["mean", "windows", "windows_paper", "top3"])
@pytest.mark.parametrize("average", joining.AVERAGES)
def test_the_same_as_all_together(over_time, average):
    scores = np.random.default_rng(0).normal(size=(30, 10, 7)).astype("f4")
    way = joining.Way(
        average=average, over_time=windows.OVER_TIME[over_time], a_second=2
    )
    found = filled(scores, way, keep_crops=True)
    np.testing.assert_array_equal(found.video, way(scores))
    np.testing.assert_array_equal(found.snippets, way.of_snippets(scores, "mean"))
    np.testing.assert_array_equal(found.crops, scores)


def test_attention_is_averaged_over_crops():
    random = np.random.default_rng(0)
    scores = random.normal(size=(9, 10, 7)).astype("f4")
    attention = random.normal(size=(9, 10)).astype("f4")
    trained = windows.OVER_TIME["consensus"]
    way = joining.Way(over_time=trained, consensus=Consensus("attention"))
    found = filled(scores, way, attention=attention)
    np.testing.assert_array_equal(found.video, way(scores, attention))


def test_repeated_snippets_are_kept_once():
    scores = np.arange(6, dtype="f4").reshape(3, 1, 2)
    found = Collected(np.array([0, 0, 1, 2, 2]), joining.Way(), True)
    assert not found.has(0)
    found.add(scores[:2])
    assert [found.has(k) for k in range(6)] == [True, True, True, False, False, False]
    assert found.share == 2 / 3
    found.add(scores[2:])
    assert found.crops[:, 0, 0].tolist() == [0, 0, 2, 4, 4]
    assert found.snippet(3).tolist() == [4, 5]
    assert not found.has(5)
    assert found.video.tolist() == [2, 3]


def test_crops_are_not_kept_unless_asked_for():
    """1,000 snippets of ten crops and 400 classes: 16 MB, their mean 1.6 MB."""
    scores = np.ones((5, 10, 400), "f4")
    peaks = {}
    for keep in (False, True):
        tracemalloc.start()
        found = Collected(np.arange(1000), joining.Way(), keep)
        for _ in range(200):
            found.add(scores)
        peaks[keep] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[False] < 2 * 2**20
    assert 16 * 2**20 < peaks[True] < 19 * 2**20


def test_scores_that_are_not_finite_are_told_at_once():
    found = Collected(np.arange(3), joining.Way(), False)
    with pytest.raises(InputError, match="the scores are not finite"):
        found.add(np.array([[[1, np.nan]]], "f4"))
