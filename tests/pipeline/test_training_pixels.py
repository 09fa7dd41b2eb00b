"""Training crops against the original's data layer, with its recorded draws."""

import numpy as np
import pytest
import tensorflow as tf

from tsn_keras.pipeline import reading, transforms
from tsn_keras.protocols import crops
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream

FILES = {"v0": 23, "v1": 31, "v2": 14}
KINDS = {"rgb_train_k3": "rgb", "rgb_test_k3": "rgb", "flow_test_k3": "flow"}


@pytest.mark.parametrize("name", KINDS)
def test_pixels_are_the_originals(golden, name):
    """The layer's output plus the mean: integers, bit for bit."""
    modality = MODALITIES[KINDS[name]]
    stream = Stream(modality, CAFFE)
    with np.load(golden / "data" / f"{name}.npz") as recorded:
        expected = recorded["out_plus_mean_u8"]
        rows = zip(
            *(recorded[k] for k in ("video", "offsets", "off_hw", "crop_hw", "mirror")),
            expected,
            strict=True,
        )
    for video, offsets, place, size, mirrored, planes in rows:
        folder = str(golden / "data" / "frames" / str(video))
        snippets = tf.stack(
            [
                reading.plain_snippet(
                    folder,
                    [int(offset) + 1 + k for k in range(modality.length)],
                    stream,
                )
                for offset in offsets
            ]
        )
        window = tf.constant([*place, *size], tf.int32)
        cuts = transforms.resized_crop(snippets, window, CAFFE.crop_size)
        if mirrored:
            cuts = transforms.mirror(cuts, modality)
        found = np.moveaxis(cuts.numpy(), -1, 1).reshape(planes.shape)
        np.testing.assert_array_equal(found, planes)


def test_recorded_draws_are_of_the_rules(golden):
    """Windows and offsets that the original drew are among those of ours."""
    with np.load(golden / "data" / "rgb_train_k3.npz") as recorded:
        recorded = {key: recorded[key] for key in recorded.files}
    shapes = {"v0": (256, 340), "v1": (256, 340), "v2": (240, 320)}
    for video, size, place, offsets in zip(
        *(recorded[k] for k in ("video", "crop_hw", "off_hw", "offsets")), strict=True
    ):
        ratios = MODALITIES["rgb"].crop_ratios
        sizes = crops.crop_sizes(*shapes[video], ratios, 224)
        assert tuple(size) in sizes
        places = crops.crop_offsets(*shapes[video], *map(int, size))
        assert tuple(place) in places
        length = FILES[video] // 3
        assert all(0 <= o - k * length < length for k, o in enumerate(offsets))
    assert len(set(recorded["mirror"].tolist())) == 2


def test_resized_crop_is_opencvs():
    import cv2

    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2, 256, 340, 6), np.uint8)
    for top, left, rows, columns in (
        (0, 0, 256, 256),
        (22, 43, 168, 192),
        (8, 29, 224, 224),
    ):
        window = tf.constant([top, left, rows, columns])
        found = transforms.resized_crop(tf.constant(images), window, 224).numpy()
        for image, ours in zip(images, found, strict=True):
            cut = image[top : top + rows, left : left + columns]
            expected = [
                cv2.resize(plane, (224, 224)) for plane in np.moveaxis(cut, -1, 0)
            ]
            np.testing.assert_array_equal(ours, np.dstack(expected))
