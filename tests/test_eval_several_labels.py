"""The command `eval` on lists of MMAction2's forms: several labels, clips."""

import json
import shutil

import clips
import numpy as np
import pytest

from tsn_keras import eval
from tsn_keras.checkpoints import presets
from tsn_keras.evaluation import results
from tsn_keras.scores import metrics, score_file

pytestmark = pytest.mark.usefixtures("shallow_network")
SETS = {"a": (0, 3), "b": (1,), "c": (2, 3, 5)}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Three videos of 6 files; a fourth folder holds the first two, from file 0."""
    root = tmp_path_factory.mktemp("several")
    for seed, name in enumerate("abc"):
        clips.make_video(root / "data" / name, 6, seed)
    (root / "data/both").mkdir()
    for offset, name in ((-1, "a"), (5, "b")):
        for number in range(1, 7):
            source = root / f"data/{name}/img_{number:05d}.jpg"
            shutil.copy(source, root / f"data/both/img_{number + offset:05d}.jpg")
    clips.make_weights(root / "rgb.weights.h5", 3)
    return root


def evaluated(root, dataset, lines, name="list.txt"):
    (root / name).write_text(lines)
    return eval.main(
        [
            *("--dataset", dataset, "--annotations", str(root / name)),
            *("--data", str(root / "data"), "--modality", "rgb"),
            *("--weights", str(root / "rgb.weights.h5")),
            *("--scores", str(root / f"{dataset}.h5")),
        ]
    )


def scores_of(path):
    with score_file.ScoreFile(path) as file:
        return {video: file.read(video) for video in file.video_ids}


def test_several_labels_and_clips(prepared, capsys):
    root = prepared
    lines = "".join(f"{k} 6 {' '.join(map(str, v))}\n" for k, v in SETS.items())
    result, status = evaluated(root, "list_multilabel", lines)
    assert status == 0
    with score_file.ScoreFile(root / "list_multilabel.h5") as file:
        assert file.label_sets == tuple(SETS.values())
        scores = np.stack([file.read(video).mean((0, 1)) for video in file.video_ids])
    expected = metrics.measured(scores, None, tuple(SETS.values()))
    (row,) = result["results"]
    assert row["mean_average_precision"] == expected.mean_average_precision
    assert row["video_mean_average_precision"] == expected.video_mean_average_precision
    assert "top1" not in row
    assert 0 < expected.mean_average_precision < 100
    assert "mAP over videos" in capsys.readouterr().out
    # The same videos as clips of a longer one, by offset.
    _, status = evaluated(root, "list_offset", "both 6 6 1\nboth 0 6 3\n")
    assert status == 0
    whole, parts = (
        scores_of(root / f"{d}.h5") for d in ("list_multilabel", "list_offset")
    )
    for clip, name in (("both 6 6", "b"), ("both 0 6", "a")):
        np.testing.assert_array_equal(parts[clip], whole[name])
    # The same command has nothing left to do.
    assert evaluated(root, "list_multilabel", lines)[0] == result


def test_an_official_set(prepared, tmp_path):
    """Multi-Moments, of which one of three validation videos is not there."""
    for name, content in {
        "moments_categories.txt": "".join(f"class {k},{k}\n" for k in range(6)),
        "trainingSet.csv": "x.mp4,0\n",
        "validationSet.csv": "a.mp4,0,3\nb.mp4,1\ngone.mp4,2\n",
    }.items():
        (tmp_path / name).write_text(content)
    argv = [
        *("--dataset", "mmit", "--annotations", str(tmp_path)),
        *("--data", str(prepared / "data"), "--modality", "rgb"),
        *("--weights", str(prepared / "rgb.weights.h5")),
        *("--scores", str(tmp_path / "s.h5"), "--allow-missing"),
    ]
    result, status = eval.main(argv)
    assert status == 0
    (row,) = result["results"]
    assert (row["videos"], row["of"], row["missing"]) == (2, 3, 1)
    # Of other weights than the published ones.
    assert row["published"] is None
    with score_file.ScoreFile(tmp_path / "s.h5") as file:
        assert file.label_sets == ((0, 3), (1,))
        assert file.classes[5] == "class 5"


def test_a_json_list(prepared):
    content = [{"frame_dir": k, "total_frames": 6, "label": v} for k, v in SETS.items()]
    result, status = evaluated(prepared, "list", json.dumps(content), "list.json")
    assert status == 0
    assert "mean_average_precision" in result["results"][0]


def test_files_without_a_prefix(prepared, tmp_path):
    """As Something-Something V1 has them: the scores are those of the same pixels."""
    (tmp_path / "data/a").mkdir(parents=True)
    for path in (prepared / "data/a").glob("img_*.jpg"):
        shutil.copy(path, tmp_path / "data/a" / path.name.removeprefix("img_"))
    for root, more in ((prepared, ()), (tmp_path, ("--rgb-prefix", ""))):
        (root / "one.txt").write_text("a 6 0\n")
        _, status = eval.main(
            [
                *("--dataset", "list", "--annotations", str(root / "one.txt")),
                *("--data", str(root / "data"), "--modality", "rgb"),
                *("--weights", str(prepared / "rgb.weights.h5")),
                *("--scores", str(root / "one.h5"), *more),
            ]
        )
        assert status == 0
    found = [scores_of(root / "one.h5")["a"] for root in (prepared, tmp_path)]
    np.testing.assert_array_equal(*found)


def row_of(accuracy, published, metric):
    return results.Row("rgb", None, accuracy, 3, 3, published, metric=metric)


@pytest.mark.parametrize(
    ("accuracy", "metric", "cells"),
    [
        (
            metrics.Accuracy(50.0, 60.25, 70.0),
            "mean class accuracy",
            ("50.00", "60.00", "-10.00", "60.25", "70.00"),
        ),
        (
            metrics.Accuracy(50.0, 60.25, 70.0),
            "top-1 accuracy",
            ("50.00", "60.00 top-1", "+0.25", "60.25", "70.00"),
        ),
        (
            metrics.Precision(50.0, 60.5),
            "mean average precision",
            ("50.00", "60.00", "-10.00", "60.50"),
        ),
        (
            metrics.Precision(50.0, 60.5),
            "mean average precision over videos",
            ("50.00", "60.00 mAP over videos", "+0.50", "60.50"),
        ),
    ],
)
def test_beside_what_was_published(accuracy, metric, cells):
    row = row_of(accuracy, 60.0, metric)
    assert row.cells() == ("", "rgb", "3 of 3", *cells)
    table = str(results.Evaluation("x", (row,)))
    assert table.split("\n")[0].split()[:3] == ["split", "stream", "videos"]
    assert row.as_json().get("published_metric") == (
        None if metric == "mean class accuracy" else metric
    )


@pytest.mark.parametrize(
    ("dataset", "figure", "metric"),
    [
        ("hmdb51", 54.4, "mean class accuracy"),
        ("kinetics400", 69.1, "top-1 accuracy"),
        ("diving48", 71.27, "top-1 accuracy"),
        ("mmit", 61.09, "mean average precision over videos"),
        ("hvu_scene", 55.2, "mean average precision"),
        ("activitynet_clips", 76.9, "top-1 accuracy"),
        ("nothing", None, None),
    ],
)
def test_metrics_of_published_figures(dataset, figure, metric):
    split = 1 if dataset == "hmdb51" else None
    assert presets.metric_of(dataset, "rgb", split) == metric
    assert presets.published(dataset, "rgb", split) == figure
