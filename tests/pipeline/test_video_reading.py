"""Snippets of video files in the pipelines: those of `predict` and of `extract`."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import videofiles

from tsn_keras.datasets.records import FrameFolder, VideoFile
from tsn_keras.extraction import extractor
from tsn_keras.extraction.settings import Settings
from tsn_keras.pipeline import (
    as_stored,
    reading,
    snippets,
    transforms,
    video_reading,
)
from tsn_keras.pipeline.from_video import Decoding
from tsn_keras.pipeline.training import Batches
from tsn_keras.protocols import sampling
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream
from tsn_keras.video import decode

FRAMES, SIZE = 24, (320, 240)
NAMES = ("a.avi", "b.mp4", "c.webm")
CODECS = {"a.avi": "mpeg4", "b.mp4": "libx264", "c.webm": "libvpx-vp9"}
# Five snippets, so that short clips have room for them.
CAFFE = dataclasses.replace(
    PROTOCOLS["caffe"], test=PROTOCOLS["caffe"].test.with_snippets(5)
)
RGB, RGBDIFF = (Stream(MODALITIES[name], CAFFE) for name in ("rgb", "rgbdiff"))
STREAMS = (
    pytest.param(RGB, id="rgb"),
    pytest.param(RGBDIFF, id="rgbdiff", marks=pytest.mark.slow),
)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    root = tmp_path_factory.mktemp("videos")
    for number, name in enumerate(NAMES):
        pictures = [videofiles.picture(9 * number + k, SIZE) for k in range(FRAMES)]
        encoder = {"cpu-used": "8"} if name.endswith("webm") else {}
        videofiles.make(root / name, pictures, CODECS[name], encoder=encoder)
    return root


@pytest.fixture(scope="module")
def extracted(videos):
    """What `extract` makes of them, beside them."""
    for name in NAMES:
        folder = videos / name.split(".")[0]
        folder.mkdir()
        extractor.extract(videos / name, folder, Settings(flow=None))
    return videos


def files_of(root, stream):
    return [
        VideoFile(name, label, root / name, FRAMES - 1, frames=FRAMES).under(stream)
        for label, name in enumerate(NAMES)
    ]


def folders_of(root):
    return [
        FrameFolder(name, label, root / name.split(".")[0], FRAMES - 1)
        for label, name in enumerate(NAMES)
    ]


@pytest.mark.parametrize("protocol", ["caffe", "tsn_pytorch", "mmaction2_s8_3crop256"])
@pytest.mark.parametrize("modality", ["rgb", "rgbdiff"])
def test_snippets_are_those_of_predict(videos, protocol, modality):
    stream = Stream(MODALITIES[modality], PROTOCOLS[protocol])
    for video in files_of(videos, stream):
        opened = Decoding().opened(video.path)
        assert video.files == opened.images(stream)
        # Apart, overlapping, and past the end.
        ticks = [1, 2, 9, video.files]
        expected = dict(opened.snippets(ticks, stream))
        rows = np.array([stream.numbers(tick, video.files) for tick in ticks])
        found, size = video_reading.snippets(str(video.path), rows, stream, True)
        for one, tick in zip(found, ticks, strict=True):
            np.testing.assert_array_equal(one, expected[tick])
        assert tuple(size) == (SIZE[::-1] if stream.protocol.direct else (256, 340))


def scored(folders, stream):
    """{(video, tick): pixels} of the pipeline of the test, and the sizes."""
    plan = snippets.plan(folders, stream, stream.protocol.test)
    found, sizes = {}, set()
    dataset = snippets.for_test(folders, plan, stream, 4)
    for videos, ticks, size, pixels in dataset.as_numpy_iterator():
        assert len(videos) == 4
        for row in np.flatnonzero(videos >= 0):
            key = int(videos[row]), int(ticks[row])
            assert key not in found
            found[key] = pixels[row]
            sizes.add(tuple(size[row].tolist()))
    return found, sizes


@pytest.mark.parametrize("stream", STREAMS)
def test_the_test_of_files_is_that_of_frames(extracted, stream):
    """All files, all folders, and both in one set."""
    files, folders = files_of(extracted, stream), folders_of(extracted)
    expected, sizes = scored(folders, stream)
    assert sizes == {(256, 340)}
    for mixed in (files, [files[0], folders[1], files[2]]):
        found, sizes = scored(mixed, stream)
        assert found.keys() == expected.keys()
        assert sizes == {(256, 340)}
        for key, pixels in expected.items():
            np.testing.assert_array_equal(found[key], pixels)


def test_runs_of_a_video_are_short(extracted, monkeypatch):
    """However many images are decoded at a time, snippets are the same."""
    files = files_of(extracted, RGBDIFF)
    expected, _ = scored(files, RGBDIFF)
    monkeypatch.setattr(snippets, "_MOST_IMAGES", 13)
    plan = snippets.plan(files, RGBDIFF, RGBDIFF.protocol.test)
    runs = list(zip(*(column.tolist() for column in snippets._runs(plan)), strict=True))
    assert [end - start for _, start, end in runs] == 3 * [2, 2, 1]
    found, _ = scored(files, RGBDIFF)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[key], expected[key]) for key in found)


def test_crops_of_a_protocol_that_keeps_ratios(videos):
    stream = Stream(MODALITIES["rgb"], PROTOCOLS["mmaction2_s8_3crop256"])
    files = files_of(videos, stream)
    found, sizes = scored(files, stream)
    assert sizes == {SIZE[::-1]}
    view = stream.protocol.test
    ticks, _ = view.distinct(FRAMES, 1)
    assert len(found) == 3 * len(ticks)
    every = list(decode.frames(files[1].path))
    for index, tick in enumerate(ticks.tolist()):
        frame = as_stored.framed(every[tick - 1], stream)
        expected = transforms.cut(tf.constant(frame[None]), view, stream)[0]
        np.testing.assert_array_equal(found[1, index], expected)


def taken(dataset, count):
    found = list(dataset.take(count).as_numpy_iterator())
    assert len(found) == count
    return found


@pytest.mark.parametrize("stream", STREAMS)
def test_training_on_files_is_that_on_frames(extracted, stream):
    """The same draws give the same pixels and labels, bit for bit."""
    files, folders = files_of(extracted, stream), folders_of(extracted)
    both = [files[0], folders[1], files[2]]

    def made(chosen):
        batches = Batches(tuple(chosen), stream, 3, 2, seed=5)
        yield from taken(batches.for_training(first=2), 3)
        yield from taken(batches.for_validation(), 2)

    expected = list(made(folders))
    for chosen in (files, both):
        for (images, labels), (pixels, right) in zip(
            made(chosen), expected, strict=True
        ):
            np.testing.assert_array_equal(images, pixels)
            np.testing.assert_array_equal(labels, right)


def test_direct_protocols_train_on_decoded_frames(videos):
    """At the size of the video, all frames, without JPEG."""
    stream = Stream(MODALITIES["rgb"], PROTOCOLS["mmaction2_s8_3crop256"])
    files = tuple(files_of(videos, stream))
    batches = Batches(files, stream, 3, 3)
    ((found, labels),) = taken(batches.for_test(), 1)
    assert labels.tolist() == [0, 1, 2]
    ticks = sampling.centre_ticks(FRAMES, 1, 3)
    for video, pixels in zip(files, found, strict=True):
        every = list(decode.frames(video.path))
        for tick, crop in zip(ticks, pixels, strict=True):
            # The centre of 224 of 240 rows and 320 columns.
            expected = every[tick - 1][8:232, 48:272]
            np.testing.assert_array_equal(crop, expected)


def damaged(root, target):
    """A copy of b.mp4 whose second group cannot be decoded."""
    import av

    with av.open(str(root / "b.mp4")) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        packet = [p for p in packets if p.is_keyframe][1]
        start, size = packet.pos, packet.size
    data = bytearray((root / "b.mp4").read_bytes())
    data[start + 30 : start + size * 2 // 5] = bytes(size * 2 // 5 - 30)
    target.write_bytes(data)
    return VideoFile("bad", 1, target, FRAMES - 1, frames=FRAMES)


def test_a_bad_file_costs_its_video(videos, tmp_path):
    files = files_of(videos, RGB)
    bad = damaged(videos, tmp_path / "bad.mp4")
    gone = VideoFile("gone", 1, tmp_path / "gone.avi", FRAMES - 1, frames=FRAMES)
    chosen = [files[0], bad, gone, files[2]]
    found, _ = scored(chosen, RGB)
    assert {video for video, _ in found} == {0, 3}
    plan = snippets.plan(chosen, RGB, RGB.protocol.test)
    reasons = [
        reading.explain_video(video, plan.of(index), RGB)
        for index, video in enumerate(chosen)
    ]
    assert reasons[0] is None
    assert reasons[3] is None
    assert reasons[1].startswith(f"{bad.path} is damaged: ")
    assert "No such file" in reasons[2]


def test_training_on_a_bad_file_stops_and_names_it(videos, tmp_path):
    bad = damaged(videos, tmp_path / "bad.mp4")
    batches = Batches((bad,), RGB, 3, 1)
    with pytest.raises(tf.errors.OpError):
        taken(batches.for_validation(), 1)
    ((video, numbers),) = batches.validation_files()
    text = reading.explain_video(video, numbers, RGB, is_training=True)
    assert text.startswith(f"{bad.path} is damaged: ")


def test_frames_that_are_smaller_than_a_crop(tmp_path):
    path = videofiles.make(tmp_path / "small.avi", 4)
    stream = Stream(MODALITIES["rgb"], PROTOCOLS["mmaction2_s8_3crop256"])
    small = VideoFile("small", 0, path, 4, frames=4)
    with pytest.raises(tf.errors.OpError):
        taken(Batches((small,), stream, 1, 1).for_test(), 1)
    text = reading.explain_video(small, [[1]], stream, is_training=True)
    assert "small.avi is 160 x 120, smaller than a crop of 224" in text
    # The test enlarges them, and so does caffe for both.
    assert reading.explain_video(small, [[1]], stream) is None
    caffe = dataclasses.replace(small, files=3)
    assert reading.explain_video(caffe, [[1]], RGB, is_training=True) is None


def test_a_video_that_changes_its_size(tmp_path):
    """Where frames are seen as they are; an extraction makes all alike."""
    one = [videofiles.picture(k, (320, 240)) for k in range(6)]
    two = [videofiles.picture(k, (240, 320)) for k in range(6)]
    stream = Stream(MODALITIES["rgb"], PROTOCOLS["mmaction2_s8_3crop256"])
    # A decoded file of two sizes needs parts of two files.
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            video_reading.seeking,
            "frames",
            lambda path, numbers: ((n, (one + two)[n]) for n in numbers),
        )
        with pytest.raises(decode.VideoError, match="from 320 x 240 to 240 x 320"):
            video_reading.snippets("x.avi", [[3], [9]], stream, True)
        found, size = video_reading.snippets("x.avi", [[3], [9]], RGB, True)
        assert found.shape == (2, 256, 340, 3)
        assert tuple(size) == (256, 340)
