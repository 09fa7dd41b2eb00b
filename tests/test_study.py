"""The command `study`: a small table, interrupted, resumed and shared."""

import csv
import json
import os
import shlex

import clips
import pytest
import shared_work
import small_network
from commands import call, study, train

import tsn_keras
from tsn_keras import eval
from tsn_keras.common import progress
from tsn_keras.common.errors import InputError
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.scores import fusion, score_file
from tsn_keras.studies import planning, running
from tsn_keras.studies.records import Options
from tsn_keras.training import loop as training_loop

CLASSES = ("jump", "run", "walk")
BASE = """
[data]
dataset = "list"
[model]
backbone = "small_network"
segments = 2
[train]
batch = 4
iterations = 4
base_lr = 0.01
drops = [3]
validate_every = 0
save_every = 2
"""
STUDY = """
title = "Two streams"
source = "nowhere"
rows = "segments"
[[cells]]
name = "rgb"
row = "2"
column = "RGB"
config = "base.toml"
published = 50.0
[[cells]]
name = "flow"
row = "2"
column = "flow"
config = "base.toml"
changes = { data.modality = "flow", train.seed = 1 }
[[cells]]
name = "both"
row = "2"
column = "RGB + flow"
fusion = { rgb = 1.0, flow = 1.5 }
published = 60.5
[[cells]]
name = "quoted"
row = "of others"
column = "RGB + flow"
published = 70.0
"""
FOLDERS = {
    "rgb": "list_rgb_small_network_k2_",
    "flow": "list_flow_small_network_k2_",
}


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setitem(BACKBONES, small_network.SMALL.name, small_network.SMALL)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Six videos to train on, three to test, a training file and a study."""
    root = tmp_path_factory.mktemp("study")
    lines = []
    for number in range(9):
        clips.make_video(root / "frames" / f"v{number}", 8, number)
        lines.append(f"v{number} 8 {number % 3}\n")
    (root / "train.txt").write_text("".join(lines[:6]))
    (root / "test.txt").write_text("".join(lines[6:]))
    (root / "classes.txt").write_text("\n".join(CLASSES))
    (root / "base.toml").write_text(BASE)
    (root / "two.toml").write_text(STUDY)
    return root


def places(data):
    return [
        f"data.root={data / 'frames'}",
        f"data.annotations={data / 'train.txt'}",
        f"data.validation={data / 'test.txt'}",
        f"data.classes={data / 'classes.txt'}",
    ]


def arguments(data, runs, *more, file="two.toml"):
    told = [word for one in places(data) for word in ("--set", one)]
    return [str(data / file), "--runs", str(runs), *told, *map(str, more)]


@pytest.fixture(scope="module")
def finished(data):
    """The folder of a finished study; interrupted in the second run's third update."""
    runs = data / "runs"
    update = training_loop.Loop._update

    def stopped(self, iteration, *others):
        if self._out.name.startswith(FOLDERS["flow"]) and iteration == 3:
            raise KeyboardInterrupt("stopped here")
        update(self, iteration, *others)

    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(BACKBONES, small_network.SMALL.name, small_network.SMALL)
        patched.setattr(training_loop.Loop, "_update", stopped)
        done = call("study", *arguments(data, runs))
        assert done.returncode == 130
        assert "stopped here; 1 of 2 runs of the study are finished" in done.stderr
        patched.setattr(training_loop.Loop, "_update", update)
        done = call("study", *arguments(data, runs, "--csv", data / "table.csv"))
        assert done.returncode == 0, done.stderr
    return runs, done


def folder(runs, cell):
    (found,) = (p for p in runs.iterdir() if p.name.startswith(FOLDERS[cell]))
    return found


def test_a_stopped_study_resumes(data, finished):
    runs, done = finished
    assert "1 of 2 runs are finished already" in done.stderr
    assert f"{folder(runs, 'flow')}: resuming at iteration 2 of 4" in done.stderr
    assert str(folder(runs, "rgb")) not in done.stderr
    assert {p.name for p in runs.iterdir()} == {
        folder(runs, "rgb").name,
        folder(runs, "flow").name,
    }


