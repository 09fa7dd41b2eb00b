"""The command `predict`: its scores are the evaluation's; pictures; faults."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

import clips
import cv2
import numpy as np
import processes
import pytest
import shallow
import videofiles
from commands import call, extract, help_without_frameworks

from tsn_keras import eval, predict
from tsn_keras.common import console
from tsn_keras.common.errors import InputError
from tsn_keras.flow.settings import DeviceError
from tsn_keras.scores import metrics, score_file
from tsn_keras.video import webcam

ROOT = pathlib.Path(__file__).parents[1]
pytestmark = pytest.mark.usefixtures("shallow_network")
SLOW = pytest.mark.slow
CHANNELS = {"rgb": 3, "flow": 10, "rgbdiff": 15}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    root = tmp_path_factory.mktemp("weights")
    for seed, (modality, channels) in enumerate(CHANNELS.items()):
        clips.make_weights(root / f"{modality}.weights.h5", channels, seed)
    return {m: str(root / f"{m}.weights.h5") for m in CHANNELS}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two clips: too short for 25 snippets, and long enough for RGB."""
    root = tmp_path_factory.mktemp("videos")
    videofiles.make(root / "short.avi", 8)
    videofiles.make(root / "long.mp4", 28, "libx264")
    return root


def names_file(folder, count=clips.CLASSES):
    path = folder / "names.txt"
    path.write_text("\n".join(f"<b>act {k}</b> $5_of_$ co" for k in range(count)))
    return str(path)


