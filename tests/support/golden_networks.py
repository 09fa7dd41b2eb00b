"""Networks against what the originals compute with weights made from names.

The originals are MMAction2, tsn-pytorch and torchvision.

    python tests/support/golden_networks.py FOLDER NAME RECORD PROBES

prints as JSON the largest errors of a network and of its folded copy, under the
backend of Keras that KERAS_BACKEND names; see `on_backend`. FOLDER is that of the
golden arrays, NAME is e.g. "mmaction2/r18" or "tsn_pytorch/resnet34_RGB" (or
"torchvision/googlenet", then FOLDER is tests/golden), RECORD e.g. "resnet:RESNET18",
a record in tsn_keras.models, and PROBES is JSON, {stage of the golden arrays: layer
whose output it is}.
"""

import contextlib
import dataclasses
import importlib
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ROOT = pathlib.Path(__file__).parents[2]
# What the README of the golden arrays of MMAction2 says of its input.
IMAGE = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
FLOW = ((128.0,) * 10, (128.0,) * 10)


@dataclasses.dataclass(frozen=True)
class Sample:
    """Values of an array of the genuine network.

    Attributes:
        shape: that of the array.
        index: where the values are, in the array as one row.
        values: the values.
        magnitude: the array's largest magnitude.
    """

    shape: tuple
    index: np.ndarray
    values: np.ndarray
    magnitude: float


@dataclasses.dataclass(frozen=True)
class Golden:
    """A genuine network's weights, input and results.

    Attributes:
        tensors: checkpoints.foreign.Tensors, as its checkpoint holds them.
        images: float32 [N, H, W, C], normalised.
        classes: number of classes.
        samples: {"float32" or "float64": {stage: Sample}}; a stage "pooled" and one
            "scores" are among them.
        channels_last: the stages are [N, H, W, C], else [N, C, H, W].
        width: factor on the numbers of channels.
    """

    tensors: object
    images: np.ndarray
    classes: int
    samples: dict
    channels_last: bool = False
    width: float = 1.0


def load(folder, name):
    """Makes a Golden.

    Args:
        folder: that of the golden arrays.
        name: "mmaction2/NAME" or "tsn_pytorch/NAME", of a file in forward/ there; or
            "torchvision/NAME" or "torchvision/NAME_narrow", of a file of
            make_torchvision.py in it.
    """
    program, name = name.split("/")
    makers = {
        "mmaction2": _mmaction2,
        "tsn_pytorch": _tsn_pytorch,
        "torchvision": _torchvision,
    }
    return makers[program](pathlib.Path(folder) / program, name)


