"""The .caffemodel reader: formats, genuine files, and hostile ones."""

import random
import runpy
import string
import struct
import tracemalloc

import numpy as np
import pytest
from caffe_writer import blob, field, layer, packed, shape, v1_layer, varint

from tsn_keras.checkpoints import caffemodel

VALID = (
    field(1, b"net")
    + layer("data", kind="Input")
    + layer("conv", blob([1, 2, 3, 4], (2, 1, 1, 2)), blob([5, 6], (2,)))
    + layer("bn", *(blob([0.5, 0.25], (1, 2)) for _ in range(4)), kind="BN")
    + layer("fc", blob([7, 8], (1, 2)), blob([9], (1,)), kind="InnerProduct")
)
ONE_BY_ONE = b"".join(field(5, packed([v]), 5) for v in range(1, 41))
OLD = v1_layer("bn", *(blob([0.5, 2], (1, 2)) for _ in range(4))) + v1_layer(
    "ip",
    b"".join(field(i, n, 0) for i, n in [(1, 1), (2, 1), (3, 1), (4, 40)]) + ONE_BY_ONE,
    shape(2) + field(8, packed([1], "d"), 1) + field(8, packed([2], "d")),
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
    assert all(b.flags.owndata for bs in layers.values() for b in bs)


def test_layers_without_blobs_are_told_on_request(read):
    pool = layer("pool", kind="Pooling")
    # Of training and of test there may be two of one name.
    layers = read(VALID + pool + layer("conv") + pool, every=True)
    assert list(layers) == ["conv", "bn", "fc", "data", "pool"]
    assert layers["data"] == layers["pool"] == []
    assert len(layers["conv"]) == 2


def test_v1_layers_and_legacy_shapes(read):
    legacy = b"".join(field(i, n, 0) for i, n in [(1, 1), (2, 1), (3, 1), (4, 3)])
    layers = read(v1_layer("ip", legacy + field(5, packed([1, 2, 3]))))
    np.testing.assert_array_equal(layers["ip"][0], [[[[1, 2, 3]]]])
    old = read(OLD)
    assert old["ip"][0].shape == (1, 1, 1, 40)
    np.testing.assert_array_equal(old["ip"][0].ravel(), range(1, 41))
    np.testing.assert_array_equal(old["ip"][1], [1, 2])


def test_legacy_shape_wins_as_in_caffe(read):
    legacy = b"".join(field(i, 1, 0) for i in (1, 2, 3, 4))
    assert only(read, blob([5], (1,)) + legacy).shape == (1, 1, 1, 1)


def test_blobs_without_axes_or_values(read):
    assert only(read, b"").shape == (0,)
    assert only(read, shape(0, 3)).shape == (0, 3)
    scalar = only(read, field(7, b"") + field(5, packed([4])))
    assert scalar.shape == ()
    assert scalar == 4


def test_name_and_weights_of_a_layer_may_come_in_any_order(read):
    body = field(7, blob([1], (1,))) + field(1, b"first") + field(1, b"last")
    assert list(read(field(100, body))) == ["last"]


def test_net_whose_name_looks_like_another_format(read):
    # The tag and the length of this name are white space, too.
    assert list(read(field(1, b"input:net") + layer("x", blob([1], (1,))))) == ["x"]


@pytest.mark.parametrize("size", [15, 16, 17, 47, 48, 49, 1000])
@pytest.mark.parametrize("wide_tag", [False, True])
def test_long_runs_of_single_numbers(read, size, wide_tag):
    """A tag may take more bytes than it needs; runs may be interrupted."""
    tag = b"\xad\x00" if wide_tag else b"\x2d"
    run = b"".join(tag + packed([v]) for v in range(size))
    between = field(6, packed([7])) + field(5, packed([-1, -2]))
    values = only(read, run + between + run)
    np.testing.assert_array_equal(values, [*range(size), -1, -2, *range(size)])


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
    scale = layer("s", *(blob([0.5], (1,)) for _ in range(4)), kind="Scale")
    np.testing.assert_array_equal(read(scale, inverse_std=True)["s"][3], [0.5])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"# TSN\n\nname: 'x'", "prototxt"),
        (b"layer{\n", "prototxt"),
        (b"\xfd7zXZ\x00", "xz -d"),
        (b"\x1f\x8b\x08", "gunzip"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"PK\x03\x04", "zip"),
        (b'name: "BN-Inception"\nlayer {', "prototxt"),
        (field(1, b"net"), "no layer with weights"),
        (VALID[:-3], "is the file whole"),
        (varint(100 << 3 | 2) + varint(2**40), "1099511627776 bytes"),
        (field(100, 5, 0), "layer has wire type 0"),
        (field(100, field(1, 5, 0)), "layer name has wire type 0"),
        (field(100, field(2, 5, 0)), "layer type has wire type 0"),
        (field(100, field(7, 5, 0)), "blob has wire type 0"),
        (layer("x", field(1, b"")), "shape of blob 0 of layer 'x' has wire type 2"),
        (layer("x", field(7, 1, 0)), "shape of blob 0 of layer 'x' has wire type 0"),
        (layer("x", field(5, bytes(8), 1)), "data of blob 0 of layer 'x' has wire"),
        (layer("x", field(8, bytes(4), 5)), "data of blob 0 of layer 'x' has wire"),
        (b"\x0c", "wire type 4"),
        (b"\x0b", "wire type 3"),
        (b"\x02\x00", "field number 0"),
        (b"\xff" * 11, "more than 10 bytes"),
        (layer("x", shape(2, 2) + field(5, packed([1]))), "shape (2, 2) but 1 values"),
        (layer("x", b"", shape(3)), "blob 1 of layer 'x' has shape (3,) but 0 values"),
        (layer("x", shape(0, 2**62)), "shape (0, 4611686018427387904)"),
        (layer("x", field(4, 2**64 - 2, 0)), "negative length: (0, 0, 0, -2)"),
        (layer("x", shape(2**31, 2**31, 2**31)), "but 0 values"),
        (layer("x", shape(2**64 - 1)), "negative length"),
        (layer("x", shape(*[1] * 33) + field(5, packed([1]))), "more than 32 axes"),
        (layer("x", shape(*[2**62] * 20) * 2), "more than 32 axes"),
        (layer("x", field(5, b"\0" * 5)), "ends within a number"),
        (
            layer("x", field(5, packed([1])) + field(8, packed([1], "d"))),
            "both float and double",
        ),
        (layer("x", blob([1], (1,))) * 2, "two layers 'x'"),
        (field(100, field(1, b"\xff")), "UTF-8"),
        (field(2, field(1, b"")), "upgrade_net_proto_binary"),
        (layer("x", *[b""] * 10_001), "more than 10000 blobs"),
        (b"".join(layer(f"{k}") for k in range(10_001)), "more than 10000 layers"),
        (layer("x", *[b""] * 9999) + layer("y", b"", b""), "more than 10000 blobs"),
        (layer("x\n\x1b[2J", shape(1)), r"layer 'x\n\x1b[2J'"),
    ],
)
def test_errors_name_the_reason(read, data, words):
    with pytest.raises(caffemodel.CaffemodelError) as caught:
        read(data)
    assert words in str(caught.value)
    assert "net.caffemodel" in str(caught.value)
    assert f" of {len(data)})" in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_errors_name_the_byte_and_stay_short(read):
    first = layer("good", blob([1], (1,)))
    with pytest.raises(caffemodel.CaffemodelError) as caught:
        read(first + field(100, 5, 0))
    assert f"(at byte {len(first)} of {len(first) + 3})" in str(caught.value)
    with pytest.raises(caffemodel.CaffemodelError) as caught:
        read(layer("x" * 10**6, shape(1)))
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-30, 1e-45, np.inf, np.nan])
def test_inverse_deviation_must_be_finite_and_above_zero(read, value):
    good = layer("good", blob([1], (1,)))
    bad = layer("bn", *(blob([value], (1, 1)) for _ in range(4)), kind="BN")
    reason = rf"blob 3 of layer 'bn' .*not finite, not above 0.*at byte {len(good)} of"
    with pytest.raises(caffemodel.CaffemodelError, match=reason):
        read(good + bad, inverse_std=True)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        caffemodel.read(tmp_path / "absent")
    with pytest.raises(IsADirectoryError):
        caffemodel.read(tmp_path)


