"""Updates of training against MMAction2's and tsn-pytorch's, in float64.

What is recorded is float64, and so is what computes here, but for the learning rate,
which Keras keeps in float32: 0.01 is 2e-8 off, and so is what follows the first update.
"""

import json

import golden_networks
import keras
import numpy as np
import pytest

from tsn_keras.checkpoints import foreign, transfer
from tsn_keras.models import training_graph, training_rules
from tsn_keras.models.bn_inception import BN_INCEPTION
from tsn_keras.models.resnet import RESNET18, RESNET50
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream
from tsn_keras.training.optimizer import TorchSGD
from tsn_keras.training.schedules import Steps
from tsn_keras.training.trainer import Network

TOLERANCE = 1e-6


@pytest.fixture
def float64():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "consensus"), [("plain", "average"), ("clipped", "features")]
)
def test_two_steps_of_mmaction2(golden, float64, variant, consensus):
    """The original takes the mean of features; without dropout both are the same."""
    import tensorflow as tf

    folder = golden / "mmaction2"
    rules = golden_networks.rules_of(folder / "regenerate.py")
    about = json.loads((folder / "train/train.json").read_text())[variant]
    recorded = np.load(folder / "train/train.npz")
    state = json.loads((folder / "arch/r18.json").read_text())["state_dict"]
    state = [
        (key, (10, *shape[1:]) if "fc_cls" in key else shape) for key, shape, _ in state
    ]
    arrays = {key: rules.make_tensor(key, shape) for key, shape in state}
    backbone = RESNET18.build((224, 224, 3), classes=10, dropout=0.0)
    tensors = foreign.Tensors("PyTorch", foreign.TORCH, arrays)
    transfer.port(tensors, backbone, RESNET18)
    training_rules.set_batch_norm(backbone, "all")
    stream = Stream(MODALITIES["rgb"], PROTOCOLS["mmaction2_s25_10crop224"])
    network = Network(backbone, RESNET18, stream, 3, "all", consensus)
    computed = network.over_segments(3, network.joined(), unbiased=True)
    groups = training_rules.GROUPS["mmaction2"]
    optimizer = TorchSGD(
        0.01,
        momentum=0.9,
        weight_decay=1e-4,
        clip=about["max_norm"],
        multipliers=training_rules.multipliers(backbone, RESNET18, 1.0, groups),
    )
    weights = backbone.trainable_variables
    values = [weight.value for weight in weights]
    for number, step in enumerate(about["steps"], 1):
        pixels = rules.make_input(step["input_tag"], 6, 3).transpose(0, 2, 3, 1)
        mean, deviation = (np.array(v, np.float32) for v in golden_networks.IMAGE)
        images = ((pixels - mean) / deviation).astype(np.float64)
        images = images.reshape(2, 3, 224, 224, 3)
        with tf.GradientTape() as tape:
            scores = computed(images, training=True)
            loss = tf.reduce_mean(
                keras.ops.sparse_categorical_crossentropy(
                    step["labels"], scores, from_logits=True
                )
            )
        assert float(loss) == pytest.approx(step["loss"], rel=(1e-9, 1e-7)[number - 1])
        optimizer.apply(tape.gradient(loss, values), weights)
        compare(backbone, tensors, recorded, f"{variant}/step{number}", rules)


def named(backbone, tensors, record=RESNET18):
    """Yields (name of a tensor, its variable)."""
    for key, (place, role) in transfer._places(tensors, record).items():
        yield key, tensors.layout.variables(backbone.get_layer(place))[role]


def in_order(values):
    """An array in PyTorch's order."""
    orders = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
    return np.asarray(values).transpose(orders[len(values.shape)])


def exported(backbone, tensors):
    """Yields (name of a tensor, its values now in PyTorch's order)."""
    for key, variable in named(backbone, tensors):
        yield key, in_order(variable)


