"""A network of two convolutions, and its weights as each program would write them."""

import json
import pathlib
import struct

import caffe_writer
import keras
import keras_writer
import numpy as np
import torch_writer

from tsn_keras.checkpoints import keras_file
from tsn_keras.models.records import Backbone

CLASSES = ("run", "jump", "sit")


def build(input_shape, classes, dropout=0.5, width=1.0):
    """See models.records.Backbone. Of a large network most bytes are only numbers."""
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(4, 3, strides=8, name="stem")(inputs)
    x = keras.layers.BatchNormalization(name="stem_bn")(x)
    x = keras.layers.Conv2D(6, 3, strides=8, name="body")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    if classes is not None:
        x = keras.layers.Dense(classes, name="scores")(x)
    return keras.Model(inputs, x)


SMALL = Backbone(
    name="small_network",
    title="small network",
    build=build,
    features="pool",
    first="stem",
    head="scores",
    channels={"stem": 4, "body": 6},
)


def model():
    """The network for RGB and three classes, always with the same numbers."""
    keras.utils.set_random_seed(1)
    return build((224, 224, 3), len(CLASSES))


def as_torch(network):
    """{name: array} of its state dict, as PyTorch would have it."""
    state = {}
    for layer in network.layers:
        arrays = layer.get_weights()
        if len(arrays) == 4:
            names = ("weight", "bias", "running_mean", "running_var")
        else:
            names = ("weight", "bias")
            arrays = [a.transpose(3, 2, 0, 1) if a.ndim == 4 else a.T for a in arrays]
        for name, array in zip(names, arrays, strict=False):
            state[f"module.{layer.name}.{name}"] = np.ascontiguousarray(array)
    return state


def as_keras(network):
    """{name: array}, as Keras names them."""
    return {
        f"{layer.name}/{variable.name}": keras.ops.convert_to_numpy(variable)
        for layer in network.layers
        for variable in layer.weights
    }


def caffemodel(network):
    """The bytes of a .caffemodel."""
    out = caffe_writer.field(1, b"net")
    for layer in network.layers:
        arrays = layer.get_weights()
        if len(arrays) == 4:
            blobs, kind = [a[None] for a in arrays], "BN"
        else:
            kind = "Convolution"
            blobs = [a.transpose(3, 2, 0, 1) if a.ndim == 4 else a.T for a in arrays]
        if blobs:
            blobs = map(caffe_writer.array, blobs)
            out += caffe_writer.layer(layer.name, *blobs, kind=kind)
    return out


def safetensors(arrays, meta=None):
    """The bytes of a file of safetensors: see its README."""
    header, data = {} if meta is None else {"__metadata__": meta}, b""
    for name, array in arrays.items():
        begin, data = len(data), data + array.tobytes()
        header[name] = {
            "dtype": f"F{8 * array.itemsize}",
            "shape": array.shape,
            "data_offsets": [begin, len(data)],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def tfjs(arrays, shards=2):
    """{name of a file: its bytes} of a layers model of TensorFlow.js."""
    data = b"".join(array.tobytes() for array in arrays.values())
    step = -(-len(data) // (4 * shards)) * 4
    parts = {
        f"group1-shard{k + 1}of{shards}.bin": data[k * step : (k + 1) * step]
        for k in range(shards)
    }
    weights = [
        {"name": name, "shape": array.shape, "dtype": "float32"}
        for name, array in arrays.items()
    ]
    model = {
        "format": "layers-model",
        "generatedBy": "keras v2.9.0",
        "weightsManifest": [{"paths": list(parts), "weights": weights}],
    }
    return {"model.json": json.dumps(model).encode(), **parts}


def _written(name, data):
    def write(network, folder):
        path = pathlib.Path(folder, name)
        path.write_bytes(data(network))
        return path

    return write


def _write_torch(form):
    return lambda network: torch_writer.FORMS[form](
        {name: torch_writer.tensor(a) for name, a in as_torch(network).items()}
    )


def _write_tfjs(network, folder):
    for name, data in tfjs(as_keras(network)).items():
        pathlib.Path(folder, name).write_bytes(data)
    return pathlib.Path(folder, "model.json")


def _write_older_keras(network, folder):
    path = pathlib.Path(folder, "older.h5")
    keras_writer.write(path, network)
    return path


def _write_own(network, folder):
    path = pathlib.Path(folder, "own.weights.h5")
    about = {"backbone": SMALL.name, "modality": "rgb", "class_names": CLASSES}
    about |= {
        "loss": "softmax",
        "consensus": {"kind": "linear", "weight": "AACAPwAAAD8="},
    }
    keras_file.save(network, path, {**about, "protocol": "caffe", "width": 1.0})
    return path


# {format: function (network, folder) that writes a file and returns its path}
FORMATS = {
    "caffemodel": _written("net.caffemodel", caffemodel),
    **{
        f"PyTorch, {form}": _written("net.pth", _write_torch(form))
        for form in torch_writer.FORMS
    },
    "safetensors": _written(
        "net.safetensors", lambda network: safetensors(as_torch(network))
    ),
    "TensorFlow.js": _write_tfjs,
    "Keras HDF5": _write_older_keras,
    "own": _write_own,
}
