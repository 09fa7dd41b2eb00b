"""The command `eval` on small videos: figures, faults, interruption."""

import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from types import SimpleNamespace

import clips
import cv2
import hdf5files
import numpy as np
import processes
import pytest
import shallow
from commands import call, help_without_frameworks

import tsn_keras
from tsn_keras import eval
from tsn_keras.checkpoints import presets
from tsn_keras.common import locks
from tsn_keras.common.errors import InputError
from tsn_keras.datasets import selection
from tsn_keras.evaluation import results
from tsn_keras.evaluation import run as evaluation
from tsn_keras.scores import metrics, score_file
from tsn_keras.scores.score_file import VideoScores

ROOT = pathlib.Path(__file__).parents[1]
pytestmark = pytest.mark.usefixtures("shallow_network")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    root = tmp_path_factory.mktemp("eval")
    clips.make_case(root)
    return root


@pytest.fixture(scope="module")
def prepared_scores(prepared):
    """The score file of all videos by RGB."""
    root, argv = prepared, clips.arguments(prepared)
    argv[argv.index("--scores") + 1] = str(root / "kept/s.h5")
    (root / "kept").mkdir()
    assert eval.main(rgb_only(argv))[1] == 0
    return root / "kept/s.h5"


@pytest.fixture
def case(prepared, tmp_path):
    """A fresh copy of the videos and weights, and the arguments for them."""
    root = shutil.copytree(prepared, tmp_path / "case")
    return root, clips.arguments(root)


@pytest.fixture
def scored(case, prepared_scores):
    """The same with the score file of RGB."""
    root, argv = case
    shutil.copy(prepared_scores, root / "s.h5")
    return root, rgb_only(argv)


def rgb_only(argv):
    return [*argv[:-1], "--modality", "rgb"]


def run(argv, **options):
    return processes.run(
        [*shallow.START, "eval", *argv],
        capture_output=True,
        text=True,
        cwd=ROOT,
        **options,
    )


def read(path):
    with score_file.ScoreFile(path) as file:
        return {video: file.read(video) for video in file.video_ids}


def plain_scores(root, name, count, modality, model=None):
    """The original's procedure in NumPy and OpenCV, one snippet at a time."""
    model = model or tsn_keras.load(root / f"{modality}.weights.h5")
    depth = {"rgb": 1, "flow": 5, "rgbdiff": 6}[modality]
    step = (count - depth) // 24
    out = []
    for tick in [1 + i * step for i in range(25)] if step > 0 else [1] * 25:
        planes = []
        for number in range(tick, tick + depth):
            for prefix in ("flow_x_", "flow_y_") if modality == "flow" else ("img_",):
                path = root / "data" / name / f"{prefix}{min(count, number):05d}.jpg"
                flag = cv2.IMREAD_COLOR if prefix == "img_" else cv2.IMREAD_GRAYSCALE
                planes.append(cv2.resize(cv2.imread(str(path), flag), (340, 256)))
        stack = np.dstack(planes)
        places = [(0, 0), (0, 116), (32, 0), (32, 116), (16, 58)]
        crops = [stack[y : y + 224, x : x + 224] for y, x in places]
        mirrored = [crop[:, ::-1].copy() for crop in crops]
        if modality == "flow":
            for crop in mirrored:
                crop[..., ::2] = 255 - crop[..., ::2]
        images = np.stack(crops + mirrored).astype("f4")
        if modality == "rgbdiff":
            # Five differences of B, G, R, each frame less the one before.
            images = np.concatenate(
                [
                    images[..., 3 * k : 3 * k + 3] - images[..., 3 * k - 3 : 3 * k]
                    for k in range(1, 6)
                ],
                axis=-1,
            )
        else:
            mean = (104, 117, 123) if modality == "rgb" else 128
            images -= np.array(mean, "f4")
        out.append(images)
    # Distinct snippets only; in pieces that fit into memory.
    distinct = out if step > 0 else out[:1]
    values = [np.asarray(model(images, training=False)) for images in distinct]
    return np.stack(values if step > 0 else values * 25)


