"""What an exported file says of itself."""

from tsn_keras.evaluation import ways
from tsn_keras.prediction import class_names
from tsn_keras.video import jpeg


def of(weights, function):
    """What a program must know that uses the file.

    Args:
        weights: checkpoints.loading.Weights, under the protocol of the test.
        function: runtimes.records.Function that is exported.

    Returns:
        dict of JSON values: whose weights; `class_names`, in the order of the scores;
        `input` and `outputs`; `frames`, how decoded frames are stored and resized;
        `pixels`, what is subtracted from them and by what the rest is divided; `test`,
        which snippets and crops, and what is averaged.
    """
    stream, spec = weights.stream, function.spec
    names = class_names.of(weights)
    return {
        "weights": weights.name,
        "weights_sha256": weights.sha256,
        "backbone": weights.architecture.backbone.name,
        "modality": stream.modality.name,
        "protocol": stream.protocol.name,
        "class_names": list(names),
        "input": {
            "name": spec.name,
            "dtype": spec.dtype.name,
            "shape": spec.shape.as_list(),
        },
        "outputs": {
            name: tensor.shape.as_list() for name, tensor in function.outputs.items()
        },
        "frames": _frames(stream),
        "pixels": [_pixels(part) for part in stream.parts],
        "test": _test(weights),
    }


def _frames(stream):
    """How decoded frames become those of snippets."""
    protocol, size = stream.protocol, stream.protocol.frame_size
    found = {}
    if not protocol.direct:
        # As an extraction does, which begins with the second frame.
        found["first"] = 1
        found["stored_size"] = list(protocol.stored_size)
        found["jpeg_quality"] = jpeg.QUALITY
    if stream.fixed_size is not None:
        found["size"] = list(stream.fixed_size)
    elif hasattr(size, "side"):
        found["shorter_side"] = size.side
        found["resampling"] = size.resampling
    else:
        found["sides"] = [size.least, size.most]
        found["resampling"] = size.resampling
    return found


def _pixels(stream):
    """What becomes of the pixels of a part of a snippet."""
    modality, rule = stream.modality, stream.normalisation
    found = {
        "modality": modality.name,
        "planes": modality.planes,
        "steps": modality.length,
        "scale": rule.scale,
        "mean": list(rule.mean),
        "deviation": list(rule.deviation),
        "differences": modality.differences,
    }
    if modality.is_image:
        found["order"] = "RGB" if stream.protocol.red_first else "BGR"
    return found


def _test(weights):
    view, way = weights.stream.test, ways.of(weights, weights.stream.test)
    return {
        "snippets": view.snippets,
        "together": view.together,
        "crops": view.crops.count,
        "side": weights.stream.side_of(view),
        "average": way.averaged,
        "loss": way.loss,
    }
