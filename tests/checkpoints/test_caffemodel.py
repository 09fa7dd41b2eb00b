"""The .caffemodel reader: formats, genuine files, and hostile ones."""

import runpy
import tracemalloc

import numpy as np
import pytest
from caffe_writer import blob, field, layer, packed, shape, v1_layer, varint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tsn_keras.checkpoints import caffemodel

FUZZ = settings(
    max_examples=1500,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


VALID = (
    field(1, b"net")
    + layer("data", kind="Input")
    + layer("conv", blob([1, 2, 3, 4], (2, 1, 1, 2)), blob([5, 6], (2,)))
    + layer("bn", *(blob([0.5, 0.25], (1, 2)) for _ in range(4)), kind="BN")
    + layer("fc", blob([7, 8], (1, 2)), blob([9], (1,)), kind="InnerProduct")
)


@pytest.fixture
def read(tmp_path):
    def read(data, **options):
        path = tmp_path / "net.caffemodel"
        path.write_bytes(data)
        return caffemodel.read(path, **options)

    return read


def only(read, contents):
    """The one blob of a file whose one layer has these blob bytes."""
    return read(layer("x", contents))["x"][0]


def test_layers_in_order_with_shapes_and_values(read):
    layers = read(VALID)
    assert list(layers) == ["conv", "bn", "fc"]
    np.testing.assert_array_equal(layers["conv"][0], [[[[1, 2]]], [[[3, 4]]]])
    np.testing.assert_array_equal(layers["conv"][1], [5, 6])
    assert [b.shape for b in layers["bn"]] == [(1, 2)] * 4
    assert {b.dtype for bs in layers.values() for b in bs} == {np.dtype("f4")}
    assert all(b.flags.writeable for bs in layers.values() for b in bs)


def test_v1_layers_and_legacy_shapes(read):
    legacy = b"".join(field(i, n, 0) for i, n in [(1, 1), (2, 1), (3, 1), (4, 3)])
    layers = read(v1_layer("ip", legacy + field(5, packed([1, 2, 3]))))
    assert layers["ip"][0].shape == (1, 1, 1, 3)


@pytest.mark.parametrize(
    "data",
    [
        field(5, packed([1, 2, 3])),
        b"".join(field(5, packed([v]), 5) for v in (1, 2, 3)),
        field(5, packed([1])) + field(5, packed([2, 3])),
        field(5, packed([1]), 5) + field(5, packed([2])) + field(5, packed([3]), 5),
        field(8, packed([1, 2, 3], "d")),
        b"".join(field(8, packed([v], "d"), 1) for v in (1, 2, 3)),
    ],
    ids=["packed", "unpacked", "chunks", "mixed", "doubles", "unpacked doubles"],
)
def test_every_way_to_write_numbers(read, data):
    np.testing.assert_array_equal(only(read, shape(3) + data), [1, 2, 3])
    np.testing.assert_array_equal(only(read, data), [1, 2, 3])


def test_shape_one_by_one_and_diff_is_skipped(read):
    dims = field(7, field(1, 1, 0) + field(1, 2, 0))
    contents = dims + field(6, packed([9, 9, 9])) + field(5, packed([1, 2]))
    assert only(read, contents).shape == (1, 2)


def test_inverse_deviation_becomes_variance(read):
    plain, turned = read(VALID), read(VALID, inverse_std=True)
    # 1 / 0.5**2 - 1e-5 and 1 / 0.25**2 - 1e-5
    np.testing.assert_allclose(turned["bn"][3], [[3.99999, 15.99999]], rtol=1e-7)
    for name in plain:
        for index, array in enumerate(plain[name]):
            if (name, index) != ("bn", 3):
                np.testing.assert_array_equal(array, turned[name][index])
    old = v1_layer("bn", *(blob([0.5], (1, 1)) for _ in range(4)))
    np.testing.assert_allclose(read(old, inverse_std=True)["bn"][3], [[3.99999]])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"PK\x03\x04", "zip"),
        (b'name: "BN-Inception"\nlayer {', "prototxt"),
        (field(1, b"net"), "no layer with weights"),
        (VALID[:-3], "is the file whole"),
        (varint(100 << 3 | 2) + varint(2**40), "1099511627776 bytes"),
        (field(100, 5, 0), "layer has wire type 0"),
        (b"\x0b", "wire type 3"),
        (b"\x02\x00", "field number 0"),
        (b"\xff" * 11, "more than 10 bytes"),
        (layer("x", shape(2, 2) + field(5, packed([1]))), "shape (2, 2) but 1 values"),
        (layer("x", shape(2**31, 2**31, 2**31)), "but 0 values"),
        (layer("x", shape(2**64 - 1)), "negative length"),
        (layer("x", shape(*[1] * 33) + field(5, packed([1]))), "more than 32 axes"),
        (layer("x", field(5, b"\0" * 5)), "ends within a number"),
        (layer("x", blob([float("nan")], (1,))), "not finite"),
        (layer("x", field(8, packed([1e300], "d"))), "not finite"),
        (
            layer("x", field(5, packed([1])) + field(8, packed([1], "d"))),
            "both float and double",
        ),
        (layer("x", blob([1], (1,))) * 2, "two layers 'x'"),
        (field(100, field(1, b"\xff")), "UTF-8"),
        (field(2, field(1, b"")), "upgrade_net_proto_binary"),
        (layer("x", *[b""] * 101), "more than 100 blobs"),
    ],
)
def test_errors_name_the_reason(read, data, words):
    with pytest.raises(caffemodel.CaffemodelError) as caught:
        read(data)
    assert words in str(caught.value)
    assert "net.caffemodel" in str(caught.value)


