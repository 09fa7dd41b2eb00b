"""The inputs of two-stream ConvNets, beside numbers that others computed."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tsn_keras.pipeline import pillow, stacking, transforms
from tsn_keras.protocols.modalities import FLOW, MODALITIES, by_channels
from tsn_keras.protocols.stackings import Stacking

PLAIN, PATHS = Stacking(), Stacking(follows=True)
CENTRED, BOTH = Stacking(centred=True), Stacking(follows=True, centred=True)


def stack(size=6, steps=4, dtype=np.float64):
    v, u = np.mgrid[:size, :size].astype(dtype)
    planes = []
    for t in range(steps):
        planes.append(1.5 * np.sin(0.8 * u + 0.5 * v + 0.6 * t))
        planes.append(np.cos(0.7 * u - 0.4 * v + 0.9 * t))
    return np.stack(planes, axis=-1).astype(dtype)


# By (u, v): x1, y1, x2, y2, ...
VECTORS = [
    (PLAIN, (3, 2), "-0.38331165 0.26749883 -1.13520374 -0.58850112"),
    (PLAIN, (3, 2), "-1.49053651 -0.99913515 -1.32518198 -0.65364362"),
    (PATHS, (3, 2), "-0.38331165 0.26749883 -0.86076046 -0.23694967"),
    (PATHS, (3, 2), "-0.65815813 -0.57849007 -0.35825173 -0.92799209"),
    (PATHS, (0, 0), "0 1 1.33681104 0.87758256"),
    (PATHS, (0, 0), "-0.08495546 -0.37278202 -0.53772013 -0.92170793"),
    (PATHS, (5, 5), "0.32267998 0.07073720 1.09345356 -0.73739372"),
    (PATHS, (5, 5), "1.28775494 -0.89456136 1.37313481 0.10998576"),
    (CENTRED, (3, 2), "-0.35178442 0.02746156 -0.94561657 -0.56254478"),
    (CENTRED, (3, 2), "-1.20911765 -0.72682845 -1.05023914 -0.34106283"),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("row", range(len(VECTORS)))
def test_vectors(row, dtype):
    rule, (u, v), text = VECTORS[row]
    found = stacking.stacked(stack(dtype=dtype), rule).numpy()
    assert (found.shape, found.dtype) == ((6, 6, 8), dtype)
    expected = [float(word) for word in text.split()]
    # Each pair of rows has the first half of the planes and the second.
    half = found[v, u, 4 * (row % 2) :][:4]
    np.testing.assert_allclose(half, expected, atol=1e-6)


def test_paths_of_a_field_that_moves_as_a_whole():
    """Of whole pixels: the plane at p + 2 in x, and at the border beyond it."""
    fields = stack(9, 2)
    fields[..., 0], fields[..., 1] = 2.0, -1.0
    found = stacking.followed(fields).numpy()
    columns = np.minimum(np.arange(9) + 2, 8)
    rows = np.maximum(np.arange(9) - 1, 0)
    np.testing.assert_array_equal(found[..., 2:], fields[rows][:, columns, 2:])


def test_centred_paths_are_those_of_the_whole_motion():
    fields = stack(12, 5)
    found = stacking.stacked(fields, BOTH).numpy()
    expected = stacking.followed(fields).numpy() - fields.mean((0, 1))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    still = stacking.stacked(0 * fields + 3, CENTRED).numpy()
    np.testing.assert_array_equal(still, 0 * fields)


@pytest.mark.parametrize("rule", [PLAIN, PATHS, CENTRED, BOTH])
def test_mirrored_fields_have_mirrored_paths(rule):
    """To mirror the fields first, or what is computed of them, is the same."""
    fields = stack(16, 10)
    sign = np.tile([-1, 1], 10)
    modality = MODALITIES["trajectory10"]
    first = stacking.levels(stacking.stacked(fields[:, ::-1] * sign, rule))
    last = stacking.levels(stacking.stacked(fields, rule))
    last = transforms.mirror(last[None], modality)[0]
    # In float64; in float32 2.3e-4 of a level, since places are counted from the other
    # side.
    np.testing.assert_allclose(first, last, atol=1e-10)
    flow = transforms.mirror(tf.constant([[[[128, 130] * 5]]], tf.uint8), FLOW)
    assert flow.numpy().ravel().tolist() == [127, 130] * 5


def test_levels_are_those_of_the_bound_of_20():
    found = stacking.levels(tf.constant([-20.0, 0, 1, 20]))
    np.testing.assert_allclose(found, [0.5, 128, 134.375, 255.5])


def test_a_modality_has_paths_in_one_direction():
    both = MODALITIES["bidirectional10_mean"]
    assert both.step_prefixes == (("flow_bx_", "flow_by_"),) * 5 + (FLOW.prefixes,) * 5
    with pytest.raises(ValueError, match="one direction"):
        dataclasses.replace(both, stacking=PATHS)


def test_files_that_say_nothing_are_of_the_first():
    found = {count: by_channels(count).name for count in (2, 3, 10, 15, 20)}
    expected = "flow1 rgb flow rgbdiff flow10".split()
    assert list(found.values()) == expected


@pytest.mark.parametrize("antialias", [False, True])
def test_resized_levels_are_near_those_of_the_integers(antialias):
    """In fractions, that is."""
    image = np.random.default_rng(0).integers(0, 256, (40, 56, 4), np.uint8)
    resize = pillow.resize if antialias else transforms.resize
    whole = resize(tf.constant(image), 24, 71).numpy().astype(float)
    exact = resize(tf.constant(image, tf.float32), 24, 71).numpy()
    # OpenCV and Pillow round twice, and the weights too.
    assert np.abs(whole - exact).max() < 1.05
    same = resize(tf.constant(image, tf.float32), 40, 56).numpy()
    np.testing.assert_array_equal(same, image)
