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
from tsn_keras.prediction import along
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
    ],
)
def test_options_that_do_not_go_together(prepared, options, words):
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