def compare(backbone, tensors, recorded, prefix, rules):
    """All weights and statistics, by their samples."""
    left = {key for key in recorded.files if key.startswith(f"{prefix}/new/")}
    left |= {key for key in recorded.files if key.startswith(f"{prefix}/bn/")}
    for key, values in exported(backbone, tensors):
        for part in ("new", "bn"):
            name = f"{prefix}/{part}/{key}"
            if name not in left:
                continue
            left.remove(name)
            expected = recorded[name]
            found = values.ravel()
            if part == "bn" and len(found) <= 64:
                if prefix.endswith("step1"):
                    continue  # Whole arrays were overwritten by the second step.
            else:
                found = found[rules.sample_index(f"train/{key}", len(found), 32)]
            error = np.abs(found - expected).max()
            assert error <= TOLERANCE * np.abs(expected).max(), (name, error)
    assert not left


# Its true gradient is 0: a bias before a batch norm that is trained.
ZERO = "base_model.conv1_7x7_s2.bias"
# What one step changes is -rate * (gradient + decay * weight), and no rounding is
# lost between: two float64 runs of the original differ by 3e-12. The learning rate
# comes from a schedule here, which keeps it in float64.
NEAR = 1e-9


@pytest.mark.slow
def test_steps_of_tsn_pytorch(golden, float64):
    """Three of its BN-Inception: partial BN, its groups of parameters, clipping."""
    folder = golden / "tsn_pytorch"
    rules = golden_networks.rules_of(folder / "regenerate.py")
    with np.load(folder / "train/step_BNInception_RGB_f64.npz") as file:
        recorded = {key: file[key] for key in file.files}
    keys = json.loads((folder / "keys/BNInception_RGB.json").read_text())
    arrays = rules.state_arrays(dict(keys["checkpoint_dropout0"]))
    assert rules.digest(arrays) == str(recorded["weights_sha256"])
    arrays = {key.removeprefix("module."): array for key, array in arrays.items()}
    tensors = foreign.Tensors("PyTorch", foreign.TORCH, arrays)
    backbone = BN_INCEPTION.build((224, 224, 3), classes=101, dropout=0.0)
    transfer.port(tensors, backbone, BN_INCEPTION)
    training_rules.set_batch_norm(backbone, "first")
    optimizer = TorchSGD(
        Steps(float(recorded["learning_rate"]), ()),
        momentum=float(recorded["momentum"]),
        weight_decay=float(recorded["weight_decay"]),
        clip=float(recorded["clip"]),
        multipliers=factors(backbone, BN_INCEPTION, "rgb"),
    )
    variables = {
        key: variable
        for key, variable in named(backbone, tensors, BN_INCEPTION)
        if variable.trainable
    }
    norms = zip(recorded["parameter_names"], recorded["step0:grad_norm"], strict=True)
    assert set(variables) == {str(name) for name, norm in norms if not np.isnan(norm)}
    computed = training_graph.for_training(backbone, unbiased=True)
    for step in range(len(recorded["loss"])):
        images = images_of(rules, step)
        gradients = check_gradients(recorded, step, computed, images, variables)
        before = [np.array(variable) for variable in variables.values()]
        optimizer.apply(gradients, list(variables.values()))
        pairs = zip(variables.values(), before, strict=True)
        changes = [np.array(now) - old for now, old in pairs]
        check_tsn_pytorch(recorded, f"step{step}:change", variables, changes)
        norm = backbone.get_layer("conv1_7x7_s2_bn")
        parts = (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
        names = ("weight", "bias", "running_mean", "running_var")
        for name, part in zip(names, parts, strict=True):
            near(part, recorded[f"step{step}:first_bn:{name}"])
    # The others are frozen, statistics too.
    second = backbone.get_layer("conv2_3x3_reduce_bn")
    for role, variable in tensors.layout.variables(second).items():
        key = f"base_model.conv2_3x3_reduce_bn.{role}"
        np.testing.assert_array_equal(np.asarray(variable), arrays[key])


def images_of(rules, step):
    """The network's input in a step: float64 [videos * segments, 224, 224, 3]."""
    pictures = [
        rules.picture(f"train/step/{step}/{video}/{k}", 224, 224, 3)
        for video in range(2)
        for k in range(3)
    ]
    return np.stack(pictures)[..., ::-1] - np.array([104.0, 117.0, 128.0])


def check_gradients(recorded, step, computed, images, variables):
    """Scores, loss and gradients of a step; returns the gradients."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        scores = computed(images, training=True)
        averaged = tf.reduce_mean(tf.reshape(scores, (2, 3, -1)), axis=1)
        losses = keras.ops.sparse_categorical_crossentropy(
            recorded["labels"][step], averaged, from_logits=True
        )
        loss = tf.reduce_mean(losses)
    gradients = tape.gradient(loss, [variable.value for variable in variables.values()])
    near(scores, recorded["logits_segments"][step])
    near(averaged, recorded["logits"][step])
    assert float(loss) == pytest.approx(recorded["loss"][step], rel=NEAR)
    total = float(tf.linalg.global_norm(gradients))
    assert total == pytest.approx(recorded["grad_total_norm"][step], rel=NEAR)
    check_tsn_pytorch(recorded, f"step{step}:grad", variables, gradients)
    return gradients


def near(found, expected):
    assert np.abs(found - expected).max() <= NEAR * np.abs(expected).max()


def factors(backbone, record, modality):
    """By tsn-pytorch's groups."""
    groups = training_rules.GROUPS["tsn_pytorch"]
    first_rate = MODALITIES[modality].first_rate
    return training_rules.multipliers(backbone, record, first_rate, groups)


@pytest.mark.parametrize("modality", ["RGB", "Flow", "RGBDiff"])
@pytest.mark.parametrize("name", ["BNInception", "resnet50"])
def test_groups_of_tsn_pytorch(golden, name, modality):
    """Factors on rate and decay of each variable, with and without partial BN."""
    folder = golden / "tsn_pytorch"
    recorded = json.loads((folder / "train/parameter_groups.json").read_text())
    keys = json.loads((folder / f"keys/{name}_{modality}.json").read_text())
    names = [key.removeprefix("module.") for key, _ in keys["checkpoint"]]
    tensors = foreign.Tensors("PyTorch", foreign.TORCH, dict.fromkeys(names))
    record = {"BNInception": BN_INCEPTION, "resnet50": RESNET50}[name]
    kind_of_input, modality = modality, MODALITIES[modality.lower()]
    shape = (224, 224, modality.channels)
    backbone = record.build(shape, classes=101, width=0.05)
    for batch_norm, kind in (("first", "partial_bn"), ("all", "no_partialbn")):
        training_rules.set_batch_norm(backbone, batch_norm)
        by_path = factors(backbone, record, modality.name)
        found = {
            key: by_path[variable.path]
            for key, variable in named(backbone, tensors, record)
            if variable.path in by_path
        }
        assert len(found) == len(by_path)
        groups = recorded[f"{name}_{kind_of_input}_{kind}"]["parameters"]
        assert found == {key: tuple(rest) for key, (_, *rest) in groups.items()}


def check_tsn_pytorch(recorded, kind, variables, arrays):
    """Norms of all, and samples of those that were recorded."""
    names = [str(name) for name in recorded["parameter_names"]]
    norms = dict(zip(names, recorded[f"{kind}_norm"], strict=True))
    for key, array in zip(variables, arrays, strict=True):
        found = in_order(array).ravel()
        if key == ZERO:  # What is left is rounding, there and here.
            assert np.abs(found).max() <= NEAR
            continue
        error = abs(np.linalg.norm(found) - norms[key])
        assert error <= NEAR * norms[key], (kind, key, error / norms[key])
        if (expected := recorded.get(f"{kind}:{key}")) is not None:
            error = np.abs(found[recorded[f"idx:{key}"]] - expected).max()
            assert error <= NEAR * np.abs(expected).max(), (kind, key, error)