def test_scores_and_figures(case, capsys):
    """Against the plain procedure; the network there is not folded."""
    root, argv = case
    result, status = eval.main(argv)
    assert status == 0
    aggregated = {}
    for modality in ("rgb", "flow"):
        found = read(root / f"s_{modality}.h5")
        assert list(found) == ["a", "b", "c", "d"]
        model = tsn_keras.load(root / f"{modality}.weights.h5")
        for name, count in (("a", 27), ("b", 30), ("c", 12)):
            expected = plain_scores(root, name, count, modality, model)
            error = np.abs(found[name] - expected).max()
            # Float32 rounding, folded on one side only.
            assert error <= 2e-4 * np.abs(expected).max(), (modality, name)
            assert expected.std(axis=(0, 1)).max() > 0 or count == 12
        aggregated[modality] = np.stack([v.mean(1).mean(0) for v in found.values()])
    fused = aggregated["rgb"] + 1.5 * aggregated["flow"]
    figures = {r["stream"]: r for r in result["results"]}
    for stream, values in (*aggregated.items(), ("fusion", fused)):
        expected = metrics.mean_class_accuracy(values.argmax(1), np.arange(4), 6)
        assert figures[stream]["mean_class_accuracy"] == pytest.approx(100 * expected)
        assert figures[stream]["videos"] == figures[stream]["of"] == 4
    assert capsys.readouterr().out.splitlines()[0].split()[:3] == [
        "split",
        "stream",
        "videos",
    ]


@pytest.mark.slow
def test_rgb_difference(case):
    """The third modality, and its fusion with the first."""
    root, argv = case
    clips.make_weights(root / "rgbdiff.weights.h5", 15, seed=2)
    argv = [*argv[:-2], str(root / "rgb.weights.h5"), str(root / "rgbdiff.weights.h5")]
    result, status = eval.main([*argv, "--modality", "rgbdiff", "rgb"])
    assert status == 0
    found = read(root / "s_rgbdiff.h5")
    for name, count in (("a", 27), ("b", 30)):  # too short for 25, and just long enough
        expected = plain_scores(root, name, count, "rgbdiff")
        assert np.abs(found[name] - expected).max() <= 2e-4 * np.abs(expected).max()
        assert (expected.std(axis=0).max() > 1) == (count == 30)
    figures = {r["stream"]: r for r in result["results"]}
    assert figures["fusion"]["weights"] == [1.0, 1.0]
    both = [read(root / f"s_{m}.h5") for m in ("rgb", "rgbdiff")]
    fused = sum(np.stack([v.mean((0, 1)) for v in b.values()]) for b in both)
    accuracy = metrics.mean_class_accuracy(fused.argmax(1), np.arange(4), 6)
    assert figures["fusion"]["mean_class_accuracy"] == pytest.approx(100 * accuracy)


def test_no_published_weights_for_rgb_difference(tmp_path, monkeypatch):
    argv = ["--dataset", "demo", "--data", str(tmp_path), "--modality", "rgbdiff"]
    monkeypatch.setattr(selection, "make", lambda *_: None)
    nothing = selection.Selection(())
    monkeypatch.setattr(selection, "select", lambda *_, **__: nothing)
    with pytest.raises(InputError, match="no weights for rgbdiff.* --weights"):
        eval.main(argv)


@pytest.mark.parametrize(("split", "published"), [(1, 85.5), (2, None)])
def test_a_preset_of_another_split_is_not_the_published_one(split, published):
    """Its training may have seen the videos."""
    test = SimpleNamespace(
        weights=SimpleNamespace(preset=presets.PRESETS[f"ucf101_rgb_split{split}"]),
        videos=SimpleNamespace(name="ucf101", split=1),
        stream=SimpleNamespace(modality=SimpleNamespace(name="rgb")),
        shard=None,
        own=None,
    )
    outcome = SimpleNamespace(test=test, scored=3783, total=3783)
    accuracy = metrics.Accuracy(85.0, 85.0, 90.0)
    row = results.Row("rgb", 1, accuracy, 3783, 3783, outcome=outcome)
    request = evaluation.Request("ucf101", modality=("rgb",))
    (found,) = evaluation._beside_published(request, [row], [outcome])
    assert found.published == published


