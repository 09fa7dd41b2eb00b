"""Test ticks: the vectors of the original's rule, and its properties."""

import pytest

from tsn_keras.protocols import sampling


@pytest.mark.parametrize(
    ("files", "depth", "first", "last", "highest"),
    [
        (24, 1, [1, 1, 1], 1, 1),
        (25, 1, [1, 2, 3], 25, 25),
        (48, 1, [1, 2, 3], 25, 25),
        (49, 1, [1, 3, 5], 49, 49),
        (100, 1, [1, 5, 9], 97, 97),
        (250, 1, [1, 11, 21], 241, 241),
        (28, 5, [1, 1, 1], 1, 5),
        (29, 5, [1, 2, 3], 25, 29),
        (100, 5, [1, 4, 7], 73, 77),
        (3, 5, [1, 1, 1], 1, 3),
    ],
)
def test_ticks(files, depth, first, last, highest):
    ticks = sampling.eval_ticks(files, depth)
    assert len(ticks) == 25
    assert ticks[:3] == first
    assert ticks[-1] == last
    read = [n for tick in ticks for n in sampling.snippet_files(tick, files, depth)]
    assert max(read) == highest
    assert min(read) == 1


def test_files_past_the_end_repeat_the_last():
    assert sampling.snippet_files(1, 3, 5) == [1, 2, 3, 3, 3]
    assert sampling.snippet_files(73, 100, 5) == [73, 74, 75, 76, 77]


@pytest.mark.parametrize("depth", [1, 5])
def test_steps_are_even_and_in_range(depth):
    for files in range(1, 400):
        ticks = sampling.eval_ticks(files, depth)
        step = max(0, (files - depth) // 24)
        assert ticks == [1 + i * step for i in range(25)]
        assert ticks[-1] + (depth - 1 if step else 0) <= files


@pytest.mark.parametrize("values", [(0, 1, 25), (5, 0, 25), (5, 1, 1)])
def test_impossible_values_are_named(values):
    with pytest.raises(ValueError, match=f"files={values[0]}, depth={values[1]}"):
        sampling.eval_ticks(*values)


@pytest.mark.parametrize(
    ("files", "depth", "expected"),
    [
        (100, 1, [17, 50, 83]),
        (100, 5, [15, 48, 81]),
        (17, 5, [1, 6, 11]),
        (15, 5, [1, 6, 11]),
        (14, 5, [1, 1, 1]),
        (7, 5, [1, 1, 1]),
        (1, 1, [1, 1, 1]),
    ],
)
def test_validation_ticks(files, depth, expected):
    """Section 6.1's rule, phase TEST, K = 3."""
    assert sampling.validation_ticks(files, depth) == expected


def test_validation_ticks_of_one_segment_are_the_middle():
    assert sampling.validation_ticks(100, 1, 1) == [51]
    for arguments in ((0, 1, 3), (5, 0, 3), (5, 1, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            sampling.validation_ticks(*arguments)
