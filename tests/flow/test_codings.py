"""Grey levels of each field's own range: values, rounding, the stored file."""

import io
import pathlib

import numpy as np
import pytest

from tsn_keras.common.errors import InputError
from tsn_keras.flow import quantiser, ranges


@pytest.fixture
def field():
    return np.random.default_rng(0).normal(0.3, 4, (64, 96, 2)).astype(np.float32)


@pytest.mark.parametrize("bound", [20, 7.5, None])
def test_a_coding_loses_half_a_level(field, bound):
    for axis in (0, 1):
        plane = field[..., axis]
        levels, (low, high) = quantiser.encode(plane, bound)
        assert levels.dtype == np.uint8
        found = quantiser.decode(levels, low, high)
        assert found.dtype == np.float32
        kept = np.clip(plane, low, high)
        # And the rounding of float32, in which flow is.
        assert np.abs(found - kept).max() <= (high - low) / 255 / 2 + 1e-6
        if bound is None:
            assert (levels.min(), levels.max()) == (0, 255)
            assert (low, high) == (plane.min(), plane.max())
        else:
            np.testing.assert_array_equal(levels, quantiser.quantise(plane, bound))
            assert (low, high) == (-bound, bound)


@pytest.mark.parametrize("value", [0.0, -3.25])
def test_a_plane_of_one_value(value):
    levels, limits = quantiser.encode(np.full((4, 5), value, np.float32), None)
    assert not levels.any()
    assert (quantiser.decode(levels, *limits) == value).all()


def test_mirrored_levels_are_the_opposite_motion():
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_allclose(
        quantiser.decode(255 - levels, -20, 20),
        -quantiser.decode(levels, -20, 20),
        atol=2e-6,
    )


PREFIXES = ("flow_x_", "flow_y_")
ROWS = [[(-1.5, 2), (0, 0)], [(-3, 4), (0.25, 8)]]


@pytest.fixture
def stored(tmp_path):
    ranges.write(tmp_path, PREFIXES, ROWS)
    return tmp_path


def test_ranges_are_read_by_the_names_of_the_files(stored):
    found = ranges.read(stored, [("flow_y_", 2), ("flow_x_", 1), ("flow_x_", 1)])
    assert found.tolist() == [[0.25, 8], [-1.5, 2], [-1.5, 2]]
    assert found.dtype == np.float32


@pytest.mark.parametrize("file", [("flow_x_", 0), ("flow_x_", 3), ("warped_x_", 1)])
def test_ranges_that_are_not_there(stored, file):
    with pytest.raises(ranges.RangesError, match=rf"no range of {file[0]}"):
        ranges.read(stored, [file])


def saved(value, **options):
    buffer = io.BytesIO()
    np.save(buffer, value, **options)
    return buffer.getvalue()


WHOLE = saved(np.zeros(2, [(p, "<f4", (2,)) for p in PREFIXES]))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no ranges of flow"),
        (b"\x93NUMPY\x01\x00", "no ranges of flow"),
        (WHOLE[:-1], "31 bytes for an array"),
        (WHOLE + b"x", "33 bytes for an array"),
        (WHOLE.replace(b"(2,), }", b"(2**60,), }"), "no ranges of flow"),
        (WHOLE.replace(b"(2,), }", b"(9999999999999,), }"), "no ranges of flow"),
        (WHOLE.replace(b"NUMPY\x01", b"NUMPY\x09"), "version"),
        (saved(np.zeros((2, 2), "f4")), "values of type float32"),
        (saved(np.zeros(2, [("flow_x_", "<f8", (2,))])), "values of type"),
        (saved(np.array([PREFIXES], object), allow_pickle=True), "of type object"),
        (saved(np.full(2, np.nan, [("flow_x_", "<f4", (2,))])), "impossible range"),
    ],
)
def test_what_is_no_file_of_ranges(tmp_path, content, words):
    (tmp_path / ranges.NAME).write_bytes(content)
    with pytest.raises(ranges.RangesError, match=words) as error:
        ranges.read(tmp_path, [("flow_x_", 1)])
    assert len(str(error.value)) < 500 + len(str(tmp_path))


def test_a_file_of_ranges_that_is_too_large(tmp_path):
    with open(tmp_path / ranges.NAME, "wb") as file:
        file.truncate(2**40)
    with pytest.raises(InputError, match="has 1099511627776 bytes"):
        ranges.read(tmp_path, [("flow_x_", 1)])
    with pytest.raises(FileNotFoundError):
        ranges.read(pathlib.Path(tmp_path, "no"), [("flow_x_", 1)])
