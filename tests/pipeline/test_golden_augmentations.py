"""Training crops against MMAction2's, with the windows and flips that it drew."""

import hashlib
import json

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tsn_keras.pipeline import framing, transforms
from tsn_keras.protocols.augmentations import AUGMENTATIONS, RandomResizedCrop
from tsn_keras.protocols.modalities import MODALITIES

NAMES = {
    "MSC5": "mmaction2_5",
    "MSC5_no_resize": "mmaction2_5_unresized",
    "MSC13": "mmaction2_13",
    "MSC_MiT": "mmaction2_moments",
    "RRC": "mmaction2_random",
    "RRC_no_resize": "mmaction2_random_unresized",
}
SHAPES = ((256, 340), (256, 341), (256, 455), (384, 256))
SPAN = 2**31


def frames(folder, clip):
    """Files 1, 9 and 17 in R, G, B, or the planes of five pairs of flow."""
    name, _, flow = clip.partition("_")
    if not flow:
        paths = [folder / f"rgb_{name}/img_{n:05d}.jpg" for n in (1, 9, 17)]
        return [cv2.imread(str(path))[..., ::-1] for path in paths]
    paths = [
        folder / f"flow_{name}/{axis}_{n:05d}.jpg" for n in range(3, 8) for axis in "xy"
    ]
    return [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)[..., None] for path in paths]


@pytest.mark.parametrize("rule", NAMES)
def test_pixels_are_mmaction2s(golden, rule):
    recorded = json.loads((golden / "mmaction2/augment/augment_0x.json").read_text())
    cases = {k: v for k, v in recorded.items() if k.startswith(f"{rule}/")}
    assert len(cases) == (30 if rule == "RRC" else 18)
    augmentation = AUGMENTATIONS[NAMES[rule]]
    for key, case in cases.items():
        clip = key.split("/")[1]
        images = frames(golden / "mmaction2/media", clip)
        planes = images[0].shape[-1]
        stacked = tf.constant(np.concatenate(images, axis=-1))
        if augmentation.frame_size is not None:
            stacked = framing.by_shorter_side(stacked, augmentation.frame_size)
        left, top, right, bottom = case["crop_bbox_xyxy"]
        window = tf.constant([top, left, bottom - top, right - left])
        cuts = transforms.resized_crop(stacked[None], window, 224)
        if case["flip"]:
            modality = MODALITIES["flow" if planes == 1 else "rgb"]
            cuts = transforms.mirror(cuts, modality)
        found = np.moveaxis(cuts.numpy()[0].reshape(224, 224, -1, planes), 2, 0)
        found = np.ascontiguousarray(found.reshape(case["shape"]))
        assert hashlib.sha256(found.tobytes()).hexdigest() == case["sha256"], key


@pytest.mark.parametrize("rule", [rule for rule in NAMES if rule.startswith("MSC")])
@pytest.mark.parametrize("shape", SHAPES)
def test_windows_of_places(golden, rule, shape):
    """All that 400 draws gave are ours, and in so many draws few are left out."""
    recorded = np.load(golden / "mmaction2/augment/augment_0x.npz")
    boxes = recorded[f"{rule}/boxes_{shape[1]}x{shape[0]}"]
    augmentation = AUGMENTATIONS[NAMES[rule]]
    windows = {
        augmentation.window(shape, 224, (), [a, b])
        for a in range(10)
        for b in range(13)
    }
    drawn = {(y, x, end - y, right - x) for x, y, right, end in boxes.tolist()}
    assert drawn <= windows
    # The rarest of at most 130 windows is left out by 400 draws in 5 % of the cases.
    assert len(drawn) >= 0.85 * len(windows)


@pytest.mark.parametrize("shape", SHAPES)
def test_windows_of_any_size(golden, shape):
    """From the very numbers that the two generators of the original gave."""
    import random

    height, width = shape
    recorded = np.load(golden / "mmaction2/augment/augment_0x.npz")
    boxes = recorded[f"RRC/boxes_{width}x{height}"].tolist()
    generator, other = np.random.RandomState(7), random.Random(7)
    for x, y, right, end in boxes:
        ratios = generator.uniform(size=10)
        areas = generator.uniform(size=10)
        drawn = [
            SPAN * value for pair in zip(ratios, areas, strict=True) for value in pair
        ]
        crop = AUGMENTATIONS["mmaction2_random"]
        _, _, rows, columns = crop.window(shape, 224, (), [*drawn, 0, 0])
        assert (rows, columns) == (end - y, right - x)
        # The least number that gives the recorded place, of so many places.
        across = other.randint(0, width - columns)
        down = other.randint(0, height - rows)
        places = [
            SPAN * (number + 0.5) / (free + 1)
            for number, free in ((down, height - rows), (across, width - columns))
        ]
        assert crop.window(shape, 224, (), [*drawn, *places])[:2] == (y, x)


def test_a_window_that_never_fits_is_the_square_in_the_middle():
    crop = RandomResizedCrop("wide", area=(1.0, 1.0), ratio=(2.0, 2.0))
    assert crop.window((256, 340), 224, (), [0] * 22) == (0, 42, 256, 256)
