"""Swin-Base against what MMAction2 computes with timm, and its names and widths.

Tolerances are on the largest error over the largest magnitude of a stage. Float32 of
PyTorch differs from its float64 by 2e-6 at most here, and ours by 6e-7; the bounds
leave a factor of fifty to other processors and backends. In float64 the order of
additions is all that differs, 1e-15.
"""

import dataclasses
import json

import golden_networks
import keras
import numpy as np
import pytest
import tensorflow as tf

from tsn_keras.checkpoints import keras_file
from tsn_keras.checkpoints.foreign import TORCH, Tensors
from tsn_keras.checkpoints.transfer import PortError, port, read_facts
from tsn_keras.evaluation import inference
from tsn_keras.models import swin
from tsn_keras.models.records import Facts
from tsn_keras.models.swin import SWIN_BASE, SwinBase

PLAIN, FOLDED, EXACT = 1e-4, 2e-4, 1e-9
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
NAME = "mmaction2/swin_base"
PROBES = {"patch_embed": "patch_embed_norm", "norm": "norm", "backbone_out": "avgpool"}
for number, depth in enumerate(swin.DEPTHS):
    PROBES[f"layers_{number}"] = f"layers_{number}_blocks_{depth - 1}"
PROBES = golden_networks.with_ends(SWIN_BASE, PROBES)
SHAPE = (224, 224, 4)


@pytest.fixture(scope="module")
def narrow():
    """The whole network, narrow."""
    return SwinBase(SHAPE, classes=5, width=0.25)


@pytest.fixture(scope="module")
def other(narrow):
    """Another of the same."""
    return keras.models.clone_model(narrow)


@pytest.fixture(scope="module")
def short():
    """The record of a network of six blocks, and the network."""
    keras.utils.set_random_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(swin, "DEPTHS", (2, 1, 1, 2))
        model = SwinBase(SHAPE, classes=5, dropout=0.0, width=0.25)
    random = np.random.default_rng(0)
    model.set_weights([w + 0.1 * random.random(w.shape) for w in model.get_weights()])
    return dataclasses.replace(SWIN_BASE, matrices=5 * 6 + 3), model


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).normal(size=(2, *SHAPE)).astype("f4")


@pytest.fixture(scope="module")
def checkpoint(golden, narrow):
    """{name in MMAction2's checkpoint: array} of the narrow network."""
    arch = json.loads((golden / "mmaction2/arch/swin_base.json").read_text())
    layers = {layer.name: layer for layer in narrow.layers}
    arrays = {}
    for name, shape, _ in arch["state_dict"]:
        layer, role = TORCH.split(SWIN_BASE.own_name(name))
        layer = layers[SWIN_BASE.layers_of([layer])[layer]]
        array = np.asarray(TORCH.variables(layer)[role])
        order = {2: (1, 0), 4: (3, 2, 0, 1)}.get(array.ndim)
        arrays[name] = array if role.endswith("table") else array.transpose(order)
        assert arrays[name].ndim == len(shape)
    return arrays


def test_names_are_those_of_the_checkpoint(golden, narrow, checkpoint):
    arch = json.loads((golden / "mmaction2/arch/swin_base.json").read_text())
    assert len(checkpoint) == arch["entries"] == len(narrow.weights)
    (kernel,) = (shape for _, shape, _ in arch["state_dict"] if len(shape) == 4)
    assert SWIN_BASE.channels == {"patch_embed.proj": kernel[0]}
    matrices = [name for name, shape, _ in arch["state_dict"] if len(shape) == 2]
    assert SWIN_BASE.matrices == len(matrices) - 1


