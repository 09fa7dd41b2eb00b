"""ResNets and ResNeXt against MMAction2, tsn-pytorch and Keras Applications.

Tolerances are those of network_checks: 1e-4 of a stage's largest magnitude in float32
and 2e-4 when folded, where 1e-6 is measured and the originals themselves are up to
1.5e-5 from their float64; 1e-9 in float64, where 1e-15 is measured.
"""

import json
import re

import golden_networks
import keras
import network_checks
import numpy as np
import pytest

from tsn_keras.checkpoints.foreign import KERAS, TORCH, Tensors
from tsn_keras.checkpoints.transfer import PortError, port, read_facts
from tsn_keras.models import resnet
from tsn_keras.models.records import Facts

PLAIN, _ = network_checks.BOUNDS["float32"]
RECORDS = {
    record.name: record
    for record in (
        *(resnet.RESNET18, resnet.RESNET34, resnet.RESNET50, resnet.RESNET101),
        *(resnet.RESNET152, resnet.RESNEXT101_32X4D, resnet.RESNET50_CAFFE),
        *(resnet.RESNET101_CAFFE, resnet.RESNET152_CAFFE),
    )
}
BLOCKS = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
    "resnext101_32x4d": (3, 4, 23, 3),
}
# Golden arrays of MMAction2 and the network that they are of.
MMACTION2 = {
    "r18": "resnet18",
    "r50": "resnet50",
    "r50_flow": "resnet50",
    "r101": "resnet101",
    "r152": "resnet152",
    "rn101_32x4d": "resnext101_32x4d",
}
OTHERS = (
    *(f"mmaction2/{name}" for name in ("r50_flow", "r101", "r152", "rn101_32x4d")),
    *(f"tsn_pytorch/resnet{depth}_RGB" for depth in (34, 50, 101, 152)),
    *(f"tsn_pytorch/resnet50_{modality}" for modality in ("Flow", "RGBDiff")),
)


def record_of(name):
    program, name = name.split("/")
    return RECORDS[MMACTION2[name] if program == "mmaction2" else name.split("_")[0]]


def _layer(stage):
    """A shortcut of two layers gives what its second one does."""
    return re.sub("downsample$", "downsample_1", stage.replace(".", "_"))


def probes_of(name, golden):
    """{stage: layer whose output it is} of golden arrays."""
    record = record_of(name)
    stages = {
        f"layer{s}": f"layer{s}_{count - 1}"
        for s, count in enumerate(BLOCKS[record.name], 1)
    }
    own = {"stem": "relu", "stem_conv": "conv1", "stem_bn": "bn1"}
    own |= {"backbone_out": stages["layer4"], "new_fc": "fc"}
    found = {
        stage: {**own, **stages}.get(stage, _layer(stage))
        for stage in golden.samples["float64"]
    }
    return golden_networks.with_ends(record, found)


def check(name, folder, dtype="float32"):
    golden = golden_networks.load(folder, name)
    probes = probes_of(name, golden)
    found = network_checks.check_forward(record_of(name), golden, probes, dtype)
    # Stem, pooling, four stages, features and scores at least.
    assert found["stages"] >= found["folded_stages"] >= 8


@pytest.mark.parametrize("name", ["mmaction2/r18", "mmaction2/r50"])
def test_every_stage_equals_the_original(name, golden):
    check(name, golden)


def test_every_stage_in_double_precision(golden):
    check("mmaction2/r18", golden, "float64")
    assert keras.config.floatx() == keras.config.dtype_policy().name == "float32"


@pytest.mark.whole
@pytest.mark.parametrize("name", OTHERS)
def test_other_networks_equal_the_original(name, golden):
    check(name, golden)


@pytest.mark.whole
@pytest.mark.parametrize("name", ["mmaction2/r50", "tsn_pytorch/resnet34_RGB"])
def test_other_networks_in_double_precision(name, golden):
    check(name, golden, "float64")


@pytest.mark.whole
@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("mmaction2/r18", "resnet:RESNET18"),
        ("mmaction2/rn101_32x4d", "resnet:RESNEXT101_32X4D"),
    ],
)
def test_other_backends(backend, name, record, golden):
    probes = probes_of(name, golden_networks.load(golden, name))
    network_checks.check_backend(backend, golden, name, record, probes)