def attempt(read, data, **options):
    """Reads; nothing but a result or the one error may come."""
    try:
        layers = read(data, **options)
    except caffemodel.CaffemodelError:
        return None
    assert layers
    return layers


class Chances(random.Random):
    """Draws that lean to the ends, where mistakes are.

    A library for this took five times as long as the reader.
    """

    def often(self, ends, other):
        """One of the ends in a third of the cases."""
        return self.choice(ends) if self.random() < 1 / 3 else other

    def spot(self, length):
        """A position in so many bytes, or behind them."""
        return self.often((0, length), self.randint(0, length))

    def file(self):
        return self.choice((VALID, OLD))

    def edited(self, data, most):
        """Bytes with up to so many changed."""
        data = bytearray(data)
        for _ in range(self.randint(0, most) if data else 0):
            at = self.often((0, len(data) - 1), self.randrange(len(data)))
            data[at] = self.often((0, 1, 127, 128, 255), self.randrange(256))
        return bytes(data)


def fuzz(count, check):
    """Runs a check so many times; the one that fails is named."""
    for number in range(count):
        try:
            check(Chances(number))
        except Exception as error:
            raise AssertionError(f"example {number}") from error


def test_fuzz_bytes_changed_and_cut(read):
    def check(chances):
        data = chances.edited(chances.file(), 6)
        cut = chances.choice((len(data), chances.spot(len(data))))
        attempt(read, data[:cut], inverse_std=chances.random() < 0.5)

    fuzz(2000, check)


