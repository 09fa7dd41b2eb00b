"""Sound in every command: extracted, trained on, scored, fused, predicted."""

import json
import shutil

import clips
import numpy as np
import pytest
import soundfiles
from commands import call, fuse, train

import tsn_keras
from tsn_keras import eval, predict
from tsn_keras.checkpoints import keras_file
from tsn_keras.datasets import demo_sound, sounds
from tsn_keras.datasets.records import DatasetError, FrameFolder
from tsn_keras.datasets.selection import Selection
from tsn_keras.datasets.training_sets import TrainingSet
from tsn_keras.models import bn_inception, cross_modality
from tsn_keras.prediction.predictor import Predictor
from tsn_keras.prediction.settings import Settings
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import SOUND
from tsn_keras.protocols.records import Stream
from tsn_keras.scores import score_file
from tsn_keras.video import sound

pytestmark = pytest.mark.usefixtures("shallow_network")
NAMES = ("high", "low", "mute")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two videos with a tone, and one without sound; weights of two streams."""
    root = tmp_path_factory.mktemp("sound")
    (root / "videos").mkdir()
    for name, track in zip(NAMES, (2000, 500, None), strict=True):
        samples = None if track is None else soundfiles.sine(track, 3)
        soundfiles.make(root / "videos" / f"{name}.mkv", samples)
    clips.make_weights(root / "rgb.weights.h5", 3)
    clips.make_weights(root / "sound.weights.h5", 3, seed=1, modality="sound")
    (root / "list.txt").write_text("high 29 0\nlow 29 1\nmute 29 2\n")
    return root


@pytest.fixture(scope="module")
def extracted(videos):
    argv = (videos / "videos", videos / "frames", "--flow", "none", "--workers", 1)
    before = call("extract", *argv)
    assert before.returncode == 0, before.stderr
    record = json.loads((videos / "frames/high/extract.json").read_text())
    done = call("extract", *argv, "--sound")
    assert done.returncode == 0, done.stderr
    return videos, record, json.loads(done.stdout.splitlines()[-1])


def test_extract_adds_sound_to_frames_that_are_there(extracted):
    root, before, result = extracted
    assert (result["made"], result["already_there"]) == (3, 0)
    assert result["without_sound"] == ["mute"]
    for name in NAMES:
        there = {p.name for p in (root / "frames" / name).iterdir()}
        made = sound.NONE if name == "mute" else sound.NAME
        assert there == {
            made,
            "extract.json",
            *(f"img_{k:05d}.jpg" for k in range(1, 30)),
        }
    record = json.loads((root / "frames/high/extract.json").read_text())
    track = record.pop("sound_track")
    assert record == before
    assert (track["samples"], track["damage"]) == (48000, None)
    assert track["format"] == "FLAC, mono, 16 bits, 16000 Hz"


def test_extract_again_and_without_sound(extracted, tmp_path):
    root, *_ = extracted
    for more in (["--sound"], []):
        out = ("--flow", "none", *more)
        done = call("extract", root / "videos", root / "frames", *out)
        result = json.loads(done.stdout.splitlines()[-1])
        assert (result["already_there"], result["made"]) == (3, 0)
    # All at once is the same.
    found = tsn_keras.extract(
        root / "videos/high.mkv", tmp_path, flow="none", sound=True, workers=1
    )
    assert (found.made, found.silent) == (1, [])
    for name in ("extract.json", sound.NAME):
        one, other = root / "frames/high" / name, tmp_path / "high" / name
        assert one.read_bytes() == other.read_bytes()


def test_extract_of_damaged_sound(videos, tmp_path):
    data = (videos / "videos/high.mkv").read_bytes()
    (tmp_path / "in").mkdir()
    (tmp_path / "in/cut.mkv").write_bytes(data[: int(0.7 * len(data))])
    argv = (tmp_path / "in", tmp_path / "out", "--flow", "none", "--sound")
    done = call("extract", *argv)
    result = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 1
    assert "the sound of" in result["failed"]["cut"]
    assert "--damaged keep" in done.stderr
    result = json.loads(
        call("extract", *argv, "--damaged", "keep").stdout.split("\n")[-2]
    )
    assert (result["made"], list(result["damaged"])) == (1, ["cut"])


def arguments(root, folder="frames"):
    return [
        *("--dataset", "list", "--annotations", str(root / "list.txt")),
        *("--data", str(root / folder), "--snippets", "3"),
    ]


@pytest.fixture(scope="module")
def evaluated(extracted):
    root, *_ = extracted
    weights = [str(root / f"{name}.weights.h5") for name in ("rgb", "sound")]
    argv = [*arguments(root), "--modality", "rgb", "sound", "--weights", *weights]
    result, status = eval.main([*argv, "--scores", str(root / "s.h5")])
    assert status == 0
    return root, result


def test_eval_leaves_silent_videos_out_of_sound_alone(evaluated):
    root, result = evaluated
    rgb, of_sound, fusion = result["results"]
    assert [row["videos"] for row in result["results"]] == [3, 2, 3]
    assert (of_sound["without"], of_sound["missing"], of_sound["crops"]) == (1, 0, 1)
    assert of_sound["failed"] == {}
    with score_file.ScoreFile(root / "s_sound.h5") as file:
        assert file.without == {"mute"}
        assert file.video_ids == ("high", "low")
        scores = {video: file.read(video) for video in file.video_ids}
    assert scores["low"].shape == (3, 1, 6)
    assert np.abs(scores["low"] - scores["high"]).max() > 0.01
    with score_file.ScoreFile(root / "s_rgb.h5") as file:
        others = {v: file.read(v).mean(axis=(0, 1)) for v in file.video_ids}
    added = {v: others[v] + scores[v].mean(axis=(0, 1)) for v in scores}
    added["mute"] = others["mute"]  # Fused without it.
    right = [added[v].argmax() == k for k, v in enumerate(NAMES)]
    assert fusion["top1"] == pytest.approx(100 * np.mean(right))
    alone = [scores[v].mean(axis=(0, 1)).argmax() == k for k, v in enumerate(NAMES[:2])]
    assert of_sound["top1"] == pytest.approx(100 * np.mean(alone))
    # The same command finds everything done.
    assert rgb["videos"] == 3


def test_fuse(evaluated, capsys):
    root, result = evaluated
    files = [str(root / f"s_{name}.h5") for name in ("sound", "rgb")]
    fused, status = fuse.main(files)
    assert (status, fused["videos"], fused["incomplete"]) == (0, 3, 1)
    assert fused["left_out"] == 0
    found = {row["file"]: row["top1"] for row in fused["results"]}
    rows = {row["stream"]: row["top1"] for row in result["results"]}
    assert found == {
        files[0]: pytest.approx(rows["sound"]),
        files[1]: pytest.approx(rows["rgb"]),
        "fusion": pytest.approx(rows["fusion"]),
    }
    assert "1 videos have nothing of a stream" in capsys.readouterr().err


def test_eval_of_video_files_is_that_of_extracted_sound(evaluated, tmp_path):
    root, _ = evaluated
    argv = [*arguments(root, "videos"), "--modality", "sound"]
    argv += ["--weights", str(root / "sound.weights.h5")]
    result, _ = eval.main([*argv, "--scores", str(tmp_path / "s.h5")])
    assert result["results"][0]["without"] == 1
    with (
        score_file.ScoreFile(root / "s_sound.h5") as stored,
        score_file.ScoreFile(tmp_path / "s.h5") as direct,
    ):
        for video in ("high", "low"):
            np.testing.assert_array_equal(stored.read(video), direct.read(video))


def test_sound_that_was_not_extracted(extracted, tmp_path):
    root, *_ = extracted
    shutil.copytree(root / "frames", tmp_path / "frames")
    (tmp_path / "frames/low" / sound.NAME).unlink()
    argv = [*arguments(root), "--data", str(tmp_path / "frames"), "--modality", "sound"]
    done = call("eval", *argv, "--weights", root / "sound.weights.h5")
    assert done.returncode == 2
    assert "low has no sound.flac" in done.stderr
    assert "python -m tsn_keras.extract --sound" in done.stderr
    with pytest.raises(DatasetError, match="none of 1 videos has sound, as mute"):
        sounds.heard([FrameFolder("mute", 0, root / "frames/mute", 29)])


def test_damaged_sound_fails_its_video(extracted, tmp_path):
    root, *_ = extracted
    shutil.copytree(root / "frames", tmp_path / "frames")
    path = tmp_path / "frames/low" / sound.NAME
    path.write_bytes(path.read_bytes()[:5000])
    argv = [*arguments(root), "--data", str(tmp_path / "frames"), "--modality", "sound"]
    argv += ["--weights", root / "sound.weights.h5", "--scores", tmp_path / "s.h5"]
    done = call("eval", *argv)
    assert done.returncode == 1
    (row,) = json.loads(done.stdout.splitlines()[-1])["results"]
    assert (row["videos"], list(row["failed"])) == (1, ["low"])
    assert "sound.flac" in row["failed"]["low"]


def test_predict(evaluated, tmp_path):
    root, _ = evaluated
    weights = ["--snippets", "3", "--weights"]
    weights += [str(root / f"{n}.weights.h5") for n in ("rgb", "sound")]
    result, _ = predict.main([str(root / "videos/low.mkv"), *weights, "--top", "6"])
    assert set(result["streams"]) == {"rgb", "sound"}
    assert "without" not in result
    with score_file.ScoreFile(root / "s_sound.h5") as file:
        raw = file.read("low").mean(axis=(0, 1))
    expected = np.exp(raw - raw.max()) / np.exp(raw - raw.max()).sum()
    for row in result["streams"]["sound"]["top"]:
        # Six decimals are printed; batches of other sizes round in float32.
        assert row["probability"] == pytest.approx(expected[row["label"]], abs=1e-5)
    # A video without sound is scored by the other stream alone.
    mute = str(root / "videos/mute.mkv")
    result, _ = predict.main([mute, *weights])
    alone, _ = predict.main([mute, *weights[:4]])
    assert result["without"] == ["sound"]
    assert result["top"] == alone["top"]
    assert result["streams"]["rgb"]["weight"] == 1
    done = call("predict", mute, "--weights", root / "sound.weights.h5")
    assert done.returncode == 2
    assert "mute.mkv has no sound" in done.stderr


def test_frames_in_memory_and_webcams_have_no_sound(videos):
    scorer = Predictor([videos / "sound.weights.h5"], Settings(quick=True))
    frames = np.zeros((9, 40, 50, 3), np.uint8)
    with pytest.raises(ValueError, match="an array of frames has no sound"):
        scorer.predict(frames)
    stream = scorer.streams["sound"]
    with pytest.raises(ValueError, match="a webcam has frames without sound"):
        scorer.decoding.snippet(list(frames), stream)


def test_training_leaves_silent_videos_out(extracted):
    root, *_ = extracted
    folders = tuple(
        FrameFolder(name, label, root / "frames" / name, 29)
        for label, name in enumerate(NAMES)
    )
    found = TrainingSet(
        *("list", None, root, Selection(folders), None, 3, NAMES, ())
    ).under(Stream(SOUND, PROTOCOLS["caffe"]))
    assert [f.id for f in found.train.folders] == ["high", "low"]
    assert (found.train.without, found.empty) == (("mute",), ("mute",))


def test_the_first_convolution_is_the_mean_over_rgb():
    rgb = bn_inception.BNInception((224, 224, 3), 6, width=0.05)
    target = bn_inception.BNInception((224, 224, 3), 6, width=0.05)
    new = cross_modality.initialise(
        target, rgb, bn_inception.BN_INCEPTION, is_other=True
    )
    assert new == []
    given, made = (m.get_layer("conv1_7x7_s2").get_weights()[0] for m in (rgb, target))
    for plane in range(3):
        np.testing.assert_allclose(made[:, :, plane], given.mean(axis=2), rtol=1e-6)


def test_train_from_rgb(extracted, tmp_path):
    root, *_ = extracted
    train.main(
        [
            *("--config", "configs/demo_sound.toml", "--out", str(tmp_path)),
            *("--set", 'data.dataset="list"', "--set", f"data.root={root / 'frames'}"),
            *(
                "--set",
                f"data.annotations={root / 'list.txt'}",
                "--set",
                "model.width=1",
            ),
            *("--set", f"model.initial={root / 'rgb.weights.h5'}"),
            *("--set", "train.batch=2", "--set", "train.iterations=1"),
            *("--set", "train.drops=[]", "--set", "train.base_lr=1e-9"),
            *("--set", "data.allow_missing=true", "--set", "train.validate_every=0"),
        ]
    )
    about, _ = keras_file.shapes(tmp_path / "last.weights.h5")
    assert about["modality"] == "sound"
    first = [
        tsn_keras.load(path).get_layer("conv1_7x7_s2").get_weights()[0]
        for path in (root / "rgb.weights.h5", tmp_path / "last.weights.h5")
    ]
    mean = np.repeat(first[0].mean(axis=2, keepdims=True), 3, axis=2)
    np.testing.assert_allclose(first[1], mean, atol=1e-7)  # One tiny update.


def test_demo_has_equal_frames_and_sounds_of_their_own(tmp_path):
    split = demo_sound.split()
    assert (len(split.train), len(split.test)) == (96, 24)
    chosen = [v for v in split.test if v.id.endswith("01")]
    demo_sound.DEMO_SOUND.make(tmp_path, chosen)
    demo_sound.DEMO_SOUND.make(tmp_path / "again", chosen)
    frames, tracks = set(), set()
    for video in chosen:
        folder = tmp_path / video.folder / video.id
        frames |= {p.read_bytes() for p in folder.glob("img_*.jpg")}
        tracks.add((folder / sound.NAME).read_bytes())
        again = tmp_path / "again" / video.folder / video.id / sound.NAME
        assert again.read_bytes() == (folder / sound.NAME).read_bytes()
        with sound.Sound(folder / sound.NAME) as opened:
            assert sum(map(len, opened.blocks())) == 3 * sound.RATE
    assert (len(frames), len(tracks)) == (1, 6)


@pytest.mark.slow
def test_training_tells_sounds_apart(tmp_path):
    argv = ["--config", "configs/demo_sound.toml", "--out", str(tmp_path)]
    argv += ["--set", "train.iterations=40", "--set", "train.drops=[32]"]
    result, status = train.main(
        [*argv, "--set", "train.validate_every=0", "--evaluate"]
    )
    assert status == 0
    (row,) = result["evaluation"]["results"]
    assert (row["videos"], row["stream"]) == (24, "sound")
    # Chance is 16.7 %; 70.8 % were measured, and 100 % of the whole training file.
    assert row["mean_class_accuracy"] > 45
