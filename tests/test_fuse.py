"""The command `fuse`, with literal numbers, and with what goes wrong."""

import dataclasses
import json
import pathlib
import subprocess
import sys

import hdf5files
import numpy as np
import pytest
from commands import fuse

from tsn_keras import convert
from tsn_keras.common.errors import InputError
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.datasets.records import Split, Video
from tsn_keras.scores import npz, score_file, submission
from tsn_keras.scores.score_file import VideoScores

CLASSES = ("a", "b", "c")
IDS = ("v1", "v2", "v3", "v4")
LABELS = (0, 1, 2, 2)
# Alone RGB has v1 and v4 right, flow v2 and v3; 1 : 1.5 all but v4.
RGB = [[5, 1, 0], [2, 1, 0], [1, 0, 0], [0, 0, 1]]
FLOW = [[0, 1, 0], [0, 4, 0], [0, 0, 4], [0, 2, 0]]


@pytest.fixture
def write(tmp_path):
    def write(name, values, order=(0, 1, 2, 3), failed=None, about=None):
        path = tmp_path / name
        rows = [
            VideoScores(
                IDS[i], LABELS[i], 30, np.tile(np.float32(values[i]), (25, 10, 1))
            )
            for i in order
        ]
        about = about or {"dataset": "demo", "split": 1}
        score_file.write(path, rows, classes=CLASSES, about=about, failed=failed or {})
        return str(path)

    return write


def by_file(result):
    return {pathlib.Path(r["file"]).name: r for r in result["results"]}


def test_fusion_is_joined_by_id(write, capsys):
    files = [write("rgb.h5", RGB), write("flow.h5", FLOW, order=(3, 1, 0, 2))]
    result, status = fuse.main([*files, "--weights", "1", "1.5"])
    assert status == 0
    found = by_file(result)
    # Classes: a 1 video, b 1, c 2.
    assert found["rgb.h5"]["mean_class_accuracy"] == pytest.approx(
        100 * (1 + 0 + 0.5) / 3
    )
    assert found["flow.h5"]["mean_class_accuracy"] == pytest.approx(100 * 1.5 / 3)
    assert found["fusion"]["mean_class_accuracy"] == pytest.approx(100 * 2.5 / 3)
    assert found["fusion"]["top1"] == 75
    assert found["fusion"]["top5"] == 100
    lines = capsys.readouterr().out.splitlines()
    assert lines[4].split() == ["fusion", "83.33", "75.00", "100.00"]
    assert lines[5] == "4 videos"


def test_weights_decide(write):
    files = [write("rgb.h5", RGB), write("flow.h5", FLOW)]
    result, _ = fuse.main([*files, "--weights", "1", "0"])
    assert by_file(result)["fusion"]["top1"] == by_file(result)["rgb.h5"]["top1"]


def held_out(path, values):
    """Scores of other videos of the same classes."""
    rows = [
        VideoScores(f"held{i}", LABELS[i], 30, np.float32(values[i])[None, None])
        for i in range(4)
    ]
    about = {"dataset": "demo", "split": 1}
    score_file.write(path, rows, classes=CLASSES, about=about, failed={})
    return str(path)


def test_weights_are_chosen_on_held_out_videos(write, tmp_path, capsys):
    """At 1 : 2 flow's class of held-out video 3 wins; at 1 : 1.5 it does not."""
    files = [write("rgb.h5", RGB), write("flow.h5", FLOW)]
    flow = [[0, 1, 0], [0, 4, 0], [0, 0, 4], [0, 0, 1]]
    rgb = [*RGB[:3], [0, 1.8, 0]]
    held = [held_out(tmp_path / "r.h5", rgb), held_out(tmp_path / "f.h5", flow)]
    argv = [*files, "--weights", "1", "1.5", "--search", *held]
    result, status = fuse.main(argv)
    assert status == 0
    names = ["rgb.h5", "flow.h5", "fusion, as given", "fusion"]
    assert [pathlib.Path(r["file"]).name for r in result["results"]] == names
    # Of the multiples that have all right, 2 is the nearest to 1.5.
    assert [r.get("weight") for r in result["results"]] == [1.0, 2.0, None, None]
    as_given = by_file(fuse.main([*files, "--weights", "1", "1.5"])[0])["fusion"]
    assert result["results"][2]["top1"] == as_given["top1"] == 75
    told = "4 held-out videos: 100.00 with the weights 1.0 2.0, 83.33 with 1.0 1.5"
    assert told in capsys.readouterr().err


