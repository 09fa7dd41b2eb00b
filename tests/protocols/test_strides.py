"""Snippets of untrimmed videos: one every so many files, or in so much time."""

import dataclasses

import pytest

from tsn_keras.common.errors import InputError
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.overrides import Override
from tsn_keras.protocols.strides import Stride


@pytest.mark.parametrize(
    ("files", "length", "count"),
    # floor((files - length) / 30) + 1, as the published program counts.
    [(1, 1, 1), (30, 1, 1), (31, 1, 2), (60, 1, 2), (61, 1, 3), (35, 6, 1), (36, 6, 2)]
    # It stops where not even one snippet fits; here that one repeats files.
    + [(3, 5, 1)],
)
def test_every_so_many_files(files, length, count):
    found = Stride(30).ticks(files, length)
    assert found == [1 + 30 * k for k in range(count)]


@pytest.mark.parametrize(
    ("rate", "a_second", "expected"),
    [
        (25.0, 1, [1, 26, 51, 76]),
        # Of 29.97 files a second the 30th second begins at file 900, not 901.
        (29.97, 1, [1, 30, 60, 90]),
        (10.0, 2, [1 + 5 * k for k in range(20)]),
        # Slower than the snippets: some are looked at twice.
        (0.5, 1, [1 + k // 2 for k in range(200)]),
    ],
)
def test_by_the_clock(rate, a_second, expected):
    assert Stride(a_second=a_second).ticks(100, 1, rate) == expected


def test_as_users_write_it():
    assert Stride.read("30") == Stride(30)
    assert [str(Stride.read(text)) for text in ("30", "1s", "0.25s")] == [
        "a snippet every 30 files",
        "1 snippet a second",
        "4 snippets a second",
    ]


@pytest.mark.parametrize("text", ["", "0", "-3", "0s", "2s", "0.3s", "1.5", "s", "1e3"])
def test_other_texts_are_refused(text):
    with pytest.raises(InputError, match="`every` must be a number of files"):
        Stride.read(text)


@pytest.mark.parametrize("rate", [None, 0.0, float("nan"), float("inf")])
def test_time_needs_a_rate(rate):
    with pytest.raises(InputError, match='is not known.*`every="30"`'):
        Stride().ticks(100, 1, rate)


def test_a_rate_that_cannot_be_is_refused():
    """A day-long video of ten files would have a list of 86,400 snippets."""
    with pytest.raises(InputError, match="0.0001 files a second"):
        Stride().ticks(10, 1, 10 / 86_400)


def test_a_protocol_for_untrimmed_videos():
    found = Override(every="1s").of(CAFFE)
    assert str(found.test) == "1 snippet a second x 10 crops"
    assert found.over_time == "windows"
    assert Override(every="30", over_time="mean").of(CAFFE).over_time == "mean"
    assert CAFFE.over_time == "mean"
    assert dataclasses.replace(found, test=CAFFE.test, over_time="mean") == CAFFE
    assert found.test.ticks(60, 1, 20.0) == [1, 21, 41]
    ticks, order = found.test.distinct(60, 1, 20.0)
    assert (list(ticks), list(order)) == ([1, 21, 41], [0, 1, 2])
    with pytest.raises(InputError, match="give one of them"):
        Override(snippets=3, every="30").of(CAFFE)
