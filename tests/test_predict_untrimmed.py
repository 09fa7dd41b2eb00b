"""The command `predict` on untrimmed videos: snippets by time, windows, pictures."""

import json

import clips
import numpy as np
import pytest
import videofiles
from commands import call

import tsn_keras as tsn
from tsn_keras import predict
from tsn_keras.common.errors import InputError
from tsn_keras.prediction import along, predictor, run
from tsn_keras.protocols.strides import Stride
from tsn_keras.scores import metrics, windows

pytestmark = pytest.mark.usefixtures("shallow_network")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A video of 61 frames, 60 images, at 25 a second, and weights."""
    root = tmp_path_factory.mktemp("untrimmed")
    videofiles.make(root / "long.avi", 61)
    clips.make_weights(root / "rgb.weights.h5", 3)
    clips.make_weights(root / "diff.weights.h5", 15, 1)
    return root


def test_windows_over_snippets_by_the_clock(prepared, tmp_path, capsys):
    """Every fifth of a second: images 1, 6, ..., 56, in all windows of M-TWI."""
    recognizer = tsn.Recognizer.from_preset(
        prepared / "rgb.weights.h5", every="0.2s", crops=1
    )
    found = recognizer.predict(prepared / "long.avi", key_frames=True)
    assert found.ticks.tolist() == list(range(1, 61, 5))
    assert found.scores["rgb"].shape == (12, 1, clips.CLASSES)
    expected = metrics.softmax(windows.mtwi(found.scores["rgb"], rate=5))
    np.testing.assert_allclose(found.probabilities, expected, rtol=1e-5)
    best = int(expected.argmax())
    # 12 snippets are less than a window of 4 seconds: it is the whole video.
    (window,) = found.windows
    assert (window.label, window.first, window.last) == (best, 1, 56)
    assert window.seconds == (1 / 25, 56 / 25)
    assert window.probability == pytest.approx(found.along[:, best].max())
    assert len(found.key_frames) == 12
    # The same from the shell, with a picture of either kind.
    for name in ("out.html", "out.png"):
        argv = [
            *(str(prepared / "long.avi"), "--plot", str(tmp_path / name)),
            *("--weights", str(prepared / "rgb.weights.h5")),
            *("--every", "0.2s", "--crops", "1", "--json"),
        ]
        result, status = predict.main(argv)
        assert status == 0
        shown = json.loads(json.dumps(result))
        assert shown["windows"] == [window.as_json()]
        assert shown["protocol"] == "5 snippets a second x the centre crop"
        assert shown["top"][0]["label"] == best
    assert f"{window.name}: 0:00 to 0:02, " in capsys.readouterr().out
    assert "frame 56" in (tmp_path / "out.html").read_text()
    assert (tmp_path / "out.png").stat().st_size > 10_000


def test_streams_have_as_many_snippets(prepared):
    """Six images need room at the end: the last snippets of RGB are left out."""
    paths = prepared / "rgb.weights.h5", prepared / "diff.weights.h5"
    recognizer = tsn.Recognizer.from_preset(*paths, every="7", over_time="top3")
    found = recognizer.predict(prepared / "long.avi")
    assert found.ticks.tolist() == [1, 8, 15, 22, 29, 36, 43, 50]
    assert {m: len(s) for m, s in found.scores.items()} == {"rgb": 8, "rgbdiff": 8}
    scores = {m: windows.top_k(s, 3) for m, s in found.scores.items()}
    fused = scores["rgb"] * 0.5 + scores["rgbdiff"] * 0.5
    np.testing.assert_allclose(found.probabilities, metrics.softmax(fused), rtol=1e-4)


def lines_of(path):
    text = path.read_text()
    assert not text or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_a_snippet_as_it_comes(prepared, tmp_path, monkeypatch):
    """Two streams, side by side: a batch of five each, and their snippets are told."""
    path, seen = tmp_path / "out.jsonl", []
    score = predictor.Predictor.score

    def watched(self, modality, snippets):
        seen.append((modality, len(lines_of(path))))
        return score(self, modality, snippets)

    monkeypatch.setattr(predictor.Predictor, "score", watched)
    names = prepared / "rgb.weights.h5", prepared / "diff.weights.h5"
    result, status = predict.main(
        [
            *(str(prepared / "long.avi"), "--weights", *map(str, names)),
            *("--every", "5", "--crops", "1", "--top", "2", "--along", str(path)),
        ]
    )
    assert (status, result["along"]) == (0, str(path))
    order = ["rgb", "rgbdiff"]
    assert seen == [(m, done) for done in (0, 5, 10) for m in order]
    lines = lines_of(path)
    recognizer = tsn.Recognizer.from_preset(*names, every="5", crops=1)
    told = []
    found = recognizer.predict(
        prepared / "long.avi", on_snippet=told.append, keep_scores=False
    )
    assert found.scores == {}
    assert [line["frame"] for line in lines] == found.ticks.tolist()
    assert [line["snippet"] for line in lines] == list(range(1, 12))
    assert [line["seconds"] for line in lines] == [t / 25 for t in found.ticks]
    for line, row, snippet in zip(lines, found.along, told, strict=True):
        np.testing.assert_allclose(snippet.probabilities, row, rtol=1e-5, atol=1e-8)
        assert line == snippet.as_json(2)
        assert [k["label"] for k in line["top"]] == list(np.argsort(-row)[:2])


def test_lines_stay_whole_when_it_is_stopped(prepared, tmp_path, monkeypatch):
    path = tmp_path / "out.jsonl"
    add = run.Lines.__call__

    def stopping(self, snippet):
        if snippet.number == 4:
            raise KeyboardInterrupt
        add(self, snippet)

    monkeypatch.setattr(run.Lines, "__call__", stopping)
    argv = [prepared / "long.avi", "--weights", prepared / "rgb.weights.h5"]
    argv += ["--every", "5", "--crops", "1", "--along", path]
    done = call("predict", *argv)
    assert done.returncode == 130
    assert f"stopped: 3 snippets are in {path}" in done.stderr
    assert [line["frame"] for line in lines_of(path)] == [1, 6, 11]


def test_short_videos_repeat_snippets_in_their_lines(prepared):
    """25 snippets of 60 images by the authors' test, of 10 images from 10 of them."""
    recognizer = tsn.Recognizer.from_preset(prepared / "rgb.weights.h5", crops=1)
    frames = np.random.default_rng(0).integers(0, 256, (11, 64, 64, 3), np.uint8)
    told = []
    found = recognizer.predict(frames, on_snippet=told.append)
    assert [snippet.frame for snippet in told] == found.ticks.tolist()
    assert len(told) == 25
    assert len(set(found.ticks)) < 25
    assert told[0].seconds is None
    given = np.array([snippet.probabilities for snippet in told])
    np.testing.assert_allclose(given, found.along, rtol=1e-5, atol=1e-8)