def test_published_weights_are_beside_those_of_a_search(write, tmp_path, capsys):
    """At 1 : 0.5, as published for ActivityNet, all are right; at 1 : 1 v4 is not."""
    flow = [*FLOW[:3], [0, 1.9, 0]]
    files = [
        write(f"{name}.h5", scores, about={"dataset": "x", "published_weight": weight})
        for name, scores, weight in (("rgb", RGB, 1.0), ("flow", flow, 0.5))
    ]
    held = [
        held_out(tmp_path / f"{k}.h5", scores) for k, scores in enumerate((RGB, FLOW))
    ]
    argv = [*files, "--search", *held]
    rows = by_file(fuse.main(argv)[0])
    published = "fusion, as published 1 : 0.5"
    assert list(rows)[2:] == ["fusion, as given", published, "fusion"]
    assert [row["top1"] for row in rows.values()][2:4] == [75, 100]
    assert published in capsys.readouterr().out
    # A file that does not say it, and one that says nonsense.
    silent = write("flow.h5", FLOW, about={"dataset": "x"})
    assert len(by_file(fuse.main([files[0], silent, "--search", *held])[0])) == 4
    about = {"dataset": "x", "published_weight": [1]}
    wrong = write("flow.h5", FLOW, about=about)
    with pytest.raises(InputError, match="published weights that are no numbers"):
        fuse.main([files[0], wrong, "--search", *held])


def test_a_search_on_tested_videos_is_refused(write, tmp_path):
    files = [write("rgb.h5", RGB), write("flow.h5", FLOW)]
    with pytest.raises(InputError, match=r"4 held-out videos of .* are tested too"):
        fuse.main([*files, "--search", *files])
    with pytest.raises(InputError, match=r"--search names 1 files of held-out videos"):
        fuse.main([*files, "--search", held_out(tmp_path / "h.h5", RGB)])


def test_a_submission_is_written(write, tmp_path):
    files = [write("rgb.h5", RGB), write("flow.h5", FLOW)]
    path = tmp_path / "submission.json"
    fuse.main([*files, "--weights", "1", "1.5", "--submission", str(path)])
    found = submission.read(path)
    assert list(found) == list(IDS)
    # v2: 2, 7 and 0 before the softmax.
    chances = dict(found["v2"])
    assert chances["b"] == pytest.approx(1 / (1 + np.exp(-5) + np.exp(-7)))


def test_details_are_written(write, tmp_path, capsys):
    argv = [write("rgb.h5", RGB), "--per-class", "--confusion", str(tmp_path / "out")]
    fuse.main(argv)
    assert (tmp_path / "out.png").stat().st_size > 1000
    text = (tmp_path / "out.csv").read_text()
    assert text.splitlines() == ["true class,a,b,c", "a,1,0,0", "b,1,0,0", "c,1,0,1"]
    assert "c           2      50.0  a (1)" in capsys.readouterr().out


def test_original_files_join_by_position(write, tmp_path, capsys):
    paths = []
    for name, values in (("rgb", RGB), ("flow", FLOW)):
        with score_file.ScoreFile(write(f"{name}.h5", values)) as file:
            paths.append(str(tmp_path / f"{name}.npz"))
            npz.write(file, paths[-1])
    result, _ = fuse.main([*paths, "--weights", "1", "1.5"])
    assert by_file(result)["fusion"]["top1"] == 75
    assert "joined by position" in capsys.readouterr().err
    with pytest.raises(InputError, match="names no videos and cannot be joined"):
        fuse.main([paths[0], str(tmp_path / "flow.h5")])


