"""The consensus of a test, beside that of training and the vectors of the paper."""

import base64

import numpy as np
import pytest

from tsn_keras.common.errors import InputError
from tsn_keras.models.consensus import SegmentConsensus
from tsn_keras.scores import joining, score_file, windows
from tsn_keras.scores.consensus import Consensus
from tsn_keras.scores.score_file import VideoScores


def text(*values):
    return base64.b64encode(np.array(values, "<f4").tobytes()).decode()


K, C, D = 5, 4, 3
SCORES = 2 * np.sin(1.1 * np.arange(K)[:, None] + 0.7 * np.arange(C) + 0.3)
FEATURES = np.cos(0.9 * np.arange(K)[:, None] + 1.7 * np.arange(D))
LINEAR = (0.1, 0.3, 0.2, 0.25, 0.15)
ATTENTION = (0.5, -0.25, 0.75)
TOLERANCE = 1e-7  # of float32 weights; the vectors have eight digits


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"kind": "average"}, (0.17479935, -0.01704969, -0.20087999, -0.29023330)),
        ({"kind": "features"}, (0.17479935, -0.01704969, -0.20087999, -0.29023330)),
        ({"kind": "max"}, (1.97089946, 1.72641873, 1.98332962, 1.35092636)),
        (
            {"kind": "top_k", "k": 3},
            (1.25296139, 1.09753747, 0.76299364, 0.54586220),
        ),
        (
            {"kind": "linear", "weight": text(*LINEAR)},
            (0.36852554, -0.02704216, -0.40989150, -0.59996247),
        ),
        (
            {"kind": "attention", "weight": text(*ATTENTION)},
            (0.26979675, -0.12855546, -0.46644603, -0.58495975),
        ),
    ],
)
def test_vectors_of_training(told, expected):
    found = Consensus.read(told, "w.h5")
    attention = FEATURES @ found.weight if found.attends else None
    got = found(SCORES, attention)
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)
    # A score file says all that fusing needs.
    again = Consensus.read(found.as_json(), "s.h5")
    np.testing.assert_array_equal(again(SCORES, attention), got)


@pytest.mark.parametrize("kind", ["average", "max", "top_k", "linear", "attention"])
def test_as_the_layer_of_training(kind):
    layer = SegmentConsensus(kind, k=2, dtype="float64")
    scores = np.random.default_rng(0).normal(size=(K, C))
    features = np.random.default_rng(1).normal(size=(K, D))
    joined = [scores[None], features[None]] if kind == "attention" else scores[None]
    layer.build([v.shape for v in joined] if kind == "attention" else joined.shape)
    weight = np.linspace(-0.5, 0.75, K if kind == "linear" else D).astype("f4")
    for variable in layer.weights:
        variable.assign(weight)
    found = Consensus.read({"kind": kind, "k": 2, "weight": text(*weight)}, "w.h5")
    attention = features @ weight if found.attends else None
    # float64 sums in another order.
    np.testing.assert_allclose(
        found(scores, attention), layer(joined)[0], rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (None, "w.h5 does not say with which consensus .* `over_time`"),
        ({}, "names a consensus 'None'; there are: average, features, max"),
        ({"kind": ["max"]}, "names a consensus"),
        ({"kind": "identity"}, "names a consensus 'identity'"),
        ({"kind": "top_k"}, "`k` of its top_k is 'None'"),
        ({"kind": "top_k", "k": True}, "`k` of its top_k is 'True'"),
        ({"kind": "linear"}, "no float32 in base64"),
        ({"kind": "linear", "weight": "?"}, "no float32 in base64"),
        ({"kind": "linear", "weight": ""}, "must be 1 to 1000 finite numbers"),
        ({"kind": "linear", "weight": text(np.nan)}, "must be 1 to 1000 finite"),
        ({"kind": "linear", "weight": text(*[1] * 1001)}, "must be 1 to 1000 finite"),
        ({"kind": "attention", "weight": 7}, "no float32 in base64"),
    ],
)
def test_what_files_say_is_checked(told, words):
    with pytest.raises(InputError, match=words):
        Consensus.read(told, "w.h5")


