"""The numbers on a report page, beside numbers computed otherwise."""

import numpy as np
import pages
import pytest

import tsn_keras as tsn
from tsn_keras.reports import examples, gathering
from tsn_keras.reports.contents import Contents
from tsn_keras.scores import metrics

SETS = [(0, 2), (1,), (), (0, 1, 2), (2, 3), (3,)]


@pytest.fixture
def contents(tmp_path):
    def contents(videos=30, classes=4, sets=None, most=5, **options):
        if sets:
            videos = len(sets)
        scores = [pages.draw(videos, classes, seed, sets) for seed in (1, 2)]
        files = [
            pages.write(tmp_path / f"{name}.h5", one, sets=sets, **options)
            for name, one in zip(("rgb", "flow"), scores, strict=True)
        ]
        found = tsn.fuse(files, weights=[1, 1.5])
        (test,) = gathering.of_fusion(found).tests
        return Contents(test, most), scores

    return contents


def test_videos_classes_and_streams(contents):
    made, (rgb, flow) = contents()
    fused, labels = rgb + 1.5 * flow, np.arange(30) % 4
    chances = np.exp(fused) / np.exp(fused).sum(axis=1, keepdims=True)
    videos = made.data()["videos"]
    assert videos["id"][7] == "video_7"
    assert videos["labels"] == [[label] for label in labels]
    assert videos["best"] == fused.argmax(axis=1).tolist()
    assert videos["sure"] == pytest.approx(chances.max(axis=1), abs=1e-4)
    assert videos["true"] == pytest.approx(chances[np.arange(30), labels], abs=1e-4)
    assert videos["streams"] == [one.argmax(axis=1).tolist() for one in (rgb, flow)]
    rows = made.classes()
    for row in rows:
        own = labels == row["label"]
        assert row["videos"] == own.sum()
        expected = [
            100 * (one[own].argmax(axis=1) == row["label"]).mean()
            for one in (fused, rgb, flow)
        ]
        assert row["figures"] == pytest.approx(expected, abs=0.01)
    confused = {(r["true"], r["best"]): r["videos"] for r in made.confusions()}
    for (true, best), count in confused.items():
        assert count == ((labels == true) & (fused.argmax(axis=1) == best)).sum()
    assert sum(confused.values()) == (fused.argmax(axis=1) != labels).sum()
    right = [one.argmax(axis=1) == labels for one in (rgb, flow, fused)]
    for row in made.patterns():
        is_row = [r == wanted for r, wanted in zip(right, row["right"], strict=True)]
        assert row["videos"] == np.all(is_row, axis=0).sum()
    assert sum(row["videos"] for row in made.patterns()) == 30
    saved = (right[2] & ~right[1]).sum(), (right[2] & ~right[0]).sum()
    assert tuple(row["saved"] for row in made.contributions()) == saved
    lost = (~right[2] & right[1]).sum(), (~right[2] & right[0]).sum()
    assert tuple(row["lost"] for row in made.contributions()) == lost


def test_examples_are_the_worst_and_the_most_confident(contents):
    made, (rgb, flow) = contents(videos=60)
    fused, labels = rgb + 1.5 * flow, np.arange(60) % 4
    chances = metrics.softmax(fused)
    own = chances[np.arange(60), labels]
    found = made.data()["examples"]
    assert found["worst"] == np.argsort(own).tolist()[:5]
    wrong = [k for k in range(60) if fused[k].argmax() != labels[k]]
    wrong.sort(key=lambda k: -chances[k].max())
    assert found["confident"] == wrong[:5]
    one = found["shown"][str(wrong[0])]
    assert one["classes"][0] == fused[wrong[0]].argmax()
    assert set(one["classes"]) == {0, 1, 2, 3}
    alone = metrics.softmax(rgb)[wrong[0], one["classes"]]
    assert one["values"][1] == pytest.approx(alone, abs=1e-4)
    assert one["pictures"] == []


