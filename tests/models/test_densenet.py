"""DenseNet-161 against what MMAction2 computes, and its shape, names and widths.

Tolerances are on the largest error over the largest magnitude of a stage. Float32 of
PyTorch differs from its float64 by 2e-6 at most here, and ours by 1e-6; the bounds
leave a factor of fifty to other processors and backends. In float64 the order of
additions is all that differs, 1e-15.
"""

import dataclasses
import json
import re

import golden_networks
import keras
import numpy as np
import pytest

from tsn_keras.checkpoints import keras_file
from tsn_keras.checkpoints.foreign import TORCH, Tensors
from tsn_keras.checkpoints.transfer import port, read_facts
from tsn_keras.models import densenet
from tsn_keras.models.densenet import DENSENET161, DenseNet161
from tsn_keras.models.records import Facts

PLAIN, FOLDED, EXACT = 1e-4, 2e-4, 1e-9
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
NAME = "mmaction2/dense161"
STAGES = {"conv0": "conv0", "norm0": "norm0", "pool0": "pool0", "norm5": "norm5"}
for number, last in enumerate(densenet.BLOCKS, 1):
    STAGES[f"denseblock{number}"] = f"denseblock{number}_denselayer{last}"
for number in (1, 2, 3):
    STAGES[f"transition{number}"] = f"transition{number}_conv"
STAGES = {stage: f"features_{layer}" for stage, layer in STAGES.items()}
STAGES["scores"] = "classifier"
PROBES = {**STAGES, "pooled": "avgpool"}
# The last batch norm is done by the classifier then, and not before the pooling.
FOLDED_PROBES = {k: v for k, v in STAGES.items() if k != "norm5"}


