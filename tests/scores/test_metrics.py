"""Metrics against the original's formulas, with numbers one can check."""

import numpy as np
import pytest

from tsn_keras.scores import metrics

# Of class 0 two of three are right, of class 1 none of one, of class 2 one of
# one; class 3 has no video but is predicted.
LABELS = np.array([0, 0, 0, 1, 2])
PREDICTIONS = np.array([0, 0, 3, 2, 2])


def test_confusion_matrix_rows_are_the_truth():
    expected = [[2, 0, 0, 1], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    found = metrics.confusion_matrix(PREDICTIONS, LABELS, 4)
    np.testing.assert_array_equal(found, expected)


def test_mean_class_accuracy_is_over_classes_with_videos():
    found = metrics.mean_class_accuracy(PREDICTIONS, LABELS, 4)
    assert found == pytest.approx((2 / 3 + 0 + 1) / 3)


def test_mean_class_accuracy_equals_the_original_on_complete_labels():
    random = np.random.default_rng(0)
    labels = np.concatenate([np.arange(7), random.integers(0, 7, 200)])
    predictions = random.integers(0, 7, 207)
    # utils/metrics.py:53-60
    matrix = np.zeros((7, 7))
    for label, prediction in zip(labels, predictions, strict=True):
        matrix[label, prediction] += 1
    expected = np.mean(np.diag(matrix) / matrix.sum(axis=1))
    assert metrics.mean_class_accuracy(predictions, labels, 7) == pytest.approx(
        expected
    )


def test_per_class_accuracy():
    matrix = metrics.confusion_matrix(PREDICTIONS, LABELS, 4)
    np.testing.assert_allclose(
        metrics.per_class_accuracy(matrix), [2 / 3, 0, 1, np.nan]
    )


def test_top_k():
    scores = np.array([[3, 2, 1, 0], [0, 3, 2, 1], [1, 1, 1, 1]])
    labels = np.array([1, 0, 1])
    # The third video's classes tie; the order of classes decides.
    found = [metrics.top_k_accuracy(scores, labels, k) for k in (1, 2, 3, 4, 9)]
    assert found == pytest.approx([0, 2 / 3, 2 / 3, 1, 1])


def test_accuracy_is_in_percent():
    """Ranks of the true class among seven: 0, 1, 4, 5 and 6."""
    scores = np.zeros((5, 7))
    labels = np.array([0, 0, 1, 2, 3])
    for row, (label, rank) in enumerate(zip(labels, (0, 1, 4, 5, 6), strict=True)):
        others = [k for k in range(7) if k != label]
        scores[row, [*others[:rank], label, *others[rank:]]] = np.arange(7, 0, -1)
    found = metrics.accuracy(scores, labels)
    assert found == metrics.Accuracy(
        mean_class_accuracy=pytest.approx(100 * (1 / 2 + 0 + 0 + 0) / 4),
        top1=pytest.approx(20.0),
        top5=pytest.approx(60.0),
    )
    other = metrics.Accuracy(1.0, 2.0, 3.0)
    assert metrics.mean([found, other]) == metrics.Accuracy(
        pytest.approx(6.75), pytest.approx(11.0), pytest.approx(31.5)
    )


def test_softmax():
    found = metrics.softmax(np.array([[1000.0, 1000.0 + np.log(3)], [0.0, 0.0]]))
    np.testing.assert_allclose(found, [[0.25, 0.75], [0.5, 0.5]])
    columns = metrics.softmax(np.array([[0.0, 1.0], [np.log(4), 1.0]]), axis=0)
    np.testing.assert_allclose(columns, [[0.2, 0.5], [0.8, 0.5]])
