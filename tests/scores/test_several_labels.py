"""Videos with several labels: precisions beside MMAction2's, score files, fusion."""

import hashlib
import json

import golden_networks
import h5py
import hdf5files
import numpy as np
import pytest
from commands import call

from tsn_keras.common.errors import InputError
from tsn_keras.scores import conversion, fusion, joining, metrics, score_file
from tsn_keras.scores.score_file import VideoScores

# float64 sums of some hundred terms, in another order than the original's.
TOLERANCE = 1e-9


@pytest.fixture(scope="module")
def rules(golden):
    """The golden data's rules, which make scores and labels from names."""
    return golden_networks.rules_of(golden / "mmaction2/regenerate.py")


def scores_of(rules, tag, case, labels, amount):
    """Scores of a golden case; the true classes of half of the videos are raised."""
    scores = rules.metric_scores(tag, case["n"], case["classes"], case["levels"])
    scores = rules.lift(tag, scores, labels, amount)
    assert hashlib.sha256(scores.tobytes()).hexdigest() == case["scores_sha256"]
    return scores


@pytest.fixture(params=["0x", "1x"])
def cases(request, golden):
    path = golden / f"mmaction2/metrics/metrics_{request.param}.json"
    return json.loads(path.read_text())


def test_mean_average_precisions_of_mmaction2(rules, cases):
    several = {tag: case for tag, case in cases.items() if "multihot_sha256" in case}
    assert len(several) == 14
    for tag, case in several.items():
        is_true = rules.metric_multihot(tag, case["n"], case["classes"])
        scores = scores_of(rules, tag, case, is_true, 1.0)
        sets = [tuple(np.flatnonzero(row)) for row in is_true]
        found = metrics.measured(scores, None, sets)
        assert found.mean_average_precision / 100 == pytest.approx(
            case["mean_average_precision"], rel=0, abs=TOLERANCE
        )
        assert found.video_mean_average_precision / 100 == pytest.approx(
            case["mmit_mean_average_precision"], rel=0, abs=TOLERANCE
        )


def test_accuracies_of_mmaction2(rules, cases):
    single = {tag: case for tag, case in cases.items() if "top_k_accuracy" in case}
    assert len(single) == 5
    for tag, case in single.items():
        labels = np.array(case["labels"])
        scores, classes = scores_of(rules, tag, case, labels, 5.0), case["classes"]
        found = metrics.mean_class_accuracy(scores.argmax(1), labels, classes, True)
        expected = case["mean_class_accuracy"]
        assert found == pytest.approx(expected, rel=0, abs=TOLERANCE)
        # With ties the original's sort decides, which is not stable.
        if not case["levels"]:
            top = [metrics.top_k_accuracy(scores, labels, k) for k in (1, 2, 3, 5, 10)]
            expected = case["top_k_accuracy"]
            assert top == pytest.approx(expected, rel=0, abs=TOLERANCE)


def test_average_precision_by_hand():
    """Ranks of the true: 1, 3 and 4 of 5; ties are one step, in any order."""
    is_true = np.array([True, False, True, True, False])
    found = metrics.average_precision(np.array([5.0, 4, 3, 2, 1]), is_true)
    assert found == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0]):
        scores = np.array([5.0, 3, 3, 3, 1])[order]
        found = metrics.average_precision(scores, is_true[order])
        assert found == pytest.approx((1 + 3 / 4 + 3 / 4) / 3)
    assert np.isnan(metrics.average_precision(np.arange(3.0), np.zeros(3, bool)))


def test_classes_without_a_video_do_not_count():
    scores = np.array([[1.0, 9.0, 0.0], [2.0, 9.0, 1.0]])
    is_true = metrics.many_hot([(0,), (0, 2)], 3)
    assert is_true.tolist() == [[True, False, False], [True, False, True]]
    assert metrics.mean_average_precision(scores, is_true) == 1.0
    # Over videos: 1 / 2, and (1 / 2 + 2 / 3) / 2.
    found = metrics.video_mean_average_precision(scores, is_true)
    assert found == pytest.approx((1 / 2 + (1 / 2 + 2 / 3) / 2) / 2)
    nothing = np.zeros((2, 3), bool)
    assert np.isnan(metrics.mean_average_precision(scores, nothing))
    assert np.isnan(metrics.video_mean_average_precision(scores, nothing))


def test_mean_class_accuracy_of_the_union():
    """Upstream's own test: labels 2, 2, 2, 3 taken for 2, 2, 2, 4 give 1 / 3."""
    labels, predictions = np.array([2, 2, 2, 3]), np.array([2, 2, 2, 4])
    assert metrics.mean_class_accuracy(predictions, labels, 6, True) == 1 / 3
    assert metrics.mean_class_accuracy(predictions, labels, 6) == 1 / 2


SETS = ((0, 2), (1,), (0, 1, 2), (2,))