@pytest.mark.parametrize("version", ["0.4.12", "0.6.13", "0.9.16", "1.0.31"])
@pytest.mark.parametrize("head", ["cls_head.fc_cls", "head", "head.fc"])
def test_files_of_all_versions_of_timm_open(
    golden, narrow, other, checkpoint, version, head
):
    text = (golden / f"mmaction2/arch/swin_base_timm_{version}.json").read_text()
    arch = json.loads(text)
    old = {new: name for name, new in arch["renamed_to_current"].items()}
    arrays = {old.get(name, name): array for name, array in checkpoint.items()}
    derived = arch.get("derived_shapes", {})
    arrays |= {name: np.zeros(shape) for name, shape in derived.items()}
    assert len(arrays) == arch["entries"]
    if head != "cls_head.fc_cls":  # timm's own file.
        arrays = {n.removeprefix("backbone."): array for n, array in arrays.items()}
    arrays = {n.replace("cls_head.fc_cls", head): array for n, array in arrays.items()}
    tensors = Tensors("PyTorch", TORCH, arrays)
    assert read_facts(tensors, SWIN_BASE) == (1.0, Facts(4, 5, 0.25))
    for weight in other.weights:
        # Nothing may be left of the version before.
        weight.assign(np.full(weight.shape, -1, weight.dtype))
    port(tensors, other, SWIN_BASE)
    for found, expected in zip(other.weights, narrow.weights, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_numbers_of_merging_that_no_version_has_are_refused(narrow, checkpoint):
    """Of stages 1 and 2 alone: which they are cannot be told, and one is missing."""
    arrays = {n: a for n, a in checkpoint.items() if "layers.3.downsample" not in n}
    with pytest.raises(PortError, match="without a tensor: .*layers_3_downsample"):
        port(Tensors("PyTorch", TORCH, arrays), narrow, SWIN_BASE)


def test_shifts_and_skips_as_timm_does(narrow):
    blocks = [f"layers_{s}_blocks_{b}" for s in range(4) for b in range(swin.DEPTHS[s])]
    found = [narrow.get_layer(f"{block}_attn") for block in blocks]
    assert [x.shift for x in found] == [0, 3] * 11 + [0, 0]
    assert [x.heads for x in found] == [1] * 2 + [2] * 2 + [4] * 18 + [8] * 2
    sides = [narrow.get_layer(block).output.shape[1] for block in blocks]
    assert sides == [56] * 2 + [28] * 2 + [14] * 18 + [7] * 2
    rates = [narrow.get_layer(f"{block}_drop_path1").rate for block in blocks[1:]]
    np.testing.assert_allclose(rates, np.arange(1, 24) * 0.1 / 23)
    assert "layers_0_blocks_0_drop_path1" not in {x.name for x in narrow.layers}


def test_a_larger_image_is_shifted_in_the_last_stage_too(monkeypatch):
    monkeypatch.setattr(swin, "DEPTHS", (1, 1, 1, 2))
    model = SwinBase((448, 448, 3), classes=None, width=0.25)
    assert model.get_layer("layers_3_blocks_1_attn").shift == 3
    assert model.get_layer("layers_3_blocks_1").output.shape[1:3] == (14, 14)


def test_training_skips_parts_of_whole_images(short):
    _, model = short
    layer = model.get_layer("layers_3_blocks_1_drop_path2")
    assert layer.rate == pytest.approx(0.1)
    kept = np.asarray(layer(np.ones((400, 2, 2, 3), "f4"), training=True))
    assert (kept == kept[:, :1, :1, :1]).all()
    # 40 of 400 are expected, with a deviation of 6.
    assert 10 < (kept[:, 0, 0, 0] == 0).sum() < 70
    np.testing.assert_allclose(np.unique(kept), [0, 1 / 0.9], rtol=1e-6)
    np.testing.assert_array_equal(layer(np.ones((4, 2, 2, 3)), training=False), 1)


def test_inference_computes_the_same(short, images):
    record, model = short
    expected = np.asarray(model(images))
    folded = record.fold(model)
    assert not [x for x in folded.layers if isinstance(x, keras.layers.Dropout)]
    attention = folded.get_layer("layers_0_blocks_1_attn")
    assert attention.scaled
    assert not model.get_layer(attention.name).scaled
    error = np.abs(np.asarray(folded(images)) - expected).max()
    assert error <= FOLDED * np.abs(expected).max()
    # With constant weights TensorFlow joins operations.
    compiled = tf.function(inference.network(model, record.fold))
    error = np.abs(compiled(tf.constant(images)).numpy() - expected).max()
    assert error <= FOLDED * np.abs(expected).max()


@pytest.mark.parametrize("classes", [5, None])
def test_what_a_weight_file_tells(short, tmp_path, classes):
    record, model = short
    if classes is None:
        model = keras.Model(model.inputs, model.get_layer(record.features).output)
    model.save_weights(tmp_path / "m.weights.h5")
    _, shapes = keras_file.shapes(tmp_path / "m.weights.h5")
    assert record.read_shapes(shapes) == Facts(4, classes, 0.25)
    assert record.has_width(shapes, 0.25)
    assert not record.has_width(shapes, 0.5)


def test_saves_and_loads(short, images, tmp_path):
    _, model = short
    model.save(tmp_path / "m.keras")
    copy = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(model(images), copy(images))


def test_trains(short, images):
    """A step moves every weight, and lowers the loss on its batch."""
    _, model = short
    model = keras.models.clone_model(model)
    before = [np.asarray(w).copy() for w in model.trainable_weights]
    model.compile(keras.optimizers.SGD(0.05), LOSS, run_eagerly=True)
    losses = [model.train_on_batch(images, np.array([0, 1])) for _ in range(3)]
    assert losses[2] < losses[0]
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert np.isfinite(weight).all()
        assert (np.asarray(weight) != old).any(), weight.path


def test_features_alone(monkeypatch):
    monkeypatch.setattr(swin, "DEPTHS", (1, 1, 1, 1))
    model = SwinBase(SHAPE, classes=None, width=0.25)
    assert model.output_shape == (None, 256)
    assert "head" not in {layer.name for layer in model.layers}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"input_shape": (192, 192, 3)}, r"at least 224.*\(192, 192, 3\)"),
        ({"input_shape": (256, 256, 3)}, r"multiple of 224.*\(256, 256, 3\)"),
        ({"input_shape": (224, 448, 3)}, r"multiple of 224.*\(224, 448, 3\)"),
        ({"width": 0.3}, "multiple of 0.25.*width=0.3"),
    ],
)
def test_errors_name_the_value(options, words):
    with pytest.raises(ValueError, match=words):
        SwinBase(**options)


@pytest.mark.whole
@pytest.mark.parametrize(
    ("dtype", "plain", "folded"),
    [("float32", PLAIN, FOLDED), ("float64", EXACT, EXACT)],
)
def test_every_stage_equals_mmaction2(golden, dtype, plain, folded):
    genuine = golden_networks.load(golden, NAME)
    assert set(PROBES) == genuine.samples[dtype].keys() - {"normalized"}
    model = golden_networks.build(SWIN_BASE, genuine, dtype)
    # As the README of the golden arrays counts them.
    assert model.count_params() == 87_153_224
    errors = golden_networks.errors(model, genuine, PROBES)
    assert max(errors.values()) <= plain, errors
    errors = golden_networks.errors(SWIN_BASE.fold(model), genuine, PROBES)
    assert max(errors.values()) <= folded, errors


@pytest.mark.whole
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_equal_mmaction2(golden, backend):
    report = golden_networks.on_backend(backend, golden, NAME, "swin:SWIN_BASE", PROBES)
    assert report["backend"] == backend
    assert report["error"] <= PLAIN
    assert report["folded_error"] <= FOLDED
