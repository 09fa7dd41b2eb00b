"""Caffe weight files (.caffemodel), read without Caffe and without protobuf.

A .caffemodel is a protobuf message NetParameter (caffe.proto). This reader
knows the few fields that hold weights and skips all others, so it descends no
deeper than they do, and takes memory only for bytes that are in the file.
"""

import pathlib

import numpy as np

from tsn_keras import config

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # protobuf wire types
_MAX_AXES = 32  # Caffe's kMaxBlobAxes
# Far more than any network has. A hostile file can hold an empty blob in two
# bytes, and each costs a hundred times that in memory.
_MAX_BLOBS, _MAX_LAYERS = 100, 10_000
_EPSILON = 1e-5  # of the fork's BN layer, caffe.proto:463

# NetParameter: `layer` and the older `layers`; in each the fields for name,
# type and blobs.
_LAYER, _V1_LAYER = 100, 2
_LAYER_FIELDS = {_LAYER: (1, 2, 7), _V1_LAYER: (4, 5, 6)}
_V0_LAYER = 1  # in V1LayerParameter


class CaffemodelError(config.InputError):
    """A file is not a usable .caffemodel; the text says why."""


def read(path, *, inverse_std=False):
    """Reads the weights of a .caffemodel.

    Args:
        path: the file.
        inverse_std: batch norms (layers of type BN; in the older layer message,
            which numbers its types, layers of four equally long blobs) hold the
            inverse of the standard deviation, as in files from before April
            2016, and are turned into variances (caffe fork,
            python/bn_convert_style.py).

    Returns:
        {layer name: [float32 arrays in Caffe's order]} in the order of the
        file, without layers that have no blobs. Shapes are those in the file:
        convolutions [O, I, H, W], batch norms (1, C), and in older files four
        axes for everything.

    Raises:
        CaffemodelError: damaged, of another format, or with weights that are
            not finite.
        OSError: the file is missing or cannot be read.
    """
    data = memoryview(pathlib.Path(path).read_bytes())
    layers = {}
    try:
        _refuse_other_formats(data)
        for number, wire, value, start in _fields(data, 0, len(data)):
            if number not in _LAYER_FIELDS:
                continue
            _demand(wire, _BYTES, "layer", start)
            name, kind, blobs = _layer(data, value, _LAYER_FIELDS[number], number)
            if not blobs:
                continue
            if name in layers:
                raise _Damaged(start, f"there are two layers {name!r} with weights")
            if inverse_std and _is_batch_norm(kind, blobs):
                blobs[3] = _variance(name, blobs[3])
            layers[name] = blobs
            if len(layers) > _MAX_LAYERS:
                raise _Damaged(start, f"it has more than {_MAX_LAYERS} layers")
        if not layers:
            raise _Damaged(0, "it holds no layer with weights")
    except _Damaged as damage:
        raise CaffemodelError(
            f"{path} is not a usable .caffemodel: {damage.reason} "
            f"(at byte {damage.position} of {len(data)})"
        ) from None
    return layers


class _Damaged(Exception):
    def __init__(self, position, reason):
        super().__init__(reason)
        self.position = position
        self.reason = reason


def _refuse_other_formats(data):
    """Names the formats that are most often mistaken for a .caffemodel."""
    head = bytes(data[:512])
    if not head:
        raise _Damaged(0, "it is empty")
    for start, what in (
        (b"\x89HDF", "it is an HDF5 file (Keras weights end in .weights.h5)"),
        (b"version https://git-lfs", "it is a Git LFS pointer: fetch the file itself"),
        (b"PK", "it is a zip archive: unpack it"),
        (b"\xfd7zXZ", "it is compressed: unpack it with xz -d"),
        (b"\x1f\x8b", "it is compressed: unpack it with gunzip"),
    ):
        if head.startswith(start):
            raise _Damaged(0, what)
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise _Damaged(0, "it is a web page, perhaps of a failed download")
    if text.startswith((b"name:", b"layer {", b"layers {", b"input:")):
        raise _Damaged(0, "it is a prototxt, the text that describes a network")


def _layer(data, span, fields, message):
    """Reads one layer message; returns (name, type or None, blobs)."""
    name_field, type_field, blob_field = fields
    name, kind, spans = "", None, []
    for number, wire, value, start in _fields(data, *span):
        if number == name_field:
            _demand(wire, _BYTES, "layer name", start)
            try:
                name = str(data[slice(*value)], "utf-8")
            except UnicodeDecodeError:
                raise _Damaged(start, "a layer's name is not UTF-8") from None
        elif number == type_field and message == _LAYER:
            _demand(wire, _BYTES, "layer type", start)
            kind = bytes(data[slice(*value)])
        elif number == blob_field:
            _demand(wire, _BYTES, "blob", start)
            spans.append((value, start))
            if len(spans) > _MAX_BLOBS:
                raise _Damaged(start, f"a layer has more than {_MAX_BLOBS} blobs")
        elif number == _V0_LAYER and message == _V1_LAYER:
            raise _Damaged(
                start,
                "it has layers of Caffe's first format: upgrade it with Caffe's "
                "upgrade_net_proto_binary",
            )
    blobs = [
        _blob(data, value, f"{name}[{index}]", start)
        for index, (value, start) in enumerate(spans)
    ]
    return name, kind, blobs