def test_the_table_stands_beside_the_published_one(data, finished):
    runs, done = finished
    *shown, last = done.stdout.splitlines()
    scores = [folder(runs, cell) / "scores.h5" for cell in ("rgb", "flow")]
    expected = fusion.fuse(fusion.Request(scores, [1.0, 1.5]))
    figures = [part.accuracy.mean_class_accuracy for part in expected.parts]
    result = json.loads(last)
    assert [cell["value"] for cell in result["cells"]] == [*figures, None]
    both = result["cells"][2]
    assert both["difference"] == pytest.approx(figures[2] - 60.5)
    assert (both["videos"], both["finished"], both["runs"]) == (3, 2, 2)
    assert (result["left"], result["failed"]) == (0, {})
    heads = "segments RGB published flow RGB + flow published"
    assert shown[2].split() == heads.split()
    one, two, three = (f"{figure:.2f}" for figure in figures)
    assert shown[4].split() == ["2", one, "50.00", two, three, "60.50"]
    assert shown[5].split() == ["of", "others", "70.00"]
    assert shown[7:9] == ["mean class accuracy, %", "published: nowhere"]
    with (data / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["rgb", "flow", "both", "quoted"]
    assert float(rows[2]["value"]) == pytest.approx(figures[2], abs=1e-4)
    assert (rows[1]["published"], rows[3]["value"]) == ("", "")


def test_what_is_finished_is_not_run_again(data, finished, monkeypatch):
    """Nor what another study calls otherwise, in other words for the same settings."""
    runs, done = finished
    monkeypatch.setattr(running.training, "train", None)
    found, status = study.main(arguments(data, runs))
    assert (status, found) == (0, json.loads(done.stdout.splitlines()[-1]))
    text = STUDY.replace('"rgb"', '"first"').replace("rgb = 1.0", "first = 2.0")
    text = text.replace('config = "base.toml"\npub', 'config = "else.toml"\npub')
    (data / "else.toml").write_text(BASE.replace("segments = 2", "segments = 3"))
    changes = "title = 't'\nchanges = { model.segments = 2 }\n"
    (data / "other.toml").write_text(text.replace('title = "Two streams"', changes))
    found = tsn_keras.study(data / "other.toml", runs=runs, changes=nested(data))
    assert found.left == 0
    assert (
        found.of("first").value
        == json.loads(done.stdout.splitlines()[-1])["cells"][0]["value"]
    )
    assert "t\n\nsegments" in str(found)


def nested(data):
    pairs = (one.removeprefix("data.").partition("=") for one in places(data))
    return {"data": {key: value for key, _, value in pairs}}


def test_moved_data_is_compared_and_not_trained_on_again(data, finished, tmp_path):
    runs, _ = finished
    os.symlink(data / "frames", tmp_path / "moved")
    before = (folder(runs, "rgb") / "last.weights.h5").stat().st_mtime_ns
    argv = arguments(data, runs, "--only", "rgb")
    moved = [*argv, "--set", f"data.root={tmp_path / 'moved'}"]
    found, status = study.main(moved)
    assert (status, found["cells"][0]["finished"]) == (0, 1)
    assert (folder(runs, "rgb") / "last.weights.h5").stat().st_mtime_ns == before
    # Other videos under the same names of files are another run.
    lines = (data / "train.txt").read_text().splitlines()
    other = tmp_path / "train.txt"
    other.write_text("\n".join(lines[1:]))
    result, status = study.main([*argv, "--set", f"data.annotations={other}"])
    assert status == 1
    (reason,) = result["failed"].values()
    assert "training videos (digest)" in reason
    assert result["cells"][0]["value"] is None
    assert study.main(argv)[1] == 0


def test_the_list_gives_commands_that_do_the_same(data, finished, tmp_path, capsys):
    runs, _ = finished
    result, _ = study.main(arguments(data, runs, "--list"))
    shown = capsys.readouterr().out.splitlines()
    assert shown[:2] == ["rgb (2, RGB)", "  finished"]
    assert len(result["cells"]) == 3
    (run,) = result["cells"][1]["runs"]
    (command,) = run["commands"]
    assert f"  {command}" in shown
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "tsn_keras.train"]
    # A finished run of the same settings: it is compared with the checkpoint.
    found, _ = train.main(words[3:])
    assert (found["iterations"], found["out"]) == (4, str(folder(runs, "flow")))
    (fuse,) = result["cells"][2]["fusions"]
    assert shlex.split(fuse)[-3:] == ["--weights", "1.0", "1.5"]
    result, _ = study.main(arguments(data, tmp_path / "no", "--list", "--only", "rgb"))
    assert [cell["name"] for cell in result["cells"]] == ["rgb"]
    assert result["cells"][0]["runs"][0]["state"] == "to do"
    assert not (tmp_path / "no").exists()


