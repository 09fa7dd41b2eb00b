"""Heat beside class activation maps, which it equals where a mean is classified."""

import keras
import numpy as np
import pytest

from tsn_keras.common.errors import InputError
from tsn_keras.explanation import grad_cam
from tsn_keras.explanation.explainer import Explainer
from tsn_keras.pipeline import transforms
from tsn_keras.protocols.crops import Window


@pytest.fixture(scope="module")
def explanation(predictor, frames):
    return Explainer(predictor, "grad_cam").explain(frames, "jump")


def test_heat_is_the_class_activation_map(explanation, small, weights):
    """ReLU of the map over its cells, snippets and crops: each twice or so."""
    found, view = explanation.streams["rgb"], weights.protocol.test
    body = keras.Model(small.inputs[0], small.get_layer("body").output)
    kernel, _ = small.get_layer("scores").get_weights()
    cut = transforms.cut(found.snippets, view, weights.stream).numpy()
    # B, G, R less the mean of the Caffe models.
    inputs = cut.reshape(-1, *cut.shape[2:]) - np.float32([104, 117, 123])
    maps = body.predict(inputs, verbose=0) @ kernel[:, explanation.label]
    expected = np.maximum(maps, 0) / (maps.shape[1] * maps.shape[2])
    expected = expected.reshape(*cut.shape[:2], *maps.shape[1:])
    ticks = view.ticks(len(found.ticks), 1)
    times = np.array([ticks.count(tick) for tick in found.ticks])
    assert times.sum() == 25
    assert times.max() > 1
    expected *= times[:, None, None, None] / 250
    assert found.maps.shape == (len(times), 1, 10, *maps.shape[1:])
    largest = expected.max()
    assert largest > 0
    np.testing.assert_allclose(found.maps[:, 0], expected, atol=1e-5 * largest)


def test_contributions_are_the_scores(explanation, predictor, frames):
    found = explanation.streams["rgb"]
    scores = predictor.predict(frames).scores["rgb"]
    assert explanation.label == 1
    assert found.score == pytest.approx(scores[..., 1].mean(), abs=1e-5)
    assert found.contributions.sum() == pytest.approx(found.score)
    best = explanation.prediction.top(1)[0]
    other = best.label if best.label != 1 else explanation.prediction.top(2)[1].label
    lead = (scores[..., 1] - scores[..., other]).mean()
    assert found.lead.sum() == pytest.approx(lead, abs=1e-5)
    snippet, crop = found.decisive
    assert found.contributions[snippet, crop] == found.contributions.max()


def test_heat_of_the_frame_lies_where_the_crops_are(explanation):
    found = explanation.streams["rgb"]
    assert found.heat.shape == (len(found.ticks), 1, 256, 340)
    # The left border is seen by crops 0 and 2, and mirrored by 5 and 7.
    one = found.maps[0, 0]
    rows = 100  # seen by all four
    large = [
        grad_cam.in_frame(one[n : n + 1], found.windows[n : n + 1], 224, (256, 340))
        for n in (0, 2, 5, 7)
    ]
    expected = sum(part[rows, 0] for part in large) * 10 / 4
    assert found.heat[0, 0, rows, 0] == pytest.approx(expected, rel=1e-5)


def test_crops_go_to_their_places():
    maps = np.float32([[[1, 0], [0, 0]], [[0, 3], [0, 0]]])
    windows = [Window(1, 2), Window(0, 0, mirrored=True)]
    heat = grad_cam.in_frame(maps, windows, 2, (3, 4))
    # The second is mirrored back. Alone at a place, a crop of two counts twice.
    expected = [[6, 0, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(heat, expected)


def test_plus_plus_of_a_classified_mean():
    """Its weights are then those of the class over 2 plus their map's share."""
    random = np.random.default_rng(0)
    maps = random.uniform(0, 1, (2, 3, 4, 5)).astype("float32")
    slopes = random.normal(0, 0.1, 5).astype("float32")
    gradients = np.broadcast_to(slopes, maps.shape)
    found = grad_cam.METHODS["grad_cam++"].of(maps, gradients)
    for n in range(2):
        weights = [
            12 * max(slope, 0) / (2 + slope * maps[n, ..., k].sum())
            for k, slope in enumerate(slopes)
        ]
        np.testing.assert_allclose(found[n], maps[n] @ np.float32(weights), rtol=1e-5)


def test_plus_plus_needs_maps_that_are_not_negative(predictor, frames):
    with pytest.raises(InputError, match="take `method` grad_cam"):
        Explainer(predictor, "grad_cam++").explain(frames)


def test_unknown_method_and_class(predictor, frames):
    with pytest.raises(InputError, match="no method 'cam'; there are: grad_cam, grad"):
        Explainer(predictor, "cam")
    with pytest.raises(InputError, match="no class 'jmp'.*: jump"):
        Explainer(predictor, "grad_cam").explain(frames, "jmp")
