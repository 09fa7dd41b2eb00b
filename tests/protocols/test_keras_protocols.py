"""The input of Keras' networks, by the library's own function."""

import numpy as np
import pytest
from keras.applications import imagenet_utils

from tsn_keras.models.preprocessing import Preprocessing
from tsn_keras.protocols.catalogue import PROTOCOLS


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch", "raw"])
def test_input_is_that_of_keras(mode):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)  # R, G, B
    expected = pixels.astype("float32")
    if mode != "raw":
        expected = imagenet_utils.preprocess_input(expected.copy(), mode=mode)
    found = Preprocessing("rgb", f"keras_{mode}")(pixels[..., ::-1])
    # A rounding of the largest numbers, 1 (caffe: 152).
    limit = 2e-5 if mode == "caffe" else 1e-6
    np.testing.assert_allclose(found, expected, rtol=0, atol=limit)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch", "raw"])
def test_flow_is_in_the_range_of_images(mode):
    levels = np.array([[0, 128, 255] * 3 + [128]], np.uint8)
    found = np.asarray(Preprocessing("flow", f"keras_{mode}")(levels))[0, :3]
    expected = {
        "caffe": (-128, 0, 127),
        "tf": (-1, 128 / 127.5 - 1, 1),
        "torch": (-0.5 / 0.226, (128 / 255 - 0.5) / 0.226, 0.5 / 0.226),
        "raw": (0, 128, 255),
    }[mode]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_test_is_that_of_mmaction2_but_for_flow():
    ours, theirs = PROTOCOLS["keras_torch"], PROTOCOLS["mmaction2_s25_10crop224"]
    assert (ours.test.snippets, ours.test.rule) == (25, theirs.test.rule)
    assert ours.test.crops.windows is theirs.test.crops.windows
    assert (ours.test.crops.inverts, theirs.test.crops.inverts) == (True, False)
    assert ours.frame_size == theirs.frame_size