@pytest.mark.slow
def test_another_test_of_the_same_training(data, finished):
    """It has scores of its own; the command that is listed makes the same."""
    runs, _ = finished
    test = "[test]\nsnippets = 3\ncrops = 1\n[[cells]]"
    (data / "quick.toml").write_text(STUDY.replace("[[cells]]", test, 1))
    argv = arguments(data, runs, "--only", "rgb", file="quick.toml")
    before = (folder(runs, "rgb") / "last.weights.h5").stat().st_mtime_ns
    found, status = study.main(argv)
    assert (status, found["cells"][0]["finished"]) == (0, 1)
    assert (folder(runs, "rgb") / "last.weights.h5").stat().st_mtime_ns == before
    (path,) = folder(runs, "rgb").glob("scores_*.h5")
    with score_file.ScoreFile(path) as file:
        assert {file.read(video).shape for video in file.video_ids} == {(3, 1, 3)}
    result, _ = study.main([*argv, "--list"])
    _, command = result["cells"][0]["runs"][0]["commands"]
    words = shlex.split(command)
    assert words[2] == "tsn_keras.eval"
    scored, _ = eval.main([*words[3:], "--scores", str(data / "again.h5")])
    figure = scored["results"][0]["mean_class_accuracy"]
    assert figure == pytest.approx(found["cells"][0]["value"])