def rewrite(path, change):
    """Writes a score file again with another `about`."""
    with score_file.ScoreFile(path) as file:
        rows = [
            VideoScores(video, int(label), int(files), file.read(video))
            for video, label, files in zip(
                file.video_ids, file.labels, file.frames, strict=True
            )
        ]
        about, classes = change(dict(file.about)), file.classes
    score_file.write(path, rows, classes=classes, about=about, failed={})


def test_scores_of_version_0_1_are_used(scored, capsys):
    """They name weights by their file, and do not say what is averaged."""
    root, argv = scored

    def older(about):
        del about["average"]
        return {**about, "weights": "under/another/name"}

    rewrite(root / "s.h5", older)
    result, status = eval.main(argv)
    assert (status, result["results"][0]["videos"]) == (0, 4)
    assert "4 videos are already in" in capsys.readouterr().err
    rewrite(root / "s.h5", lambda about: {**about, "protocol": "other"})
    with pytest.raises(InputError, match="its protocol is other, now it is caffe"):
        eval.main(argv)


def test_score_file_says_what_it_is_of(scored):
    root, _ = scored
    with score_file.ScoreFile(root / "s.h5") as file:
        assert list(file.frames) == [27, 30, 12, 40]
        weights = file.about.pop("weights_sha256")
        assert len(weights) == 64
        assert file.about == {
            "dataset": "list",
            "split": None,
            "modality": "rgb",
            "protocol": "caffe",
            "snippets": 25,
            "crops": 10,
            "average": "scores",
            "over_time": "mean",
            "every": None,
            "a_second": 1,
            "precision": "float32",
            "runtime": "keras",
            "weights": "rgb.weights.h5",
            "tsn_keras": tsn_keras.__version__,
        }
    assert not list(root.glob("*.partial"))


