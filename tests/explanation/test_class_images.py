"""Drawing what raises a class's score: DeepDraw's numbers, and that it does."""

import dataclasses

import numpy as np
import pytest

from tsn_keras.common.errors import InputError
from tsn_keras.explanation import class_images, visualisation


@pytest.fixture(scope="module")
def network(weights):
    return class_images.Network(weights)


def test_schedule_is_that_of_deepdraw():
    first, second = class_images.OCTAVES
    assert (first.iterations, second.iterations) == (190, 450)
    assert first.at(95) == pytest.approx((1.64, 11))
    assert first.at(189) == pytest.approx((0.789053, 11), abs=1e-6)
    assert second.at(0) == (0.936, 6)
    assert second.at(225) == pytest.approx((0.668, 4.5))


def test_a_step_is_of_a_mean_size_then_cut_off_and_blurred():
    pixels = np.full((2, 2, 1), 100.0)
    gradient = np.float64([[1, -1], [0, 2]])[..., None]
    found = class_images.stepped(pixels, gradient, 0, 5)
    np.testing.assert_array_equal(found[..., 0], [[105, 95], [100, 110]])
    assert class_images.stepped(pixels, gradient, 0, 1000).min() == 0
    assert class_images.stepped(pixels, gradient, 0, 1000).max() == 255
    blurred = class_images.stepped(pixels, gradient, 9, 5)
    np.testing.assert_allclose(blurred, 102.5, atol=0.2)
    # Where nothing moves the score, the pixels stay.
    still = class_images.stepped(pixels, 0 * gradient, 1, 5)
    np.testing.assert_allclose(still, pixels)


def test_planes_are_blurred_each_for_itself():
    pixels = np.zeros((1, 9, 9, 2))
    pixels[0, 4, 4, 0] = 90
    found = class_images.stepped(pixels, 0 * pixels, 1.0, 5)
    assert found[..., 1].max() == 0
    # A Gaussian of deviation 1, cut off at 4: its value in the middle, squared.
    weights = np.exp(-(np.arange(-4, 5) ** 2) / 2)
    assert found[0, 4, 4, 0] == pytest.approx(90 * (1 / weights.sum()) ** 2)


def test_the_gradient_is_that_of_the_score(network):
    random = np.random.default_rng(0)
    pixels = random.uniform(50, 200, network.shape).astype("float32")
    direction = random.normal(size=network.shape).astype("float32")
    _, gradient = network(pixels, 2)
    up, down = (network(pixels + s * direction, 2)[0][2] for s in (0.5, -0.5))
    assert (gradient * direction).sum() == pytest.approx(up - down, rel=1e-2)


def test_the_score_rises_and_the_seed_decides(network):
    # The small network looks at three pixels at a time, which the blur would even out,
    # and only at each eighth of them, which other crops than the first do not meet.
    parts = [
        dataclasses.replace(octave, blur=(0.3, 0.3))
        for octave in class_images.octaves((6, 4))
    ]
    noise = network.noise(np.random.default_rng(3))
    assert noise.mean() == pytest.approx(200, abs=0.1)
    assert noise.std() == pytest.approx(8, abs=0.1)
    drawn = [class_images.draw(network, 0, parts, seed) for seed in (3, 3, 4)]
    assert drawn[0].shape == (269, 269, 3)  # 224 * 1.2
    np.testing.assert_array_equal(*drawn[:2])
    assert np.abs(drawn[0] - drawn[2]).max() > 1
    before = network(noise, 0)[0][0]
    after = network(class_images.draw(network, 0, parts[:1]), 0)[0][0]
    assert after > before + 1


def test_record_and_picture(weights, tmp_path):
    how = visualisation.How((2,), seed=1)
    found = visualisation.visualise(weights, "Sit", how)
    assert (found.name, found.label) == ("sit", 2)
    assert found.pixels.shape == (224, 224, 3)
    found.save(tmp_path / "sit.png")
    assert (tmp_path / "sit.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(InputError, match="must end in .png"):
        found.save(tmp_path / "sit.jpg")


@pytest.mark.parametrize(
    ("name", "how", "text"),
    [
        ("sing", {}, "no class 'sing'"),
        ("top", {}, "name the class"),
        ("sit", {"iterations": (0,)}, "`iterations` must be"),
        ("sit", {"iterations": (1, 1, 1)}, "`iterations` must be 1 to 2"),
        ("sit", {"seed": -1}, "`seed` must be"),
    ],
)
def test_what_cannot_be_drawn(weights, name, how, text):
    with pytest.raises(InputError, match=text):
        visualisation.visualise(weights, name, visualisation.How(**how))
