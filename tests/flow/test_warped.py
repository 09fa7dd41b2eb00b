"""Camera motion taken out: on scenes whose motion is known."""

import cv2
import numpy as np
import pytest

from tsn_keras.flow import opencv
from tsn_keras.flow.settings import PARAMETERS
from tsn_keras.flow.warped import Compensator, warp_back

SIZE = (200, 260)
SQUARE = np.s_[80:120, 110:150]


def scene():
    """Blobs of all sizes: corners and features everywhere; larger than a frame."""
    random = np.random.default_rng(3)
    total = np.zeros((SIZE[0] + 40, SIZE[1] + 40))
    for cell in (6, 14, 30):
        shape = (total.shape[0] // cell + 2, total.shape[1] // cell + 2)
        noise = cv2.resize(
            random.uniform(-1, 1, shape), None, fx=cell, fy=cell, interpolation=2
        )
        total += noise[: total.shape[0], : total.shape[1]]
    return np.clip(128 + 70 * total, 0, 255).astype(np.uint8)


def filmed(matrix):
    """What the camera sees where points move by a 3 x 3 matrix."""
    shift = np.array([[1, 0, -20], [0, 1, -20], [0, 0, 1.0]])
    return cv2.warpPerspective(scene(), matrix @ shift, SIZE[::-1])


MOTIONS = {
    "pan": np.array([[1, 0, 4.0], [0, 1, -2], [0, 0, 1]]),
    "zoom": np.array([[1.02, 0, -2.6], [0, 1.02, -2.0], [0, 0, 1]]),
    "turn": np.array([[0.9998, -0.02, 2.0], [0.02, 0.9998, -2.6], [0, 0, 1]]),
    "tilt": np.array([[1, 0, 1.0], [0, 1, 1], [5e-5, 0, 1]]),
}


@pytest.fixture(scope="module")
def compensate():
    return Compensator(opencv.tvl1(PARAMETERS["original"]))


@pytest.mark.parametrize("name", MOTIONS)
def test_camera_motion_is_found_and_taken_out(compensate, name):
    matrix = MOTIONS[name]
    first, second = filmed(np.eye(3)), filmed(matrix)
    plain, warped = compensate(first, second)
    found = compensate.homography(first, second, plain)
    corners = np.array([[20, 20], [240, 20], [20, 180], [240, 180.0]])[None]
    expected = cv2.perspectiveTransform(corners, matrix)
    moved = cv2.perspectiveTransform(corners, found)
    assert np.abs(moved - expected).max() < 0.5
    inner = np.s_[15:-15, 15:-15]
    true = cv2.perspectiveTransform(
        np.dstack(np.mgrid[: SIZE[0], : SIZE[1]][::-1]).astype(float), matrix
    ) - np.dstack(np.mgrid[: SIZE[0], : SIZE[1]][::-1])
    assert np.abs(plain - true)[inner].mean() < 0.2
    assert np.abs(warped[inner]).mean() < 0.1
    assert np.abs(plain[inner]).mean() > 0.5


def test_what_moves_by_itself_still_moves(compensate):
    first, second = filmed(np.eye(3)), filmed(MOTIONS["pan"])
    random = np.random.default_rng(0)
    patch = cv2.resize(random.integers(0, 256, (10, 10), np.uint8), (40, 40))
    first[SQUARE] = patch
    # With the camera by (4, -2), and by (-3, 5) of its own.
    second[80 + 3 : 120 + 3, 110 + 1 : 150 + 1] = patch
    _, warped = compensate(first, second)
    middle = np.median(warped[90:110, 120:140], (0, 1))
    np.testing.assert_allclose(middle, (-3, 5), atol=0.7)
    around = np.delete(warped[15:-15, 15:-15], np.s_[50:120], axis=0)
    assert np.abs(around).mean() < 0.1


def test_too_few_points_leave_the_flow_as_it_is(compensate):
    blank = np.full(SIZE, 90, np.uint8)
    plain, warped = compensate(blank, blank)
    assert compensate.homography(blank, blank, plain) is None
    np.testing.assert_array_equal(plain, warped)
    assert np.abs(plain).max() == 0
    # Corners there are, but no motion that they agree on.
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, SIZE, np.uint8) for _ in range(2)]
    field = random.uniform(-30, 30, (*SIZE, 2)).astype("f4")
    assert compensate.homography(*noise, field) is None


def test_what_the_second_frame_does_not_show_is_taken_from_the_first():
    first = np.full((60, 80), 10, np.uint8)
    second = np.full((60, 80), 200, np.uint8)
    # Points moved left by 20: what was at the left has left the frame.
    matrix = np.array([[1, 0, -20.0], [0, 1, 0], [0, 0, 1]])
    warped = warp_back(first, second, matrix)
    assert (warped[:, :25] == 10).all()  # 20 and the margin of 5
    assert (warped[5:-5, 25:] == 200).all()
    assert (warped[:5] == 10).all()
    assert (warped[-5:] == 10).all()


def test_warping_by_no_motion_changes_nothing():
    image = scene()
    np.testing.assert_array_equal(warp_back(image, image, np.eye(3)), image)


def test_points_behind_the_camera_are_not_used():
    image = scene()
    matrix = np.array([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1.0]])  # depth 0 at x = 100
    warped = warp_back(np.zeros_like(image), image, matrix)
    assert (warped[:, 100:] == 0).all()