@pytest.fixture
def original(write, tmp_path):
    """An .npz of the original, and the ids of its videos."""
    with score_file.ScoreFile(write("whole.h5", RGB)) as file:
        npz.write(file, tmp_path / "rgb.npz")
    (tmp_path / "ids.txt").write_text("\n".join(IDS))
    return tmp_path / "rgb.npz"


@pytest.mark.parametrize(
    "text", ["clap\nbrush hair\nc\n", "1 clap\r\n2 brush hair\r\n3 c"]
)
def test_imported_scores_can_be_told_their_classes(original, tmp_path, capsys, text):
    """By a name a line, or as UCF101's classInd.txt: convert keeps them."""
    (tmp_path / "names.txt").write_text(text)
    target = str(tmp_path / "named.h5")
    options = ["--ids", str(tmp_path / "ids.txt")]
    result, _ = convert.main([str(original), target, *options])
    assert result["videos"] == 4
    with score_file.ScoreFile(target) as file:
        assert file.classes == ("0", "1", "2")
    options += ["--classes", str(tmp_path / "names.txt")]
    convert.main([str(original), target, *options])
    fuse.main([target, "--per-class"])
    assert "brush hair       1       0.0  clap (1)" in capsys.readouterr().out
    fuse.main([str(original), "--per-class", *options[2:]])
    assert "brush hair       1       0.0  clap (1)" in capsys.readouterr().out


