"""ActivityNet's figures and files, beside what its own program gave."""

import json

import numpy as np
import pytest

from tsn_keras.common.errors import InputError
from tsn_keras.common.text import TextFileError
from tsn_keras.scores import joining, metrics, score_file, submission
from tsn_keras.scores.score_file import VideoScores

CLASSES = ["zero", "one", "two", "three"]


def example():
    """The fact's eight videos: predictions of all but the last, and a stranger."""
    v, c = np.ogrid[:8, :4]
    scores = 0.5 + 0.5 * np.sin(1.7 * v + 2.3 * c + 0.4)
    truth = {f"v{n}": {CLASSES[n % 4]} for n in range(8)}
    for n in (2, 5):
        truth[f"v{n}"].add(CLASSES[(n + 1) % 4])
    predictions = {
        f"v{n}": list(zip(CLASSES, map(float, scores[n]), strict=True))
        for n in range(7)
    }
    predictions["stranger"] = [("zero", 0.95)]
    return predictions, truth


def test_figures_of_the_server():
    """The vector of the genuine program, to eight digits."""
    found = submission.figures(*example())
    expected = {"zero": 0.4, "one": 0.28571429, "two": 1.0, "three": 0.22222222}
    assert found.average_precision == pytest.approx(expected, abs=6e-9)
    assert found.mean_average_precision == pytest.approx(0.47698413, abs=6e-9)
    assert (found.top1, found.top3) == (0.375, 0.75)
    assert found.share3 == 0.625
    # Any hit counts, or the share of the labels.
    for k, hits, share in ((1, 0.375, 0.25), (2, 0.625, 0.5), (3, 0.75, 0.625)):
        shares = submission._shares(*example(), k)
        assert (np.ceil(shares).mean(), shares.mean()) == (hits, share)


def test_a_test_of_its_data_set_has_its_figures(tmp_path):
    """Of raw scores, whose probabilities rank the videos of a class otherwise."""
    random = np.random.default_rng(0)
    # Few levels: many tie.
    scores = random.integers(0, 4, (40, 3, 2, 4)).astype(np.float32)
    sets = [(n % 4,) if n % 2 else (1, 2) for n in range(40)]
    rows = [
        VideoScores(f"v{n}", labels[0], 9, scores[n], labels)
        for n, labels in enumerate(sets)
    ]
    sets[0] = (0, 2, 3)
    rows[0] = VideoScores("v0", 0, 9, scores[0], sets[0])
    means = {
        "scores": metrics.softmax(scores.mean(axis=(1, 2))),
        "probabilities": metrics.softmax(scores).mean(axis=(1, 2)),
    }
    truth = {f"v{n}": {CLASSES[k] for k in labels} for n, labels in enumerate(sets)}
    for average, chances in means.items():
        path = tmp_path / f"{average}.h5"
        about = {"measure": "server", "average": average}
        score_file.write(path, rows, classes=CLASSES, about=about, failed={})
        with score_file.ScoreFile(path) as file:
            aggregated = joining.aggregate_file(file)
            joined = joining.join([aggregated])
        predictions = {
            f"v{n}": list(zip(CLASSES, map(float, row), strict=True))
            for n, row in enumerate(chances)
        }
        expected = submission.figures(predictions, truth)
        told = expected.mean_average_precision, expected.top1, expected.top3
        for found in (
            aggregated.accuracy,
            joined.accuracy_of(joined.scores[0]),
            joined.accuracy_of_file(0),
        ):
            figures = found.mean_average_precision, found.top1, found.top3
            assert figures == pytest.approx([100 * one for one in told], abs=1e-9)
    # Ranked by raw scores it would be another figure.
    raw = metrics._served(scores.mean(axis=(1, 2)), metrics.many_hot(sets, 4))
    assert abs(raw.main - aggregated.accuracy.main) > 0.01