def test_terminal_is_quiet_and_ends_in_json(case):
    _, argv = case
    # What the frameworks print while they are imported counts.
    done = subprocess.run(
        [*shallow.START, "eval", *rgb_only(argv), "--snippets", "3", "--crops", "1"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith("split")
    assert json.loads(lines[-1])["dataset"] == "list"
    # Nothing but the progress bar.
    text = done.stderr.replace("\r", "\n").splitlines()
    assert all(line.startswith("list rgb:") for line in text if line.strip())


def test_a_bad_file_fails_its_video_only(case, capsys):
    root, argv = case
    names = {"a": "img_00027", "b": "img_00007", "c": "img_00001"}
    kept = {v: root / f"data/{v}/{name}.jpg" for v, name in names.items()}
    kept = {path: path.read_bytes() for path in kept.values()}
    missing, empty, cut = kept
    missing.unlink()
    empty.write_bytes(b"")
    cut.write_bytes(kept[cut][:500])
    result, status = eval.main(rgb_only(argv))
    (figures,) = result["results"]
    assert status == 1
    assert (figures["videos"], figures["of"]) == (1, 4)
    assert list(figures["failed"]) == ["a", "b", "c"]
    assert "the list says 27" in figures["failed"]["a"]
    assert "img_00007.jpg" in figures["failed"]["b"]
    assert "img_00001.jpg" in figures["failed"]["c"]
    assert "3 videos failed" in capsys.readouterr().err
    assert list(read(root / "s.h5")) == ["d"]
    # Mended, the same command scores those videos and keeps the other.
    for path, content in kept.items():
        path.write_bytes(content)
    result, status = eval.main(rgb_only(argv))
    assert status == 0
    assert result["results"][0]["videos"] == 4
    assert "1 videos are already in" in capsys.readouterr().err
    assert list(read(root / "s.h5")) == ["a", "b", "c", "d"]


UNLIKE = {
    # Each snippet of RGB is one file: only the others tell of this one.
    "rgb": (
        ("a", "img_00007", (240, 320, 3), r"img_00007\.jpg is 320 x 240, but "),
        ("b", "img_00007", (1, 1, 3), r"img_00007\.jpg is 1 x 1, smaller than the"),
        ("d", "img_00007", None, r"img_00007\.jpg"),
    ),
    "flow": (
        ("c", "flow_x_00003", (240, 320), r"flow_x_00003\.jpg is 320 x 240, but "),
        ("a", "flow_y_00004", (256, 340, 3), r"flow_y_00004\.jpg: .*a colour file"),
    ),
}


@pytest.mark.parametrize("modality", UNLIKE)
def test_an_image_unlike_its_sisters_fails_its_video(case, modality):
    """Of another size, smaller than a crop, in colour, or not there."""
    root, argv = case
    for video, name, shape, _ in UNLIKE[modality]:
        path = root / f"data/{video}/{name}.jpg"
        if shape is None:
            path.unlink()
        else:
            cv2.imwrite(str(path), np.full(shape, 99, np.uint8))
    weights = ["--weights", str(root / f"{modality}.weights.h5")]
    argv = [*argv[: argv.index("--weights")], *weights, "--modality", modality]
    result, status = eval.main(argv)
    (figures,) = result["results"]
    bad = sorted(video for video, *_ in UNLIKE[modality])
    assert (status, figures["videos"]) == (1, 4 - len(bad))
    assert sorted(figures["failed"]) == bad
    for video, _, _, words in UNLIKE[modality]:
        assert re.search(words, figures["failed"][video]), figures["failed"]
    assert list(read(root / "s.h5")) == [v for v in "abcd" if v not in bad]


def test_grey_frames_are_three_equal_planes(case):
    """As cv2.imread gives the original."""
    root, argv = case
    for path in (root / "data/c").glob("img_*.jpg"):
        cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
    assert eval.main(rgb_only(argv))[1] == 0
    expected = plain_scores(root, "c", 12, "rgb")
    error = np.abs(read(root / "s.h5")["c"] - expected).max()
    assert error <= 2e-4 * np.abs(expected).max()


def test_a_video_listed_under_two_names_is_refused(case):
    root, argv = case
    lines = (root / "list.txt").read_text()
    (root / "list.txt").write_text(f"{lines}\n./a 27 0\n")
    with pytest.raises(InputError, match=r"lists \./a twice, in lines 1 and 5"):
        eval.main(rgb_only(argv))
    (root / "list.txt").write_text(f"{lines}\nb/../a 27 0\n")
    with pytest.raises(InputError, match=r"a and b/\.\./a of .* are the same folder"):
        eval.main(rgb_only(argv))


def test_scores_that_are_not_finite_are_not_resumed(scored):
    root, argv = scored
    with hdf5files.editing(root / "s.h5") as file:
        file["scores/b"][0, 0, 0] = np.nan
    words = r"s\.h5: the scores of b are not finite: score the videos again"
    with pytest.raises(InputError, match=words):
        eval.main(argv)


def rows(journal):
    try:
        with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as database:
            return database.execute("SELECT count(*) FROM scores").fetchone()[0]
    except sqlite3.Error:
        return 0


@pytest.mark.parametrize(
    "stop",
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        signal.SIGKILL,
    ],
)
def test_stopped_and_run_again_is_as_if_never_stopped(case, prepared_scores, stop):
    root, argv = case
    argv = [*rgb_only(argv), "--batch", "2"]
    process = processes.Popen(
        [*shallow.START, "eval", *argv],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    journal = root / "s.h5.partial"
    while process.poll() is None and rows(journal) < 30:
        time.sleep(0.01)
    process.send_signal(stop)
    out, err = process.communicate(timeout=60)
    assert not (root / "s.h5").exists()
    done_before = rows(journal)
    assert done_before >= 30
    if stop != signal.SIGKILL:
        assert process.returncode == 130
        assert "the same command resumes" in json.loads(out)["interrupted"]
        assert "Traceback" not in err
    done = call("eval", *argv)
    assert done.returncode == 0
    for name, found in read(prepared_scores).items():
        # Batches start elsewhere; the kernels' rounding may depend on it.
        again = read(root / "s.h5")[name]
        np.testing.assert_allclose(again, found, atol=1e-5 * np.abs(found).max())


def test_killed_around_the_writing_of_the_score_file(case, monkeypatch):
    """The journal is complete, or not needed any more."""
    root, argv = case
    argv = rgb_only(argv)
    before = {path.name for path in root.iterdir()}
    path, journal = root / "s.h5", root / "s.h5.partial"
    with monkeypatch.context() as patched:
        patched.setattr(score_file, "write", lambda *_, **__: signal.raise_signal(2))
        with pytest.raises(KeyboardInterrupt):
            eval.main(argv)
    kept = journal.read_bytes()
    assert not path.exists()
    eval.main(argv)
    assert {p.name for p in root.iterdir()} - before == {"s.h5"}
    found = read(path)
    assert {name: len(scores) for name, scores in found.items()} == dict.fromkeys(
        "abcd", 25
    )
    leftovers = (".s.h5.lock", ".s.h5.holder", ".0a1b2c3d.s.h5")
    for more in ([], [("elsewhere", 30, 0, np.zeros((10, 6), "f4"))]):
        journal.write_bytes(kept)
        with sqlite3.connect(journal) as database:
            database.executemany("INSERT INTO scores VALUES (?, ?, ?, ?)", more)
        database.close()
        for name in leftovers:
            (root / name).write_text("{}")
        eval.main(argv)
        # What was scored of other videos is of use to whoever asks for them.
        expected = {"s.h5", "s.h5.partial"} if more else {"s.h5"}
        assert {p.name for p in root.iterdir()} - before == expected
    for name, scores in read(path).items():
        np.testing.assert_array_equal(scores, found[name])


def test_scores_of_other_weights_are_not_mixed(scored):
    root, argv = scored
    clips.make_weights(root / "rgb.weights.h5", 3, seed=5)
    with pytest.raises(InputError, match=r"s\.h5.*weights_sha256.*--scores"):
        eval.main(argv)


@pytest.mark.slow
def test_bfloat16_is_near(case):
    root, argv = case
    eval.main(rgb_only(argv))
    other = [*rgb_only(argv), "--scores", str(root / "b.h5")]
    eval.main([*other, "--precision", "bfloat16"])
    exact, rough = read(root / "s.h5"), read(root / "b.h5")
    for name, values in exact.items():
        error = np.abs(rough[name] - values).max() / np.abs(values).max()
        # 8 bits of mantissa through 70 layers: not exact, and not another net.
        assert 1e-5 < error < 0.1


TWO_DEVICES = """
import sys
import tensorflow as tf
import shallow
shallow.apply()
cpu = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)
from tsn_keras import eval
from tsn_keras.common import console
from tsn_keras.pipeline import distribution
def strategy():
    found = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert found.num_replicas_in_sync == 2
    return found
distribution.of_this_machine = strategy
console.run(eval.main, sys.argv[1:])
"""


def test_two_devices_give_the_scores_of_one(case):
    root, argv = case
    argv = [*argv, "--snippets", "5"]
    eval.main(argv)
    other = [*argv, "--scores", str(root / "two.h5"), "--batch", "3"]
    done = processes.run(
        [sys.executable, "-c", TWO_DEVICES, *other],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(pathlib.Path(shallow.__file__).parent)},
    )
    assert done.returncode == 0, done.stderr
    for modality in ("rgb", "flow"):
        one, two = (read(root / f"{stem}_{modality}.h5") for stem in ("s", "two"))
        assert list(one) == list(two)
        for name, values in one.items():
            # Float32 sums in batches of another size.
            atol = 1e-5 * np.abs(values).max()
            np.testing.assert_allclose(two[name], values, rtol=0, atol=atol)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda a: a[:-2],
            "no weights for rgb were published for list: .*--weights",
        ),
        (lambda a: a[:-1], "names 1 files for the modalities rgb flow"),
        (lambda a: [*a[:-1], a[-2]], "no weights for flow"),
        (lambda a: [*a[:-1], "absent.h5"], "neither a file nor a preset"),
        (lambda a: [*a, "--data", "absent"], "no folder absent"),
        (lambda a: [*a, "--annotations", "absent"], "cannot read absent"),
        (lambda a: [*a, "--rgb-prefix", "image_"], "none of 4 videos.*--rgb-prefix"),
        (lambda a: [*a, "--split", "1"], "--split is not for --dataset list"),
    ],
)
def test_what_is_wrong_is_said(case, change, words):
    _, argv = case
    argv = change(argv)
    if argv[-1] == "--weights":
        argv = argv[:-1]
    with pytest.raises((InputError, OSError), match=words):
        eval.main(argv)