def write(path, about, arrays, attention=None):
    videos = (
        VideoScores(f"v{k}", 0, 9, array, (), attention and attention[k])
        for k, array in enumerate(arrays)
    )
    score_file.write(path, videos, classes="abcd", about=about, failed={})
    return path


def test_files_are_fused_by_it(tmp_path):
    """Crops are averaged first, raw, also where the protocol averages otherwise."""
    arrays = [np.random.default_rng(k).normal(size=(K, 2, C)) for k in range(2)]
    arrays = [array.astype("f4") for array in arrays]
    about = {"average": "probabilities", "over_time": "consensus"}
    told = {"kind": "linear", "weight": text(*LINEAR)}
    path = write(tmp_path / "a.h5", {**about, "consensus": told}, arrays)
    expected = [np.array(LINEAR, "f4") @ array.mean(axis=1) for array in arrays]
    with score_file.ScoreFile(path) as file:
        found = joining.aggregate_file(file).scores
        mean = joining.aggregate_file(file, over_time="mean").scores
        assert not file.has_attention
        with pytest.raises(score_file.ScoreFileError, match="a.h5 has no attention"):
            file.attention("v0")
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(mean.sum(axis=1), 1, rtol=1e-5)  # probabilities
    longer = [np.zeros((7, 2, C), "f4")]
    path = write(tmp_path / "b.h5", {**about, "consensus": told}, longer)
    with (
        score_file.ScoreFile(path) as file,
        pytest.raises(InputError, match=r"b.h5: v0: .* on 5 snippets .* there are 7:"),
    ):
        joining.aggregate_file(file)


def test_attention_is_kept_beside_the_scores(tmp_path):
    arrays = [
        np.random.default_rng(k).normal(size=(K, 2, C)).astype("f4") for k in (1,)
    ]
    attention = [np.random.default_rng(9).normal(size=(K, 2)).astype("f4")]
    about = {"over_time": "consensus", "consensus": {"kind": "attention"}}
    path = write(tmp_path / "a.h5", about, arrays, attention)
    shares = np.exp(attention[0].mean(axis=1))
    expected = shares / shares.sum() @ arrays[0].mean(axis=1)
    with score_file.ScoreFile(path) as file:
        np.testing.assert_array_equal(file.attention("v0"), attention[0])
        found = joining.aggregate_file(file).scores[0]
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        found = joining.aggregate_file(file, over_time="top3").scores[0]
        np.testing.assert_array_equal(found, windows.top_k(arrays[0], 3))
    wrong = [np.zeros((K, 3), "f4")]
    path = write(tmp_path / "b.h5", about, arrays, wrong)
    with pytest.raises(
        score_file.ScoreFileError, match=r"attention of v0 is .*\(5, 3\)"
    ):
        score_file.ScoreFile(path)
    lacking = write(tmp_path / "c.h5", about, arrays)
    with (
        score_file.ScoreFile(lacking) as file,
        pytest.raises(score_file.ScoreFileError, match="c.h5 has no attention"),
    ):
        joining.aggregate_file(file)


def test_classes_that_hold_at_once_have_sigmoids(tmp_path):
    array = np.array([[[0.0, 2.0, -800.0, 800.0]]], "f4")
    path = write(tmp_path / "a.h5", {"loss": "sigmoid"}, [array])
    with score_file.ScoreFile(path) as file:
        way = joining.Way.of(file)
    # float32; e^800 overflows, the sigmoid does not.
    found = way.probabilities(way(array))
    np.testing.assert_allclose(found, [0.5, 0.8807971, 0, 1], rtol=1e-6)
    path = write(tmp_path / "b.h5", {"loss": "hinge"}, [array])
    with (
        score_file.ScoreFile(path) as file,
        pytest.raises(score_file.ScoreFileError, match="its loss is of 'hinge'"),
    ):
        joining.Way.of(file)