def test_a_repeat_is_wrong_but_costs_nothing_at_the_end():
    """A positive at 0.9 and again at 0.8, a negative at 0.7: the first is enough."""
    predictions = {"a": [("x", 0.9), ("x", 0.8)], "b": [("x", 0.7)]}
    truth = {"a": {"x"}, "b": {"y"}}
    found = submission.figures(predictions, truth)
    assert found.average_precision == {"x": 1.0, "y": 0.0}
    # Before another positive it costs: 1/1 and 2/3.
    predictions["b"], truth["b"] = [("x", 0.7)], {"x"}
    found = submission.figures(predictions, truth)
    assert found.average_precision["x"] == pytest.approx((1 + 2 / 3) / 2)


def test_precision_is_the_best_from_there_on():
    assert submission.interpolated(np.array([0, 1, 1]), 2) == pytest.approx(2 / 3)
    assert submission.interpolated(np.array([]), 3) == 0
    assert submission.interpolated(np.array([1, 0]), 2) == 0.5


def test_what_is_written_is_read(tmp_path):
    random = np.random.default_rng(0)
    scores = random.random((3, 4)).astype(np.float32)
    names = ["v_aaaaaaaaaaa", "bbbbbbbbbbb", "v_ccccccccc"]
    path = tmp_path / "submission.json"
    submission.write(path, names, scores, CLASSES)
    content = json.loads(path.read_text())
    assert content["version"] == "VERSION 1.3"
    assert content["external_data"] == {"used": False, "details": ""}
    found = submission.read(path)
    # The last is an identity of eleven characters itself.
    assert list(found) == ["aaaaaaaaaaa", "bbbbbbbbbbb", "v_ccccccccc"]
    for row, predictions in zip(scores, found.values(), strict=True):
        assert dict(predictions) == dict(zip(CLASSES, map(float, row), strict=True))
        values = [score for _, score in predictions]
        assert values == sorted(values, reverse=True)
    assert submission.faults(found, names, CLASSES) == []


@pytest.mark.parametrize(
    ("predictions", "words"),
    [
        ({"a": [("x", 1.0)]}, "1 of 2 videos are missing: they count as wrong, as b"),
        (
            {"a": [("x", 1.0)], "b": [("x", 1.0)], "c": [("x", 1.0)]},
            "1 of 3 videos are not in the test: their predictions count as wrong, as c",
        ),
        ({"a": [("x", 1.0)], "b": []}, "1 of 2 videos have no prediction, as b"),
        (
            {"a": [("x", 1.0)], "b": [("z", 1.0)]},
            "1 of 2 videos have a class that is unknown: the server refuses the file, "
            "as b",
        ),
        (
            {"a": [("x", 1.0), ("x", 0.5)], "b": [("x", 1.0)]},
            "1 of 2 videos have a class twice: each repeat counts as wrong, as a",
        ),
    ],
)
def test_faults_of_a_submission(predictions, words):
    assert submission.faults(predictions, ["a", "b"], ["x", "y"]) == [words]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"results": {}, "external_data": {}}, "'version'"),
        ({"version": "1", "results": {}}, "'external_data'"),
        ({"version": "1", "external_data": {}, "results": []}, "'results'"),
        (
            {"version": "1", "external_data": {}, "results": {"a": {}}},
            "video 'a' are not a list",
        ),
        (
            {"version": "1", "external_data": {}, "results": {"a": [{"label": "x"}]}},
            "'score'",
        ),
    ],
)
def test_files_that_the_server_refuses(tmp_path, content, words):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    with pytest.raises(TextFileError, match=words):
        submission.read(path)


def test_wrong_arrays_and_classes_are_named(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(
        InputError, match=r"of shape \(1, 4\). Received: shape \(1, 3\)"
    ):
        submission.write(path, ["a"], np.ones((1, 3)), CLASSES)
    with pytest.raises(InputError, match="must be finite"):
        submission.write(path, ["a"], np.full((1, 4), np.inf), CLASSES)
    names = ["v_aaaaaaaaaaa", "aaaaaaaaaaa"]
    with pytest.raises(InputError, match="of one video"):
        submission.write(path, names, np.ones((2, 4)), CLASSES)
    with pytest.raises(InputError, match="'y' of video 'a' is in no video"):
        submission.figures({"a": [("y", 1.0)]}, {"a": {"x"}})
    for truth in ({}, {"a": {"x"}, "b": set()}):
        with pytest.raises(InputError, match="must hold videos, each with a class"):
            submission.figures({}, truth)
    assert not path.exists()