def test_fuzz_pieces_moved_and_inserted(read):
    def check(chances):
        seed = chances.file()
        start, stop, at, resume = (chances.spot(len(seed)) for _ in range(4))
        extra = chances.randbytes(chances.randint(0, 12))
        data = seed[:at] + extra + seed[start:stop] + seed[resume:]
        attempt(read, data, inverse_std=chances.random() < 0.5)

    fuzz(2000, check)


def test_fuzz_any_bytes(read):
    # Tags and lengths of the format among them; else hardly a field is read.
    likely = bytes((*range(6), 8, 0x0A, 0x12, 0x2A, 0x2D, 0x3A, 0x42, 128, 255))

    def check(chances):
        count = chances.often((0, 1, 2), chances.randint(0, 200))
        data = bytes(
            chances.often(likely, chances.randrange(256)) for _ in range(count)
        )
        attempt(read, data)
        attempt(read, layer("x", data))
        attempt(read, layer("x", shape(0) + field(7, data)))

    fuzz(1500, check)


def peak_memory(read, data):
    tracemalloc.start()
    try:
        attempt(read, data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "data",
    [
        varint(100 << 3 | 2) + varint(2**40),
        layer("x", shape(2**31, 2**31)),
        layer("x", shape(2**40) + field(5, packed([1.0]))),
        layer("x", field(5, packed([0] * 10**6))),
        layer("x", ONE_BY_ONE * 5000),
        layer("x", (field(5, packed([1]), 5) + field(6, b"")) * 20_000),
        layer("x", shape(*[2**62] * 32) * 3000),
        field(100, field(1, b"x" * 10**6) + field(7, shape(1))),
    ],
    ids="length shape shape_of_one packed unpacked irregular axes name".split(),
)
def test_memory_is_taken_only_for_what_is_there(read, data):
    assert peak_memory(read, data) < 3 * len(data) + 2**20


