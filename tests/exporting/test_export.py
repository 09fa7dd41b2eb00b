"""Exported files compute what Keras computes, and say what they are."""

import dataclasses
import json
import pathlib
import re
import runpy
import sys

import clips
import numpy as np
import pytest
import tensorflow as tf
import videofiles
from commands import call, export, help_without_frameworks

import tsn_keras
from tsn_keras.checkpoints import keras_file, loading, overriding
from tsn_keras.common.errors import InputError
from tsn_keras.evaluation import inference
from tsn_keras.exporting import functions
from tsn_keras.exporting.clips import Clips
from tsn_keras.models.layers import CaffePooling2D
from tsn_keras.protocols import crops
from tsn_keras.protocols.mmaction2 import MMACTION2
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.overrides import Override
from tsn_keras.protocols.records import Stream
from tsn_keras.runtimes import tflite
from tsn_keras.runtimes.catalogue import FORMATS
from tsn_keras.runtimes.records import Form, Function, Needs
from tsn_keras.scores import joining

pytestmark = pytest.mark.usefixtures("shallow_network")
README = pathlib.Path(tsn_keras.__file__).parent / "exporting" / "README.md"
NAMES = tuple(f"act {k}" for k in range(clips.CLASSES))


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Weights of RGB and flow, and a video."""
    root = tmp_path_factory.mktemp("given")
    for seed, (name, channels) in enumerate({"rgb": 3, "flow": 10}.items()):
        path = root / f"{name}.weights.h5"
        model = clips.make_weights(path, channels, seed)
        head = model.get_layer("fc-action")
        kernel, bias = head.get_weights()
        # No probability is nearly 0 or 1.
        head.set_weights([kernel / 100, bias])
        about = {"width": clips.WIDTH, "class_names": NAMES}
        keras_file.save(model, path, about)
    videofiles.make(root / "video.mp4", 40, "libx264")
    return root


def demand(name, precision="float32"):
    """Skips where a package of a format is missing."""
    needs = FORMATS[name].needs.get(precision)
    for package in needs.packages if needs else ():
        pytest.importorskip(package)


def exported(given, out, to, *options):
    """Runs the command; returns its JSON line."""
    argv = [given / "rgb.weights.h5", "--to", to, "--out", out]
    done = call("export", *argv, "--frames", given / "video.mp4", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("to", FORMATS)
def test_program_of_the_readme_predicts_as_we_do(to, given, tmp_path, capsys):
    demand(to)
    out = tmp_path / f"rgb{FORMATS[to].suffix}"
    told = exported(given, out, to, "--whole", "--crops", "1")
    assert told["class_names"] == list(NAMES)
    assert told["input"]["shape"] == [None, None, 256, 340, 3]
    (text,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    program = tmp_path / "classify.py"
    program.write_text(text)
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", [str(program), str(out), f"{given}/video.mp4"])
        runpy.run_path(str(program))
    lines = [line.rsplit(" ", 1) for line in capsys.readouterr().out.splitlines()]
    weights = given / "rgb.weights.h5"
    recognizer = tsn_keras.Recognizer.from_preset(weights, crops=1)
    expected = recognizer.predict(given / "video.mp4").top(5)
    assert [name for name, _ in lines] == [row.name for row in expected]
    found = [float(probability) for _, probability in lines]
    np.testing.assert_allclose(found, [row.probability for row in expected], atol=1e-5)


@pytest.mark.parametrize(
    ("to", "precision", "tolerance"),
    [
        ("savedmodel", "float32", 1e-5),
        ("tflite", "float32", 1e-5),
        ("tflite", "float16", 3e-3),
        ("tflite", "int8", 5e-2),
        ("onnx", "float32", 1e-5),
        ("openvino", "float32", 1e-5),
        pytest.param("openvino", "float16", 3e-3, marks=pytest.mark.slow),
        pytest.param("openvino", "int8", 5e-2, marks=pytest.mark.slow),
    ],
)
def test_network_alone(to, precision, tolerance, given, tmp_path):
    demand(to, precision)
    form = FORMATS[to]
    out = tmp_path / f"rgb{form.suffix}"
    told = exported(given, out, to, "--precision", precision)
    assert told["checked"]["largest_difference"] <= tolerance
    assert told["checked"]["of"] == 2  # Snippets of the video.
    run, about = form.read(out)
    assert about["precision"] == precision
    assert about == {key: told[key] for key in about}
    assert about["pixels"][0]["mean"] == [104.0, 117.0, 123.0]
    # The network as it is loaded, with its batch norms; another size of a batch.
    random = np.random.default_rng(0)
    images = random.integers(-128, 128, (3, 224, 224, 3)).astype("f4")
    expected = tsn_keras.load(given / "rgb.weights.h5").predict(images, verbose=0)
    if to == "tflite":
        tensors = tf.lite.Interpreter(str(out)).get_tensor_details()
        assert np.dtype(precision) in {np.dtype(one["dtype"]) for one in tensors}
    if precision == "int8":
        return  # Its ranges are those of the video, which noise exceeds.
    found = run(images)["scores"]
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("positive", [True, False])
def test_borders_of_maxima_in_eight_bits(positive, tmp_path):
    pool = CaffePooling2D("max", 3, 2, pad=1, ceil=False, positive=positive)
    spec = tf.TensorSpec((None, 8, 8, 4), tf.float32, name="images")
    function = Function(lambda images: {"scores": pool(images)}, spec)
    images = np.random.default_rng(0).uniform(0, 1, (1, 8, 8, 4)).astype("f4")
    path = tmp_path / "pool.tflite"
    form = Form({}, precision="int8", samples=[images])
    if not positive:
        # TensorFlow's converter would end the process.
        with pytest.raises(InputError, match="minus infinity, .*float16, or OpenVINO"):
            tflite.write(function, path, form)
        return
    tflite.write(function, path, form)
    run, _ = tflite.read(path)
    tensors = tf.lite.Interpreter(str(path)).get_tensor_details()
    assert np.int8 in {one["dtype"] for one in tensors}
    # One of 255 steps between 0 and 1.
    np.testing.assert_allclose(run(images)["scores"], pool(images), atol=1 / 255)


@pytest.mark.parametrize(
    ("protocol", "loss"), [("caffe", "sigmoid"), ("two_stream", "softmax")]
)
def test_whole_view_is_the_way_of_the_test(protocol, loss, given):
    """Whatever is averaged, and whatever makes probabilities; in three crops."""
    weights = loading.find(given / "flow.weights.h5")
    weights = overriding.overridden(weights, Override(protocol=protocol))
    weights = dataclasses.replace(weights, loss=loss)
    function = functions.whole(weights)
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (2, 3, 256, 340, 10), dtype="u1")
    if weights.stream.modality.stacks:
        frames = frames.astype("f4")
    found = function.traced(frames)
    view, way = weights.stream.test, joining.Way(average=weights.protocol.average)
    way = dataclasses.replace(way, loss=loss)
    score = inference.scorer(weights, view)
    for k, video in enumerate(frames):
        expected = way(score(tf.constant(video)).numpy())
        np.testing.assert_allclose(found["scores"][k], expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            found["probabilities"][k], way.probabilities(expected), rtol=1e-3, atol=1e-6
        )


def test_models_in_memory(given, tmp_path):
    model = tsn_keras.load(given / "rgb.weights.h5")
    kernel, bias = model.get_layer("fc-action").get_weights()
    model.get_layer("fc-action").set_weights([kernel, bias + [5, 0, 0, 0, 0, 0]])
    out = tmp_path / "model"
    video = given / "video.mp4"
    found = tsn_keras.export(
        model, out, "savedmodel", crops=1, whole=True, frames=video
    )
    assert found.path == out
    assert found.about["class_names"] == list(NAMES)
    assert found.about["test"]["crops"] == 1
    run, about = FORMATS["savedmodel"].read(out)
    assert about == found.about
    frames = np.random.default_rng(0).integers(0, 256, (1, 4, 256, 340, 3), dtype="u1")
    # The centre crop of each snippet, less the authors' mean.
    images = frames[0, :, 16:240, 58:282].astype("f4") - [104, 117, 123]
    expected = model.predict(images, verbose=0).mean(0)
    np.testing.assert_allclose(run(frames)["scores"][0], expected, rtol=1e-4, atol=1e-4)


def test_what_computes_something_else_is_not_kept(given, tmp_path, monkeypatch):
    form = FORMATS["tflite"]

    def read(path):
        run, about = form.read(path)
        return lambda x: {"scores": run(x)["scores"] + 1}, about

    monkeypatch.setitem(FORMATS, "tflite", dataclasses.replace(form, read=read))
    argv = [given / "rgb.weights.h5", "--to", "tflite", "--out", tmp_path / "a.tflite"]
    done = call("export", *argv, "--frames", given / "video.mp4")
    assert done.returncode == 2
    assert "computes something else than Keras: scores differ by" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ("--to", "tflite", "--out", "a.onnx"),
            "a.onnx: a file of tflite ends in .tflite",
        ),
        (("--to", "tflite", "--out", "no/a.tflite"), "there is no folder no"),
        (("--to", "savedmodel", "--out", "."), "there already and not empty"),
        (("--to", "onnx", "--precision", "int8"), "'int8'; onnx has float32"),
        (("--to", "tflite", "--crops", "1"), "are of a whole view, --whole"),
        (("--to", "tflite", "--frames", "no.mp4"), "no.mp4"),
        (("--to", "tflite", "--frames", "."), "there is no video in"),
        (("--to", "tflite", "--whole", "--protocol", "no"), "no protocol 'no'"),
    ],
)
def test_faults_are_named(options, told, given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    done = call("export", given / "rgb.weights.h5", *options)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_missing_packages_are_named_with_their_extra(given, monkeypatch, tmp_path):
    lacking = Needs("onnx", ("no_such_package",))
    form = dataclasses.replace(FORMATS["onnx"], needs={"float32": lacking})
    monkeypatch.setitem(FORMATS, "onnx", form)
    with pytest.raises(InputError, match=r"no_such_package.*'tsn-keras\[onnx\]'"):
        export.main([str(given / "rgb.weights.h5"), "--to", "onnx"])


def test_batches_are_of_several_sizes():
    one = np.zeros((2, 8, 8, 3), np.uint8)
    other = np.zeros((2, 8, 9, 3), np.uint8)
    shapes = [b.shape[:2] for b in Clips((one, one, one), "").frames(False).batches]
    assert shapes == [(2, 2), (1, 2), (1, 1)]
    shapes = [b.shape[:2] for b in Clips((one, other), "").frames(False).batches]
    assert shapes == [(1, 2), (1, 2), (1, 1)]


def test_help_needs_no_framework():
    text = help_without_frameworks("export")
    assert "--whole" in text
    assert all(name in text for name in FORMATS)


def test_frames_of_any_size_and_operations_that_tflite_lacks(tmp_path):
    """A whole view of frames that keep their ratio."""
    spec = tf.TensorSpec((None, None), tf.float32, name="images")
    lacking = Function(lambda x: {"scores": tf.ensure_shape(x, (None, 3))}, spec)
    with pytest.raises(InputError, match="no counterpart of TensorFlow's EnsureShape"):
        FORMATS["tflite"].write(lacking, tmp_path / "a.tflite", Form({}))
    view = dataclasses.replace(MMACTION2[0].test, crops=crops.TEN)
    stream = Stream(MODALITIES["rgb"], MMACTION2[0])
    run = inference.in_view(lambda x: tf.reduce_mean(x, (1, 2)), view, stream)
    spec = tf.TensorSpec((None, None, None, 3), tf.uint8, name="frames")
    function = Function(lambda x: {"scores": run(x)}, spec)
    FORMATS["tflite"].write(function, tmp_path / "b.tflite", Form({}))
    found, _ = FORMATS["tflite"].read(tmp_path / "b.tflite")
    random = np.random.default_rng(0)
    for size in ((256, 341), (300, 256)):
        frames = random.integers(0, 256, (2, *size, 3), dtype="u1")
        top, left = (size[0] - 224) // 2, (size[1] - 224) // 2
        cut = frames[:, top : top + 224, left : left + 224, ::-1].mean((1, 2))
        expected = (cut - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
        scores = found(frames)["scores"]
        assert scores.shape == (2, 10, 3)
        np.testing.assert_allclose(scores[:, 4], expected, atol=1e-4)
