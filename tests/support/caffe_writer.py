"""A small writer of .caffemodel files: what Caffe would write, and worse."""

import struct

import numpy as np


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number, payload, wire=2):
    tag = varint(number << 3 | wire)
    if wire == 0:
        return tag + varint(payload)
    return tag + (varint(len(payload)) + payload if wire == 2 else payload)


def packed(values, kind="f"):
    return struct.pack(f"<{len(values)}{kind}", *values)


def shape(*lengths):
    return field(7, field(1, b"".join(map(varint, lengths))))


def blob(values, lengths):
    return shape(*lengths) + field(5, packed(values))


def layer(name, *blobs, kind="Convolution"):
    body = field(1, name.encode()) + field(2, kind.encode())
    return field(100, body + b"".join(field(7, b) for b in blobs))


def v1_layer(name, *blobs):
    body = field(4, name.encode()) + field(5, 4, 0)
    return field(2, body + b"".join(field(6, b) for b in blobs))


def of_model(model, names):
    """A Keras model's weights as a .caffemodel.

    Args:
        model: BNInception.
        names: Caffe names of its convolutions.
    """
    out = field(1, b"net")
    for name in names:
        convolution = model.get_layer(name.replace("/", "_"))
        kernel, bias = convolution.get_weights()
        kernel = kernel.transpose(3, 2, 0, 1)
        out += layer(name, array(kernel), array(bias))
        norm = model.get_layer(f"{convolution.name}_bn").get_weights()
        out += layer(f"{name}_bn", *(array(w[None]) for w in norm), kind="BN")
    kernel, bias = model.get_layer("fc-action").get_weights()
    return out + layer("fc-action", array(kernel.T), array(bias))


def array(values):
    """A blob with an array's shape and values."""
    data = np.ascontiguousarray(values, "<f4").tobytes()
    return shape(*values.shape) + field(5, data)
