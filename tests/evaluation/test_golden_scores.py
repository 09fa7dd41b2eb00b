"""Whole tests of MMAction2 and tsn-pytorch: frames to scores, with weights by rule.

The weights say nothing but what a checkpoint of these programs holds; the rest is what
`eval` and `predict` call.
"""

import json
import pathlib

import golden_networks
import numpy as np
import pytest
import tensorflow as tf

from tsn_keras.checkpoints.foreign import TORCH, Tensors
from tsn_keras.checkpoints.loading import Architecture, Weights
from tsn_keras.datasets.selection import FrameFolder
from tsn_keras.evaluation import inference
from tsn_keras.models.bn_inception import BN_INCEPTION
from tsn_keras.models.resnet import RESNET50
from tsn_keras.pipeline import snippets
from tsn_keras.prediction.predictor import Predictor
from tsn_keras.prediction.settings import Settings
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES

pytestmark = pytest.mark.whole

# The same weights and folders serve several tests.
FLOW_FILES = {"flow_x_": "x_", "flow_y_": "y_"}


def opened(arrays, backbone, classes, protocol, modality):
    """A checkpoint as `loading.find` would open it."""
    protocol, modality = PROTOCOLS[protocol], MODALITIES[modality]
    shape = (protocol.crop_size, protocol.crop_size, modality.channels)
    return Weights(
        path=pathlib.Path("checkpoint.pth"),
        sha256="",
        preset=None,
        architecture=Architecture(backbone, shape, classes),
        protocol=protocol,
        modality=modality,
        tensors=Tensors("PyTorch", TORCH, arrays),
    )


def mmaction2_weights(golden, name, protocol, modality):
    rules = golden_networks.rules_of(golden / "mmaction2/regenerate.py")
    arch = json.loads((golden / f"mmaction2/arch/{name}.json").read_text())
    arrays = rules.make_state_dict(arch["state_dict"])
    return opened(arrays, RESNET50, arch["num_classes"], protocol, modality)


def scores_of(path, weights, prefixes):
    """Raw scores of a frame folder: float32 [snippets, crops, classes]."""
    stream = weights.stream.with_prefixes(prefixes)
    view = stream.protocol.test
    files = len(list(path.glob(f"{stream.modality.prefixes[0]}*.jpg")))
    folders = [FrameFolder(path.name, 0, path, files)]
    plan = snippets.plan(folders, stream, view)
    dataset = snippets.for_test(folders, plan, stream, 3)
    devices = tf.distribute.get_strategy()
    step = inference.stepper(inference.scorer(weights, view), devices)
    found = [values for *_, values in inference.run(step, dataset, devices)]
    _, order = view.distinct(files, stream.modality.length)
    return np.concatenate(found)[order]


def expect(found, expected, floor):
    """Within a few times what float32 itself loses, by the golden arrays' README.

    Folding and other orders of summation add their own roundings.
    """
    largest = np.abs(found - expected).max()
    assert largest <= 10 * floor * np.abs(expected).max(), largest


@pytest.mark.parametrize(
    ("name", "clip", "protocol", "modality"),
    [
        ("S8_3C256_raw", "rgb_c", "mmaction2_s8_3crop256", "rgb"),
        ("D8_C224_raw", "rgb_c", "mmaction2_d8_centre224", "rgb"),
        ("F8_C224_raw", "flow_a", "mmaction2_s8_centre224", "flow"),
    ],
)
def test_scores_of_files(golden, name, clip, protocol, modality):
    arch = "r50_flow" if modality == "flow" else "r50"
    weights = mmaction2_weights(golden, arch, protocol, modality)
    folder = golden / "mmaction2"
    found = scores_of(folder / "media" / clip, weights, FLOW_FILES)
    with np.load(folder / f"pipelines_0x/{name}.npz") as arrays:
        expected = arrays[f"{clip[-1]}/scores_raw"][0]
    expect(found.mean(axis=(0, 1)), expected, 1.6e-6)


def test_scores_of_a_video(golden):
    weights = mmaction2_weights(golden, "r50", "mmaction2_s5_centre256", "rgb")
    scorer = Predictor([weights], Settings(batch=5))
    found = scorer.predict(golden / "mmaction2/media/video_b.avi")
    with np.load(golden / "mmaction2/pipelines_0x/S5_C256_video.npz") as arrays:
        raw = arrays["video_b.avi/scores_raw"][0]
        probabilities = arrays["video_b.avi/scores_prob"][0]
    expect(found.scores["rgb"].mean(axis=(0, 1)), raw, 1.6e-6)
    np.testing.assert_allclose(found.probabilities, probabilities, atol=1e-5)


def test_scores_of_tsn_pytorch(golden):
    """Of every crop of every snippet, and in the original's order."""
    folder = golden / "tsn_pytorch"
    rules = golden_networks.rules_of(folder / "regenerate.py")
    keys = json.loads((folder / "keys/BNInception_RGB.json").read_text())
    arrays = rules.state_arrays(dict(keys["checkpoint"]))
    weights = opened(arrays, BN_INCEPTION, 101, "tsn_pytorch", "rgb")
    found = scores_of(folder / "eval/frames/clip_b", weights, {})
    with np.load(folder / "eval/BNInception_RGB_crops10.npz") as arrays:
        expected = arrays["clip_b:scores_crops"].swapaxes(0, 1)
        of_video = arrays["clip_b:scores_video"]
    expect(found, expected, 6.3e-6)
    expect(found.mean(axis=(0, 1)), of_video, 6.3e-6)
