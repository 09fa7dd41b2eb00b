"""Caffe's GoogLeNet: sizes, numbers of parameters, and its record.

What it computes, and what its files hold, is in test_caffe_forms.py.
"""

import network_checks
import pytest

from tsn_keras.models.googlenet_caffe import GOOGLENET_CAFFE, GoogLeNetCaffe

# Outputs: (side, channels).
SIZES = {
    "conv1_7x7_s2": (112, 64),
    "pool1_3x3_s2": (56, 64),
    "conv2_norm2": (56, 192),
    "pool2_3x3_s2": (28, 192),
    "inception_3a_output": (28, 256),
    "inception_3b_output": (28, 480),
    "pool3_3x3_s2": (14, 480),
    "inception_4a_output": (14, 512),
    "inception_4b_output": (14, 512),
    "inception_4c_output": (14, 512),
    "inception_4d_output": (14, 528),
    "inception_4e_output": (14, 832),
    "pool4_3x3_s2": (7, 832),
    "inception_5a_output": (7, 832),
    "inception_5b_output": (7, 1024),
}


def test_sizes_and_parameters():
    model = GoogLeNetCaffe((224, 224, 20), classes=101)
    found = {name: model.get_layer(name).output.shape[2:] for name in SIZES}
    assert found == SIZES
    assert model.count_params() == 6_130_389
    conv1 = model.get_layer("conv1_7x7_s2").count_params()
    assert conv1 == 62_784
    # Of images, and of ImageNet's classes.
    of_images = 6_130_389 - conv1 + 9_472
    assert (of_images, of_images + 899 * 1025) == (6_077_077, 6_998_552)


def test_what_stands_where():
    """Pooling, then normalisation; normalisation, then pooling; ReLUs before both."""
    model = GoogLeNetCaffe(classes=5, width=0.1)
    names = [layer.name for layer in model.layers]
    assert names[1:11] == [
        *("conv1_7x7_s2", "conv1_relu_7x7", "pool1_3x3_s2", "pool1_norm1"),
        *("conv2_3x3_reduce", "conv2_relu_3x3_reduce", "conv2_3x3", "conv2_relu_3x3"),
        *("conv2_norm2", "pool2_3x3_s2"),
    ]
    for name in ("pool1_norm1", "conv2_norm2"):
        norm = model.get_layer(name)
        assert (norm.size, norm.alpha, norm.beta, norm.bias) == (5, 1e-4, 0.75, 1.0)
    pool = model.get_layer("inception_4b_pool")
    assert (pool.mode, pool.pool_size, pool.stride, pool.pad) == ("max", 3, 1, 1)
    assert model.get_layer("inception_4b_5x5").kernel.shape[:2] == (5, 5)
    assert model.get_layer("pool5_drop_7x7_s1").rate == 0.4


@pytest.mark.slow
def test_record_and_training(tmp_path):
    model = network_checks.check_record(GOOGLENET_CAFFE, (40, 45, 20), 0.25, tmp_path)
    network_checks.check_saved(model, tmp_path / "m.keras")
    network_checks.check_learns(model)


def test_the_smallest_image_ends_as_one_pixel():
    model = GoogLeNetCaffe((31, 31, 3), classes=None, width=0.1)
    assert model.get_layer("inception_5b_output").output.shape[1:3] == (1, 1)
    with pytest.raises(ValueError, match=r"of at least 31.*\(30, 31, 3\)"):
        GoogLeNetCaffe((30, 31, 3))