def test_classes_that_do_not_fit(original, write, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("a\nb\n")
    options = ["--ids", str(tmp_path / "ids.txt"), "--classes", str(names)]
    target = str(tmp_path / "named.h5")
    with pytest.raises(InputError, match=r"names\.txt has 2 names, .* of 3 classes"):
        convert.main([str(original), target, *options])
    with pytest.raises(InputError, match="--classes has 2 names, .* of 3 classes"):
        fuse.main([str(original), "--classes", str(names)])
    with pytest.raises(InputError, match="--classes is for an .npz"):
        convert.main([write("a.h5", RGB), str(tmp_path / "a.npz"), *options[2:]])
    with pytest.raises(InputError, match="names no videos: give their ids"):
        convert.main([str(original), target])
    assert not (tmp_path / "named.h5").exists()


@pytest.fixture
def known(monkeypatch):
    """Data sets of the three classes: one with splits, one with a list."""
    official = dataclasses.replace(
        DATASETS["ucf101"],
        classes=CLASSES,
        read=lambda choice, _: Split(
            (), tuple(Video(IDS[i], LABELS[i], "") for i in range(4)), CLASSES
        ),
    )
    monkeypatch.setitem(DATASETS, "ucf101", official)


NATIVE = {"dataset": "ucf101", "split": 1, "protocol": "caffe"}


def test_imported_scores_are_fused_with_native_ones(known, original, write, capsys):
    """As `fuse` advises; the data set brings its classes."""
    flow = write("flow.h5", FLOW, order=(3, 1, 0, 2), about=NATIVE)
    target = str(original.with_name("rgb.h5"))
    ids = ["--ids", str(original.with_name("ids.txt"))]
    options = ["--dataset", "ucf101", "--split", "1", "--modality", "rgb"]
    result, _ = convert.main([str(original), target, *ids, *options])
    about = {"dataset": "ucf101", "split": 1, "modality": "rgb"}
    assert {key: result[key] for key in about} == about
    with score_file.ScoreFile(target) as file:
        assert (file.classes, file.about) == (CLASSES, {"source": "rgb.npz", **about})
    capsys.readouterr()
    for files in ([target, flow], [flow, target]):
        weights = [1.5 if path == flow else 1 for path in files]
        result, status = fuse.main([*files, "--weights", *map(str, weights)])
        assert (status, by_file(result)["fusion"]["top1"]) == (0, 75)
        text = f"{target} does not say its protocol: taken to be {flow}'s, caffe"
        assert result["assumed"] == [text]
        assert capsys.readouterr().err == f"{text}\n"


def test_what_imported_scores_do_not_say_is_assumed_and_told(original, write):
    flow = write("flow.h5", FLOW, about=NATIVE)
    target = str(original.with_name("rgb.h5"))
    convert.main([str(original), target, "--ids", str(original.with_name("ids.txt"))])
    result, status = fuse.main([target, flow, "--weights", "1", "1.5", "--per-class"])
    assert (status, by_file(result)["fusion"]["top1"]) == (0, 75)
    assert [text.removeprefix(target) for text in result["assumed"]] == [
        f" does not say its dataset: taken to be {flow}'s, ucf101",
        f" does not say its split: taken to be {flow}'s, 1",
        f" does not say its protocol: taken to be {flow}'s, caffe",
        f" does not name its classes: taken to be {flow}'s, in this order",
    ]
    # The file in between that says nothing hides no difference.
    other = write("other.h5", FLOW, about={**NATIVE, "split": 2})
    with pytest.raises(InputError, match=r"flow\.h5 is of split 1, .*other\.h5 of 2"):
        fuse.main([flow, target, other])


def test_ids_of_the_official_list(known, original, tmp_path, monkeypatch, capsys):
    target = str(tmp_path / "rgb.h5")
    options = ["--dataset", "ucf101", "--split", "1"]
    argv = [str(original), target, *options]
    with pytest.raises(InputError, match="--ids FILE.* with --annotations"):
        convert.main(argv)
    result, _ = convert.main([*argv, "--annotations", "lists"])
    assert "taken to be in the order of lists" in result["assumed"][0]
    assert result["assumed"][0] in capsys.readouterr().err
    with score_file.ScoreFile(target) as file:
        assert (file.video_ids, tuple(file.labels)) == (IDS, LABELS)
    turned = Split((), tuple(map(Video, IDS, LABELS[::-1])), CLASSES)
    record = dataclasses.replace(DATASETS["ucf101"], read=lambda *_: turned)
    monkeypatch.setitem(DATASETS, "ucf101", record)
    words = r"not in the order of lists: 4 of 4 labels differ; .* 1, v1, is 2 .* --ids"
    with pytest.raises(InputError, match=words):
        convert.main([*argv, "--annotations", "lists"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--split", "1"], "--split is for a data set: name it with --dataset"),
        (["--annotations", "x"], "--annotations is for a data set"),
        (["--dataset", "ucf101"], "--dataset ucf101 has splits: say with --split"),
        (["--dataset", "demo", "--split", "1"], "--split is not for --dataset demo"),
        (["--dataset", "demo", "--annotations", "x"], "is not for --dataset demo"),
        (["--dataset", "demo", "--classes", "x"], "--classes is not for demo"),
        (["--dataset", "demo"], "demo has 16 names, .* of 3 classes"),
        (["--inverse-std"], "--inverse-std is for caffemodels"),
        (["--dataset", "list", "--annotations", "x"], "--annotations is for ids"),
    ],
)
def test_options_that_would_do_nothing(original, tmp_path, options, words):
    argv = [str(original), str(tmp_path / "a.h5"), "--ids", str(tmp_path / "ids.txt")]
    with pytest.raises(InputError, match=words):
        convert.main([*argv, *options])


@pytest.mark.parametrize("option", ["--dataset", "--split", "--modality"])
def test_options_of_an_npz_alone(write, tmp_path, option):
    value = {"--dataset": "demo", "--split": "1", "--modality": "rgb"}[option]
    for argv in (
        [write("a.h5", RGB), str(tmp_path / "a.npz")],
        ["a.caffemodel", str(tmp_path / "a.weights.h5")],
    ):
        with pytest.raises(InputError, match=f"{option} is for "):
            convert.main([*argv, option, value])


def test_sums_that_overflow_are_refused(write):
    with pytest.raises(InputError, match="--weights .* that are not finite"):
        fuse.main([write("a.h5", RGB), "--weights", "1e308"])


def test_missing_and_failed_videos(write, capsys):
    failed = {"v4": "img_00001.jpg: the file is empty"}
    files = [write("rgb.h5", RGB), write("flow.h5", FLOW, (0, 1, 2), failed)]
    with pytest.raises(InputError, match=r"flow\.h5 lacks 1 \(v4\)"):
        fuse.main(files)
    result, status = fuse.main([*files, "--allow-missing"])
    assert status == 1
    assert (result["videos"], result["left_out"], result["failed"]) == (3, 1, failed)
    assert "1 videos failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--weights", "1", "2"], "gives 2 numbers for 1 files"),
        (["--weights", "nan"], "not finite"),
        (["--weights", "0"], "all 0"),
        (["--confusion", "absent/x"], "no folder"),
    ],
)
def test_impossible_options(write, argv, words):
    with pytest.raises((InputError, OSError), match=words):
        fuse.main([write("rgb.h5", RGB), *argv])


