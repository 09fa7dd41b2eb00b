"""Weights of a fusion, chosen on held-out videos."""

import numpy as np
import pytest

from tsn_keras.scores import joining, weight_search


def joined(streams, labels):
    scores = tuple(np.float32(stream) for stream in streams)
    ids = tuple(f"v{i}" for i in range(len(labels)))
    return joining.Joined(ids, np.array(labels), scores, 0)


def problem(streams, seed=0):
    """Scores of 60 videos of 3 classes, each stream noisier than the one before."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, 60)
    truth = np.eye(3)[labels]
    made = [
        truth + random.normal(size=(60, 3)) * (0.6 + 0.3 * k) for k in range(streams)
    ]
    return joined(made, labels)


@pytest.mark.parametrize("streams", [2, 3])
def test_all_multiples_are_tried(streams):
    videos = problem(streams)
    found = weight_search.search(videos, [1.0] * streams)
    best = joining.fuse(videos.scores, found)
    for weights in np.stack(
        np.meshgrid([1.0], *[weight_search.MULTIPLES] * (streams - 1)), -1
    ).reshape(-1, streams):
        other = videos.accuracy_of(joining.fuse(videos.scores, weights))
        assert other.main <= videos.accuracy_of(best).main
    assert found[0] == 1


def test_six_streams_get_better_one_after_the_other():
    videos = problem(6)
    start = [1.0] * 6
    found = weight_search.search(videos, start)
    before, after = (
        videos.accuracy_of(joining.fuse(videos.scores, w)).main for w in (start, found)
    )
    assert after > before
    # No single change is better.
    for stream in range(1, 6):
        for weight in weight_search.MULTIPLES:
            way = [*found[:stream], weight, *found[stream + 1 :]]
            scores = joining.fuse(videos.scores, way)
            assert videos.accuracy_of(scores).main <= after


def test_equal_ones_stay_at_the_start():
    """Where every fusion is right the published weights are kept, off the steps too."""
    perfect = np.eye(3) * 9
    videos = joined([perfect, perfect], [0, 1, 2])
    assert weight_search.search(videos, [2.0, 3.3]) == [2.0, 3.3]


def test_multiples_are_of_the_first_weight():
    """Only the second stream knows anything: the nearest weight that is right."""
    wrong, right = np.eye(3)[[1, 2, 0]] * 2, np.eye(3)
    videos = joined([wrong, right], [0, 1, 2])
    assert weight_search.search(videos, [10.0, 0.0]) == [10.0, 25.0]
