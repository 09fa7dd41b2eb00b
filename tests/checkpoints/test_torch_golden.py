"""Genuine files of PyTorch: bit for bit, and through a network to its scores."""

import dataclasses
import importlib.util
import json

import numpy as np
import pytest
from torch_writer import FORMATS, assert_equal

from tsn_keras.checkpoints import foreign, loading, reading, torch_file
from tsn_keras.models import bn_inception
from tsn_keras.models.backbones import BACKBONES


@pytest.mark.parametrize(
    ("name", "form", "meta"),
    [
        ("tiny_published_zip", "zip", {"meta"}),
        ("tiny_published_legacy", "stream", {"meta"}),
        ("tiny_module_prefix", "zip", {"meta"}),
        ("tiny_mmcv_training", "zip", {"meta", "optimizer"}),
        ("tiny_mmcv_training_legacy", "stream", {"meta", "optimizer"}),
        (
            *("tiny_mmengine_training", "zip"),
            {"meta", "optimizer", "message_hub", "param_schedulers"},
        ),
    ],
)
def test_files_of_mmaction2(golden, name, form, meta):
    folder = golden / "mmaction2/checkpoints"
    found = reading.read(folder / f"{name}.pth")
    arrays = np.load(folder / "expected.npz")
    record = json.loads((folder / "expected.json").read_text())[name]
    names = [key for key, *_ in record["state_dict"]]
    assert_equal(found.arrays, {key: arrays[f"{name}/{key}"] for key in names})
    assert (len(names), found.format) == (122, FORMATS[form])
    assert found.layout is foreign.TORCH
    assert found.meta.keys() == meta
    said = {key: str(found.meta["meta"][key]) for key in record.get("meta", ())}
    said.pop("dataset_meta", None)  # In the record by its keys.
    assert said.items() <= record.get("meta", {}).items()


def test_what_a_training_file_of_mmengine_says(golden):
    path = golden / "mmaction2/checkpoints/tiny_mmengine_training.pth"
    meta = torch_file.read(path).meta
    assert meta["meta"]["mmengine_version"] == "0.10.7"
    hub = meta["message_hub"]["log_scalars"]
    assert set(hub.values()) == {"<mmengine.logging.history_buffer.HistoryBuffer>"}
    group = meta["optimizer"]["param_groups"][0]
    assert (group["momentum"], type(group["lr"])) == (0.9, float)
    momentum = meta["optimizer"]["state"][0]["momentum_buffer"]
    assert momentum == "<float32 tensor (4, 3, 7, 7)>"


@pytest.fixture(scope="module")
def rules(golden):
    """The module of the rules by which tsn-pytorch's golden files were filled."""
    path = golden / "tsn_pytorch/regenerate.py"
    spec = importlib.util.spec_from_file_location("tsn_pytorch_rules", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TINY = {
    "tiny_zip__rgb_checkpoint.pth.tar": "zip",
    "tiny_legacy__rgb_checkpoint.pth.tar": "stream",
    "tiny_py2_layout__rgb_checkpoint.pth.tar": "stream",
    "tiny_legacy__flow_checkpoint.pth.tar": "stream",
    "tiny_legacy__rgbdiff_checkpoint.pth.tar": "stream",
    "tiny_backbone_bn_inception.pth": "stream",
}


@pytest.mark.parametrize("name", TINY)
def test_files_of_tsn_pytorch(golden, rules, name):
    folder = golden / "tsn_pytorch/checkpoints"
    record = json.loads((folder / "tiny.json").read_text())[name]
    found = reading.read(folder / name)
    shapes = [(key, tuple(shape)) for key, shape, _ in record["state_dict"]]
    assert [(key, a.shape) for key, a in found.arrays.items()] == shapes
    types = [kind.removeprefix("torch.") for *_, kind in record["state_dict"]]
    assert [a.dtype.name for a in found.arrays.values()] == types
    assert rules.digest(found.arrays) == record["values_sha256"]
    assert_equal(found.arrays, rules.state_arrays(dict(shapes)))
    assert found.format == FORMATS[TINY[name]]
    keys = ("epoch", "arch", "best_prec1") if "epoch" in record else ()
    assert found.meta == {key: record[key] for key in keys}


@pytest.fixture
def tiny_network(monkeypatch):
    """The golden files' network: a sixteenth of the channels, but at least 4."""
    *channels, (mode, _) = bn_inception.BLOCKS["inception_3a"]
    blocks = {**bn_inception.BLOCKS, "inception_3a": (*channels, (mode, 64))}
    monkeypatch.setattr(bn_inception, "BLOCKS", blocks)
    backbone = dataclasses.replace(
        bn_inception.BN_INCEPTION, channels=bn_inception.base_channels()
    )
    monkeypatch.setitem(BACKBONES, backbone.name, backbone)


def _inputs(rules, modality):
    """The network's input, float32 [6, 224, 224, channels]."""
    snippets = []
    for pictures in rules.forward_pictures(modality, 224, 2, 3):
        each = len(pictures) // 3
        snippets += [pictures[k * each : (k + 1) * each] for k in range(3)]
    stacked = np.array(snippets, np.float32)  # [6, pictures, 224, 224, planes]
    if modality == "Flow":
        return stacked[..., 0].transpose(0, 2, 3, 1) - 128
    images = stacked[..., ::-1] - np.array([104, 117, 128], np.float32)
    if modality == "RGB":
        return images[:, 0]
    return np.concatenate(np.moveaxis(images[:, 1:] - images[:, :-1], 1, 0), -1)


@pytest.mark.parametrize(
    ("name", "modality"),
    [
        ("tiny_zip__rgb_checkpoint.pth.tar", "RGB"),
        # Its classifier is called `fc`.
        pytest.param(
            *("tiny_legacy__flow_checkpoint.pth.tar", "Flow"), marks=pytest.mark.whole
        ),
        pytest.param(
            *("tiny_legacy__rgbdiff_checkpoint.pth.tar", "RGBDiff"),
            marks=pytest.mark.whole,
        ),
    ],
)
def test_scores_of_tsn_pytorch(golden, rules, tiny_network, name, modality):
    folder = golden / "tsn_pytorch/checkpoints"
    weights = loading.find(folder / name)
    assert weights.architecture.classes == 5
    found = weights.build()(_inputs(rules, modality), training=False)
    arrays = np.load(folder / "tiny_forward.npz")
    expected = arrays[f"{modality}:f64:scores_segments"]
    error = np.abs(np.asarray(found) - expected).max() / np.abs(expected).max()
    # 8e-7 was found; the original's own float32 is within 6e-7 of its float64.
    assert error < 1e-4


def test_published_backbone_of_tsn_pytorch(golden, tiny_network):
    """Batch norms of two axes, and a classifier of its own."""
    name = "tiny_backbone_bn_inception.pth"
    weights = loading.find(golden / "tsn_pytorch/checkpoints" / name)
    assert weights.architecture.classes == 20
    model, arrays = weights.build(), weights.tensors.arrays
    np.testing.assert_array_equal(
        model.get_layer("inception_3a_1x1_bn").gamma,
        arrays["inception_3a_1x1_bn.weight"][0],
    )
    np.testing.assert_array_equal(
        model.get_layer("fc-action").kernel, arrays["fc.weight"].T
    )
