"""Colours of training batches: how they are drawn, and what becomes of pixels."""

import pathlib

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tsn_keras.datasets.records import FrameFolder
from tsn_keras.pipeline import draws, transforms
from tsn_keras.pipeline.training import Batches
from tsn_keras.protocols import colours, train_sampling
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
    """Three frames of one colour each, which JPEG keeps."""
    folder = tmp_path_factory.mktemp("even") / "v"
    folder.mkdir()
    for number in (1, 2, 3):
        image = np.full((256, 340, 3), 80 * number, np.uint8)
        cv2.imwrite(str(folder / f"img_{number:05d}.jpg"), image)
    return FrameFolder("v", 0, pathlib.Path(folder), 3)


def plan_of(video, modality, augmentation=None):
    stream = Stream(MODALITIES[modality], PROTOCOLS["two_stream"])
    return Batches((video,), stream, 2, 4, 5, augmentation)


def test_a_video_has_one_shift_and_every_video_its_own(video):
    """All snippets alike; a run that resumes draws what an undisturbed one draws."""
    found, _ = next(iter(plan_of(video, "rgb").for_training(4).take(1)))
    assert found.shape == (4, 2, 224, 224, 3)
    shifts = set()
    for number, snippets in enumerate(found.numpy(), 4):
        # Mirroring, two of the crop, two segments, and then the colours.
        *_, tick, other = draws.draw(5, number, 8).numpy()[:5]
        shift = np.float32(
            colours.RGB.of(draws.draw(5, number, 8).numpy()[5:].tolist())
        )
        # One of one file in the first half, one of one in the second.
        assert train_sampling.in_segments(3, 1, 2, [tick, other]) == [1, 2]
        for level, snippet in zip((80, 160), snippets, strict=True):
            expected = np.round(level + shift)
            np.testing.assert_array_equal(
                snippet, np.broadcast_to(expected, (224,) * 2 + (3,))
            )
        shifts.add(tuple(shift))
    assert len(shifts) == 4


@pytest.mark.parametrize(
    ("modality", "augmentation", "count"),
    [("rgb", None, 3), ("flow", None, 0), ("rgb", "two_stream_plain", 0)],
)
def test_what_has_no_colours_draws_none(video, modality, augmentation, count):
    plan = plan_of(video, modality, AUGMENTATIONS.get(augmentation))
    mirroring, *others = plan._draws(3)
    assert mirroring.shape == ()
    assert [len(one) for one in others] == [2, 2, count]
    drawn = draws.draw(5, 3, 5 + count)
    assert (
        tf.concat([[mirroring], *others], 0).numpy().tolist() == drawn.numpy().tolist()
    )
