"""`--report` of the commands, and `tsn_keras.report` of an evaluation."""

import base64

import clips
import cv2
import numpy as np
import pages
import pytest
import videofiles
from commands import call

import tsn_keras as tsn
from tsn_keras.evaluation import run as evaluating
from tsn_keras.reports import drawing, thumbnails
from tsn_keras.scores import score_file

pytestmark = pytest.mark.usefixtures("shallow_network")


@pytest.fixture(autouse=True)
def _no_vega(monkeypatch):
    """Vega takes seconds to put together; tests/reports/test_browser.py draws."""
    monkeypatch.setattr(drawing, "check", lambda: None)
    monkeypatch.setattr(drawing, "script", lambda: "var vega")
    monkeypatch.setattr(drawing, "versions", lambda: {"vega": "6"})


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """Four videos, scored by both streams with three snippets and a crop."""
    root = tmp_path_factory.mktemp("case")
    argv = clips.make_case(root, (12, 8, 10, 9))
    (root / "log.csv").write_text("iteration,loss\n1,3\n2,2.5\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(drawing, "check", lambda: None)
        patched.setattr(drawing, "script", lambda: "var vega")
        patched.setattr(drawing, "versions", lambda: {"vega": "6"})
        done = call(
            *("eval", *argv, "--snippets", 3, "--crops", 1, "--report", root / "page")
        )
    assert done.returncode == 0, done.stderr
    assert f"{root / 'page' / 'index.html'} written" in done.stdout
    return root


def parsed(folder):
    return pages.Parsed((folder / "index.html").read_bytes())


def pictures(page):
    """{video id: pictures, uint8 [h, w, 3]} of the only test of a page."""
    (test,) = page.data
    return {
        test["videos"]["id"][int(k)]: [
            cv2.imdecode(
                np.frombuffer(base64.b64decode(one["source"].split(",")[1]), np.uint8),
                cv2.IMREAD_COLOR,
            )
            for one in example["pictures"]
        ]
        for k, example in test["examples"]["shown"].items()
    }


def strip(images):
    """Three pictures beside one another, as small as on a page, before JPEG."""
    side = thumbnails.HEIGHT
    small = [
        cv2.resize(
            one,
            (round(one.shape[1] * side / one.shape[0]), side),
            interpolation=cv2.INTER_AREA,
        )
        for one in images
    ]
    return np.concatenate(small, axis=1).astype(float)


def test_eval(case):
    page = parsed(case / "page")
    (test,) = page.data
    assert test["streams"] == ["rgb", "flow"]
    rgb, flow = (
        score_file.Scores(next(case.glob(f"s_{name}*.h5"))) for name in ("rgb", "flow")
    )
    sums = [rgb[v].mean((0, 1)) + 1.5 * flow[v].mean((0, 1)) for v in "abcd"]
    assert test["videos"]["best"] == np.argmax(sums, axis=1).tolist()
    # Logs beside weights: those of both streams are the same file, told once.
    assert [one["name"] for one in test["curves"]] == ["rgb, training, loss"]
    assert "crops" in page.words
    found = pictures(page)
    assert set(found) == set("abcd")
    for video, (frames, flow) in found.items():
        count = dict(zip("abcd", (12, 8, 10, 9), strict=True))[video]
        numbers = [1 + count // 6, 1 + count // 2, 1 + 5 * count // 6]
        files = [case / f"data/{video}/img_{number:05d}.jpg" for number in numbers]
        expected = strip([cv2.imread(str(path)) for path in files])
        assert frames.shape == expected.shape
        assert np.abs(frames - expected).mean() < 8
        assert flow.shape == frames.shape


def test_flow_is_coloured_by_direction():
    right, up = np.zeros((2, 40, 60, 2), np.float32)
    right[..., 0], up[..., 1] = 4, -2
    still = np.zeros((40, 60, 2), np.float32)
    found = thumbnails.coloured([right, up, still])
    assert found[0][0, 0].tolist() == [0, 0, 255]  # B, G, R
    assert found[2][0, 0].tolist() == [255, 255, 255]
    blue, green, red = found[1][0, 0].astype(int)
    # Half as strong, violet: hue 270.
    assert blue == 255
    assert red == pytest.approx(191, abs=2)
    assert green == pytest.approx(127, abs=2)


def test_fuse_with_frames_and_with_videos(case, tmp_path):
    files = sorted(case.glob("s_*.h5"), reverse=True)
    assert len(files) == 2
    whole = pictures(parsed(case / "page"))
    argv = ("fuse", *files, "--weights", 1, 1.5, "--report", tmp_path / "page")
    done = call(*argv, "--data", case / "data")
    assert done.returncode == 0, done.stderr
    for video, found in pictures(parsed(tmp_path / "page")).items():
        for one, other in zip(found, whole[video], strict=True):
            np.testing.assert_array_equal(one, other)
    # Of video files there are frames, and no flow.
    (tmp_path / "videos").mkdir()
    videofiles.make(tmp_path / "videos" / "a.avi", 12)
    done = call(*argv, "--data", tmp_path / "videos")
    assert done.returncode == 0, done.stderr
    found = pictures(parsed(tmp_path / "page"))
    assert {video: len(one) for video, one in found.items()} == {
        **dict.fromkeys("bcd", 0),
        "a": 1,
    }
    # It has 11 images: the first frame is none.
    expected = strip([videofiles.picture(time) for time in (2, 6, 10)])
    assert np.abs(found["a"][0] - expected).mean() < 12
    # Without a folder there is a page without pictures.
    done = call(*argv)
    assert done.returncode == 0, done.stderr
    assert all(one == [] for one in pictures(parsed(tmp_path / "page")).values())


def test_names_lead_nowhere_else(tmp_path):
    """A stranger's score file names what lies outside of the data folder."""
    clips.make_video(tmp_path / "secret", 4, 0)
    clips.make_video(tmp_path / "data" / "fine", 4, 1)
    ids = ["../secret", str(tmp_path / "secret"), "fine"]
    file = pages.write(tmp_path / "rgb.h5", pages.draw(3, 3, 0), ids=ids)
    done = call("fuse", file, "--report", tmp_path / "p", "--data", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    found = pictures(parsed(tmp_path / "p"))
    assert [len(found[video]) for video in ids] == [0, 0, 1]


def test_what_is_wrong_is_said_before_long_work(case, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(evaluating, "evaluate", lambda *_: pytest.fail("it began"))
    done = call("eval", *clips.arguments(case), "--report", tmp_path / "file")
    assert done.returncode == 2
    assert "--report is " in done.stderr
    assert "no folder" in done.stderr
    file = pages.write(tmp_path / "rgb.h5", pages.draw(3, 3, 0))
    done = call("fuse", file, "--data", tmp_path)
    assert done.returncode == 2
    assert "--data is for the pictures of --report" in done.stderr


def test_an_evaluation_has_its_own_frames(case, tmp_path):
    recognizer = tsn.Recognizer.from_preset(case / "rgb.weights.h5")
    found = recognizer.evaluate(
        *("list",),
        **{"data": case / "data", "annotations": case / "list.txt"},
        **{"scores": tmp_path / "s.h5", "snippets": 2, "crops": 1},
    )
    with pytest.raises(tsn.InputError, match="an evaluation has its frames"):
        tsn.report(found, tmp_path / "page", data=case)
    page = parsed(tsn.report(found, tmp_path / "page").parent)
    assert [one["name"] for one in page.data[0]["calibration"]] == ["rgb"]
    assert all(len(one) == 1 for one in pictures(page).values())