@pytest.fixture
def cluster():
    """Address of a cluster of one worker that is a thread of this process."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as found:
        yield found.scheduler_address


@pytest.mark.slow
def test_a_cluster_makes_the_same_and_goes_on_after_a_failure(
    data, finished, cluster, tmp_path, monkeypatch
):
    """Paths are those of the user, who is elsewhere than the workers."""
    monkeypatch.chdir(data)
    more = ["--set", "rgb:model.backbone=vgg17", "--set", "data.root=frames"]
    more += ["--backend", "dask", "--scheduler", cluster]
    argv = arguments(data, os.path.relpath(tmp_path / "runs"), *more)
    done = call("study", *argv)
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    ((out, reason),) = result["failed"].items()
    assert "model.backbone: there is no backbone 'vgg17'" in reason
    assert f"{out} failed: model.backbone" in done.stderr
    assert "1 of 2 runs are to do" in done.stdout
    assert [cell["finished"] for cell in result["cells"]] == [0, 1, 1, 0]
    theirs, ours = (
        shared_work.read(folder(runs, "flow") / "scores.h5")
        for runs in (finished[0], tmp_path / "runs")
    )
    shared_work.demand_equal(ours, theirs)
    # Finished for this machine too, with the paths as they were told.
    argv = [*argv, "--only", "flow", "--list"]
    found = json.loads(call("study", *argv).stdout.splitlines()[-1])
    assert found["cells"][0]["runs"][0]["state"] == "finished"


def test_runs_that_fail_are_named_together(data, tmp_path):
    more = ["--set", "model.backbone=vgg17"]
    done = call("study", *arguments(data, tmp_path / "runs", *more))
    assert done.returncode == 1
    result = json.loads(done.stdout.splitlines()[-1])
    assert len(result["failed"]) == result["left"] == 2
    assert [cell["value"] for cell in result["cells"]] == [None] * 4
    outs = ", ".join(result["failed"])
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"failed: {outs}: model.backbone: there is no backbone 'vgg")
    assert "2 of 2 runs are to do" in done.stdout


def test_what_a_cell_is_about_stays(data):
    changes = {"train": {"seed": 7, "batch": 6}}
    options = Options(changes=changes, of_cells={"rgb": {"model": {"segments": 5}}})
    planned = planning.plan(data / "two.toml", options)
    rgb, flow = (cell.runs[0][0][0].settings for cell in planned.cells[:2])
    assert (rgb.train.seed, rgb.train.batch, rgb.model.segments) == (7, 6, 5)
    assert (flow.train.seed, flow.train.batch, flow.model.segments) == (1, 6, 2)
    assert len(planned.kept) == 1
    assert "train.seed stays as in flow: " in planned.kept[0]
    options = Options(changes=changes, of_cells={"flow": {"train": {"seed": 8}}})
    planned = planning.plan(data / "two.toml", options)
    assert planned.cells[1].runs[0][0][0].settings.train.seed == 8
    assert planned.kept == ()


def test_runs_are_named_by_what_matters(data):
    def name(**changes):
        settings = planning.merged({"data": {"modality": "flow"}}, changes)
        return planning.name_of(planning.config.training_of(settings))

    plain = name()
    assert plain.startswith("list_flow_bn_inception_k3_")
    same = name(data={"root": "/a"}, train={"save_every": 3, "device_batch": 2})
    assert same == plain
    assert name(train={"base_lr": 0.001}) == plain  # The default.
    lists = [name(data={"annotations": f"{place}/a.txt"}) for place in ("x", "y")]
    assert lists[0] == lists[1] != plain
    others = {name(train={"seed": 1}), name(model={"initial": "a.h5"}), plain}
    assert len(others | {name(model={"initial": "b.h5"}), lists[0]}) == 5


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "rgb"', 'nam = "rgb"', "there is no 'nam'; did you mean 'name'"),
        ('name = "flow"', 'name = "rgb"', "2 cells have the name 'rgb'"),
        ('column = "flow"', 'column = "RGB"', "2 cells have the place '2, RGB'"),
        ("flow = 1.5 }", "flo = 1.5 }", "'both': fusion names 'flo', which is no cell"),
        ("rgb = 1.0, flow = 1.5", "rgb = 0.0", "not finite, or all 0"),
        ("rgb = 1.0", "rgb = true", "cells[2]: fusion: rgb must be float"),
        ("train.seed = 1", "train.sed = 1", "cell 'flow': train: there is no 'sed'"),
        ("data.modality = ", "data = ", "'flow': changes must be like"),
        ("published = 50.0", "published = 500.0", "must be a percentage"),
        ("published = 70.0", "", "'quoted': it needs config, fusion, or what was"),
        ('column = "flow"', "", "'flow': it needs row and column"),
        ('rows = "segments"', 'metric = "map"', "metric must be one of mean_class_acc"),
        ('rows = "segments"', "splits = [2, 1]", "splits must be increasing"),
        ('rows = "segments"', "[test]\nevery = 'x'", "'rgb': `every` must be a number"),
        ('rows = "segments"', "[test]\ndataset = 'x'", "dataset: there is no data set"),
        ('"base.toml"\nchanges', '"two.toml"\nchanges', "'flow': there is no"),
    ],
)
def test_what_is_wrong_in_a_study_file_is_named(data, old, new, words):
    text = STUDY.replace(old, new, 1)
    assert text != STUDY
    (data / "wrong.toml").write_text(text)
    with pytest.raises(InputError) as error:
        planning.plan(data / "wrong.toml", Options())
    assert words in str(error.value)
    assert "wrong.toml" in str(error.value)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--only", "rbg"], "has no cell 'rbg'; it has rgb, flow, both, quoted"),
        (["--set", "both:train.seed=1"], "'both': it is no run of its own"),
        (["--set", "rgb=1"], "'rgb=1': must be like train.base_lr=0.002"),
        (["--set", "train.sed=1"], "cell 'rgb': train: there is no 'sed'"),
        (["--split", "2"], "--split is [2]; the study is of that of its training f"),
        (["--backend", "dask"], "--backend dask and --scheduler go together"),
    ],
)
def test_wrong_arguments_are_named(data, argv, words):
    with pytest.raises(InputError) as error:
        study.main([str(data / "two.toml"), *argv])
    assert words in str(error.value)


def test_splits_are_runs_of_their_own(data, tmp_path):
    text = 'title = "t"\nsplits = [1, 2, 3]\n' + STUDY.partition("rows")[2].partition(
        "\n"
    )[2].replace('"base.toml"', '"ucf.toml"')
    (data / "splits.toml").write_text(text)
    (data / "ucf.toml").write_text(BASE.replace('"list"', '"ucf101"'))
    planned = planning.plan(data / "splits.toml", Options())
    assert len(planned.runs) == 6
    assert [run.settings.data.split for run in planned.cells[0].all_runs] == [1, 2, 3]
    both = planned.cells[2].runs[1]
    assert [(run.settings.data.split, weight) for run, weight in both] == [
        (2, 1.0),
        (2, 1.5),
    ]
    planned = planning.plan(data / "splits.toml", Options(splits=(3,)))
    assert [run.settings.data.split for run in planned.runs] == [3, 3]
    assert "mean of the splits 3; published: of 1 2 3" in str(running.table_of(planned))
    with pytest.raises(InputError, match="name some by `splits`"):
        planning.plan(data / "splits.toml", Options(changes={"data": {"split": 2}}))


def test_progress_is_told(data, finished):
    told = []
    options = Options(str(finished[0]), nested(data))
    running.study(data / "two.toml", options, None, progress.Calling(told.append))
    assert [one.message for one in told] == ["2 of 2 runs are finished already"]
