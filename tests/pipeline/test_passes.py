"""Passes over training videos: once each, by classes, or one part of each."""

import pathlib

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tsn_keras.datasets.records import FrameFolder
from tsn_keras.datasets.selection import Selection
from tsn_keras.pipeline import draws
from tsn_keras.pipeline.passes import Passes
from tsn_keras.pipeline.training import Batches

# Of a right generator one test in ten thousand falls below; the seeds are fixed.
LEAST = 1e-4
LABELS = [2] * 1 + [0] * 4 + [5] * 16 + [1] * 9  # Unsorted, and there is no 3 or 4.


def folder(label, raw="", number=0):
    name = f"{raw or 'whole'}/{number}"
    return FrameFolder(name, label, pathlib.Path(name), 8, raw=raw)


FOLDERS = tuple(folder(label, number=n) for n, label in enumerate(LABELS))


def drawn(folders, power, passes=300, seed=5):
    plan = Passes(folders, power)
    one = tf.function(lambda epoch: plan.of(seed, epoch), autograph=False)
    return np.array([one(tf.constant(n)) for n in range(passes)])


@pytest.mark.parametrize(
    ("power", "weights"),
    # n ** power of 1, 4, 16 and 9 videos; at 1 with replacement, see below.
    [(0.5, (1, 2, 4, 3)), (0.0, (1, 1, 1, 1))],
)
def test_classes_are_drawn_by_the_power_of_their_sizes(power, weights):
    """9,000 draws: classes by the weights of the original, videos of one alike."""
    found = drawn(FOLDERS, power)
    assert found.shape == (300, 30)
    counts = np.bincount(found.ravel(), minlength=30)
    places = np.split(np.arange(30), (1, 5, 21))
    classes = np.array([counts[some].sum() for some in places])
    expected = 9000 * np.array(weights) / sum(weights)
    assert scipy.stats.chisquare(classes, expected).pvalue > LEAST
    for some in places[1:]:
        assert scipy.stats.chisquare(counts[some]).pvalue > LEAST
    # Draws are apart from one another: neighbours agree as often as chance says.
    labels = np.array(LABELS)[found]
    same = (labels[:, 1:] == labels[:, :-1]).sum()
    shares = np.array(weights) / sum(weights)
    total = labels[:, 1:].size
    assert scipy.stats.binomtest(same, total, (shares**2).sum()).pvalue > LEAST


def test_every_video_once_is_the_order_that_runs_have_had():
    plan = Passes(FOLDERS)
    for epoch in range(3):
        np.testing.assert_array_equal(plan.of(5, epoch), draws.order(5, epoch, 30))


def test_draws_are_the_same_everywhere():
    """Resumed runs rest on them, on other machines too: they were written down once."""
    found = drawn(FOLDERS, 0.5, passes=2, seed=3)[:, :8].tolist()
    assert found == [[3, 16, 11, 25, 20, 4, 16, 21], [26, 25, 3, 1, 26, 9, 13, 1]]
    found = drawn(PARTS, 1.0, passes=3, seed=3).tolist()
    assert found == [[5, 0, 3], [3, 1, 4], [1, 3, 4]]


PARTS = (
    *(folder(1, "a", n) for n in (0, 2, 7)),
    folder(0, number=1),
    *(folder(0, "b", n) for n in (4, 5)),
)


def test_a_pass_has_one_part_of_each_untrimmed_video():
    assert Passes(PARTS).length == Selection(PARTS).of_a_pass == 3
    found = drawn(PARTS, 1.0, passes=1200)
    videos = np.array([0, 0, 0, 1, 2, 2])
    assert (np.sort(videos[found], axis=1) == [0, 1, 2]).all()
    counts = np.bincount(found.ravel(), minlength=6)
    assert counts[3] == 1200
    for some in (slice(0, 3), slice(4, 6)):
        assert scipy.stats.chisquare(counts[some]).pvalue > LEAST
    # Which part of one says nothing about that of the other.
    place = np.argsort(videos[found], axis=1)
    a, _, b = np.take_along_axis(found, place, axis=1).T
    table = np.zeros((3, 2))
    np.add.at(table, (a, b - 4), 1)
    assert scipy.stats.chi2_contingency(table).pvalue > LEAST


def test_untrimmed_videos_by_class():
    """A class is as large as its untrimmed videos, whatever parts these have."""
    parts = [folder(0, f"v{v}", n) for v in range(4) for n in range(3)]
    parts.append(folder(1, number=0))
    counts = np.bincount(drawn(parts, 0.5, passes=600).ravel(), minlength=13)
    expected = 3000 * np.array([*[1 / 18] * 12, 1 / 3])
    assert scipy.stats.chisquare(counts, expected).pvalue > LEAST


@pytest.mark.parametrize("folders", [FOLDERS[:10], PARTS])
def test_a_run_goes_on_in_the_middle_of_a_pass(folders):
    plan = Batches(tuple(folders), None, 3, batch=2, seed=9, power=0.5)
    total = Passes(folders, 0.5).length
    rows = [
        (int(index), int(number))
        for epoch in range(3)
        for index, number in plan._one_pass(np.int64(epoch))
    ]
    assert [number for _, number in rows] == list(range(3 * total))
    expected = drawn(folders, 0.5, passes=3, seed=9).ravel().tolist()
    assert [index for index, _ in rows] == expected
    assert plan._batches == -(-total // 2)