def test_other_splits_are_refused(write):
    files = [
        write("a.h5", RGB),
        write("b.h5", RGB, about={"dataset": "demo", "split": 2}),
    ]
    with pytest.raises(InputError, match="is of split 1, .* of 2"):
        fuse.main(files)


def test_protocols_are_not_mixed(write):
    about = {"dataset": "demo", "split": 1}
    files = [
        write("a.h5", RGB, about={**about, "protocol": "caffe"}),
        write("b.h5", RGB, about={**about, "protocol": "other"}),
    ]
    with pytest.raises(InputError, match="is of protocol caffe, .* of other"):
        fuse.main(files)
    files[1] = write("c.h5", RGB, about=about)
    assert fuse.main(files)[1] == 0


def changed(path, change):
    with hdf5files.editing(path) as file:
        change(file)
    return path


def _all_nan(file):
    for scores in file["scores"].values():
        scores[...] = np.nan


def _one_infinite(file):
    file["scores/v2"][3, 4, 0] = np.inf


def _too_large(file):
    file["scores/v3"][...] = 3e38


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_all_nan, "scores of v1, v2, v3 and 1 more are not finite"),
        (_one_infinite, "scores of v2 are not finite"),
        (_too_large, "scores of v3 are not finite"),
    ],
)
def test_scores_that_are_not_finite(write, tmp_path, change, words):
    path = changed(write("rgb.h5", RGB), change)
    with pytest.raises(InputError, match=words):
        fuse.main([path, write("flow.h5", FLOW)])
    if change is not _too_large:
        with pytest.raises(InputError, match=r"scores of v\d are not finite"):
            convert.main([path, str(tmp_path / "rgb.npz")])
    assert not (tmp_path / "rgb.npz").exists()


def run(*argv):
    return subprocess.run(
        [sys.executable, "-m", "tsn_keras.fuse", *argv],
        capture_output=True,
        text=True,
        check=False,
        cwd=pathlib.Path(__file__).parents[1],
    )


def test_as_a_process(write):
    done = run(write("rgb.h5", RGB), write("flow.h5", FLOW), "--weights", "1", "1.5")
    assert (done.returncode, done.stderr) == (0, "")
    last = json.loads(done.stdout.splitlines()[-1])
    assert by_file(last)["fusion"]["top1"] == 75


def test_errors_are_one_line_and_status_2(write, tmp_path):
    text = tmp_path / "text.h5"
    text.write_text("not scores")
    empty = tmp_path / "empty.h5"
    empty.touch()
    for path in (tmp_path / "absent.h5", tmp_path, text, empty):
        done = run(str(path))
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
        assert path.name in done.stderr
        assert "Traceback" not in done.stderr
        assert path.name in json.loads(done.stdout)["error"]
