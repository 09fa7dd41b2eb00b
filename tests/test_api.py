"""The public API: what a notebook types, and the numbers that it gets."""

import importlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import clips
import numpy as np
import processes
import pytest
import videofiles

import tsn_keras as tsn
from tsn_keras.scores import metrics

ROOT = pathlib.Path(__file__).parents[1]
pytestmark = pytest.mark.usefixtures("shallow_network")


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """Frame folders a, b, c and d of clips.make_case, and both weight files."""
    root = tmp_path_factory.mktemp("case")
    clips.make_case(root, (30, 8, 12, 27))
    return root


@pytest.fixture(scope="module")
def recognizer(case):
    weights = (case / f"{m}.weights.h5" for m in ("rgb", "flow"))
    return tsn.Recognizer.from_preset(*weights)


@pytest.fixture(scope="module")
def evaluated(case, recognizer):
    told = []
    result = recognizer.evaluate(
        "list",
        data=case / "data",
        annotations=case / "list.txt",
        scores=case / "s.h5",
        progress=told.append,
    )
    return result, told


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Class folders of frame folders: three classes of three videos."""
    root = tmp_path_factory.mktemp("folders")
    for label, name in enumerate(("jump", "run", "walk")):
        for number in range(3):
            clips.make_video(
                root / name / f"v{number}", 7 + number, 10 * label + number
            )
    return root


def in_new_process(code):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    ).stdout


def test_import_loads_nothing_slow():
    code = (
        "import sys, tsn_keras; "
        "slow = {'tensorflow', 'keras', 'numpy', 'cv2', 'h5py'} & set(sys.modules); "
        "print(sorted(slow), set(tsn_keras.__all__) <= set(dir(tsn_keras)))"
    )
    assert in_new_process(code) == "[] True\n"


def test_activities_load_no_framework_before_they_begin():
    """They do it where what TensorFlow prints then is not shown."""
    names = ("training", "evaluation", "prediction", "explanation", "extraction")
    code = (
        "import importlib, sys; "
        f"[importlib.import_module(f'tsn_keras.{{n}}.run') for n in {names}]; "
        "print(sorted({'tensorflow', 'keras', 'torch', 'jax'} & set(sys.modules)))"
    )
    assert in_new_process(code) == "[]\n"


def test_commands_do_not_hide_functions():
    for name in ("explain", "extract", "train", "fuse"):
        module = importlib.import_module(f"tsn_keras.{name}")
        assert callable(module.main)
        assert getattr(tsn, name) is not module
        assert callable(getattr(tsn, name))
    assert importlib.import_module("tsn_keras.eval") is tsn.eval


def test_everything_public_is_there_and_annotated():
    for name in tsn.__all__:
        assert getattr(tsn, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'extrakt'"):
        _ = tsn.extrakt


def test_evaluation_is_a_record(evaluated):
    result, told = evaluated
    assert set(result.streams) == {"rgb", "flow"}
    scores = result.scores
    assert list(scores["rgb"]) == ["a", "b", "c", "d"]
    assert scores["rgb"]["a"].shape == (25, 10, clips.CLASSES)
    assert scores["rgb"]["a"].dtype == np.float32
    with pytest.raises(KeyError):
        scores["rgb"]["e"]
    # By hand: means over snippets and crops, 1 : 1.5.
    fused = np.stack(
        [
            scores["rgb"][v].mean((0, 1)) + 1.5 * scores["flow"][v].mean((0, 1))
            for v in "abcd"
        ]
    )
    right = metrics.accuracy(fused, np.arange(4))
    assert result.fusion.mean_class_accuracy == right.mean_class_accuracy
    assert result.fusion.top5 == right.top5
    assert "fusion" in str(result)
    with pytest.raises(ValueError, match="no accuracy of `stream` 'sound'"):
        result.of("sound")
    # What the callback was told: four videos of each modality.
    last = {p.title: p for p in told if p.title.startswith("list")}
    assert {(p.done, p.total, p.unit) for p in last.values()} == {(4, 4, "video")}
    assert set(last) == {"list rgb", "list flow"}


def test_fuse_is_the_evaluation(case, evaluated):
    result, _ = evaluated
    files = [case / "s_rgb.h5", case / "s_flow.h5"]
    found = tsn.fuse(files, weights=[1, 1.5])
    assert found.accuracy == result.fusion.accuracy
    assert found.scores.shape == (4, clips.CLASSES)
    alone = tsn.fuse(files[0])  # a single path is no list of letters
    assert alone.accuracy == result.streams["rgb"].accuracy
    with pytest.raises(ValueError, match="`weights` gives 1 numbers for 2 files"):
        tsn.fuse(files, weights=[1])


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return videofiles.make(tmp_path_factory.mktemp("video") / "clip.avi", 9)


def test_prediction_of_a_file_and_of_its_frames(recognizer, video):
    units = []
    of_file = recognizer.predict(str(video), progress=lambda p: units.append(p.done))
    frames = np.stack(videofiles.by_opencv(video))[..., ::-1]
    of_array = recognizer.predict(frames)
    for modality in ("rgb", "flow"):
        found = of_file.scores[modality]
        assert found.shape == (25, 10, clips.CLASSES)
        np.testing.assert_array_equal(found, of_array.scores[modality])
    best = of_file.top(2)
    assert best[0].label == of_file.probabilities.argmax()
    assert best[0].probability == of_file.probabilities.max()
    assert best[0].name == recognizer.classes[best[0].label]
    assert (
        str(of_file).splitlines()[2].split()[-1] == f"{100 * best[0].probability:.1f}"
    )
    # A video too short for 25 snippets has one, of each modality.
    assert units == [0, 1, 2]


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ("no.avi", OSError, "no.avi"),
        (np.zeros((4, 8, 8, 3), "f4"), ValueError, r"uint8 \[frames.*float32 \(4, 8"),
        (np.zeros((8, 8, 3), "u1"), ValueError, r"Received: uint8 \(8, 8, 3\)"),
        (np.zeros((1, 8, 8, 3), "u1"), ValueError, "no two frames"),
        ([1, 2], TypeError, "Received: list"),
    ],
)
def test_predict_refuses(recognizer, given, error, text):
    with pytest.raises(error, match=text):
        recognizer.predict(given)


def test_dataset_of_a_pass(folders):
    data = tsn.dataset("folders", data=folders, holdout=0.34, segments=2, batch=4)
    assert data.class_names == ("jump", "run", "walk")
    assert int(data.cardinality()) == 2
    epochs = [[(x.numpy(), y.numpy()) for x, y in data] for _ in range(2)]
    for epoch in epochs:
        assert [x.shape for x, _ in epoch] == [(4, 2, 224, 224, 3), (2, 2, 224, 224, 3)]
        assert sorted(np.concatenate([y for _, y in epoch])) == [0, 0, 1, 1, 2, 2]
    first, second = (np.concatenate([x for x, _ in epoch]) for epoch in epochs)
    assert (first != second).any()  # drawn anew
    again = tsn.dataset("folders", data=folders, holdout=0.34, segments=2, batch=4)
    np.testing.assert_array_equal(next(iter(again))[0], epochs[0][0][0])
    other = {"data": folders, "holdout": 0.34, "segments": 2, "batch": 4, "seed": 1}
    drawn = next(iter(tsn.dataset("folders", **other)))[0].numpy()
    assert (drawn != epochs[0][0][0]).any()


def test_dataset_of_the_test_part(folders):
    held = tsn.dataset("folders", data=folders, part="test", holdout=0.34, batch=2)
    labels = [y.numpy().tolist() for _, y in held]
    assert sorted(sum(labels, [])) == [0, 1, 2]
    assert [len(y) for y in labels] == [2, 1]
    one, two = (np.concatenate([x for x, _ in held]) for _ in range(2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("hmdb", {}, "no data set 'hmdb'; there are: hmdb51"),
        ("hmdb51", {}, "Name the folder of its frames with `data`"),
        ("demo", {"part": "validation"}, '`part` must be "train" or "test"'),
        ("demo", {"segments": 0}, "`segments` must be"),
        ("demo", {"modality": "smell"}, "no modality 'smell'"),
        ("folders", {"modality": "sound"}, "has no sound.flac"),
        ("folders", {"part": "test"}, "name some with `holdout`"),
    ],
)
def test_dataset_refuses(folders, name, options, text):
    if name == "folders":
        options = {**options, "data": folders}
    with pytest.raises(ValueError, match=text):
        tsn.dataset(name, **options)


def fit_apart(backend, folder):
    """{kind: what fit_check.py tells} of a back end."""
    done = processes.run(
        [sys.executable, "tests/support/fit_check.py", str(folder)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def fitted(folders):
    return fit_apart("tensorflow", folders)


def test_fit_learns(fitted):
    for found in fitted.values():
        assert np.isfinite(found["losses"]).all()
        assert found["losses"][1] < found["losses"][0]


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_fit_on_other_backends(fitted, folders, backend):
    pytest.importorskip(backend)
    of_backend = fit_apart(backend, folders)
    assert of_backend.keys() == fitted.keys() == {"arrays", "dataset"}
    for kind, found in of_backend.items():
        expected = fitted[kind]
        assert found["backend"] == backend
        scale = np.abs(expected["before"]).max()
        # float32 sums in other orders; the second epoch after two to five updates.
        np.testing.assert_allclose(
            found["before"], expected["before"], atol=1e-4 * scale
        )
        np.testing.assert_allclose(found["losses"], expected["losses"], rtol=1e-3)


def test_train_takes_a_dict(folders, tmp_path):
    told = []
    settings = {
        "data": {"dataset": "folders", "root": folders, "holdout": 0.34},
        "model": {"width": 0.05, "segments": 2},
        "train": {"batch": 3, "iterations": 2, "drops": (1,), "base_lr": 0.01},
    }
    found = tsn.train(settings, out=tmp_path / "run", progress=told.append)
    assert found.iterations == 2
    assert found.weights.is_file()
    assert tsn.load(found.weights).class_names == ("jump", "run", "walk")
    assert max(p.done for p in told if p.title == "training") == 2


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"trein": {}}, "there is no 'trein'; did you mean 'train'"),
        ({"train": {"batch": "8"}}, "batch must be int"),
        ({1: {}}, "there is no '1'"),
        ("no.toml", "no.toml"),
    ],
)
def test_train_refuses(config, text, tmp_path):
    with pytest.raises((ValueError, OSError), match=text):
        tsn.train(config, out=tmp_path)


def test_extract_counts_frames(tmp_path, video):
    told = []
    found = tsn.extract(video, tmp_path / "out", flow="none", progress=told.append)
    assert (found.made, found.failed, found.files) == (1, {}, 8)
    shown = [p for p in told if p.unit == "frame"]
    assert (shown[0].done, shown[0].total) == (0, None)
    assert (shown[-1].done, shown[-1].total) == (8, 8)
    with pytest.raises(ValueError, match="`flow` must be one of tvl1, warped, none"):
        tsn.extract(video, tmp_path / "out", flow="farneback")
    with pytest.raises(TypeError, match="`progress` must be"):
        tsn.extract(video, tmp_path / "out", flow="none", progress="bar")


def test_what_is_there_decides_what_computes_flow(tmp_path, video):
    """New folders by Keras; beside those of OpenCV by OpenCV."""
    more = {"size": (40, 30)}
    for device, expected in (("opencv", "opencv"), ("cpu", "keras"), (None, "keras")):
        videos, out = tmp_path / f"videos_{device}", tmp_path / f"out_{device}"
        videos.mkdir()
        shutil.copy(video, videos)
        tsn.extract(videos, out, device=device, **more)
        # A second video, without a word.
        videofiles.make(videos / "two.avi", 4)
        found = tsn.extract(videos, out, **more)
        assert (found.already, found.made) == (1, 1)
        for name in ("clip", "two"):
            record = json.loads((out / name / "extract.json").read_text())
            assert record["parameters"]["implementation"] == expected