def rules_of(path):
    """The module that makes weights and inputs from names."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_rules", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _tensors(arrays):
    from tsn_keras.checkpoints.foreign import TORCH, Tensors

    return Tensors("PyTorch", TORCH, arrays)


def all_of(array):
    """The Sample of all values of an array."""
    index = np.arange(array.size)
    return Sample(array.shape, index, array.ravel(), np.abs(array).max())


def _mmaction2(folder, name):
    rules = rules_of(folder / "regenerate.py")
    arch = json.loads((folder / f"arch/{name}.json").read_text())
    stored = np.load(folder / f"forward/{name}.npz")
    channels = 10 if name.endswith("_flow") else 3
    pixels = rules.make_input(f"input/{name}", 2, channels)
    mean, std = (np.array(v, np.float32) for v in (FLOW if channels == 10 else IMAGE))
    images = (pixels.transpose(0, 2, 3, 1).astype(np.float32) - mean) / std
    found = images.transpose(0, 3, 1, 2).ravel()[stored["normalized/idx"]]
    np.testing.assert_array_equal(found, stored["normalized/val"])
    tensors = _tensors(rules.make_state_dict(arch["state_dict"]))
    last = name.startswith("swin")  # Its stages are as timm has them.
    return Golden(tensors, images, arch["num_classes"], _samples(stored), last)


def _torchvision(folder, name):
    rules = rules_of(folder.with_name("make_torchvision.py"))
    whole = name.removesuffix("_narrow")
    stored = np.load(folder.with_name(f"torchvision_{whole}.npz"))
    part = "" if name == whole else "narrow/"
    state = json.loads(str(stored[f"{part}state"]))
    arrays = {entry: rules.make_tensor(entry, tuple(shape)) for entry, shape in state}
    if part:
        sides, width = stored["narrow/sides"], float(stored["narrow/width"])
        scores = {"scores": all_of(stored["narrow/scores"])}
        samples = {"float32": scores, "float64": scores}
    else:
        sides, width, samples = [rules.WHOLE[name]] * 2, 1.0, _samples(stored)
    images = rules.images(whole, 2, *map(int, sides))
    return Golden(_tensors(arrays), images, rules.CLASSES, samples, width=width)


def _samples(stored):
    """The stages of a file of MMAction2's layout, see Golden."""
    samples = {}
    for precision, prefix in (("float32", ""), ("float64", "f64/")):
        stages = [k[len(prefix) : -4] for k in stored.files if k.endswith("/idx")]
        stages = [s for s in stages if f"{prefix}{s}/idx" in stored.files]
        samples[precision] = {
            stage: Sample(
                tuple(stored[f"{prefix}{stage}/shape"]),
                stored[f"{prefix}{stage}/idx"],
                stored[f"{prefix}{stage}/val"],
                np.abs(stored[f"{prefix}{stage}/stats"][2:]).max(),
            )
            for stage in stages
            if "/" not in stage
        }
        for stage in ("pooled", "scores"):
            samples[precision][stage] = all_of(stored[prefix + stage])
    return samples


def _tsn_pytorch(folder, name):
    rules = rules_of(folder / "regenerate.py")
    keys = json.loads((folder / f"keys/{name}.json").read_text())
    stored = np.load(folder / f"forward/{name}.npz")
    shapes = keys["checkpoint" if "checkpoint" in keys else "backbone"]
    samples = {}
    for precision, prefix in (("float32", "f32:"), ("float64", "f64:")):
        layers = [n for n in stored["layers"] if f"{prefix}val:{n}" in stored.files]
        samples[precision] = {
            str(layer): Sample(
                tuple(stored[f"shape:{layer}"]),
                stored[f"idx:{layer}"],
                stored[f"{prefix}val:{layer}"],
                np.abs(stored[f"{prefix}stat:{layer}"][2:]).max(),
            )
            for layer in layers
        }
        for stage, pattern in (("scores", "scores_segments"), ("pooled", "whole:")):
            for key in stored.files:
                if key.startswith(prefix + pattern):
                    samples[precision][stage] = all_of(stored[key])
    images = _tsn_pytorch_images(rules, name, stored)
    classes = samples["float32"]["scores"].shape[-1]
    return Golden(_tensors(rules.state_arrays(dict(shapes))), images, classes, samples)


def _tsn_pytorch_images(rules, name, stored):
    """What the backbone of a TSN gets, float32 [N, H, W, C]."""
    arch, modality = name.rsplit("_", 1)
    modality = "RGB" if modality == "backbone" else modality
    videos, segments = stored["videos_segments"]
    side = stored["net_input_shape"][-1]
    pictures = rules.forward_pictures(modality, side, videos, segments)
    pixels = np.concatenate([one for video in pictures for one in video], -1)
    images = pixels.transpose(2, 0, 1).astype(np.float32)
    if arch == "BNInception":
        if modality != "Flow":
            images = images.reshape(-1, 3, side, side)[:, ::-1]
    else:
        images /= np.float32(255)
    mean, std = (stored[f"input_{k}"].astype(np.float32) for k in ("mean", "std"))
    images = images.reshape(-1, mean.size, side, side)
    images = (images - mean.reshape(-1, 1, 1)) / std.reshape(-1, 1, 1)
    expected = str(stored["net_input_sha256"])
    shape = stored["net_input_shape"]
    assert rules.sha(images.reshape(shape)) == expected, "another input"
    if modality == "RGBDiff":
        images = images.reshape(-1, 6, 3, side, side)
        images = images[:, 1:] - images[:, :-1]
    return images.reshape(videos * segments, -1, side, side).transpose(0, 2, 3, 1)