@pytest.mark.parametrize(
    "data",
    [
        layer("x", *[b""] * 50_000),
        b"".join(layer(str(i), *[b""] * 2) for i in range(20_000)),
    ],
    ids=["blobs", "layers"],
)
def test_memory_for_many_small_blobs_is_bounded(read, data):
    # What Python takes for the 10,000 blobs that a file may have.
    assert peak_memory(read, data) < 3 * len(data) + 2**23


@pytest.mark.parametrize("modality", ["rgb", "flow"])
def test_genuine_files(golden, caffemodels, modality):
    """Every blob of the genuine files, against the formula that made them."""
    layers = caffemodel.read(caffemodels / f"ucf101_{modality}_init.caffemodel")
    norms = np.load(golden / f"weights/ucf101_{modality}_bn_blobs.npz")
    regenerate = runpy.run_path(golden / "weights/regenerate.py")["regenerate"]
    assert sorted(map(len, layers.values())) == [2] * 70 + [4] * 69
    for name, blobs in layers.items():
        for index, array in enumerate(blobs):
            if len(blobs) == 4:
                expected = norms[f"{name}/{index}"].reshape(array.shape)
                assert array.shape[0] == 1
            else:
                expected = regenerate(f"tsn-{modality}", name, index, array.shape)
            np.testing.assert_array_equal(array, expected, err_msg=f"{name}/{index}")
    assert sum(map(len, layers.values())) == 416


def protobuf_messages(packed_data):
    """The weights' part of caffe.proto, for the protobuf library."""
    descriptor_pb2 = pytest.importorskip("google.protobuf.descriptor_pb2")
    from google.protobuf import descriptor_pool, message_factory

    one, many = 1, 3  # FieldDescriptorProto.LABEL_OPTIONAL, LABEL_REPEATED
    kinds = {"double": 1, "float": 2, "int64": 3, "int32": 5, "string": 9}
    fields = {
        "BlobShape": [("dim", 1, many, "int64")],
        "BlobProto": [
            ("num", 1, one, "int32"),
            ("channels", 2, one, "int32"),
            ("height", 3, one, "int32"),
            ("width", 4, one, "int32"),
            ("data", 5, many, "float"),
            ("diff", 6, many, "float"),
            ("shape", 7, one, "BlobShape"),
            ("double_data", 8, many, "double"),
        ],
        "LayerParameter": [
            ("name", 1, one, "string"),
            ("type", 2, one, "string"),
            ("bottom", 3, many, "string"),
            ("blobs", 7, many, "BlobProto"),
        ],
        "V1LayerParameter": [
            ("bottom", 2, many, "string"),
            ("name", 4, one, "string"),
            ("type", 5, one, "int32"),
            ("blobs", 6, many, "BlobProto"),
        ],
        "NetParameter": [
            ("name", 1, one, "string"),
            ("layers", 2, many, "V1LayerParameter"),
            ("layer", 100, many, "LayerParameter"),
        ],
    }
    file = descriptor_pb2.FileDescriptorProto(
        name="weights.proto", package="weights", syntax="proto2"
    )
    for message, entries in fields.items():
        descriptor = file.message_type.add(name=message)
        for name, number, label, kind in entries:
            entry = descriptor.field.add(name=name, number=number, label=label)
            if kind in kinds:
                entry.type = kinds[kind]
                entry.options.packed = (
                    label == many and kind != "string" and packed_data
                )
            else:
                entry.type, entry.type_name = 11, f".weights.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName("weights.NetParameter")
    )


@pytest.fixture(scope="module", params=[True, False], ids=["packed", "unpacked"])
def net_parameter(request):
    return protobuf_messages(request.param)