def run(argv, **options):
    return processes.run(
        [*shallow.START, "predict", *map(str, argv)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        **options,
    )


def evaluated(videos, name, weights, modalities, root, *options):
    """Probabilities by the long way: extract, eval, fuse."""
    flow = "tvl1" if "flow" in modalities else "none"
    source = next(videos.glob(f"{name}.*"))
    extract.main([str(source), str(root / "frames"), "--flow", flow, *options])
    count = len(list((root / "frames" / name).glob("img_*.jpg")))
    (root / "list.txt").write_text(f"{name} {count} 0")
    argv = ["--dataset", "list", "--annotations", str(root / "list.txt")]
    argv += ["--data", str(root / "frames"), "--scores", str(root / "s.h5")]
    argv += ["--modality", *modalities, "--weights", *(weights[m] for m in modalities)]
    eval.main(argv)
    found = {}
    for modality in modalities:
        stem = f"s_{modality}" if len(modalities) > 1 else "s"
        with score_file.ScoreFile(root / f"{stem}.h5") as file:
            found[modality] = file.read(name)
    return found


@pytest.mark.parametrize("device", ["opencv", pytest.param("cpu", marks=SLOW)])
def test_scores_are_those_of_extract_and_eval(videos, weights, tmp_path, device):
    options = ("--flow-device", device)
    both = weights["rgb"], weights["flow"]
    result, status = predict.main(
        [str(videos / "short.avi"), "--weights", *both, *options]
    )
    assert status == 0
    assert result["frames"] == 7
    assert result["protocol"] == "25 snippets x 10 crops"
    long_way = evaluated(videos, "short", weights, ("rgb", "flow"), tmp_path, *options)
    means = {m: v.mean(axis=(0, 1)) for m, v in long_way.items()}
    fused = metrics.softmax((means["rgb"] + 1.5 * means["flow"]) / 2.5)
    assert [row["label"] for row in result["top"]] == list(np.argsort(-fused)[:5])
    for row in result["top"]:
        # Six decimals, and float32 scores of another batch.
        assert row["probability"] == pytest.approx(fused[row["label"]], abs=2e-5)
        assert row["class"] == f"class {row['label']}"
    for modality, weight in (("rgb", 0.4), ("flow", 0.6)):
        stream = result["streams"][modality]
        assert stream["weight"] == weight
        alone = metrics.softmax(means[modality])
        best = stream["top"][0]
        assert best["probability"] == pytest.approx(alone.max(), abs=2e-5)
        assert best["label"] == alone.argmax()


def test_devices_that_do_not_fit(videos, weights, tmp_path):
    """Said at once, also for many videos: not once for each."""
    argv = [str(videos), "--weights"]
    with pytest.raises(InputError, match="--flow-device is for weights of"):
        predict.main([*argv, weights["rgb"], "--flow-device", "cpu"])
    with pytest.raises(DeviceError, match="Keras sees no GPU"):
        predict.main([*argv, weights["flow"], "--flow-device", "gpu"])


def test_snippets_that_differ(videos, weights, tmp_path):
    """25 distinct snippets of RGB; of RGB difference one, repeated."""
    argv = [str(videos / "long.mp4"), "--top", "6", "--weights"]
    tops = {m: predict.main([*argv, weights[m]])[0]["top"] for m in ("rgb", "rgbdiff")}
    long_way = evaluated(videos, "long", weights, ("rgb", "rgbdiff"), tmp_path)
    assert long_way["rgb"].std(axis=0).max() > 0.1
    for modality, rows in tops.items():
        expected = metrics.softmax(long_way[modality].mean(axis=(0, 1)))
        by_label = [
            row["probability"] for row in sorted(rows, key=lambda r: r["label"])
        ]
        np.testing.assert_allclose(by_label, expected, atol=2e-5)


def test_fast_is_the_centre_crop_of_three_snippets(videos, weights, tmp_path, capsys):
    argv = [str(videos / "long.mp4"), "--weights", weights["rgb"], "--top", "6"]
    result, _ = predict.main([*argv, "--fast"])
    assert result["protocol"] == "3 snippets x the centre crop"
    assert "fast: a rougher look" in capsys.readouterr().out
    # 27 files: segments of 9, their middles 5, 14, 23. Of the evaluation's
    # snippets of step 1 these are the ones with these numbers; crop 4 of ten.
    long_way = evaluated(videos, "long", weights, ("rgb",), tmp_path)["rgb"]
    expected = metrics.softmax(long_way[[4, 13, 22], 4].mean(axis=0))
    for row in result["top"]:
        assert row["probability"] == pytest.approx(expected[row["label"]], abs=2e-5)


def test_table_and_last_line(videos, weights, tmp_path):
    names = names_file(tmp_path)
    argv = [videos / "long.mp4", "--fast", "--weights", weights["rgb"], "--top", 2]
    done = run([*argv, "--classes", names])
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["class", "probability,", "%"]
    result = json.loads(lines[-1])
    best = result["top"][0]
    assert lines[2].startswith(best["class"])
    assert lines[2].endswith(f"{100 * best['probability']:.1f}")
    assert len(result["top"]) == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", ["png", "html"])
def test_pictures(videos, weights, tmp_path, kind):
    names = names_file(tmp_path)
    source = videos.parent / "<img src=x> & $5_of_$6 [1].avi"
    if not source.exists():
        os.link(videos / "short.avi", source)
    path = tmp_path / f"out.{kind}"
    argv = [str(source), "--fast", "--plot", str(path), "--classes", names]
    result, _ = predict.main([*argv, "--weights", weights["rgb"], weights["flow"]])
    assert result["plot"] == str(path)
    assert [p.name for p in tmp_path.iterdir() if p.suffix == f".{kind}"] == [path.name]
    if kind == "png":
        image = cv2.imread(str(path))
        assert image.shape[1] > 1000
        # Three snippets of seven files: one key frame, in colour, is there.
        assert image.std(axis=2).max() > 30
        return
    text = path.read_text()
    # It needs no other file, and names of videos and classes are text.
    assert set(re.findall(r'(?:src|href)="([^:"]*):', text)) == {"data"}
    assert "<img src=x>" not in text
    assert "&lt;img src=x&gt; &amp; $5_of_$6 [1].avi" in text
    assert "<b>act" not in text
    assert text.count("<figure>") == 3
    for row in result["top"]:
        assert f"<td>{100 * row['probability']:.1f}</td>" in text


def test_folder_gives_a_line_a_video(videos, weights, tmp_path):
    for path in videos.iterdir():
        os.link(path, tmp_path / path.name)
    (tmp_path / "broken.avi").write_text("no video")
    argv = [tmp_path, "--weights", weights["rgb"], "--fast"]
    done = call("predict", *argv)
    assert done.returncode == console.EXIT_SOME_FAILED
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [pathlib.Path(line["video"]).name for line in lines] == [
        *("broken.avi", "long.mp4", "short.avi")
    ]
    assert "no video that can be read" in lines[0]["error"]
    assert len(lines[1]["top"]) == 5
    assert "broken failed" in done.stderr
    assert "2 of 3 videos predicted" in done.stderr
    # Alone, each gives the same.
    alone, _ = predict.main([str(tmp_path / "long.mp4"), *map(str, argv[1:])])
    assert alone["top"] == lines[1]["top"]


def test_videos_with_names_that_act(videos, weights, tmp_path):
    """They are predicted; nothing of their names reaches the terminal as it is."""
    names = ("a\nb", "\x1b[31mred", "a\udcff", "\u202eivad\x9b")
    for name in names:
        os.link(videos / "short.avi", tmp_path / f"{name}.avi")
    (tmp_path / "\x07broken.avi").write_text("no video")
    done = call("predict", tmp_path, "--weights", weights["rgb"], "--fast")
    assert done.returncode == console.EXIT_SOME_FAILED, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert "4 of 5 videos predicted" in done.stderr
    found = {pathlib.Path(line["video"]).stem for line in lines if "top" in line}
    assert found == set(names)
    assert r"\x07broken failed" in done.stderr
    for text in (done.stdout, done.stderr.replace("\r", "")):
        assert all(c.isprintable() or c == "\n" for c in text)


def test_damaged_video(weights, tmp_path):
    whole = videofiles.make(tmp_path / "whole.avi", 30)
    path = videofiles.cut(whole, 0.8, tmp_path / "cut.avi")
    argv = [str(path), "--weights", weights["rgb"], "--fast"]
    with pytest.raises(InputError, match="is damaged.*--damaged keep"):
        predict.main(argv)
    result, status = predict.main([*argv, "--damaged", "keep"])
    assert status == 0
    assert "cut off" in result["damage"]
    assert 1 < result["frames"] < 29


@pytest.fixture
def camera(monkeypatch, videos):
    """A video file in the place of a camera, as fast as it is read."""
    capture = cv2.VideoCapture

    def opened(number):
        return capture(str(videos / "long.mp4") if number == 0 else "/no/camera")

    monkeypatch.setattr(webcam.cv2, "VideoCapture", opened)


def test_webcam(camera, weights, capsys):
    argv = ["camera:0", "--weights", weights["rgb"], weights["rgbdiff"]]
    result, status = predict.main([*argv, "--window", "2"])
    assert status == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert result is None
    assert len(lines) >= 1
    frames = [line["frame"] for line in lines]
    assert frames == sorted(set(frames))
    assert frames[-1] == 28  # the last look is at the last frame
    assert {line["looks"] for line in lines} <= {1, 2}
    assert len(lines[-1]["top"]) == 5


def test_live_file(videos, weights, capsys):
    argv = [f"live:{videos / 'long.mp4'}", "--weights", weights["rgbdiff"]]
    assert predict.main(argv) == (None, 0)
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines[-1]["frame"] == 28
    assert set(lines[-1]) == {"frame", "looks", "seconds", "late", "top"}
    assert "28 frames in" in err
    assert f"{lines[-1]['late']} frames late" in err


def test_live_in_a_terminal(videos, weights, capsys, monkeypatch):
    """Each look is drawn in the place of the one before it."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    argv = [f"live:{videos / 'long.mp4'}", "--weights", weights["rgbdiff"]]
    predict.main([*argv, "--top", "2"])
    first, *more = capsys.readouterr().out.split("\x1b[3F\x1b[J")
    for shown in (first, *more):
        pace, *bars = shown.splitlines()
        assert "frames/s" in pace
        assert "looks/s" in pace
        assert len(bars) == 2
        assert all(" % " in bar and len(bar) < 60 for bar in bars)


def test_webcam_gives_the_newest_frames(camera):
    with webcam.Webcam(0) as source:
        source.start(6)
        while not source._ended:
            time.sleep(0.01)
        number, frames = source.newest()
        assert source.newest() is None
    assert number == 28
    assert len(frames) == 6


def test_camera_without_frames(monkeypatch, tmp_path, weights):
    path = str(videofiles.make(tmp_path / "few.avi", 3))
    capture = cv2.VideoCapture
    monkeypatch.setattr(webcam.cv2, "VideoCapture", lambda number: capture(path))
    with pytest.raises(InputError, match="camera 0 gives no 6 frames"):
        predict.main(["camera:0", "--weights", weights["rgbdiff"]])


def test_no_camera(camera, weights):
    with pytest.raises(InputError, match="no camera 3"):
        predict.main(["camera:3", "--weights", weights["rgb"]])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["{videos}/missing.avi"], "no file or folder"),
        (["{empty}"], "no video in"),
        (["{videos}", "--plot", "x.png"], "--plot is for one video"),
        (["{videos}/short.avi", "--plot", "x.gif"], "must end in .png or .html"),
        (["{videos}/short.avi", "--plot", "no/x.png"], "there is no folder no"),
        (["{videos}/short.avi", "--window", "3"], "--window is for a webcam or live"),
        (["camera:x"], "must be like camera:0"),
        (["camera:0", "--plot", "x.png"], "--plot is for a video"),
        (["camera:0", "--fast"], "--fast is for a video"),
        (["live:{videos}/missing.avi"], "there is no file"),
        (["live:{videos}/short.avi", "--every", "1s"], "one snippet in the centre"),
        (["{videos}/short.avi", "--classes", "hmdb51"], "hmdb51 has 51 names"),
        (["{videos}/short.avi", "--classes", "{videos}/short.avi"], "not a text file"),
        (["{videos}/short.avi", "--weights", "nothing"], "neither a file nor a preset"),
    ],
)
def test_what_is_wrong_is_said(videos, weights, tmp_path, change, words):
    argv = [part.format(videos=videos, empty=tmp_path) for part in change]
    if "--weights" not in argv:
        argv += ["--weights", weights["rgb"]]
    with pytest.raises((InputError, OSError), match=re.escape(words)):
        predict.main(argv)


def test_weights_that_do_not_go_together(videos, weights, tmp_path):
    video = str(videos / "short.avi")
    with pytest.raises(InputError, match="are both for rgb"):
        predict.main([video, "--weights", weights["rgb"], weights["rgb"]])
    clips.make_weights(tmp_path / "other.weights.h5", 10, classes=7)
    other = str(tmp_path / "other.weights.h5")
    with pytest.raises(InputError, match="the same classes apart"):
        predict.main([video, "--weights", weights["rgb"], other])


def test_interrupted(weights, tmp_path):
    """While it computes the flow of 124 pairs."""
    path = videofiles.make(tmp_path / "long.avi", 130)
    argv = [str(path), "--weights", weights["flow"]]
    process = processes.Popen(
        [*shallow.START, "predict", *argv],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    bar = ""
    while "0snippet" not in bar:  # and its line does not end before the first one
        bar += process.stderr.read(1)
        assert process.poll() is None
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == console.EXIT_INTERRUPTED
    assert "Traceback" not in stderr
    assert json.loads(stdout) == {"interrupted": "stopped"}


def test_names_of_published_classes(tmp_path):
    from tsn_keras.checkpoints import loading
    from tsn_keras.prediction import class_names

    path = tmp_path / "ucf101_rgb_split1.weights.h5"
    clips.make_weights(path, 3, classes=101)
    found = class_names.of(loading.find(path))
    assert (len(found), found[0], found[-1]) == (101, "ApplyEyeMakeup", "YoYo")
    path.rename(tmp_path / "mine.weights.h5")
    found = class_names.of(loading.find(tmp_path / "mine.weights.h5"))
    assert found[:2] == ("class 0", "class 1")


def test_names_of_kinetics_and_of_another_order(tmp_path):
    from tsn_keras.checkpoints import loading
    from tsn_keras.prediction import class_names

    mine = tmp_path / "mine.weights.h5"
    clips.make_weights(mine, 3, classes=400)
    assert class_names.known(loading.find(mine)) is None
    assert class_names.of(loading.find(mine), "kinetics400")[6] == "arm wrestling"
    with pytest.raises(InputError, match="imagenet has 1000 names of classes"):
        class_names.of(loading.find(mine), "imagenet")
    converted = tmp_path / f"{predict.DEFAULT}.weights.h5"
    mine.rename(converted)
    assert class_names.known(loading.find(converted))[6] == "arm wrestling"
    # MMAction2 sorts the classes of HMDB51, its authors do not.
    converted = tmp_path / "tsn_r50_1x1x8_50e_hmdb51_mit_rgb.weights.h5"
    clips.make_weights(converted, 3, classes=51)
    assert class_names.known(loading.find(converted))[20:22] == ("kick", "kick_ball")
    converted.rename(tmp_path / "hmdb51_rgb_split1.weights.h5")
    named = class_names.known(loading.find(tmp_path / "hmdb51_rgb_split1.weights.h5"))
    assert named[20:22] == ("kick_ball", "kick")


def test_default_weights_are_for_kinetics(videos, monkeypatch):
    from tsn_keras.checkpoints import fetching, presets

    (name,) = predict.parse_args(["x"]).weights
    preset = presets.PRESETS[name]
    assert (preset.dataset, preset.accuracy) == ("kinetics400", 74.12)
    assert preset.class_names[6] == "arm wrestling"

    # Offline: which file to put where.
    def offline(url, *_):
        raise fetching.FetchError(f"cannot download {url}: no route to host")

    monkeypatch.setattr(fetching, "fetch", offline)
    with pytest.raises(InputError, match="no route to host") as caught:
        predict.main([str(videos / "short.avi")])
    told = str(caught.value)
    assert f"Get {preset.file} from https://download.openmmlab.com/" in told
    assert "and put it into one of: weights, " in told


def test_help_answers_without_the_framework():
    assert predict.CAMERA + "N" in help_without_frameworks("predict")
