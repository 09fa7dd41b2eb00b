"""GoogLeNet against torchvision's own, which tests/golden/make_torchvision.py ran.

Errors are the largest difference over the largest magnitude. torchvision's float32
and float64 differ by up to 4e-7 of it here.
"""

import functools
import pathlib

import golden_networks
import network_checks
import pytest

from tsn_keras.checkpoints.transfer import read_facts
from tsn_keras.models.googlenet import GOOGLENET, GoogLeNet

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
SCORES = {"scores": GOOGLENET.head}
load = functools.cache(functools.partial(golden_networks.load, GOLDEN))


def test_an_eighth_of_the_channels_equals_torchvision():
    """At 97 x 130, where windows of all four poolings overhang."""
    golden = load("torchvision/googlenet_narrow")
    network_checks.check_forward(GOOGLENET, golden, SCORES, "float64")


def test_auxiliary_classifiers_are_left():
    tensors = network_checks.unfilled(GOLDEN / "torchvision_googlenet.npz")
    likeness, facts = read_facts(tensors, GOOGLENET)
    assert (likeness, facts.channels, facts.classes, facts.width) == (1, 3, 101, 1)
    left = tensors.left(GOOGLENET.unused)
    kept = [name for name in left if "num_batches_tracked" not in name]
    # A convolution, a batch norm of four, and two dense layers in each.
    assert len(kept) == 2 * 9
    assert {name.split(".")[0] for name in kept} == {"aux1", "aux2"}


def test_names_in_other_programs_files():
    names = {
        "module.base_model.inception4a.branch4.1.bn.bias": "inception4a_branch4_1_bn",
        "backbone.conv1.bn.running_mean": "conv1_bn",
        "module.new_fc.bias": "fc",
        "cls_head.fc_cls.weight": "fc",
        "fc.weight": "fc",
    }
    for name, layer in names.items():
        own = GOOGLENET.own_name(name).rpartition(".")[0]
        assert GOOGLENET.layers_of([own])[own] == layer


def test_record_and_training(tmp_path):
    model = network_checks.check_record(GOOGLENET, (32, 45, 10), 0.1, tmp_path)
    network_checks.check_saved(model, tmp_path / "m.keras")
    network_checks.check_learns(model)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"input_shape": (14, 224, 3)}, r"of at least 15.*\(14, 224, 3\)"),
        ({"input_shape": (None, None, 3)}, r"\(None, None, 3\)"),
        ({"width": -1}, "width=-1"),
        ({"classes": 0}, "classes=0"),
    ],
)
def test_errors_name_the_value(options, words):
    with pytest.raises(ValueError, match=words):
        GoogLeNet(**options)


def test_the_smallest_image_ends_as_one_pixel():
    model = GoogLeNet((15, 15, 3), classes=None, width=0.1)
    assert model.get_layer("inception5b").output.shape[1:3] == (1, 1)


@pytest.mark.whole
@pytest.mark.parametrize("dtype", network_checks.BOUNDS)
def test_every_block_equals_torchvision(dtype):
    """Blocks, and convolutions and poolings before them, bear their layers' names."""
    golden = load("torchvision/googlenet")
    ends = ("pooled", "scores")
    blocks = {s: s for s in golden.samples[dtype] if s not in ends}
    probes = golden_networks.with_ends(GOOGLENET, blocks)
    assert len(probes) == 18
    network_checks.check_forward(GOOGLENET, golden, probes, dtype)


@pytest.mark.whole
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_equal_torchvision(backend):
    name, record = "torchvision/googlenet_narrow", "googlenet:GOOGLENET"
    network_checks.check_backend(backend, GOLDEN, name, record, SCORES)
