"""Inception V3 against torchvision's own, which tests/golden/make_torchvision.py ran.

The form of tsn-pytorch's model zoo is in test_tsn_pytorch_networks.py. Errors are the
largest difference over the largest magnitude. torchvision's float32 and float64 differ
by up to 4e-7 of it here.
"""

import functools
import pathlib

import golden_networks
import network_checks
import pytest

from tsn_keras.checkpoints.transfer import read_facts
from tsn_keras.models import inception_v3
from tsn_keras.models.inception_v3 import INCEPTION_V3, INCEPTION_V3_TSN, InceptionV3

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
SCORES = {"scores": INCEPTION_V3.head}
load = functools.cache(functools.partial(golden_networks.load, GOLDEN))


def test_a_sixteenth_of_the_channels_equals_torchvision():
    """At 118 x 149, where rounding up and down differ."""
    golden = load("torchvision/inception_v3_narrow")
    network_checks.check_forward(INCEPTION_V3, golden, SCORES, "float64")


def test_the_auxiliary_classifier_is_left():
    tensors = network_checks.unfilled(GOLDEN / "torchvision_inception_v3.npz")
    likeness, facts = read_facts(tensors, INCEPTION_V3)
    assert (likeness, facts.channels, facts.classes, facts.width) == (1, 3, 101, 1)
    left = tensors.left(INCEPTION_V3.unused)
    kept = [name for name in left if "num_batches_tracked" not in name]
    # Two convolutions, each with a batch norm of four, and a dense layer.
    assert len(kept) == 12
    assert {name.split(".")[0] for name in kept} == {"AuxLogits"}
    assert read_facts(tensors, INCEPTION_V3_TSN)[0] == 0


def test_the_zoo_has_other_names_for_the_same_graph():
    """Both forms have the same channels in the same order, but other kernels."""
    zoo = inception_v3.base_channels(inception_v3.ZOO)
    own = inception_v3.base_channels()
    assert list(zoo.values()) == list(own.values())
    assert len(set(zoo)) == len(own) == 94
    names = dict(zip(own, zoo, strict=True))
    assert names["Conv2d_1a_3x3.conv"] == "conv_Conv2D"
    assert names["Mixed_5b.branch_pool.conv"] == "mixed_tower_2_conv_Conv2D"
    assert names["Mixed_6a.branch3x3.conv"] == "mixed_3_conv_Conv2D"
    assert names["Mixed_7a.branch7x7x3_4.conv"] == "mixed_8_tower_1_conv_3_Conv2D"
    last = "mixed_10_tower_1_mixed_conv_1_Conv2D"
    assert names["Mixed_7c.branch3x3dbl_3b.conv"] == last


def test_branches_of_the_zoo_that_do_not_fit_together(monkeypatch):
    """At 224, a usual side, its poolings that round up give another size."""
    build = functools.partial(InceptionV3, classes=5, width=1 / 32)
    zoo = inception_v3.ZOO
    assert build((230, 233, 3), form=zoo).output_shape == (None, 5)
    assert build((224, 224, 3)).output_shape == (None, 5)
    with pytest.raises(ValueError, match="the nearest that will do are 229 and 230"):
        build((224, 299, 3), form=zoo)
    monkeypatch.setattr(inception_v3, "_agrees", lambda _: True)
    with pytest.raises(ValueError, match="Concatenate"):
        build((224, 224, 3), form=zoo)


def test_record_and_training(tmp_path):
    model = network_checks.check_record(INCEPTION_V3, (75, 80, 10), 1 / 32, tmp_path)
    network_checks.check_saved(model, tmp_path / "m.keras")
    network_checks.check_learns(model)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"input_shape": (299, 74, 3)}, r"of at least 75.*\(299, 74, 3\)"),
        ({"input_shape": (299, 299)}, r"\(299, 299\)"),
        ({"width": 0}, "width=0"),
        ({"classes": -1}, "classes=-1"),
    ],
)
def test_errors_name_the_value(options, words):
    with pytest.raises(ValueError, match=words):
        InceptionV3(**options)


@pytest.mark.whole
@pytest.mark.parametrize("dtype", network_checks.BOUNDS)
def test_every_block_equals_torchvision(dtype):
    """Blocks, and convolutions and poolings before them, bear their layers' names."""
    golden = load("torchvision/inception_v3")
    ends = ("pooled", "scores")
    blocks = {s: s for s in golden.samples[dtype] if s not in ends}
    probes = golden_networks.with_ends(INCEPTION_V3, blocks)
    assert len(probes) == 20
    network_checks.check_forward(INCEPTION_V3, golden, probes, dtype)


@pytest.mark.whole
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_equal_torchvision(backend):
    name, record = "torchvision/inception_v3_narrow", "inception_v3:INCEPTION_V3"
    network_checks.check_backend(backend, GOLDEN, name, record, SCORES)
