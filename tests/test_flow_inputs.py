"""Bi-directional stacks in every command: extracted, trained on, scored, predicted."""

import dataclasses
import json

import clips
import keras
import numpy as np
import pytest
import small_network
import videofiles
from commands import call

import tsn_keras
from tsn_keras.checkpoints import keras_file
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.scores import score_file

NAME = "bidirectional10_mean"
SMALL = dataclasses.replace(CAFFE, name="small", frame_size=(48, 64), crop_size=40)


@pytest.fixture(scope="module", autouse=True)
def _added():
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(BACKBONES, small_network.SMALL.name, small_network.SMALL)
        patched.setitem(PROTOCOLS, SMALL.name, SMALL)
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two videos and their frame folders, with backward flow."""
    root = tmp_path_factory.mktemp("videos")
    for number, name in enumerate(("a", "b")):
        path = root / "videos" / name / f"{name}.avi"
        path.parent.mkdir(parents=True)
        pictures = [videofiles.picture(k + 50 * number) for k in range(13 - number)]
        videofiles.make(path, pictures)
    argv = ("--size", "64x48", "--flow-device", "opencv", "--workers", 1)
    done = call("extract", root / "videos", root / "frames", *argv, "--backward")
    assert done.returncode == 0, done.stderr
    return root


def test_extract_resumes_and_does_not_mix(root):
    argv = (root / "videos", root / "frames", "--size", "64x48", "--workers", 1)
    done = call("extract", *argv, "--backward")
    assert json.loads(done.stdout.splitlines()[-1])["already_there"] == 2
    record = json.loads((root / "frames/a/a/extract.json").read_text())
    assert record["parameters"]["backward"] is True
    assert (record["files"], record["parameters"]["flow_coding"]) == (12, "bound")
    for more, words in [
        ((), "backward: there True, now False"),
        (("--backward", "--flow-coding", "range"), "there bound, now range"),
        (("--flow-coding", "range", "--bound", 20), "--bound is for --flow-coding"),
        (("--flow", "none", "--backward"), "--flow none takes no"),
    ]:
        done = call("extract", *argv, *more)
        assert done.returncode == 2
        assert words in done.stderr
    with pytest.raises(ValueError, match="takes no `backward`"):
        tsn_keras.extract(root / "videos", root / "no", flow="none", backward=True)


def test_lost_ranges_are_noticed(root, tmp_path):
    argv = (root / "videos/b", tmp_path, "--size", "64x48", "--workers", 1)
    argv += ("--flow-coding", "range", "--flow-device", "opencv")
    assert call("extract", *argv).returncode == 0
    record = json.loads((tmp_path / "b/extract.json").read_text())["parameters"]
    assert (record["flow_coding"], "bound" in record) == ("range", False)
    (tmp_path / "b/flow_ranges.npy").unlink()
    done = call("extract", *argv)
    assert done.returncode == 1
    assert "has lost its flow_ranges.npy: delete it" in done.stderr


@pytest.fixture(scope="module")
def weights(root):
    keras.utils.set_random_seed(3)
    model = small_network.build((40, 40, 20), 2)
    about = {"backbone": small_network.SMALL.name, "modality": NAME}
    about |= {"protocol": SMALL.name, "class_names": ("a", "b"), "width": 1.0}
    keras_file.save(model, root / "own.weights.h5", about)
    return root / "own.weights.h5"


def arguments(root, weights, **options):
    lines = "".join(f"{n}/{n} {12 - k} {k}\n" for k, n in enumerate("ab"))
    (root / "list.txt").write_text(lines)
    given = {"dataset": "list", "annotations": root / "list.txt", "modality": NAME}
    given |= {"data": root / "frames", "weights": weights, "scores": root / "s.h5"}
    return [w for k, v in (given | options).items() for w in (f"--{k}", v)]


def test_eval_and_predict_are_the_same(root, weights):
    done = call("eval", *arguments(root, weights))
    assert done.returncode == 0, done.stderr
    recognizer = tsn_keras.Recognizer.from_preset(weights)
    with score_file.ScoreFile(root / "s.h5") as file:
        for name in "ab":
            found = recognizer.predict(root / f"videos/{name}/{name}.avi")
            expected = file.read(f"{name}/{name}")
            assert expected.shape == (25, 10, 2)
            assert expected.std(axis=(0, 1)).min() > 1e-4
            # Batches of other sizes: the rounding of float32.
            np.testing.assert_allclose(found.scores[NAME], expected, atol=1e-5)


def test_backward_flow_that_is_not_there(root, weights, tmp_path):
    for name in "ab":
        clips.make_video(tmp_path / name / name, 11, 0, (64, 48))
    done = call("eval", *arguments(root, weights, data=tmp_path))
    assert done.returncode == 2
    assert "no backward flow (flow_bx_, flow_by_)" in done.stderr
    assert "python -m tsn_keras.extract --backward" in done.stderr


@pytest.mark.slow
def test_train(root, tmp_path):
    (tmp_path / "own.toml").write_text(
        f'[data]\nroot = "{root / "frames"}"\ndataset = "folders"\n'
        f'modality = "{NAME}"\nprotocol = "{SMALL.name}"\n'
        f'[model]\nbackbone = "{small_network.SMALL.name}"\ndropout = 0.0\n'
        "segments = 1\n[train]\nbatch = 2\niterations = 2\nbase_lr = 0.01\n"
        "drops = []\nvalidate_every = 0\n"
    )
    out = tmp_path / "run"
    done = call("train", "--config", tmp_path / "own.toml", "--out", out)
    assert done.returncode == 0, done.stderr
    about, shapes = keras_file.shapes(out / "last.weights.h5")
    assert (about["modality"], about["protocol"]) == (NAME, SMALL.name)


def test_models_and_datasets_have_the_type_of_the_pixels(root, weights):
    backbone = tsn_keras.load(weights)
    model = tsn_keras.TSN(backbone, segments=1, preprocess=True)
    assert model.inputs[0].dtype == "float32"
    train = tsn_keras.dataset(
        "folders",
        modality=NAME,
        protocol=SMALL.name,
        segments=1,
        batch=2,
        data=root / "frames",
    )
    pixels, _ = next(iter(train))
    assert (pixels.dtype.name, pixels.shape) == ("float32", (2, 1, 40, 40, 20))
    means = np.abs(np.asarray(pixels).mean(axis=(0, 1, 2, 3)) - 128)
    assert means.max() < 20
    assert model(pixels).shape == (2, 2)
