"""Flow and RGB difference from RGB's weights."""

import numpy as np
import pytest

from tsn_keras.models import cross_modality
from tsn_keras.models.bn_inception import BN_INCEPTION, BNInception

pytestmark = pytest.mark.usefixtures("shallow_network")


def build(channels, classes, width=0.05):
    return BNInception((224, 224, channels), classes, width=width)


def initialise(target, source, **how):
    return cross_modality.initialise(target, source, BN_INCEPTION, **how)


@pytest.fixture(scope="module")
def rgb(shallow_network):
    return build(3, 5)


@pytest.mark.parametrize("channels", [10, 15])
def test_first_kernel_is_the_mean_of_rgbs(rgb, channels):
    target = build(channels, 5)
    assert initialise(target, rgb) == []
    kernel, bias = target.get_layer("conv1_7x7_s2").get_weights()
    source, source_bias = rgb.get_layer("conv1_7x7_s2").get_weights()
    expected = (source[:, :, 0] + source[:, :, 1] + source[:, :, 2]) / 3
    for channel in range(channels):
        np.testing.assert_allclose(kernel[:, :, channel], expected, rtol=1e-6)
    np.testing.assert_array_equal(bias, source_bias)
    for layer in target.layers[2:]:
        for ours, theirs in zip(
            layer.get_weights(), rgb.get_layer(layer.name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


def test_a_random_first_kernel(rgb):
    """MMAction2 skips the kernel whose shape differs, and loads all else."""
    target = build(10, 5)
    before = target.get_layer("conv1_7x7_s2").get_weights()[0]
    assert initialise(target, rgb, random_first=True) == ["conv1_7x7_s2"]
    kernel, bias = target.get_layer("conv1_7x7_s2").get_weights()
    np.testing.assert_array_equal(kernel, before)
    np.testing.assert_array_equal(bias, rgb.get_layer("conv1_7x7_s2").get_weights()[1])
    name = "conv2_3x3_reduce"
    np.testing.assert_array_equal(
        target.get_layer(name).get_weights()[0], rgb.get_layer(name).get_weights()[0]
    )
    # With as many channels there is nothing to skip.
    same = build(3, 5)
    assert initialise(same, rgb, random_first=True) == []
    np.testing.assert_array_equal(same.get_weights()[0], rgb.get_weights()[0])


def test_the_same_modality_keeps_its_kernel(rgb):
    target = build(3, 5)
    initialise(target, rgb)
    np.testing.assert_array_equal(target.get_weights()[0], rgb.get_weights()[0])


def test_another_number_of_classes_keeps_the_new_head(rgb):
    target = build(10, 7)
    before = target.get_layer("fc-action").get_weights()
    assert initialise(target, rgb) == ["fc-action"]
    after = target.get_layer("fc-action").get_weights()
    np.testing.assert_array_equal(before[0], after[0])
    # N(0, 0.001), as the deploy files fill it.
    assert before[0].std() == pytest.approx(0.001, rel=0.15)
    assert not before[1].any()


def test_another_width_is_refused(rgb):
    with pytest.raises(ValueError, match="of another width"):
        initialise(build(10, 5, width=0.1), rgb)


def test_a_network_without_classifier(rgb):
    """As the ImageNet initialisations are."""
    target = build(10, 5)
    assert initialise(target, build(3, None)) == ["fc-action"]
