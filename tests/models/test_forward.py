"""BN-Inception against what the original Caffe computed, blob by blob.

Tolerances are on the largest error over the largest magnitude of a blob. The
two programs add in a different order, and 70 layers of float32 rounding give
about 1e-5; the bounds leave a factor of ten to other processors and backends.
"""

import functools
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import forward_check
import golden_networks
import numpy as np
import pytest

from tsn_keras.models.folding import fold
from tsn_keras.protocols.caffe import CAFFE

PLAIN, FOLDED = 1e-4, 2e-4
MEANS = {
    "rgb": CAFFE.normalisation["image"].mean,
    "flow": CAFFE.normalisation["flow"].mean,
}


@functools.cache
def arrays_of(modality):
    return np.load(forward_check.GOLDEN / f"forward_{modality}.npz")


@functools.cache
def model_of(modality, classes=101):
    return forward_check.golden_model(modality, arrays_of(modality), classes)


@functools.cache
def folded_of(modality):
    return fold(model_of(modality))


@pytest.fixture(params=["rgb", "flow"])
def case(request):
    modality = request.param
    return modality, arrays_of(modality), model_of(modality)


def test_every_blob_equals_caffe(case):
    _, arrays, model = case
    errors = forward_check.blob_errors(model, arrays)
    # 69 convolutions, 69 batch norms with ReLU, 13 poolings, 10 concatenations
    # and the classifier.
    assert len(errors) == 162
    assert max(errors.values()) <= PLAIN, max(errors, key=errors.get)


def test_every_blob_equals_caffe_when_folded(case):
    modality, arrays, _ = case
    folded = folded_of(modality)
    assert not [layer for layer in folded.layers if layer.name.endswith("_bn")]
    errors = forward_check.blob_errors(folded, arrays)
    assert len(errors) == 93
    assert max(errors.values()) <= FOLDED, max(errors, key=errors.get)


def test_a_wrong_weight_is_seen(case):
    """The check itself can fail."""
    _, arrays, model = case
    layer = model.get_layer("inception_4c_3x3_bn")
    kept = layer.gamma.numpy()
    layer.gamma.assign(kept * 1.01)
    errors = forward_check.blob_errors(model, arrays)
    layer.gamma.assign(kept)
    assert errors["inception_4c/3x3"] <= PLAIN < errors["inception_4c/3x3_bn"]


def test_hmdb51_classifier_equals_caffe(case):
    modality, arrays, _ = case
    model = model_of(modality, classes=51)
    image = arrays["image"].astype(np.float32).transpose(1, 2, 0)
    image -= np.array(MEANS[modality], np.float32)
    scores = golden_networks.computed(model, image[None])[0]
    expected = arrays["fc-action:hmdb51"]
    assert scores.shape == (51,)
    assert np.abs(scores - expected).max() <= PLAIN * np.abs(expected).max()


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_equal_caffe(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"needs {backend}: pip install {backend}")
    root = pathlib.Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, forward_check.__file__, "rgb"],
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["backend"] == backend
    assert report["blobs"] == 162
    assert report["error"] <= PLAIN
    assert report["folded_error"] <= FOLDED


@pytest.mark.parametrize("modality", ["rgb", "flow"])
def test_full_golden_arrays(golden, modality):
    """All values of the key blobs, both images, 101 and 51 classes."""
    full = np.load(golden / f"forward/ucf101_{modality}_key_f32.npz")
    samples = np.load(golden / f"forward/ucf101_{modality}_samples.npz")
    head = np.load(golden / f"forward/hmdb51_{modality}_key_f32.npz")
    images = full["data_u8"].astype(np.float32).transpose(0, 2, 3, 1)
    images -= np.array(MEANS[modality], np.float32)
    model = model_of(modality)
    for network, bound in ((model, PLAIN), (folded_of(modality), FOLDED)):
        outputs = _outputs(network, images)
        compared = 0
        for key in (key for key in full.files if key.startswith("f32:")):
            blob, expected = key.removeprefix("f32:"), full[key]
            found = outputs.get(blob)
            if found is None:  # a folded network has no bare convolutions
                assert bound == FOLDED
                assert blob == "conv1/7x7_s2"
                continue
            found = found[: len(expected)].reshape(expected.shape)
            assert np.abs(found - expected).max() <= bound * np.abs(expected).max(), key
            compared += 1
        assert compared == (11 if network is model else 10)
        for blob, output in outputs.items():
            value = samples[f"val:{blob}"]
            found = output.ravel()[samples[f"idx:{blob}"]]
            _, _, low, high, _ = samples[f"stat:{blob}"]
            assert np.abs(found - value).max() <= bound * max(abs(low), abs(high)), blob
    small = model_of(modality, classes=51)
    scores = golden_networks.computed(small, images)
    expected = head["f32:fc-action"]
    assert np.abs(scores - expected).max() <= PLAIN * np.abs(expected).max()


def _outputs(network, images):
    """{blob: values in Caffe's order} of everything the golden samples have."""
    import keras

    arrays = arrays_of("rgb")
    blobs = [key.removeprefix("index:") for key in arrays.files if "index:" in key]
    names = {layer.name for layer in network.layers}
    blobs = [b for b in blobs if forward_check.output_name(b) in names and b != "data"]
    if not any(name.endswith("_bn") for name in names):
        blobs = [b for b in blobs if f"{b}_bn" not in blobs]
    layers = [network.get_layer(forward_check.output_name(b)).output for b in blobs]
    outputs = golden_networks.computed(keras.Model(network.inputs, layers), images)
    return {
        blob: out.transpose(0, 3, 1, 2) if out.ndim == 4 else out
        for blob, out in zip(blobs, outputs, strict=True)
    }