def test_lines_are_for_one_video(prepared):
    for video, words in ((str(prepared), "one video"), ("camera:0", "a video, not")):
        done = call("predict", video, "--along", "out.jsonl")
        assert done.returncode == 2
        assert f"--along is for {words}" in done.stderr


def test_frames_in_memory_have_no_clock(prepared):
    path = prepared / "rgb.weights.h5"
    frames = np.zeros((40, 64, 64, 3), np.uint8)
    with pytest.raises(InputError, match="how many files a second .* is not known"):
        tsn.Recognizer.from_preset(path, every="1s").predict(frames)
    found = tsn.Recognizer.from_preset(path, every="20", crops=1).predict(frames)
    assert found.ticks.tolist() == [1, 21]
    assert found.windows[0].seconds is None
    assert str(found.windows[0]) == "frames 1 to 21"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--every", "1s", "--fast"], "--fast is a look of its own"),
        (["--over-time", "x"], "--over-time: there is no way over time 'x'"),
        (
            ["--every", "1s", "--snippets", "3"],
            "--snippets is their number and --every",
        ),
        (["--every", "2s"], "--every must be a number of files"),
        (["--along", "out.csv"], "--along out.csv: must end in .jsonl"),
        (["--along", "none/out.jsonl"], "there is no folder none"),
        (["--plot", "out.jpg"], "--plot out.jpg: must end in .png or .html"),
    ],
)
def test_options_that_are_refused(prepared, options, words):
    argv = [str(prepared / "long.avi"), "--weights", str(prepared / "rgb.weights.h5")]
    done = call("predict", *argv, *options)
    assert done.returncode == 2
    assert words in done.stderr


def test_strongest_windows_do_not_overlap():
    """Three peaks in 200 seconds, two of them within one window."""
    scores = np.zeros(200)
    scores[[29, 30, 100, 160]] = [5, 4, 6, 1]
    found = along.strongest(scores, Stride(), 3)
    assert all(end - start == 4 for start, end in found)
    assert [any(a <= at < b for a, b in found) for at in (30, 100, 160)] == [True] * 3
    assert all(a[1] <= b[0] for a, b in zip(found, found[1:], strict=False))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [((0.0, 59.9), "0:00 to 0:59"), ((61.0, 3723.5), "1:01 to 1:02:03")],
)
def test_times_as_people_write_them(seconds, text):
    assert str(along.Window("a", 0, 1, 2, seconds, 0.5)) == text
