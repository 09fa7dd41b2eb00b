"""Videos that show no class: THUMOS14's precision, score files, fusion."""

import json

import h5py
import hdf5files
import numpy as np
import pytest
from commands import call

from tsn_keras.common.errors import InputError
from tsn_keras.scores import fusion, joining, metrics, score_file, submission
from tsn_keras.scores.score_file import VideoScores

# The vectors have eight digits: half of the last one.
TOLERANCE = 6e-9
SETS = ((), (0, 2), (1,), (), (2,))


def vectors():
    """Scores and labels of ten videos by the formulas of the vectors."""
    v, c = np.ogrid[:10, :3]
    scores = 0.5 + 0.5 * np.sin(1.7 * v + 2.3 * c + 0.4)
    return scores, ((v**2 + c) % 3 == 0) & (v % 5 != 4)


def test_precision_of_the_kit():
    """TH14evalRecog.m's port gave .24074074, NaN and .59777778."""
    scores, is_true = vectors()
    found = [metrics.ranked_precision(scores[:, c], is_true[:, c]) for c in range(3)]
    assert found[0] == pytest.approx(0.24074074, abs=TOLERANCE)
    assert np.isnan(found[1])
    assert found[2] == pytest.approx(0.59777778, abs=TOLERANCE)
    # The kit has no class without a video; here such a class does not count.
    told = metrics.MEASURES["ranked"].of(scores, is_true)
    assert told.main == pytest.approx(100 * (found[0] + found[2]) / 2)
    # Without ties the usual rule is the same.
    usual = metrics.mean_average_precision(scores, is_true)
    assert told.main == pytest.approx(100 * usual, rel=1e-14)
    # Interpolated, as ActivityNet's server does it, it would be another figure.
    for c, expected in ((0, 0.3), (2, 0.64444444)):
        right = is_true[np.argsort(-scores[:, c]), c]
        other = submission.interpolated(right, right.sum())
        assert other == pytest.approx(expected, abs=TOLERANCE)


def test_ties_keep_the_order_of_the_videos():
    is_true = np.array([False, True, False, True])
    found = metrics.ranked_precision(np.array([1.0, 1.0, 2.0, 1.0]), is_true)
    # Ranks: the third video, then the first, second and fourth.
    assert found == (1 / 3 + 2 / 4) / 2
    assert metrics.average_precision(np.array([1.0, 1, 2, 1]), is_true) == 0.5


def test_videos_without_a_label_are_negatives():
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.3]])
    sets = ((), (0,), (1,))
    found = metrics.measured(scores, None, sets, metrics.MEASURES["ranked"])
    assert found == metrics.ClassPrecision(100 * (1 / 2 + 1) / 2)
    # Over videos those without a label have no precision.
    found = metrics.measured(scores, None, sets)
    assert found == metrics.Precision(75.0, 100.0)
    with pytest.raises(InputError, match="none of 2 videos shows a class"):
        metrics.measured(scores[:2], None, ((), ()))


@pytest.fixture
def file(tmp_path):
    def write(name, sets=SETS, seed=0, **about):
        random = np.random.default_rng(seed)
        videos = [
            VideoScores(
                *(f"v{k}", labels[0] if labels else -1, 9),
                *(random.normal(size=(2, 2, 3)).astype("f4"), labels),
            )
            for k, labels in enumerate(sets)
        ]
        path = tmp_path / name
        score_file.write(path, videos, classes="xyz", about=about, failed={})
        return path

    return write


@pytest.mark.parametrize("sets", [SETS, ((), (), ()), ((1,), ())])
def test_score_files_carry_them(file, sets):
    with score_file.ScoreFile(file("a.h5", sets)) as opened:
        assert opened.label_sets == sets
        assert opened.labels.tolist() == [s[0] if s else -1 for s in sets]
    with h5py.File(file("a.h5", sets)) as plain:
        assert plain.attrs["format"] == score_file.SEVERAL
        assert plain["label_counts"][:].tolist() == list(map(len, sets))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": [0, 0, 1, -1, 2]}, "do not increase from the first"),
        ({"labels": [-1, -1, 1, -1, 2]}, "do not increase from the first"),
        ({"labels": [-2, 0, 1, -1, 2]}, "a label is outside -1 to 2"),
        ({"label_counts": [1, 2, 1, 0, 0]}, "do not increase from the first"),
        ({"label_values": [0, 2, 1, 3]}, "do not increase from the first"),
    ],
)
def test_damaged_files_are_refused(file, changes, words):
    path = file("a.h5")
    with hdf5files.editing(path) as plain:
        for name, values in changes.items():
            del plain[name]
            plain[name] = np.array(values, np.int64)
    with pytest.raises(score_file.ScoreFileError, match=words):
        score_file.ScoreFile(path)


def test_a_file_of_one_label_has_none_without(file):
    path = file("a.h5", ((),))
    with hdf5files.editing(path) as plain:
        plain.attrs["format"] = score_file.FORMAT
    with pytest.raises(score_file.ScoreFileError, match="outside 0 to 2"):
        score_file.ScoreFile(path)


def test_fusion_by_the_measure_of_the_files(file):
    about = {"dataset": "thumos14", "measure": "ranked"}
    paths = [str(file(f"{k}.h5", seed=k, **about)) for k in range(2)]
    done = call("fuse", *paths, "--weights", "1", "1")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["videos"] == 5
    found = fusion.fuse(fusion.Request(paths))
    expected = metrics.measured(found.scores, None, SETS, metrics.MEASURES["ranked"])
    assert result["results"][-1] == {
        "file": "fusion",
        "mean_average_precision": expected.mean_average_precision,
    }
    assert done.stdout.splitlines()[0].split() == ["scores", "weight", "mAP"]
    with score_file.ScoreFile(paths[0]) as opened:
        assert isinstance(
            joining.aggregate_file(opened).accuracy, metrics.ClassPrecision
        )
    paths[1] = str(file("c.h5", dataset="thumos14", measure=["x"]))
    with pytest.raises(InputError, match=r"of measure ranked, .*c\.h5 of \['x'\]"):
        fusion.fuse(fusion.Request(paths))
    with pytest.raises(InputError, match=r"c\.h5: there is no measure \['x'\]; there"):
        fusion.fuse(fusion.Request(paths[1:]))
