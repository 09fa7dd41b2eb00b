"""Evaluation and prediction by other runtimes than Keras."""

import dataclasses
import json

import clips
import cv2
import numpy as np
import pytest
import videofiles
from commands import call

import tsn_keras
from tsn_keras import eval
from tsn_keras.common.errors import InputError
from tsn_keras.evaluation.kept import differences
from tsn_keras.runtimes.catalogue import RUNTIMES
from tsn_keras.runtimes.records import SCORES, Needs, Runtime
from tsn_keras.scores import score_file

pytestmark = pytest.mark.usefixtures("shallow_network")
OTHERS = [name for name, runtime in RUNTIMES.items() if runtime.needs is not None]


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    root = tmp_path_factory.mktemp("runtimes")
    return root, clips.make_case(root, counts=(27, 12))


def scored(case, target, *options):
    """Evaluates flow; returns (scores by video, what the score file says)."""
    _, argv = case
    argv = [*argv[:-2], argv[-1], "--modality", "flow"]
    argv[argv.index("--scores") + 1] = str(target)
    result, status = eval.main([*argv, *options])
    assert status == 0, result
    with score_file.ScoreFile(target) as file:
        return {video: file.read(video) for video in file.video_ids}, file.about


@pytest.fixture(scope="module")
def by_keras(case, tmp_path_factory, shallow_network):
    found, about = scored(case, tmp_path_factory.mktemp("keras") / "s.h5")
    assert about["runtime"] == "keras"
    return found


@pytest.mark.parametrize("name", OTHERS)
def test_scores_are_those_of_keras(name, case, by_keras, tmp_path):
    for package in RUNTIMES[name].needs.packages:
        pytest.importorskip(package)
    found, about = scored(case, tmp_path / "s.h5", "--runtime", name)
    assert about["runtime"] == name
    for video, expected in by_keras.items():
        most = np.abs(expected).max()
        assert np.abs(found[video] - expected).max() <= 1e-5 * most


def test_openvino_in_bfloat16(case, by_keras, tmp_path):
    openvino = pytest.importorskip("openvino")
    options = ("--runtime", "openvino", "--precision", "bfloat16")
    found, about = scored(case, tmp_path / "s.h5", *options)
    assert about["precision"] == "bfloat16"
    able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    for video, expected in by_keras.items():
        # Eight bits of a number, rounded in each of a few layers; processors that do
        # not have them compute in float32.
        difference = np.abs(found[video] - expected).max() / np.abs(expected).max()
        assert (1e-4 < difference <= 0.05) if "BF16" in able else difference <= 1e-5


@pytest.fixture
def averaging(monkeypatch):
    """A runtime whose scores are the means of what it is given, to see what that is."""

    def session(function, precision):
        assert precision == "float32"
        classes = function.outputs[SCORES].shape[-1]
        return lambda array: {SCORES: array.mean((1, 2))[:, :classes]}

    monkeypatch.setitem(RUNTIMES, "averaging", Runtime("averaging", session=session))
    return "averaging"


def test_score_files_are_of_one_runtime(case, averaging, tmp_path):
    root, _ = case
    found, about = scored(case, tmp_path / "s.h5", "--runtime", averaging)
    assert about["runtime"] == averaging
    # The first snippet of the first video in the centre crop: x1, y1, x2, y2, x3, y3.
    for plane, value in enumerate(found["a"][0, 4]):
        name = f"flow_{'xy'[plane % 2]}_{plane // 2 + 1:05d}.jpg"
        grey = cv2.imread(str(root / "data/a" / name), cv2.IMREAD_GRAYSCALE)
        expected = grey[16:240, 58:282].astype(float).mean() - 128
        assert value == pytest.approx(expected, abs=1e-3)
    with pytest.raises(InputError, match="runtime is averaging, now it is keras"):
        scored(case, tmp_path / "s.h5")
    scored(case, tmp_path / "s.h5", "--runtime", averaging)
    more = ("--runtime", averaging, "--precision", "bfloat16")
    with pytest.raises(InputError, match="'bfloat16'; the runtime averaging has float"):
        scored(case, tmp_path / "t.h5", *more)


def test_older_score_files_are_by_keras():
    now = {"average": "scores", "runtime": "keras"}
    older = {"average": "scores"}
    assert differences(older, now) == []
    assert differences(older, {**now, "runtime": "onnxruntime"}) == ["runtime"]


def test_recognizer_takes_a_runtime(case, averaging):
    root, _ = case
    video = np.full((9, 256, 340, 3), 130, "uint8")
    options = {"fast": True, "runtime": averaging, "batch": 2}
    weights = root / "mean_of_rgb.weights.h5"
    clips.make_weights(weights, 3, classes=3)
    recognizer = tsn_keras.Recognizer.from_preset(weights, **options)
    found = recognizer.predict(video).scores["rgb"]
    # B, G, R less the authors' mean.
    expected = np.broadcast_to(np.float32([26, 13, 7]), (3, 1, 3))
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("name", OTHERS)
def test_predict_by_a_runtime(name, case, tmp_path):
    for package in RUNTIMES[name].needs.packages:
        pytest.importorskip(package)
    root, _ = case
    video = videofiles.make(tmp_path / "v.avi", 8)
    argv = [video, "--weights", root / "rgb.weights.h5", "--fast", "--json"]
    lines = [
        json.loads(call("predict", *argv, "--runtime", one).stdout.splitlines()[-1])
        for one in ("keras", name)
    ]
    first, second = (
        {row["class"]: row["probability"] for row in line["top"]} for line in lines
    )
    assert first.keys() == second.keys()
    assert second == pytest.approx(first, abs=1e-4)


def test_missing_packages_are_named_with_their_extra(case, monkeypatch):
    root, _ = case
    lacking = dataclasses.replace(
        RUNTIMES["openvino"], needs=Needs("openvino", ("no_such_package",))
    )
    monkeypatch.setitem(RUNTIMES, "openvino", lacking)
    argv = [
        root / "v.avi",
        "--weights",
        root / "rgb.weights.h5",
        "--runtime",
        "openvino",
    ]
    videofiles.make(root / "v.avi", 8)
    done = call("predict", *argv)
    assert done.returncode == 2
    told = "--runtime openvino needs no_such_package, which is not installed"
    assert told in done.stderr
    with pytest.raises(InputError, match=r"no_such_package.*'tsn-keras\[openvino\]'"):
        tsn_keras.Recognizer.from_preset(root / "rgb.weights.h5", runtime="openvino")