def expected(net):
    """What the reader must return for a parsed NetParameter."""
    out = {}
    # Of the two lists, a file written in one go holds the older first.
    for message in [*net.layers, *net.layer]:
        arrays = []
        for b in message.blobs:
            with np.errstate(over="ignore"):
                values = np.array(b.double_data or b.data, "f8").astype("f4")
            legacy = ("num", "channels", "height", "width")
            if any(b.HasField(name) for name in legacy):
                values = values.reshape([getattr(b, name) for name in legacy])
            elif b.HasField("shape"):
                values = values.reshape(list(b.shape.dim))
            arrays.append(values)
        if arrays:
            assert message.name not in out
            out[message.name] = arrays
    return out


def assert_same(layers, wanted):
    assert layers.keys() == wanted.keys()
    for name, arrays in wanted.items():
        assert [b.shape for b in layers[name]] == [b.shape for b in arrays]
        for got, array in zip(layers[name], arrays, strict=True):
            np.testing.assert_array_equal(got, array)


def some_number(chances):
    """A finite float32, of any size."""
    number = np.nan
    while not np.isfinite(number):
        (number,) = struct.unpack("<f", chances.randbytes(4))
    return chances.often((0.0, -0.0, 1.0, 1e-45, 3.4e38), number)


def fill(net, chances):
    """Adds up to four layers of different names, of up to four blobs each."""
    letters = string.printable + "äß\u0416\u4e2d\U0001f600"
    names = {
        "".join(chances.choices(letters, k=chances.randint(0, 5)))
        for _ in range(chances.randint(0, 4))
    }
    for name in sorted(names):
        old = chances.random() < 0.5
        message = (net.layers if old else net.layer).add(name=name, bottom=["in"])
        for _ in range(chances.randint(0, 4)):
            lengths = [chances.randint(0, 4) for _ in range(chances.randint(0, 4))]
            b = message.blobs.add(diff=[1, 2])
            how = chances.choice(("shape", "legacy", "none"))
            if how == "legacy":
                lengths = (lengths + [1] * 4)[:4]
                b.num, b.channels, b.height, b.width = lengths
            elif how == "shape":
                b.shape.dim.extend(lengths)
                b.shape.SetInParent()
            numbers = [some_number(chances) for _ in range(chances.randint(1, 5))]
            values = np.resize(numbers, int(np.prod(lengths))).tolist()
            (b.double_data if chances.random() < 0.5 else b.data).extend(values)


def test_agrees_with_protobuf(read, net_parameter):
    def check(chances):
        net = net_parameter(name="net")
        fill(net, chances)
        data, wanted = net.SerializeToString(), expected(net)
        if not wanted:
            with pytest.raises(caffemodel.CaffemodelError, match="no layer with weigh"):
                read(data)
            return
        layers = read(data)
        assert_same(layers, wanted)
        assert list(layers) == list(wanted)

    fuzz(500, check)


@pytest.mark.parametrize("seed", [VALID, OLD], ids=["valid", "old"])
def test_whole_files_agree_with_protobuf(read, net_parameter, seed):
    assert_same(read(seed), expected(net_parameter.FromString(seed)))


def test_agrees_with_protobuf_on_damaged_files(read, net_parameter):
    """What both accept, both understand alike."""
    message = pytest.importorskip("google.protobuf.message")
    both = []

    def check(chances):
        seed = chances.file()
        start, stop, at = (chances.spot(len(seed)) for _ in range(3))
        data = seed[:at] + seed[start:stop] + seed[at:]
        edited = chances.edited(data, 3)
        layers = attempt(read, edited)
        if edited == seed:
            assert layers
        if layers is None:
            return
        try:
            net = net_parameter.FromString(edited)
        except message.DecodeError:
            return
        assert_same(layers, expected(net))
        both.append(edited != seed)

    fuzz(1000, check)
    # Many of the damaged files are read by both.
    assert sum(both) > 50
