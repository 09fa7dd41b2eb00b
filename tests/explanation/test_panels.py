"""Pictures of what networks saw: flow in colours, heat over them."""

import numpy as np

from tsn_keras.explanation import panels


def test_directions_have_colours():
    motion = np.zeros((2, 2, 2))
    motion[0, 1] = 20, 0  # to the right
    motion[1, 0] = -20, 0  # to the left
    found = panels.wheel(motion)
    np.testing.assert_array_equal(found[0, 0], [255, 255, 255])
    np.testing.assert_array_equal(found[0, 1], [255, 0, 0])
    np.testing.assert_array_equal(found[1, 0], [0, 255, 255])


def test_noise_of_a_camera_at_rest_stays_pale():
    motion = np.random.default_rng(0).normal(0, 0.3, (20, 20, 2))
    assert panels.wheel(motion).min() > 150


def test_motion_is_the_mean_of_the_fields():
    planes = np.full((1, 1, 10), 128, "uint8")
    planes[..., 0::2] = [138, 148, 128, 128, 128]
    planes[..., 1] = 118
    np.testing.assert_allclose(panels.displacement(planes), [[[6, -2]]])


def test_where_nothing_is_hot_the_picture_stays():
    picture = np.full((1, 2, 3), 200, "uint8")
    found = panels.Panel("frame", picture, np.float32([[0, 1]])).hot
    np.testing.assert_array_equal(found[0, 0], picture[0, 0])
    hottest = 0.25 * 200 + 0.75 * 255 * np.array(panels.HEAT(1.0)[:3])
    np.testing.assert_allclose(found[0, 1], hottest, atol=0.51)