def randomised(model):
    """Random weights and statistics instead of zeros and ones."""
    random = np.random.default_rng(0)
    model.set_weights([w + 0.1 * random.random(w.shape) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def short():
    """The record of a network of two or one dense layers a block, and the network."""
    keras.utils.set_random_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(densenet, "BLOCKS", (2, 1, 1, 1))
        record = dataclasses.replace(DENSENET161, channels=densenet.base_channels())
        model = record.build((32, 33, 4), classes=5, dropout=0.0, width=0.1)
    return record, randomised(model)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).normal(size=(2, 32, 33, 4)).astype("f4")


def test_names_and_channels_are_those_of_the_checkpoint(golden, short):
    arch = json.loads((golden / "mmaction2/arch/dense161.json").read_text())
    shapes = {
        DENSENET161.own_name(name): shape for name, shape, _ in arch["state_dict"]
    }
    kernels = {name: shape[0] for name, shape in shapes.items() if len(shape) == 4}
    channels = {f"{name}.weight": n for name, n in DENSENET161.channels.items()}
    assert kernels == channels
    assert shapes["@head.weight"] == [400, densenet._channels_of_block(4)]
    names = as_torch(short[1]).arrays.keys() - {"classifier.weight", "classifier.bias"}
    assert len(names) == 15 * 4 + 14  # 15 batch norms and 14 convolutions.
    assert names <= shapes.keys()


def as_torch(model):
    """The arrays of a model as a PyTorch file of torchvision holds them."""
    arrays = {}
    for layer in model.layers:
        for role, variable in TORCH.variables(layer).items():
            array = np.asarray(variable)
            order = (3, 2, 0, 1) if array.ndim == 4 else None
            name = f"{layer.name.replace('_', '.')}.{role}"
            arrays[name] = array.transpose(order)
    return Tensors("PyTorch", TORCH, arrays)


def test_old_files_of_torchvision(short):
    """Those of 2017 have a dot more; all of them call the classifier so."""
    record, model = short
    tensors = as_torch(model)
    old = {
        re.sub(r"(layer.*)([12])\.", r"\1.\2.", n): a for n, a in tensors.arrays.items()
    }
    assert "features.denseblock1.denselayer2.norm.1.weight" in old
    assert "features.transition1.norm.weight" in old
    tensors = dataclasses.replace(tensors, arrays=old)
    assert read_facts(tensors, record) == (1.0, Facts(4, 5, 0.1))
    copy = keras.models.clone_model(model)
    port(tensors, copy, record)
    for found, expected in zip(copy.weights, model.weights, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_channels_are_cumulated(short):
    stem, growth, halved = 10, 5, 10  # 0.1 of 96, of 48, and of half of 192.
    _, model = short
    block = model.get_layer("features_denseblock1_denselayer2").output
    assert block.shape == (None, 8, 9, stem + 2 * growth)
    assert model.get_layer("features_transition1_conv").filters == halved
    block = model.get_layer("features_denseblock2_denselayer1").output
    assert block.shape == (None, 4, 4, halved + growth)
    assert model.get_layer("features_norm5").output.shape[1:3] == (1, 1)


def test_no_relu_follows_the_last_norm(short, images):
    _, model = short
    outputs = [model.get_layer(name).output for name in ("features_norm5", "avgpool")]
    norm, pooled = keras.Model(model.input, outputs)(images)
    assert (np.asarray(pooled) < 0).any()
    np.testing.assert_allclose(pooled, np.asarray(norm).mean((1, 2)), rtol=1e-6)


def test_folds_what_no_relu_or_concatenation_separates(short, images):
    record, model = short
    folded = record.fold(model)
    norms = {x.name for x in folded.layers if "_norm" in x.name}
    # Norms of concatenations before a ReLU stay; norm0, norm2 and norm5 do not.
    layers = ("1_denselayer1", "1_denselayer2")
    layers += ("2_denselayer1", "3_denselayer1", "4_denselayer1")
    stay = {f"features_denseblock{layer}_norm1" for layer in layers}
    assert norms == stay | {f"features_transition{k}_norm" for k in (1, 2, 3)}
    expected = np.asarray(model(images))
    error = np.abs(np.asarray(folded(images)) - expected).max()
    assert error <= FOLDED * np.abs(expected).max()


@pytest.mark.parametrize("classes", [5, None])
def test_what_a_weight_file_tells(short, tmp_path, classes):
    record, model = short
    if classes is None:
        model = keras.Model(model.inputs, model.get_layer(record.features).output)
    model.save_weights(tmp_path / "m.weights.h5")
    _, shapes = keras_file.shapes(tmp_path / "m.weights.h5")
    assert record.read_shapes(shapes) == Facts(4, classes, 0.1)
    assert record.has_width(shapes, 0.1)
    assert not record.has_width(shapes, 0.2)


def test_saves_and_loads(short, images, tmp_path):
    _, model = short
    model.save(tmp_path / "m.keras")
    copy = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(model(images), copy(images))


def test_trains(short):
    """A step moves every trainable weight, and lowers the loss on its batch."""
    _, source = short
    model = keras.models.clone_model(source)
    model.set_weights(source.get_weights())
    before = [np.asarray(w).copy() for w in model.trainable_weights]
    # The last maps have one pixel: over two images, batch norms would give -1 and 1.
    images = np.random.default_rng(0).normal(size=(8, 32, 33, 4)).astype("f4")
    labels = np.arange(8) % 2
    model.compile(keras.optimizers.SGD(0.05), LOSS, run_eagerly=True)
    losses = [model.train_on_batch(images, labels) for _ in range(3)]
    assert losses[2] < losses[1] < losses[0]
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert np.isfinite(weight).all()
        assert (np.asarray(weight) != old).any(), weight.path


def test_features_alone(monkeypatch):
    monkeypatch.setattr(densenet, "BLOCKS", (1, 1, 1, 1))
    model = DenseNet161((32, 32, 3), classes=None, width=0.1)
    assert model.output_shape == (None, 5 + 5)  # 0.1 of 54, the last half, and of 48.
    assert "classifier" not in {layer.name for layer in model.layers}


@pytest.mark.parametrize("side", [31, None])
def test_errors_name_the_value(side):
    with pytest.raises(ValueError, match=rf"at least 32.*\({side}, 224, 3\)"):
        DenseNet161((side, 224, 3))


@pytest.mark.whole
@pytest.mark.parametrize(
    ("dtype", "plain", "folded"),
    [("float32", PLAIN, FOLDED), ("float64", EXACT, EXACT)],
)
def test_every_stage_equals_mmaction2(golden, dtype, plain, folded):
    genuine = golden_networks.load(golden, NAME)
    assert set(PROBES) == genuine.samples[dtype].keys() - {"backbone_out", "normalized"}
    model = golden_networks.build(DENSENET161, genuine, dtype)
    trainable = sum(np.prod(w.shape) for w in model.trainable_weights)
    assert trainable == 27_355_600  # As the README of the golden arrays counts them.
    errors = golden_networks.errors(model, genuine, PROBES)
    assert max(errors.values()) <= plain, errors
    smaller = DENSENET161.fold(model)
    probes = golden_networks.after_folding(FOLDED_PROBES, model, smaller)
    errors = golden_networks.errors(smaller, genuine, probes)
    assert {"norm0", "denseblock3", "transition3", "scores"} <= errors.keys()
    assert max(errors.values()) <= folded, errors


@pytest.mark.whole
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_equal_mmaction2(golden, backend):
    report = golden_networks.on_backend(
        backend, golden, NAME, "densenet:DENSENET161", FOLDED_PROBES
    )
    assert report["backend"] == backend
    assert report["error"] <= PLAIN
    assert report["folded_error"] <= FOLDED