@pytest.mark.parametrize("name", ["tiny_mmengine", "tiny_mmcv"])
def test_a_narrow_network_that_mmaction2_trained(name, golden):
    """A sixteenth of the channels, read off the arrays, and its scores."""
    folder = golden / "mmaction2"
    stored = np.load(folder / "checkpoints/expected.npz")
    start = f"{name}_training/"
    arrays = {k[len(start) :]: stored[k] for k in stored.files if k.startswith(start)}
    tensors, record = Tensors("PyTorch", TORCH, arrays), resnet.RESNET18
    likeness, facts = read_facts(tensors, record)
    assert likeness == 1
    # Any width from 0.0606 to 0.0635 gives the same numbers of channels.
    assert facts == Facts(channels=3, classes=5, width=0.062)
    model = record.build((64, 64, 3), classes=5, width=facts.width)
    port(tensors, model, record)
    left = tensors.left()
    assert len(left) == 20  # One counter a batch norm.
    assert all(name.endswith("num_batches_tracked") for name in left)
    rules = golden_networks.rules_of(folder / "regenerate.py")
    views = rules.make_input("tiny", 3, 3, 64, 64).transpose(0, 2, 3, 1)
    mean, deviation = (np.array(v, np.float32) for v in golden_networks.IMAGE)
    expected = stored[f"{name}/scores_raw"][0]

    def error():
        scores = golden_networks.computed(model, (views - mean) / deviation).mean(0)
        return np.abs(scores - expected).max() / np.abs(expected).max()

    assert error() <= PLAIN
    # The check itself can fail.
    layer = model.get_layer("layer3_1_bn2")
    layer.gamma.assign(layer.gamma.numpy() * 1.01)
    assert error() > PLAIN
    # Each tensor is used, and each variable is set.
    missing = {
        n: a for n, a in arrays.items() if n != "backbone.layer1.0.conv2.bn.bias"
    }
    with pytest.raises(PortError, match="layer1_0_bn2/beta"):
        port(Tensors("PyTorch", TORCH, missing), model, record)
    with pytest.raises(PortError, match=r"backbone\.conv9"):
        port(
            Tensors("PyTorch", TORCH, {**arrays, "backbone.conv9.weight": views}),
            model,
            record,
        )


@pytest.mark.parametrize("name", MMACTION2)
def test_names_of_checkpoints(name, golden):
    """Every entry of a state dict has its place, but for counters."""
    about = json.loads((golden / f"mmaction2/arch/{name}.json").read_text())
    arrays = {
        key: np.broadcast_to(np.zeros((), dtype), shape)
        for key, shape, dtype in about["state_dict"]
    }
    tensors, record = Tensors("PyTorch", TORCH, arrays), RECORDS[MMACTION2[name]]
    likeness, facts = read_facts(tensors, record)
    assert likeness == 1
    channels = 10 if name.endswith("_flow") else 3
    assert facts == Facts(channels, about["num_classes"], 1.0)
    convolutions = len(record.channels)
    own = [record.own_name(key) for key in tensors.weights()]
    assert len(set(own)) == len(own) == 5 * convolutions + 2
    assert len(tensors.left()) == convolutions
    count = sum(
        a.size for key, a in tensors.weights().items() if ".running_" not in key
    )
    assert count == about["parameters"]


def test_names_of_caffe():
    record = resnet.RESNET50_CAFFE
    old = ["conv1", "bn_conv1", "fc1000"]
    for stage, blocks in zip("2345", ("abc", "abcd", "abcdef", "abc"), strict=True):
        for block in blocks:
            units = ("2a", "2b", "2c") if block > "a" else ("1", "2a", "2b", "2c")
            old += [
                f"{k}{stage}{block}_branch{u}" for k in ("res", "bn") for u in units
            ]
    found = record.layers_of(old)
    assert found["res4f_branch2b"] == "conv4_block6_2_conv"
    assert found["bn2a_branch1"] == "conv2_block1_0_bn"
    new = [*record.channels, *(n.replace("_conv", "_bn") for n in record.channels)]
    new[new.index("conv1_bn")] = "conv1_bn"
    assert len(set(found.values())) == len(found)
    assert record.layers_of(["res4b22_branch2a"]) == {
        "res4b22_branch2a": "conv4_block23_1_conv"
    }
    assert set(found.values()) >= record.channels.keys() | {"predictions", "conv1_bn"}


