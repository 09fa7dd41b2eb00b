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
from tsn_keras.models import training_rules
from tsn_keras.models.resnet import RESNET18
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream
from tsn_keras.training.optimizer import TorchSGD
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
    ("variant", "consensus"), [("plain", "scores"), ("clipped", "features")]
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
    computed = network.over_segments(unbiased=True)
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


def exported(backbone, tensors):
    """Yields (name of a tensor, its values now in PyTorch's order)."""
    orders = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
    for key, (place, role) in transfer._places(tensors, RESNET18).items():
        variable = tensors.layout.variables(backbone.get_layer(place))[role]
        yield key, np.asarray(variable).transpose(orders[len(variable.shape)])


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
