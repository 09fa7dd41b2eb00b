"""Score files joined by id; crops, snippets and streams added up."""

import numpy as np
import pytest
from scorefiles import IDS

from tsn_keras.scores import joining, metrics, score_file
from tsn_keras.scores.score_file import VideoScores


def join(files, **options):
    return joining.join([joining.aggregate_file(f) for f in files], **options)


def test_aggregate_is_crops_then_snippets():
    # Two snippets of two crops: [[1, 3], [5, 11]] of class 0.
    values = np.array([[[1, 0], [3, 8]], [[5, 2], [11, 2]]], np.float32)
    np.testing.assert_array_equal(joining.aggregate(values), [5, 3])
    np.testing.assert_array_equal(joining.aggregate(values, "max"), [7, 5])


def test_aggregate_equals_the_original(golden):
    values = np.load(golden / "eval/eval_25x10.npz")
    for key in ("v1_rgb", "v1_flow", "v2_rgb", "v2_flow"):
        found = joining.aggregate(values[f"{key}_scores"])
        np.testing.assert_allclose(found, values[f"{key}_agg"], rtol=0, atol=1e-6)


def test_fuse_adds_weighted_raw_scores_and_changes_nothing():
    rgb, flow = np.array([[1.0, 2.0]]), np.array([[10.0, -2.0]])
    np.testing.assert_array_equal(joining.fuse([rgb, flow], [1, 1.5]), [[16, -1]])
    np.testing.assert_array_equal(rgb, [[1, 2]])


def test_join_is_by_id_in_the_order_of_the_first(write):
    paths = write("a.h5"), write("b.h5", ids=IDS[::-1], labels=[1, 0, 2, 1, 0])
    with score_file.ScoreFile(paths[0]) as a, score_file.ScoreFile(paths[1]) as b:
        joined = join([a, b])
        assert joined.video_ids == tuple(IDS)
        expected = joining.aggregate_file(a).scores
    np.testing.assert_array_equal(joined.scores[0], expected)
    np.testing.assert_array_equal(joined.scores[1], expected)


def test_join_refuses_other_videos_unless_allowed(write):
    paths = write("a.h5"), write("b.h5", ids=IDS[1:3], labels=[1, 2])
    with score_file.ScoreFile(paths[0]) as a, score_file.ScoreFile(paths[1]) as b:
        with pytest.raises(
            score_file.ScoreFileError, match=r"b\.h5 lacks 3 \(\.\., a%2Fb"
        ):
            join([a, b])
        joined = join([a, b], allow_missing=True)
    assert joined.video_ids == tuple(IDS[1:3])
    assert joined.left_out == 3


def test_join_refuses_other_labels_and_classes(write):
    paths = [write("a.h5"), write("b.h5", labels=[0, 1, 2, 2, 1])]
    paths.append(write("c.h5", classes="xyw"))
    opened = [score_file.ScoreFile(path) for path in paths]
    with pytest.raises(
        score_file.ScoreFileError, match=r"labels of 1 videos: \.\. is 0 and 2"
    ):
        join(opened[:2])
    words = "other classes: 2 is 'z' and 'w'"
    with pytest.raises(score_file.ScoreFileError, match=words):
        join(opened[::2])
    four = [
        VideoScores(video, label, 30, np.zeros((1, 1, 4), "f4"))
        for video, label in zip(opened[0].video_ids, opened[0].labels, strict=True)
    ]
    path = opened[0].path.with_name("d.h5")
    score_file.write(path, iter(four), classes="xyzw", about={}, failed={})
    opened.append(score_file.ScoreFile(path))
    opened.append(score_file.ScoreFile(write("e.h5", classes="012")))
    for pair in (opened[::3], [opened[4], opened[3]]):
        with pytest.raises(
            score_file.ScoreFileError, match="classes: (3 and 4|4 and 3)"
        ):
            join(pair)
    for file in opened:
        file.close()


def test_probabilities_may_be_averaged_instead_of_scores():
    random = np.random.default_rng(0)
    values = random.normal(size=(4, 3, 5)).astype("f4")
    found = joining.aggregate(values, average="probabilities")
    np.testing.assert_allclose(found, metrics.softmax(values).mean((0, 1)), rtol=1e-6)
    np.testing.assert_array_equal(joining.probabilities(found, "probabilities"), found)
    assert found.sum() == pytest.approx(1)
    raw = joining.aggregate(values)
    np.testing.assert_array_equal(joining.probabilities(raw), metrics.softmax(raw))


def test_a_file_says_what_is_averaged(write):
    about = {"dataset": "demo", "split": 1, "average": "probabilities"}
    paths = write("a.h5", about=about), write("b.h5", about={**about, "average": "x"})
    with score_file.ScoreFile(paths[0]) as file:
        found = joining.aggregate_file(file).scores
        expected = [metrics.softmax(file.read(v)).mean((0, 1)) for v in file.video_ids]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    with (
        score_file.ScoreFile(paths[1]) as file,
        pytest.raises(score_file.ScoreFileError, match="its average is of 'x'"),
    ):
        joining.aggregate_file(file)
