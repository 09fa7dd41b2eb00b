"""What is trained and how fast: the rules of the train_val files."""

import keras
import pytest

from tsn_keras.models import training_rules
from tsn_keras.models.bn_inception import BN_INCEPTION, BNInception
from tsn_keras.protocols.modalities import MODALITIES

NORMS = 69


@pytest.fixture(scope="module")
def model():
    return BNInception((224, 224, 10), classes=3, width=0.05)


@pytest.mark.parametrize(
    ("trainable", "names"),
    [("first", ["conv1_7x7_s2_bn"]), ("none", []), ("all", None)],
)
def test_trainable_batch_norms(model, trainable, names):
    training_rules.set_batch_norm(model, "all")
    training_rules.set_batch_norm(model, trainable)
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert len(norms) == NORMS
    found = [layer.name for layer in norms if layer.trainable]
    assert found == (names if names is not None else [x.name for x in norms])
    # Convolutions, with their biases, learn all the same.
    kernels = [v for v in model.trainable_variables if v.name == "kernel"]
    assert len(kernels) == NORMS + 1


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ("caffe", ((5, 1), (10, 0), (1, 0), (1, 1), (2, 0), (1, 1), (2, 0))),
        ("tsn_pytorch", ((5, 1), (10, 0), (1, 0), (1, 1), (2, 0), (1, 1), (2, 0))),
        ("caffe_uniform", ((1, 1), (2, 0), (1, 0), (1, 1), (2, 0), (1, 1), (2, 0))),
        ("mmaction2", ((1, 1),) * 7),
        ("mmaction2_tsm", ((1, 1), (2, 0), (1, 0), (1, 1), (2, 0), (5, 1), (10, 0))),
    ],
)
def test_groups(model, groups, expected):
    """tsn-pytorch's models.py:132-188, MMAction2's TSMOptimizerConstructor."""
    training_rules.set_batch_norm(model, "affine")
    rule = training_rules.GROUPS[groups]
    found = training_rules.multipliers(model, BN_INCEPTION, 5.0, rule)
    assert found.keys() == {v.path for v in model.trainable_variables}
    assert len([n for n in found if n.endswith("_bn/gamma")]) == NORMS
    names = (
        *("conv1_7x7_s2/kernel", "conv1_7x7_s2/bias", "conv1_7x7_s2_bn/gamma"),
        *("conv2_3x3/kernel", "conv2_3x3/bias", "fc-action/kernel", "fc-action/bias"),
    )
    assert tuple(found[name] for name in names) == expected


def test_unknown_choice(model):
    with pytest.raises(ValueError, match="'some'"):
        training_rules.set_batch_norm(model, "some")


@pytest.mark.parametrize(
    ("modality", "first"), [("rgb", 1), ("rgbdiff", 1), ("flow", 5)]
)
def test_multipliers(model, modality, first):
    training_rules.set_batch_norm(model, "first")
    found = training_rules.multipliers(
        model, BN_INCEPTION, MODALITIES[modality].first_rate
    )
    assert found.keys() == {v.path for v in model.trainable_variables}
    expected = {
        "conv1_7x7_s2/kernel": (first, 1),
        "conv1_7x7_s2/bias": (2 * first, 0),
        "conv1_7x7_s2_bn/gamma": (1, 0),
        "conv1_7x7_s2_bn/beta": (1, 0),
        "conv2_3x3/kernel": (1, 1),
        "conv2_3x3/bias": (2, 0),
        "fc-action/kernel": (1, 1),
        "fc-action/bias": (2, 0),
    }
    assert {name: found[name] for name in expected} == expected