def test_inverse_deviation_must_be_positive(read):
    bad = layer("bn", *(blob([0.0], (1, 1)) for _ in range(4)), kind="BN")
    with pytest.raises(caffemodel.CaffemodelError, match="not above 0"):
        read(bad, inverse_std=True)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        caffemodel.read(tmp_path / "absent")
    with pytest.raises(IsADirectoryError):
        caffemodel.read(tmp_path)


def attempt(read, data):
    """Reads; nothing but a result or the one error may come."""
    try:
        layers = read(data)
    except caffemodel.CaffemodelError:
        return
    assert layers
    for blobs in layers.values():
        assert all(np.isfinite(b).all() for b in blobs)


@FUZZ
@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), max_size=6
    ),
    cut=st.integers(0, len(VALID)),
)
def test_fuzz_bytes_changed_and_cut(read, edits, cut):
    data = bytearray(VALID)
    for position, value in edits:
        data[position] = value
    attempt(read, bytes(data[:cut]))


@FUZZ
@given(
    start=st.integers(0, len(VALID)),
    stop=st.integers(0, len(VALID)),
    at=st.integers(0, len(VALID)),
    extra=st.binary(max_size=12),
)
def test_fuzz_pieces_moved_and_inserted(read, start, stop, at, extra):
    attempt(read, VALID[:at] + extra + VALID[start:stop] + VALID[at:])


@FUZZ
@given(st.binary(max_size=200))
def test_fuzz_any_bytes(read, data):
    attempt(read, data)


@pytest.mark.parametrize(
    "data",
    [
        varint(100 << 3 | 2) + varint(2**62),
        layer("x", shape(2**31, 2**31)),
        layer("x", shape(2**40) + field(5, packed([1.0]))),
        layer("x", *[b""] * 50_000),
        b"".join(layer(str(i), b"") for i in range(20_000)),
        layer("x", b"".join(field(5, packed([1]), 5) for _ in range(50_000))),
    ],
    ids=["length", "shape", "shape of one", "blobs", "layers", "unpacked"],
)
def test_memory_is_taken_only_for_what_is_there(read, data):
    tracemalloc.start()
    try:
        attempt(read, data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The limits on layers and blobs bound what Python's objects cost.
    assert peak < 16 * len(data) + 2**20


@pytest.mark.parametrize("modality", ["rgb", "flow"])
def test_genuine_files(golden, caffemodels, modality):
    """Every blob of the genuine files, against the formula that made them."""
    layers = caffemodel.read(caffemodels / f"ucf101_{modality}_init.caffemodel")
    norms = np.load(golden / f"weights/ucf101_{modality}_bn_blobs.npz")
    regenerate = runpy.run_path(golden / "weights/regenerate.py")["regenerate"]
    assert len(layers) == 139
    for name, blobs in layers.items():
        for index, array in enumerate(blobs):
            if len(blobs) == 4:
                expected = norms[f"{name}/{index}"].reshape(array.shape)
                assert array.shape[0] == 1
            else:
                expected = regenerate(f"tsn-{modality}", name, index, array.shape)
            np.testing.assert_array_equal(array, expected, err_msg=f"{name}/{index}")
    assert sum(map(len, layers.values())) == 416