def rows(shift=0.0):
    random = np.random.default_rng(0)
    for k, labels in enumerate(SETS):
        scores = random.normal(size=(2, 2, 3)).astype("f4") + np.float32(shift)
        yield VideoScores(f"v{k}", labels[0], 9, scores, labels)


@pytest.fixture
def file(tmp_path):
    def write(name, sets=SETS, **about):
        videos = [row._replace(labels=s) for row, s in zip(rows(), sets, strict=True)]
        path = tmp_path / name
        score_file.write(path, videos, classes="xyz", about=about, failed={})
        return path

    return write


def test_score_files_hold_several_labels(file):
    with score_file.ScoreFile(file("a.h5")) as opened:
        assert opened.label_sets == SETS
        assert opened.labels.tolist() == [0, 1, 0, 2]
        aggregated = joining.aggregate_file(opened)
        expected = metrics.measured(aggregated.scores, None, SETS)
        assert aggregated.accuracy == expected
        assert isinstance(expected, metrics.Precision)
    with h5py.File(file("b.h5")) as plain:
        assert plain.attrs["format"] == score_file.SEVERAL
        assert plain["label_counts"][:].tolist() == [2, 1, 3, 1]
        assert plain["label_values"][:].tolist() == [0, 2, 1, 0, 1, 2, 2]


def test_score_files_of_one_label_are_as_before(file):
    path = file("a.h5", [()] * 4)
    with h5py.File(path) as plain:
        assert plain.attrs["format"] == "tsn_keras scores 1"
        names = {"classes", "failed", "frames", "labels", "scores", "video_ids"}
        assert set(plain) == names
    with score_file.ScoreFile(path) as opened:
        assert opened.label_sets is None


@pytest.mark.parametrize(
    ("counts", "values", "words"),
    [
        ([2, 1, 3], [0, 2, 1, 0, 1, 2, 2], "counts are not one for each video"),
        ([2, -1, 3, 1], [0, 2, 1, 0, 1, 2, 2], "counts are not one for each video"),
        ([2, 0, 3, 2], [0, 2, 0, 1, 2, 2, 2], "do not increase from the first"),
        ([2, 1, 3, 2], [0, 2, 1, 0, 1, 2, 2], "values are not as many"),
        ([2**62, 2**62, 2**62, 2**62], [0, 2, 1, 0], "values are not as many"),
        ([2, 1, 3, 1], [0, 2, 1, 0, 2, 1, 2], "do not increase from the first"),
        ([2, 1, 3, 1], [1, 2, 1, 0, 1, 2, 2], "do not increase from the first"),
        ([2, 1, 3, 1], [0, 0, 1, 0, 1, 2, 2], "do not increase from the first"),
        ([2, 1, 3, 1], [0, 3, 1, 0, 1, 2, 2], "a label is outside 0 to 2"),
        (None, None, "label_counts is missing"),
    ],
)
def test_damaged_label_sets_are_refused(file, counts, values, words):
    path = file("a.h5")
    with hdf5files.editing(path) as plain:
        del plain["label_counts"], plain["label_values"]
        if counts:
            plain["label_counts"] = np.array(counts, np.int64)
            plain["label_values"] = np.array(values, np.int64)
    with pytest.raises(score_file.ScoreFileError, match=words):
        score_file.ScoreFile(path)


def test_fusion_of_several_labels(file):
    paths = [str(file(f"{name}.h5", dataset="mmit")) for name in "ab"]
    found = fusion.fuse(fusion.Request(paths, (1, 2)))
    assert found.label_sets == SETS
    assert found.accuracy == metrics.measured(found.scores, None, SETS)
    assert "mAP over videos" in str(found)
    keys = {"file", "mean_average_precision", "video_mean_average_precision"}
    assert set(found.as_json()["results"][-1]) == keys
    with pytest.raises(InputError, match="several labels each"):
        found.per_class()
    done = call("fuse", *paths, "--per-class")
    assert done.returncode == 2
    assert "several labels each" in done.stderr


def test_files_of_other_label_sets_are_not_joined(file):
    one, other = file("a.h5"), file("b.h5", ((0, 1), *SETS[1:]))
    none = file("c.h5", [()] * 4)
    for path in (other, none):
        with pytest.raises(score_file.ScoreFileError, match="differ in the further"):
            fusion.fuse(fusion.Request([str(one), str(path)]))


def test_the_originals_layout_has_no_room_for_several_labels(file, tmp_path):
    with pytest.raises(InputError, match="several labels"):
        conversion.to_npz(file("a.h5"), tmp_path / "a.npz")
    assert not (tmp_path / "a.npz").exists()
    done = call("convert", "a.npz", "a.h5", "--ids", "ids.txt", "--dataset", "mmit")
    assert done.returncode == 2
    assert "--dataset mmit: its videos have several labels" in done.stderr


def test_mean_over_splits_keeps_the_kind():
    found = metrics.mean([metrics.Precision(1.0, 2.0), metrics.Precision(3.0, 5.0)])
    assert found == metrics.Precision(2.0, 3.5)