def same_as_keras(record, application):
    """Gives the library's network random weights, and ours the same by name."""
    theirs = application(
        weights=None, input_shape=(64, 64, 3), classes=7, pooling="avg"
    )
    random = np.random.default_rng(0)
    for layer in theirs.layers:
        values = [
            # Variances and slopes about 1, all else about 0, kernels as He.
            random.uniform(0.5, 1.5, w.shape)
            if w.name in ("gamma", "moving_variance")
            else random.normal(0, np.sqrt(2 / np.prod(w.shape[:-1])), w.shape)
            if w.name == "kernel"
            else random.normal(0, 0.1, w.shape)
            for w in layer.weights
        ]
        if layer.name.endswith("3_bn"):
            values[0] /= 4  # Else the sums of many blocks grow.
        layer.set_weights(values)
    theirs.get_layer("predictions").activation = keras.activations.linear
    arrays = {
        f"{layer.name}/{w.name}": np.asarray(w)
        for layer in theirs.layers
        for w in layer.weights
    }
    ours = record.build((64, 64, 3), classes=7)
    port(Tensors("Keras", KERAS, arrays), ours, record)
    images = random.normal(0, 50, (2, 64, 64, 3)).astype(np.float32)
    expected = golden_networks.computed(theirs, images)
    for model in (ours, record.fold(ours)):
        found = golden_networks.computed(model, images)
        assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    # Of deeper networks with random weights the images' part is smaller, but far
    # above the bound.
    assert np.ptp(expected, axis=0).max() > 1e-2 * np.abs(expected).max()


def test_caffe_form_equals_keras_applications():
    same_as_keras(resnet.RESNET50_CAFFE, keras.applications.ResNet50)


@pytest.mark.whole
@pytest.mark.parametrize("depth", [101, 152])
def test_deeper_caffe_forms_equal_keras_applications(depth):
    application = getattr(keras.applications, f"ResNet{depth}")
    same_as_keras(RECORDS[f"resnet{depth}_caffe"], application)


@pytest.mark.parametrize("name", RECORDS)
def test_numbers_of_convolutions(name):
    """The depth counts convolutions in branches, the stem and the classifier."""
    record = RECORDS[name]
    depth = int(name.removeprefix("resnet").removeprefix("resnext").split("_")[0])
    shortcuts = 3 if depth < 50 else 4
    assert len(record.channels) == depth - 1 + shortcuts
    assert max(record.channels.values()) == (512 if depth < 50 else 2048)


@pytest.mark.parametrize(
    ("record", "side", "width"),
    [
        (resnet.RESNET18, 33, 0.05),
        (resnet.RESNET50_CAFFE, 32, 0.05),
        (resnet.RESNEXT101_32X4D, 32, 0.25),
    ],
)
def test_record(record, side, width, tmp_path):
    network_checks.check_record(record, (side, 64, 10), width, tmp_path)


def test_saved(tmp_path):
    model = resnet.RESNET18.build((32, 32, 3), classes=4, width=0.05)
    network_checks.check_saved(model, tmp_path / "model.keras")


def test_any_size():
    """Unknown sides give the same numbers."""
    record = resnet.RESNET18
    fixed = record.build((33, 64, 3), classes=4, width=0.05)
    free = record.build((None, None, 3), classes=4, width=0.05)
    free.set_weights(fixed.get_weights())
    images = np.random.default_rng(0).normal(size=(2, 33, 64, 3)).astype(np.float32)
    # Within float32's rounding, as sums may be in another order.
    np.testing.assert_allclose(free(images), fixed(images), rtol=1e-5, atol=1e-7)


def test_errors_name_the_value():
    build = resnet.RESNET18.build
    with pytest.raises(ValueError, match=r"at least 32.*\(31, 224, 3\)"):
        build((31, 224, 3))
    with pytest.raises(ValueError, match="width=0"):
        build((64, 64, 3), width=0)
    with pytest.raises(ValueError, match="classes=0"):
        build((64, 64, 3), classes=0)
    with pytest.raises(ValueError, match=r"multiples of 32.*width=0\.3"):
        resnet.RESNEXT101_32X4D.build((64, 64, 3), width=0.3)
