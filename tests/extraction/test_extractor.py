"""One video to files: numbering, pixels and flow as the original makes them."""

import functools
import itertools

import cv2
import numpy as np
import pytest
import videofiles

from tsn_keras.common.errors import InputError
from tsn_keras.extraction import extractor
from tsn_keras.extraction.settings import Settings
from tsn_keras.flow import quantiser, ranges
from tsn_keras.flow.settings import FlowSettings
from tsn_keras.video import decode

SMALL = (64, 48)  # flow of a pair in a fortieth of a second


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "a.avi"
    return videofiles.make(path, 9)


def made(source, folder, settings, **options):
    folder.mkdir()
    result = extractor.extract(source, folder, settings, **options)
    return result, {path.name: path.read_bytes() for path in folder.iterdir()}


@functools.cache
def motions(path, size):
    """Decode, resize, grey, TV-L1: each by OpenCV; (frames, flow of each pair)."""
    frames = [cv2.resize(frame, size) for frame in videofiles.by_opencv(path)]
    greys = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames]
    tvl1 = cv2.optflow.DualTVL1OpticalFlow_create(
        0.25, 0.15, 0.3, 5, 5, 0.01, 300, 1, 0.5, 0.0, 1, False
    )
    pairs = itertools.pairwise(greys)
    return frames, [tvl1.calc(*pair, None).astype(float) for pair in pairs]


def expected_files(path, size, bound=20):
    """Quantise and JPEG `motions`: each by OpenCV, in turn."""
    files = {}
    frames, fields = motions(path, size)
    for k, motion in enumerate(fields, 1):
        planes = {"img": frames[k]}
        for axis, name in enumerate(("flow_x", "flow_y")):
            levels = np.rint(255 * (motion[..., axis] + bound) / (2 * bound))
            planes[name] = np.clip(levels, 0, 255).astype(np.uint8)
        for name, plane in planes.items():
            jpeg = cv2.imencode(".jpg", plane, (cv2.IMWRITE_JPEG_QUALITY, 95))[1]
            files[f"{name}_{k:05d}.jpg"] = jpeg.tobytes()
    return files


def test_files_are_the_originals(source, tmp_path):
    result, files = made(source, tmp_path / "out", Settings(size=SMALL))
    assert (result.decoded, result.files, result.damage) == (9, 8, None)
    assert files == expected_files(source, SMALL)
    assert sorted(files)[:2] == ["flow_x_00001.jpg", "flow_x_00002.jpg"]


def test_a_real_clip(clips, tmp_path):
    """At the original's size; the first two images of a clip."""
    path = sorted((clips / "hmdb51").rglob("*.avi"))[91]
    short = videofiles.by_opencv(path)[:3]
    source = tmp_path / "short.avi"
    videofiles.make(source, short, "ffv1", pixels="bgr0")
    # Lossless: still the clip's own pixels.
    np.testing.assert_array_equal(list(decode.frames(source)), short)
    _, files = made(source, tmp_path / "out", Settings())
    assert len(files) == 6
    assert files == expected_files(source, (340, 256))
    image = cv2.imdecode(np.frombuffer(files["img_00001.jpg"], "u1"), -1)
    assert image.shape == (256, 340, 3)


def test_bound(source, tmp_path):
    _, files = made(source, tmp_path / "out", Settings(FlowSettings(bound=5), SMALL))
    assert files == expected_files(source, SMALL, bound=5)


def test_images_only(source, tmp_path):
    _, files = made(source, tmp_path / "out", Settings(flow=None, size=SMALL))
    expected = expected_files(source, SMALL)
    assert files == {n: d for n, d in expected.items() if n.startswith("img_")}


def test_warped_adds_to_the_same_files(source, tmp_path):
    _, files = made(
        source, tmp_path / "out", Settings(FlowSettings(warped=True), SMALL)
    )
    expected = expected_files(source, SMALL)
    assert {n: d for n, d in files.items() if not n.startswith("warped")} == expected
    names = {n.replace("warped", "flow") for n in files if n.startswith("warped")}
    assert names == {n for n in expected if n.startswith("flow")}
    # The whole picture moves: the camera does, so that nothing is left.
    plain, warped = (
        cv2.imdecode(np.frombuffer(files[f"{n}_x_00004.jpg"], "u1"), -1).astype(int)
        for n in ("flow", "warped")
    )
    assert np.abs(plain - 128).mean() > 5
    assert np.abs(warped - 128).mean() < 1