def test_several_labels(contents):
    made, (rgb, flow) = contents(sets=SETS, loss="sigmoid")
    fused = rgb + 1.5 * flow
    is_true = np.zeros((6, 4), bool)
    for row, labels in zip(is_true, SETS, strict=True):
        row[list(labels)] = True
    rows = made.classes()
    for k, row in enumerate(rows):
        expected = 100 * metrics.average_precision(fused[:, k], is_true[:, k])
        assert row["figures"][0] == pytest.approx(expected, abs=0.01)
        assert row["videos"] == is_true[:, k].sum()
        assert row["taken"] is None
    mean = np.mean([row["figures"][0] for row in rows])
    assert mean == pytest.approx(
        made.test.fusion.accuracy.mean_average_precision, abs=0.01
    )
    chances = 1 / (1 + np.exp(-np.float64(fused)))
    data = made.data()
    assert data["several"]
    assert data["videos"]["labels"] == [list(labels) for labels in SETS]
    assert data["videos"]["true"][2] is None
    assert data["videos"]["true"][0] == pytest.approx(
        chances[0, [0, 2]].min(), abs=1e-4
    )
    assert made.confusions() == made.patterns() == []
    wrong = np.where(is_true, -1, chances).max(axis=1)
    assert data["examples"]["confident"] == np.argsort(-wrong).tolist()[:5]
    # Every class of every video is a prediction.
    fusion = data["calibration"][0]
    assert sum(fusion["counts"]) == 24
    expected = [
        ((chances > m / 15) & (chances <= (m + 1) / 15)).sum() for m in range(15)
    ]
    assert fusion["counts"] == expected


def test_averaged_probabilities_stay_probabilities(contents):
    about = {"average": "probabilities", "fused": "probabilities"}
    made, (rgb, flow) = contents(about=about)
    expected = (metrics.softmax(rgb) + 1.5 * metrics.softmax(flow)) / 2.5
    assert made.values == pytest.approx(expected, abs=1e-6)
    assert made.values.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_a_stream_alone(tmp_path):
    file = pages.write(tmp_path / "rgb.h5", pages.draw(12, 3, 0))
    (test,) = gathering.of_fusion(tsn.fuse(file)).tests
    made = Contents(test, 3)
    assert made.contributions() == made.patterns() == []
    assert [one["name"] for one in made.calibrations()] == ["rgb"]
    assert "streams" not in made.data()["videos"]


def test_an_svm_has_no_probabilities(tmp_path):
    pytest.importorskip("sklearn", reason="an SVM needs scikit-learn")
    scores = pages.draw(12, 3, 0)
    tested = pages.write(tmp_path / "rgb.h5", scores)
    ids = [f"train_{k}" for k in range(12)]
    trained = pages.write(tmp_path / "t.h5", scores, ids=ids, about={"modality": "rgb"})
    found = tsn.fuse([tested, tested], svm=[trained, trained])
    (test,) = gathering.of_fusion(found).tests
    made = Contents(test, 3)
    assert not made.data()["chances"]
    assert made.data()["videos"]["sure"] == pytest.approx(
        found.scores.max(axis=1), abs=1e-4
    )
    # Those of the streams are.
    assert len(made.calibrations()) == 2
    assert made.contributions() == []


def test_learning_curves_are_those_beside_the_scores(tmp_path):
    file = pages.write(tmp_path / "rgb.h5", pages.draw(6, 3, 0))
    steps = "".join(f"{k},{5 - k / 500},0.1,9\n" for k in range(1, 1001))
    (tmp_path / "log.csv").write_text(
        f"iteration,loss,learning_rate,videos_per_s\n{steps}12,0.\0x\n"
    )
    (tmp_path / "validation.csv").write_text(
        "iteration,loss,top1,videos\n500,4.5,20,6\n1000,nan,1,6\n1000,3.5,40,6\n"
    )
    (test,) = gathering.of_fusion(tsn.fuse(file)).tests
    found = {one["name"]: one["points"] for one in Contents(test, 3).curves()}
    assert found["rgb, validation, loss"] == [[500, 4.5], [1000, 3.5]]
    assert found["rgb, validation, top1"] == [[500, 20], [1000, 40]]
    points = np.array(found["rgb, training, loss"])
    assert len(points) == 300
    assert points[:, 1] == pytest.approx(5 - points[:, 0] / 500, abs=1e-3)
    assert set(found) == {
        *("rgb, training, loss", "rgb, validation, loss", "rgb, validation, top1"),
    }


def test_verdict_of_a_video_with_every_class():
    found = examples.verdicts(np.float32([[3, 1]]), [0], ((0, 1),))
    assert np.isnan(found.sure[0])
    assert not found.is_wrong[0]
    assert examples.confident(found, 5).tolist() == []