def _blob(data, span, label, position):
    """Reads one BlobProto; returns a float32 array."""
    old_shape, shape, has_shape = {}, [], False
    # Packed or one by one, in any mixture, numbers simply follow one another.
    floats, doubles = bytearray(), bytearray()
    for number, wire, value, start in _fields(data, *span):
        if number in (1, 2, 3, 4):  # num, channels, height, width
            _demand(wire, _VARINT, f"shape of {label}", start)
            old_shape[number] = value
        elif number == 7:
            _demand(wire, _BYTES, f"shape of {label}", start)
            has_shape = True
            shape += _dimensions(data, value, label)
        elif number == 5:  # data
            _append(floats, data, wire, _FIXED32, value, start, label)
        elif number == 8:  # double_data
            _append(doubles, data, wire, _FIXED64, value, start, label)
    if not has_shape and old_shape:
        shape = [old_shape.get(number, 0) for number in (1, 2, 3, 4)]
    if floats and doubles:
        raise _Damaged(position, f"{label} has both float and double data")
    values = np.frombuffer(doubles, "<f8") if doubles else np.frombuffer(floats, "<f4")
    with np.errstate(over="ignore"):  # what overflows is not finite, see below
        values = values.astype(np.float32, copy=False)
    if not has_shape and not old_shape:
        shape = [len(values)]
    count = 1
    for length in shape:
        if length < 0 or length >= 2**63:
            raise _Damaged(position, f"{label} has a negative length")
        count *= length
    if len(shape) > _MAX_AXES or count != len(values):
        raise _Damaged(
            position,
            f"{label} has shape {tuple(shape[:_MAX_AXES])} but {len(values)} values",
        )
    if not np.isfinite(values).all():
        raise _Damaged(position, f"{label} has values that are not finite numbers")
    return values.reshape(shape)


def _dimensions(data, span, label):
    """Reads a BlobShape: `dim`, packed or one by one."""
    found = []
    for number, wire, value, start in _fields(data, *span):
        if number != 1:
            continue
        if wire == _VARINT:
            found.append(value)
        else:
            _demand(wire, _BYTES, f"shape of {label}", start)
            position, end = value
            while position < end and len(found) <= _MAX_AXES:
                length, position = _varint(data, position, end)
                found.append(length)
        if len(found) > _MAX_AXES:
            raise _Damaged(start, f"{label} has more than {_MAX_AXES} axes")
    return found


def _append(numbers, data, wire, single, value, position, label):
    """Appends the bytes of one number, or of a packed run of them."""
    _demand(wire, (_BYTES, single), f"data of {label}", position)
    first, end = value
    if (end - first) % (4 if single == _FIXED32 else 8):
        raise _Damaged(position, f"data of {label} ends within a number")
    numbers += data[first:end]


def _fields(data, position, end):
    """Yields the fields of a message: (number, wire type, value, position).

    The value of a varint is an int, of anything else the (start, end) of its
    bytes.
    """
    while position < end:
        start = position
        tag, position = _varint(data, position, end)
        number, wire = tag >> 3, tag & 7
        if not 1 <= number < 2**29:
            raise _Damaged(start, f"there is no field number {number}")
        if wire == _VARINT:
            value, position = _varint(data, position, end)
        else:
            if wire == _BYTES:
                length, position = _varint(data, position, end)
            elif wire in (_FIXED32, _FIXED64):
                length = 4 if wire == _FIXED32 else 8
            else:
                raise _Damaged(start, f"field {number} has wire type {wire}")
            if length > end - position:
                raise _Damaged(
                    start,
                    f"field {number} should have {length} bytes, but its message "
                    f"ends after {end - position}: is the file whole?",
                )
            value = position, position + length
            position += length
        yield number, wire, value, start


def _varint(data, position, end):
    """Reads a varint; returns (value, position after it)."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            raise _Damaged(position, "it ends within a number: is the file whole?")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position
    raise _Damaged(position, "a number has more than 10 bytes")


def _demand(wire, allowed, what, position):
    allowed = allowed if isinstance(allowed, tuple) else (allowed,)
    if wire not in allowed:
        raise _Damaged(position, f"{what} has wire type {wire}")


def _is_batch_norm(kind, blobs):
    if kind is not None:
        return kind == b"BN" and len(blobs) == 4
    return len(blobs) == 4 and len({blob.size for blob in blobs}) == 1


def _variance(name, inverse):
    if not (inverse > 0).all():
        raise _Damaged(
            0, f"{name}[3] has values that are no inverse deviation: not above 0"
        )
    wide = inverse.astype(np.float64)
    return (wide**-2 - _EPSILON).astype(np.float32)
