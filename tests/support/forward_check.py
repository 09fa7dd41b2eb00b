"""Compares every blob of a forward pass with what the original Caffe computed.

python tests/support/forward_check.py {rgb,flow}

Prints one JSON object with the largest errors; runs under every backend of
Keras (KERAS_BACKEND). The arrays are those of tests/golden/forward_*.npz.
"""

import functools
import json
import pathlib
import sys
import zlib

import golden_networks
import keras
import numpy as np

from tsn_keras.checkpoints.foreign import of_caffe
from tsn_keras.checkpoints.transfer import port
from tsn_keras.models.bn_inception import BN_INCEPTION, BNInception
from tsn_keras.models.folding import fold
from tsn_keras.protocols.caffe import CAFFE

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


def regenerate(tag, layer, blob, shape):
    """One blob of the golden model from its name, in Caffe's layout.

    Float32 multiples of std / 73.32, uniform over the integers -127..127: the
    formula with which the golden weights were made.
    """
    seed = zlib.crc32(f"{tag}|{layer}|{blob}".encode())
    std = 0.03 if layer == "fc-action" else np.sqrt(2.0 / np.prod(shape[1:]))
    std = 0.1 if blob == 1 else float(std)
    grid = np.random.RandomState(seed).randint(-127, 128, size=shape)
    return (grid.astype(np.float32) * np.float32(std / 73.32)).astype(np.float32)


@functools.cache
def kernel_shapes(modality):
    """{layer: shape of its kernel}, in Keras' layout."""
    model = BNInception((224, 224, {"rgb": 3, "flow": 10}[modality]))
    layers = [layer for layer in model.layers if hasattr(layer, "kernel")]
    return {layer.name: tuple(layer.kernel.shape) for layer in layers}


def golden_blobs(modality, arrays, classes=101):
    """All blobs of the golden model, as a caffemodel would give them."""
    names = [key.removeprefix("norm:") for key in arrays.files if "norm:" in key]
    norms = dict.fromkeys(name.rpartition("/")[0] for name in names)
    blobs = {n: [arrays[f"norm:{n}/{i}"] for i in range(4)] for n in norms}
    shapes = kernel_shapes(modality)
    for name in [*(norm.removesuffix("_bn") for norm in norms), "fc-action"]:
        shape = shapes[name.replace("/", "_")]
        shape = (*shape[:1:-1], *shape[:2]) if len(shape) == 4 else shape[::-1]
        blobs[name] = [
            regenerate(f"tsn-{modality}", name, 0, tuple(shape)),
            regenerate(f"tsn-{modality}", name, 1, (shape[0],)),
        ]
    # HMDB51's classifier is the first rows of UCF101's.
    blobs["fc-action"] = [blob[:classes] for blob in blobs["fc-action"]]
    return blobs


def golden_model(modality, arrays, classes=101):
    """The golden model in Keras."""
    channels = {"rgb": 3, "flow": 10}[modality]
    model = BNInception((224, 224, channels), classes=classes)
    blobs = golden_blobs(modality, arrays, classes)
    port(of_caffe(blobs), model, BN_INCEPTION)
    return model


def output_name(blob):
    """Name of the layer whose output is a Caffe blob.

    Caffe's ReLU works in place, so the blob of a batch norm holds what comes
    after it.
    """
    name = blob.replace("/", "_")
    if not name.endswith("_bn"):
        return name
    if blob == "conv1/7x7_s2_bn":
        return "conv1_relu_7x7"
    block, _, suffix = blob.removesuffix("_bn").rpartition("/")
    return f"{block}_relu_{suffix}"


def blob_errors(model, arrays, magnitude_of=None):
    """Largest error over largest magnitude, of every blob that `model` has."""
    mean = {3: CAFFE.normalisation["image"].mean, 10: CAFFE.normalisation["flow"].mean}
    image = arrays["image"].astype(np.float32).transpose(1, 2, 0)
    image = image - np.array(mean[image.shape[-1]], np.float32)
    layers = {layer.name: layer for layer in model.layers}
    blobs = [key.removeprefix("index:") for key in arrays.files if "index:" in key]
    # A folded convolution computes what the batch norm gave.
    blobs = [b for b in blobs if output_name(b) in layers and b != "data"]
    if not any(name.endswith("_bn") for name in layers):
        blobs = [b for b in blobs if f"{b}_bn" not in blobs]
    probe = keras.Model(model.inputs, [layers[output_name(b)].output for b in blobs])
    outputs = golden_networks.computed(probe, image[None])
    errors = {}
    for blob, output in zip(blobs, outputs, strict=True):
        if output.ndim == 4:
            output = output.transpose(0, 3, 1, 2)
        found = output.ravel()[arrays[f"index:{blob}"]]
        error = np.abs(found - arrays[f"value:{blob}"]).max()
        errors[blob] = float(error / arrays[f"magnitude:{blob}"])
    return errors


def main(modality):
    arrays = np.load(GOLDEN / f"forward_{modality}.npz")
    model = golden_model(modality, arrays)
    plain, folded = blob_errors(model, arrays), blob_errors(fold(model), arrays)
    report = {
        "backend": keras.backend.backend(),
        "blobs": len(plain),
        "error": max(plain.values()),
        "folded_blobs": len(folded),
        "folded_error": max(folded.values()),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1])
