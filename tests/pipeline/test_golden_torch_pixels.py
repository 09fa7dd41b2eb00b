"""Training crops against tsn-pytorch's, with the windows and flips that it drew."""

import hashlib
import json

import numpy as np
import pytest
import tensorflow as tf

from tsn_keras.pipeline import pillow, reading, transforms
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream
from tsn_keras.protocols.tsn_pytorch import TSN_PYTORCH

NAMES = {"RGB": "rgb", "Flow": "flow", "RGBDiff": "rgbdiff"}


@pytest.mark.parametrize("name", NAMES)
def test_pixels_are_tsn_pytorchs(golden, name):
    """Its stacks of snippets, in blue, green, red; bit for bit."""
    folder = golden / "tsn_pytorch"
    cases = json.loads((folder / "train/pipeline.json").read_text())["cases"]
    cases = [
        case
        for case in cases
        if case["mode"] == "train"
        and case["modality"] == name
        and case["arch"] == "BNInception"
    ]
    assert len(cases) >= 6
    modality = MODALITIES[NAMES[name]]
    stream = Stream(modality, TSN_PYTORCH)
    rule = TSN_PYTORCH.augmentation
    for case in cases:
        path = str(folder / "eval/frames" / case["clip"])
        snippets = tf.stack(
            [reading.plain_snippet(path, files, stream) for files in case["files"]]
        )
        (_, count, size, crop), (_, places, place, offset), (_, flip) = case[
            "random_draws"
        ]
        shape = tuple(snippets.shape[1:3])
        ratios = modality.crop_ratios
        sizes = {rule.window(shape, 224, ratios, [k, 0])[2:] for k in range(count)}
        assert (crop[1], crop[0]) in sizes
        assert places == len(rule.places)
        window = tf.constant([offset[1], offset[0], crop[1], crop[0]])
        resize = vertical_first if crop[1] > 224 > crop[0] else pillow.resize
        cuts = transforms.resized_crop(snippets, window, 224, resize)
        if flip < 0.5:
            cuts = transforms.mirror(cuts, modality)
        for found, expected in zip(cuts.numpy(), case["segment_sha256"], strict=True):
            assert expected in digests(found, modality), case


def vertical_first(image, height, width):
    """Pillow 13's order where an image shrinks in its height and grows in its width.

    The data were made with it. All versions before, and so the original's, resize the
    width first, as pillow.resize does: some pixels differ by one level.
    """
    turned = tf.transpose(pillow._first_axis(image, height), [1, 0, 2])
    return tf.transpose(pillow._first_axis(turned, width), [1, 0, 2])


def digests(planes, modality):
    """Of a snippet as it is, and in red, green, blue."""
    turned = planes
    if modality.kind == "image":
        shape = (*planes.shape[:2], -1, 3)
        turned = planes.reshape(shape)[..., ::-1].reshape(planes.shape)
    return {
        hashlib.sha256(np.ascontiguousarray(one).tobytes()).hexdigest()
        for one in (planes, turned)
    }
