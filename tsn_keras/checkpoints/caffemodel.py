"""Caffe weight files (.caffemodel), read without Caffe and without protobuf.

A .caffemodel is a protobuf message NetParameter (caffe.proto). This reader
knows the few fields that hold weights and skips all others, so it descends no
deeper than they do, and takes memory only for bytes that are in the file.
"""

import math
import pathlib
import re

import numpy as np

from tsn_keras.common.errors import InputError, short

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # protobuf wire types
_MAX_AXES = 32  # Caffe's kMaxBlobAxes
# Blobs in a file: more than any network has. In a hostile file an empty blob takes
# two bytes, and a hundred times that in memory.
_MAX_BLOBS = 10_000
_MAX_LAYERS = 10_000  # without blobs, likewise
_EPSILON = 1e-5  # of the fork's BN layer, caffe.proto:463

# NetParameter: `layer` and the older `layers`; in each the fields for name,
# type and blobs.
_LAYER, _V1_LAYER = 100, 2
_LAYER_FIELDS = {_LAYER: (1, 2, 7), _V1_LAYER: (4, 5, 6)}
_V0_LAYER = 1  # in V1LayerParameter


class CaffemodelError(InputError):
    """A file is not a usable .caffemodel; the text says why."""


def read(path, *, inverse_std=False, every=False):
    """Reads the weights of a .caffemodel.

    Args:
        path: the file.
        inverse_std: batch norms (layers of type BN; in the older layer message,
            which numbers its types, layers of four equally long blobs) hold the
            inverse of the standard deviation, as in files from before April
            2016, and are turned into variances (caffe fork,
            python/bn_convert_style.py).
        every: whether to tell the layers that have no blobs, too.

    Returns:
        {layer name: [float32 arrays in Caffe's order]} in the order of the file;
        layers without blobs, if told, come last, with []. Shapes are those in the file:
        convolutions [O, I, H, W], batch norms (1, C), and in older files four
        axes for everything; (k,) where the file gives none. Each array owns
        its memory.

    Raises:
        CaffemodelError: damaged, of another format, without weights, with two
            layers of one name, or, with inverse_std, deviations that are not
            finite and above 0.
        OSError: the file is missing or cannot be read.
    """
    data = memoryview(pathlib.Path(path).read_bytes())
    layers, silent, count = {}, {}, 0
    try:
        for number, wire, value, start in _fields(data, 0, len(data)):
            if number not in _LAYER_FIELDS:
                continue
            _demand(wire, _BYTES, "layer", start)
            name, kind, blobs = _layer(data, value, _LAYER_FIELDS[number], number)
            if not blobs:
                silent[name] = []
                if len(silent) > _MAX_LAYERS:
                    raise _Damaged(start, f"it has more than {_MAX_LAYERS} layers")
                continue
            if name in layers:
                raise _Damaged(
                    start, f"there are two layers {_shown(name)} with weights"
                )
            count += len(blobs)
            if count > _MAX_BLOBS:
                raise _Damaged(start, f"it has more than {_MAX_BLOBS} blobs")
            if inverse_std and _is_batch_norm(kind, blobs):
                blobs[3] = _variance(name, blobs[3], start)
            layers[name] = blobs
        if not layers:
            raise _Damaged(0, "it holds no layer with weights")
    except _Damaged as damage:
        # Checked only now: a good file may begin like another format.
        other = _other_format(bytes(data[:512]))
        reason, position = (other, 0) if other else (damage.reason, damage.position)
        raise CaffemodelError(
            f"{path} is not a usable .caffemodel: {reason} "
            f"(at byte {position} of {len(data)})"
        ) from None
    return layers | {n: [] for n in silent if every and n not in layers}


class _Damaged(Exception):
    def __init__(self, position, reason):
        super().__init__(reason)
        self.position = position
        self.reason = reason


def _other_format(head):
    """Names a format often mistaken for a .caffemodel, or returns None."""
    if not head:
        return "it is empty"
    for start, what in (
        (b"\x89HDF", "it is an HDF5 file (Keras weights end in .weights.h5)"),
        (
            b"PK",
            "it is a zip archive: unpack it, or open it with keras.models.load_model "
            "if it is a .keras file",
        ),
        (b"\xfd7zXZ", "it is compressed: unpack it with xz -d"),
        (b"\x1f\x8b", "it is compressed: unpack it with gunzip"),
    ):
        if head.startswith(start):
            return what
    # Comments, then the first field: "name: ..." or "layer { ...".
    if re.match(rb"\s*(#[^\n]*\n\s*)*[a-z_]\w*\s*[:{]", head):
        return (
            "it is a prototxt, the text that describes a network: give the "
            ".caffemodel with its weights"
        )
    return None


def _shown(name):
    """A layer's name for messages: short, and without control characters."""
    return repr(short(name, 80))


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
                raise _Damaged(start, f"it has more than {_MAX_BLOBS} blobs")
        elif number == _V0_LAYER and message == _V1_LAYER:
            raise _Damaged(
                start,
                "it has layers of Caffe's first format: upgrade it with Caffe's "
                "upgrade_net_proto_binary",
            )
    blobs = [
        _blob(data, value, f"blob {index} of layer {_shown(name)}", start)
        for index, (value, start) in enumerate(spans)
    ]
    return name, kind, blobs


