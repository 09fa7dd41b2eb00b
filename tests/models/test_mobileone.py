"""MobileOne-S4, for training and deployed, against what MMAction2 computes.

Tolerances are on the largest error over the largest magnitude of a stage. Float32 of
PyTorch differs from its float64 by 1e-6 here, and ours by 2e-6; the bounds leave a
factor of fifty to other processors and backends. In float64 the order of additions is
all that differs, 1e-15.
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
from tsn_keras.models import mobileone
from tsn_keras.models.mobileone import (
    MOBILEONE_S4,
    MOBILEONE_S4_DEPLOY,
    MobileOneS4,
    PaddedDepthwiseConv2D,
)
from tsn_keras.models.records import Facts

PLAIN, FOLDED, EXACT = 1e-4, 2e-4, 1e-9
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
NAME = "mmaction2/mobileone_s4"
RECORDS = {"mobileone_s4": MOBILEONE_S4, "mobileone_s4_deploy": MOBILEONE_S4_DEPLOY}
PROBES = {"stage0": "stage0", "pooled": "avgpool", "scores": "head_fc"}
for number, (_, pairs, _) in enumerate(mobileone.STAGES, 1):
    PROBES[f"stage{number}"] = f"stage{number}_{2 * pairs - 1}"


def randomised(model):
    """Random weights and statistics instead of zeros and ones."""
    random = np.random.default_rng(0)
    model.set_weights([w + 0.1 * random.random(w.shape) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def short():
    """{name: (record, network)} of three stages, the last one with excitation."""
    keras.utils.set_random_seed(0)
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mobileone, "STAGES", ((192, 2, 0), (448, 2, 1)))
        patch.setattr(mobileone, "STEPS", mobileone._steps())
        for name, record in RECORDS.items():
            channels = mobileone.base_channels(name.endswith("deploy"))
            record = dataclasses.replace(record, channels=channels)
            model = record.build((32, 33, 4), classes=5, dropout=0.0, width=0.2)
            found[name] = record, randomised(model)
    return found


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).normal(size=(2, 32, 33, 4)).astype("f4")


def arch_of(golden, name):
    """{tensor of a checkpoint: shape}, without counters."""
    arch = json.loads((golden / f"mmaction2/arch/{name}.json").read_text())
    shapes = {name: tuple(shape) for name, shape, _ in arch["state_dict"]}
    return {n: s for n, s in shapes.items() if not n.endswith("num_batches_tracked")}


@pytest.mark.parametrize("name", RECORDS)
def test_names_and_channels_are_those_of_the_checkpoint(golden, short, name):
    record = RECORDS[name]
    shapes = {record.own_name(n): s for n, s in arch_of(golden, name).items()}
    kernels = {n: shape[0] for n, shape in shapes.items() if len(shape) == 4}
    assert kernels == {f"{n}.weight": count for n, count in record.channels.items()}
    # The first two stages are in the short network as in the whole one.
    found = as_torch(short[name][1]).arrays
    stages = ("stage0.", "stage1.")
    expected = {n for n in shapes if n.startswith(stages)}
    assert {n for n in found if n.startswith(stages)} == expected
    # MMPretrain's own files call the classifier so.
    assert record.layers_of(["head.fc"]) == {"head.fc": record.head}


def as_torch(model):
    """The arrays of a model as a PyTorch file of MMPretrain holds them."""
    arrays = {}
    for layer in model.layers:
        step = re.match(r"(stage0|stage\d_\d+|head)_", layer.name + "_")
        name = layer.name.replace("_", ".", step[0].count("_")) if step else layer.name
        name = re.sub(r"(branch_scale|list|0|se|conv[12])_", r"\1.", name)
        for role, variable in TORCH.variables(layer).items():
            array = np.asarray(variable)
            if array.ndim == 4:
                depthwise = isinstance(layer, PaddedDepthwiseConv2D)
                array = array.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
            arrays[f"{name}.{role}"] = array.T if array.ndim == 2 else array
    return Tensors("PyTorch", TORCH, arrays)


@pytest.mark.parametrize("name", RECORDS)
def test_files_of_both_forms_open(short, images, name):
    record, model = short[name]
    tensors = as_torch(model)
    assert read_facts(tensors, record) == (1.0, Facts(4, 5, 0.2))
    # It is not taken for one of the other form.
    (other,) = short.keys() - {name}
    assert read_facts(tensors, short[other][0])[0] < 0.5
    copy = keras.models.clone_model(model)
    port(tensors, copy, record)
    np.testing.assert_array_equal(copy(images), model(images))


def deployed_with(folded, deployed):
    """Gives a deployed network the weights of the folded other form."""
    for layer in folded.layers:
        if layer.weights:
            name = layer.name.replace("branch_conv_list_0_conv", "branch_reparam")
            deployed.get_layer(name).set_weights(layer.get_weights())
    return deployed


def test_folds_to_the_deployed_network(short, images):
    record, model = short["mobileone_s4"]
    folded = record.fold(model)
    kinds = {type(layer).__name__ for layer in folded.layers}
    assert not kinds & {"BatchNormalization", "Add", "Dropout"}
    _, deployed = short["mobileone_s4_deploy"]
    assert folded.count_params() == deployed.count_params()
    deployed_with(folded, deployed)
    np.testing.assert_array_equal(deployed(images), folded(images))
    expected = np.asarray(model(images))
    error = np.abs(np.asarray(folded(images)) - expected).max()
    assert error <= FOLDED * np.abs(expected).max()


@pytest.mark.parametrize("classes", [5, None])
@pytest.mark.parametrize("name", RECORDS)
def test_what_a_weight_file_tells(short, tmp_path, name, classes):
    record, model = short[name]
    if classes is None:
        model = keras.Model(model.inputs, model.get_layer(record.features).output)
    model.save_weights(tmp_path / "m.weights.h5")
    _, shapes = keras_file.shapes(tmp_path / "m.weights.h5")
    assert record.read_shapes(shapes) == Facts(4, classes, 0.2)
    assert record.has_width(shapes, 0.2)
    assert not record.has_width(shapes, 0.3)


@pytest.mark.parametrize("name", RECORDS)
def test_saves_and_loads(short, images, tmp_path, name):
    _, model = short[name]
    model.save(tmp_path / "m.keras")
    copy = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(model(images), copy(images))


def test_trains(short):
    """A step moves every trainable weight, and lowers the loss on its batch."""
    _, source = short["mobileone_s4"]
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


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("kernel", "pad"), [(3, 1), (1, 0), (3, 0)])
@pytest.mark.parametrize("side", [6, 7])
def test_depthwise_convolution_is_padded_alike(stride, kernel, pad, side):
    layer = PaddedDepthwiseConv2D(kernel, stride, pad=pad)
    images = np.random.default_rng(0).normal(size=(1, side, side, 2)).astype("f4")
    found = np.asarray(layer(images))
    weights = np.asarray(layer.kernel)[..., 0]
    padded = np.pad(images[0], [(pad, pad), (pad, pad), (0, 0)])
    count = (side + 2 * pad - kernel) // stride + 1
    assert found.shape == layer.compute_output_shape(images.shape)
    assert found.shape == (1, count, count, 2)
    for row in range(count):
        for column in range(count):
            top, left = row * stride, column * stride
            window = padded[top : top + kernel, left : left + kernel]
            expected = (window * weights).sum((0, 1))
            # Nine products in another order.
            np.testing.assert_allclose(found[0, row, column], expected, atol=1e-6)


def test_depthwise_convolution_is_remade_from_its_config():
    layer = PaddedDepthwiseConv2D(3, 2, pad=1, use_bias=False)
    copy = PaddedDepthwiseConv2D.from_config(layer.get_config())
    assert (copy.kernel_size, copy.strides, copy.pad) == ((3, 3), (2, 2), 1)
    assert (copy.padding, copy.use_bias) == ("valid", False)


@pytest.mark.parametrize("side", [31, None])
def test_errors_name_the_value(side):
    with pytest.raises(ValueError, match=rf"at least 32.*\({side}, 224, 3\)"):
        MobileOneS4((side, 224, 3))


@pytest.mark.whole
@pytest.mark.parametrize(
    ("dtype", "plain", "folded"),
    [("float32", PLAIN, FOLDED), ("float64", EXACT, EXACT)],
)
def test_every_stage_equals_mmaction2(golden, dtype, plain, folded):
    genuine = golden_networks.load(golden, NAME)
    assert set(PROBES) == genuine.samples[dtype].keys() - {"backbone_out", "normalized"}
    model = golden_networks.build(MOBILEONE_S4, genuine, dtype)
    trainable = sum(np.prod(w.shape) for w in model.trainable_weights)
    assert trainable == 13_721_848  # As the README of the golden arrays counts them.
    errors = golden_networks.errors(model, genuine, PROBES)
    assert max(errors.values()) <= plain, errors
    smaller = MOBILEONE_S4.fold(model)
    errors = golden_networks.errors(smaller, genuine, PROBES)
    assert errors.keys() == PROBES.keys()
    assert max(errors.values()) <= folded, errors
    _check_deployed(golden, genuine, smaller, folded)


def _check_deployed(golden, genuine, smaller, bound):
    """Kernels, biases and scores after MMPretrain's re-parameterisation."""
    dtype = smaller.get_layer("head_fc").compute_dtype
    stored = np.load(golden / "mmaction2/forward/mobileone_s4_deploy.npz")
    with golden_networks.precision(dtype):
        deployed = MOBILEONE_S4_DEPLOY.build(genuine.images.shape[1:], classes=400)
    tensors = as_torch(deployed_with(smaller, deployed))
    arrays = {f"backbone.{name}": array for name, array in tensors.arrays.items()}
    for role in ("weight", "bias"):
        arrays[f"cls_head.fc_cls.{role}"] = arrays.pop(f"backbone.head.fc.{role}")
    names = arch_of(golden, "mobileone_s4_deploy")
    assert {name: array.shape for name, array in arrays.items()} == names
    # Each is rounded once to the precision of the network.
    rounding = np.finfo(dtype).eps * (1 if dtype == "float32" else 100)
    compared = 0
    for name in (n for n in names if "branch_reparam" in n):
        found = arrays[name].ravel()[stored[f"{name}/idx"]]
        largest = np.abs(stored[f"{name}/stats"][2:]).max()
        assert np.abs(found - stored[f"{name}/val"]).max() <= rounding * largest, name
        compared += 1
    assert compared == 2 * len(mobileone.STEPS)
    with golden_networks.precision(dtype):
        copy = MOBILEONE_S4_DEPLOY.build(genuine.images.shape[1:], classes=400)
        port(Tensors("PyTorch", TORCH, arrays), copy, MOBILEONE_S4_DEPLOY)
        scores = copy.predict(genuine.images.astype(dtype), verbose=0)
    expected = stored[f"scores_deploy_{dtype}"]
    assert np.abs(scores - expected).max() <= bound * np.abs(expected).max()


@pytest.mark.whole
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_equal_mmaction2(golden, backend):
    report = golden_networks.on_backend(
        backend, golden, NAME, "mobileone:MOBILEONE_S4", PROBES
    )
    assert report["backend"] == backend
    assert report["error"] <= PLAIN
    assert report["folded_error"] <= FOLDED
