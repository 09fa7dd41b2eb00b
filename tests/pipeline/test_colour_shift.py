"""Colours of training batches: how they are drawn, and what becomes of pixels."""

import pathlib

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tsn_keras.datasets.records import FrameFolder
from tsn_keras.pipeline import draws, transforms
from tsn_keras.pipeline.training import Batches
from tsn_keras.protocols import colours
from tsn_keras.protocols.augmentations import AUGMENTATIONS
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream

# Numbers of video 7 under the seed 3, and what they make of B, G and R.
DRAWN = [99675130, 444833069, 301599458]
SHIFT = [5.659852, 5.516318, 4.958779]


def test_mean_and_covariance_of_many_draws():
    """20,000 draws beside 0 and C diag((0.1 * value * 255) ** 2) C^T.

    The bounds are five standard errors: of a mean deviation / sqrt(n), of a covariance
    at most sqrt(2 / n) of the product of both deviations.
    """
    number = 20_000
    drawn = draws.draw(11, 0, 3 * number).numpy().reshape(number, 3)
    found = np.array([colours.RGB.of(row) for row in drawn.tolist()])
    components = np.array(colours.RGB.components)[::-1]  # B, G, R
    sizes = 0.1 * np.array(colours.RGB.eigenvalues) * 255
    expected = components @ np.diag(sizes**2) @ components.T
    deviations = np.sqrt(np.diag(expected))
    assert np.all(np.abs(found.mean(axis=0)) < 5 * deviations / np.sqrt(number))
    error = np.abs(np.cov(found.T) - expected) / np.outer(deviations, deviations)
    assert error.max() < 5 * np.sqrt(2 / number)


def test_a_draw_is_the_same_everywhere():
    """Resumed runs rest on it, on other machines too: it was written down once."""
    drawn = draws.draw(3, 7, 3)
    assert drawn.numpy().tolist() == DRAWN
    np.testing.assert_allclose(draws.colours(colours.RGB, drawn), SHIFT, rtol=1e-5)


def test_pixels_are_rounded_and_stay_in_their_range():
    pixels = np.array([[0, 100, 250, 3, 101, 255]], np.uint8)  # two images
    found = transforms.shifted(pixels, tf.constant([-2.4, 0.5, 7.6]))
    # Halves go to the even neighbour: 100.5 to 100, 101.5 to 102.
    assert found.numpy().tolist() == [[0, 100, 255, 1, 102, 255]]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Three frames of even colours, and flow beside them."""
    folder = tmp_path_factory.mktemp("even") / "v"
    folder.mkdir()
    for number in (1, 2, 3):
        image = np.full((256, 340, 3), (90, 120, 150), np.uint8)
        cv2.imwrite(str(folder / f"img_{number:05d}.jpg"), image)
        for axis in "xy":
            flow = np.full((256, 340), 140, np.uint8)
            cv2.imwrite(str(folder / f"flow_{axis}_{number:05d}.jpg"), flow)
    return FrameFolder("v", 0, pathlib.Path(folder), 3)


def batch(video, modality, first=0, augmentation=None, segments=2):
    stream = Stream(MODALITIES[modality], PROTOCOLS["two_stream"])
    plan = Batches((video,), stream, segments, 4, 5, augmentation)
    images, _ = next(iter(plan.for_training(first).take(1)))
    return images.numpy()


def test_a_video_has_one_shift_and_every_video_its_own(video):
    """All snippets alike; a run that resumes draws what an undisturbed one draws."""
    plain = batch(video, "rgb", 4, AUGMENTATIONS["two_stream_plain"])
    found = batch(video, "rgb", 4)
    assert found.shape == (4, 2, 224, 224, 3)
    shifts = set()
    for number, (one, other) in enumerate(zip(found, plain, strict=True), 4):
        # Mirroring, two of the crop, two segments, and then the colours.
        drawn = draws.draw(5, number, 8)[5:]
        shift = np.float32(colours.RGB.of(drawn.numpy().tolist()))
        np.testing.assert_array_equal(one, np.round(other + shift))
        shifts.add(tuple(shift))
    assert len(shifts) == 4


def test_flow_has_no_colours(video):
    found = batch(video, "flow", segments=1)
    # 140, or mirrored 115 for x; JPEG keeps even pictures.
    assert set(np.unique(found[..., 0::2])) == {115, 140}
    assert set(np.unique(found[..., 1::2])) == {140}