def test_opencv4_parameters(source, tmp_path):
    settings = Settings(FlowSettings(parameters="opencv4"), SMALL)
    _, files = made(source, tmp_path / "out", settings)
    expected = expected_files(source, SMALL)
    assert files.keys() == expected.keys()
    assert files["img_00001.jpg"] == expected["img_00001.jpg"]
    assert files["flow_x_00001.jpg"] != expected["flow_x_00001.jpg"]


@pytest.mark.parametrize("warped", [False, True])
def test_threads_change_nothing(source, tmp_path, warped):
    settings = Settings(FlowSettings(warped=warped), SMALL)
    one = made(source, tmp_path / "one", settings, cores=1)
    three = made(source, tmp_path / "three", settings, cores=3)
    assert one == three


@pytest.mark.parametrize(("count", "files"), [(2, 1), (1, None)])
def test_short_videos(tmp_path, count, files):
    source = videofiles.make(tmp_path / "short.avi", count)
    if files:
        assert made(source, tmp_path / "out", Settings(size=SMALL))[0].files == files
    else:
        with pytest.raises(decode.VideoError, match="no two frames"):
            made(source, tmp_path / "out", Settings(size=SMALL))


def test_damaged_video(source, tmp_path):
    path = videofiles.cut(source, 0.9, tmp_path / "cut.avi")
    with pytest.raises(decode.VideoError, match="is damaged"):
        made(path, tmp_path / "fail", Settings(flow=None, size=SMALL))
    result, files = made(
        path, tmp_path / "keep", Settings(flow=None, size=SMALL, keep_damaged=True)
    )
    assert 2 <= result.decoded < 9
    assert len(files) == result.files == result.decoded - 1
    assert "cut off" in result.damage
    whole = expected_files(source, SMALL)
    assert files == {name: whole[name] for name in files}


def test_an_error_in_a_thread_is_raised(source, tmp_path, monkeypatch):
    def fail(path, image):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(extractor.jpeg, "write", fail)
    with pytest.raises(OSError, match="img_00001.jpg"):
        made(source, tmp_path / "out", Settings(size=SMALL), cores=3)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (Settings(size=(15, 256)), "`size` is 15x256"),
        (Settings(size=(340, 9000)), "`size` is 340x9000"),
        (Settings(FlowSettings(bound=0)), "`bound` is 0"),
        (Settings(FlowSettings(bound=float("nan"))), "`bound` is nan"),
    ],
)
def test_settings_out_of_range(settings, text):
    with pytest.raises(InputError, match=text):
        settings.check()
    assert Settings().check() is None


def test_backward_adds_to_the_same_files(source, tmp_path):
    """Its fields are those of the video that runs backwards."""
    _, files = made(
        source, tmp_path / "out", Settings(FlowSettings(backward=True), SMALL)
    )
    expected = expected_files(source, SMALL)
    names = {name for name in files if name.startswith("flow_b")}
    assert {n: d for n, d in files.items() if n not in names} == expected
    frames = videofiles.by_opencv(source)[::-1]
    reversed_ = videofiles.make(
        tmp_path / "reversed.avi", frames, "ffv1", pixels="bgr0"
    )
    for name, data in expected_files(reversed_, SMALL).items():
        if name.startswith("flow"):
            kind, axis, number = name.removesuffix(".jpg").split("_")
            backward = f"{kind}_b{axis}_{9 - int(number):05d}.jpg"
            assert files[backward] == data
            names.remove(backward)
    assert not names


def test_ranges_of_fields(source, tmp_path):
    """Through JPEG, the pixels of motion come back."""
    settings = Settings(FlowSettings(bound=None, backward=True), SMALL)
    _, files = made(source, tmp_path / "out", settings)
    prefixes = settings.flow.prefixes
    assert prefixes == ("flow_x_", "flow_y_", "flow_bx_", "flow_by_")
    assert len(files) == 5 * 8 + 1
    worst = 0
    for k, motion in enumerate(motions(source, SMALL)[1], 1):
        for axis, prefix in enumerate(prefixes[:2]):
            (limits,) = ranges.read(tmp_path / "out", [(prefix, k)])
            plane = motion[..., axis]
            assert limits.tolist() == [plane.min(), plane.max()]
            data = np.frombuffer(files[f"{prefix}{k:05d}.jpg"], "u1")
            found = quantiser.decode(cv2.imdecode(data, -1), *limits)
            worst = max(worst, np.abs(found - plane).max() / np.ptp(limits))
    # JPEG of quality 95 moves pixels of these small fields by 7.3 levels at most, and
    # one level in the mean.
    assert worst < 10 / 255