def _blob(data, span, label, opening):
    """Reads one BlobProto, which opens at byte `opening`; returns a float32 array."""
    old_shape, shape, has_shape = {}, [], False
    # Packed or single, in any order: the numbers simply follow one another.
    floats = doubles = b""
    position, end = span
    while position < end:
        start = position
        number, wire, value, position = _field(data, start, end)
        if number in (1, 2, 3, 4):  # num, channels, height, width
            _demand(wire, _VARINT, f"shape of {label}", start)
            old_shape[number] = _signed(value, 32)
        elif number == 7:
            _demand(wire, _BYTES, f"shape of {label}", start)
            has_shape = True
            shape += _dimensions(data, value, label)
            # Checked here, before the numbers are multiplied.
            if len(shape) > _MAX_AXES:
                raise _Damaged(start, f"{label} has more than {_MAX_AXES} axes")
        elif number in (5, 8):  # data, double_data
            single, size = (_FIXED32, 4) if number == 5 else (_FIXED64, 8)
            _demand(wire, (_BYTES, single), f"data of {label}", start)
            first, last = value
            if (last - first) % size:
                raise _Damaged(start, f"data of {label} ends within a number")
            piece = data[first:last]
            if wire == single and position < end and data[position] == data[start]:
                piece, position = _run(data, start, first, end, size)
            if number == 5:
                floats = _joined(floats, piece)
            else:
                doubles = _joined(doubles, piece)
    if floats and doubles:
        raise _Damaged(opening, f"{label} has both float and double data")
    values = np.frombuffer(doubles, "<f8") if doubles else np.frombuffer(floats, "<f4")
    if old_shape:  # Caffe, too, lets it win over `shape` (Blob::FromProto)
        shape = [old_shape.get(number, 0) for number in (1, 2, 3, 4)]
    elif not has_shape:
        shape = [len(values)]
    if min(shape, default=0) < 0:
        raise _Damaged(opening, f"{label} has a negative length: {tuple(shape)}")
    if math.prod(shape) != len(values):
        raise _Damaged(
            opening, f"{label} has shape {tuple(shape)} but {len(values)} values"
        )
    try:
        with np.errstate(over="ignore"):  # what overflows is not finite, see finite
            return np.array(values.reshape(shape), np.float32)
    except ValueError:  # 0 values, yet the other lengths beyond NumPy
        raise _Damaged(opening, f"{label} has shape {tuple(shape)}") from None


def _dimensions(data, span, label):
    """Reads a BlobShape: `dim`, packed or one by one."""
    found = []
    for number, wire, value, start in _fields(data, *span):
        if number != 1:
            continue
        if wire == _VARINT:
            found.append(_signed(value, 64))
        else:
            _demand(wire, _BYTES, f"shape of {label}", start)
            position, end = value
            while position < end and len(found) <= _MAX_AXES:
                length, position = _varint(data, position, end)
                found.append(_signed(length, 64))
        if len(found) > _MAX_AXES:
            raise _Damaged(start, f"{label} has more than {_MAX_AXES} axes")
    return found


def _run(data, start, first, end, size):
    """Reads numbers written one by one, each behind the same tag.

    Args:
        data: the file.
        start: position of the first tag.
        first: position of the first number.
        end: end of the message.
        size: bytes of a number.

    Returns:
        (bytes of the numbers, position after them).
    """
    tag = first - start
    count = (end - start) // (tag + size)
    rows = np.frombuffer(data[start:end], np.uint8)[: count * (tag + size)]
    rows = rows.reshape(count, tag + size)
    # The window grows, so that many short runs do not read the rest each time.
    found, window = 1, 16
    while found < count:
        same = (rows[found : found + window, :tag] == rows[0, :tag]).all(axis=1)
        if not same.all():
            found += int(same.argmin())
            break
        found += len(same)
        window *= 2
    return rows[:found, tag:].tobytes(), start + found * (tag + size)


def _joined(numbers, piece):
    """Appends bytes; what is one piece, as Caffe writes it, is not copied."""
    if not numbers:
        return piece
    if not isinstance(numbers, bytearray):
        numbers = bytearray(numbers)
    numbers += piece
    return numbers


def _fields(data, position, end):
    """Yields the fields of a message: (number, wire type, value, position)."""
    while position < end:
        start = position
        number, wire, value, position = _field(data, start, end)
        yield number, wire, value, start


def _field(data, start, end):
    """Reads a field; returns (number, wire type, value, position after it).

    The value of a varint is an int, of anything else the (start, end) of its
    bytes.
    """
    tag, position = _varint(data, start, end)
    number, wire = tag >> 3, tag & 7
    if not 1 <= number < 2**29:
        raise _Damaged(start, f"there is no field number {number}")
    if wire == _VARINT:
        value, position = _varint(data, position, end)
        return number, wire, value, position
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
    return number, wire, (position, position + length), position + length


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


def _signed(value, bits):
    """The int32 or int64 that a varint stands for."""
    value &= 2**bits - 1
    return value - 2**bits if value >> (bits - 1) else value


def _demand(wire, allowed, what, position):
    allowed = allowed if isinstance(allowed, tuple) else (allowed,)
    if wire not in allowed:
        raise _Damaged(position, f"{what} has wire type {wire}")


def _is_batch_norm(kind, blobs):
    if kind is not None:
        return kind == b"BN" and len(blobs) == 4
    return len(blobs) == 4 and len({blob.size for blob in blobs}) == 1


def _variance(name, inverse, position):
    wide = inverse.astype(np.float64)
    if np.isfinite(wide).all() and (wide > 0).all():
        with np.errstate(over="ignore"):
            variance = (wide**-2 - _EPSILON).astype(np.float32)
        if np.isfinite(variance).all():
            return variance
    raise _Damaged(
        position,
        f"blob 3 of layer {_shown(name)} has values that are no inverse deviation: "
        "not finite, not above 0, or too near it",
    )