@contextlib.contextmanager
def precision(name):
    """Keras computes in it, "float32" or "float64", within the context."""
    import keras

    kept = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(name)
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_floatx(kept[0])
        keras.config.set_dtype_policy(kept[1])


def build(backbone, golden, dtype="float32"):
    """Builds a backbone with the golden weights."""
    from tsn_keras.checkpoints.transfer import port

    with precision(dtype):
        model = backbone.build(
            golden.images.shape[1:], classes=golden.classes, width=golden.width
        )
        port(golden.tensors, model, backbone)
    return model


def with_ends(backbone, probes):
    """The probes of a backbone with those of its features and scores."""
    return {**probes, "pooled": backbone.features, "scores": backbone.head}


def after_folding(probes, model, folded):
    """Where the probes of `model` are in its folded copy.

    A batch norm that is gone is computed by the layer before it, whose own output
    is computed nowhere.
    """
    kept = {layer.name for layer in folded.layers}
    source = {
        layer.name: layer.input._keras_history.operation.name
        for layer in model.layers
        if layer.name not in kept and type(layer).__name__ == "BatchNormalization"
    }
    return {
        stage: source.get(layer, layer)
        for stage, layer in probes.items()
        if layer not in source.values()
    }


def errors(model, golden, probes):
    """Largest error over the largest magnitude, of every stage.

    Args:
        model: keras.Model in float32 or float64, which decides with which of the
            golden arrays it is compared.
        golden: Golden.
        probes: {stage: name of the layer whose output it is}.
    """
    import keras

    dtype = str(model.get_layer(probes["scores"]).compute_dtype)
    layers = [model.get_layer(layer) for layer in probes.values()]
    with precision(dtype):
        network = keras.Model(model.inputs, [layer.output for layer in layers])
        outputs = computed(network, golden.images.astype(dtype))
    outputs = [outputs] if len(layers) == 1 else outputs  # As Keras unpacks them.
    found = {}
    for stage, output in zip(probes, outputs, strict=True):
        sample = golden.samples[dtype][stage]
        if output.ndim == 4 and not golden.channels_last:
            output = output.transpose(0, 3, 1, 2)
        assert output.size == np.prod(sample.shape), (stage, output.shape, sample.shape)
        difference = output.ravel()[sample.index] - sample.values
        found[stage] = float(np.abs(difference).max() / sample.magnitude)
    return found


def computed(model, images):
    """What a model makes of images, once: an array, or a list of one an output."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return model.predict(images, verbose=0)
    # To trace a network takes longer than to compute it.
    outputs = model(images, training=False)
    return keras.tree.map_structure(np.asarray, outputs)


def on_backend(backend, folder, name, record, probes):
    """Runs this file under a backend of Keras, or skips the test without it.

    Args:
        backend: "jax" or "torch".
        folder, name: see `load`.
        record: e.g. "resnet:RESNET18".
        probes: see `errors`.

    Returns:
        dict with `backend`, `stages`, `error` and `folded_error`.
    """
    import pytest

    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"needs {backend}: pip install {backend}")
    argv = [sys.executable, __file__, str(folder), name, record, json.dumps(probes)]
    done = subprocess.run(
        argv,
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def main(folder, name, record, probes):
    import keras

    module, attribute = record.split(":")
    backbone = getattr(importlib.import_module(f"tsn_keras.models.{module}"), attribute)
    golden = load(folder, name)
    model, probes = build(backbone, golden), json.loads(probes)
    plain = errors(model, golden, probes)
    folded = backbone.fold(model)
    smaller = errors(folded, golden, after_folding(probes, model, folded))
    report = {
        "backend": keras.backend.backend(),
        "stages": len(plain),
        "error": max(plain.values()),
        "folded_stages": len(smaller),
        "folded_error": max(smaller.values()),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