def test_missing_videos_must_be_allowed(case):
    root, argv = case
    shutil.rmtree(root / "data/c")
    with pytest.raises(InputError, match=r"1 of 4 test videos.* c: .*--allow-mis"):
        eval.main(rgb_only(argv))
    result, status = eval.main([*rgb_only(argv), "--allow-missing"])
    (figures,) = result["results"]
    assert status == 0
    assert (figures["videos"], figures["of"], figures["missing"]) == (3, 4, 1)


def test_finished_scores_are_used_and_never_dropped(scored, capsys):
    root, argv = scored
    before = (root / "s.h5").stat().st_ino
    result, status = eval.main(argv)
    assert (status, result["results"][0]["videos"]) == (0, 4)
    assert "4 videos are already in" in capsys.readouterr().err
    assert (root / "s.h5").stat().st_ino == before
    shutil.rmtree(root / "data/c")
    with pytest.raises(InputError, match="1 videos that are not on disk now, as c"):
        eval.main([*argv, "--allow-missing"])
    assert (root / "s.h5").stat().st_ino == before


def test_two_runs_into_one_file(case):
    root, argv = case
    argv = [*argv, "--snippets", "3", "--crops", "1"]
    with locks.held(root / "s_rgb.h5", "x"):
        # Another process: one's own locks are no other run's.
        done = run(argv)
    assert done.returncode == 2
    words = "s_rgb.h5 is in use by another run (process "
    assert words in json.loads(done.stdout)["error"]
    assert "name another file with --scores" in json.loads(done.stdout)["error"]
    assert not (root / "s_rgb.h5").exists()
    assert eval.main(argv)[1] == 0
    with locks.held(root / "s_rgb.h5", "x"):
        # It only reads what is there.
        assert eval.main(argv)[1] == 0
    assert {p.name for p in root.glob("*s_*")} == {"s_rgb.h5", "s_flow.h5"}


def test_empty_folder_and_no_data(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="--data.*TSN_KERAS_DATA"):
        eval.main(["--dataset", "hmdb51"])
    monkeypatch.setenv("TSN_KERAS_DATA", str(tmp_path))
    with pytest.raises(InputError, match=r"no folder .*hmdb51"):
        eval.main(["--dataset", "hmdb51"])
    (tmp_path / "hmdb51").mkdir()
    with pytest.raises(InputError, match="no hmdb51 annotations.*--annotations"):
        eval.main(["--dataset", "hmdb51"])


def test_help_answers_without_the_framework():
    assert "--allow-missing" in help_without_frameworks("eval")
