"""Snippets straight from a video: those of the extracted files, in little memory."""

import dataclasses
import tracemalloc

import cv2
import numpy as np
import pytest
import videofiles

from tsn_keras.extraction import extractor
from tsn_keras.extraction.settings import Settings
from tsn_keras.pipeline.from_video import Decoding
from tsn_keras.protocols import sampling
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream
from tsn_keras.video import decode

# Flow of a pair in a twentieth of a second; at the protocol's own size it takes one.
SMALL = dataclasses.replace(CAFFE, frame_size=(64, 96))
# Others are in test_sound_reading.py, test_stacked_snippets.py and
# test_joint_snippets.py.
PREFIXES = {"rgb": ("img_",), "rgbdiff": ("img_",), "flow": ("flow_x_", "flow_y_")}
STREAMS = {name: Stream(MODALITIES[name], SMALL) for name in PREFIXES}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return videofiles.make(tmp_path_factory.mktemp("clip") / "a.avi", 10)


@pytest.fixture(scope="module")
def extracted(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    extractor.extract(source, folder, Settings(size=(96, 64)))
    return folder


def from_files(folder, numbers, modality):
    flag = cv2.IMREAD_GRAYSCALE if modality == "flow" else cv2.IMREAD_COLOR
    return np.dstack(
        [
            cv2.imread(str(folder / f"{prefix}{number:05d}.jpg"), flag)
            for number in numbers
            for prefix in PREFIXES[modality]
        ]
    )


@pytest.mark.parametrize("modality", STREAMS)
@pytest.mark.parametrize("threads", [1, 2])
def test_snippets_are_those_of_the_files(source, extracted, modality, threads):
    stream = STREAMS[modality]
    video = Decoding(threads=threads).opened(source)
    assert (video.files, video.damage) == (9, None)
    # Overlapping, apart, and beyond the end, where the last file repeats.
    ticks = [1, 2, 6, 9]
    found = dict(video.snippets(ticks, stream))
    assert list(found) == ticks
    for tick in ticks:
        numbers = sampling.snippet_files(tick, 9, stream.modality.length)
        assert found[tick].shape == (64, 96, stream.modality.planes)
        expected = from_files(extracted, numbers, modality)
        np.testing.assert_array_equal(found[tick], expected)


@pytest.mark.parametrize("modality", STREAMS)
def test_snippet_of_frames_is_that_of_the_files(source, extracted, modality):
    """The last of the video, from its last six frames."""
    stream = STREAMS[modality]
    frames = list(decode.frames(source))[-6:]
    found = Decoding(threads=2).snippet(frames, stream)
    numbers = range(10 - stream.modality.length, 10)
    np.testing.assert_array_equal(found, from_files(extracted, numbers, modality))


def test_memory_does_not_grow_with_the_video(tmp_path):
    frames = [videofiles.picture(time, (64, 48)) for time in range(30)]
    path = videofiles.make(tmp_path / "long.avi", 50 * frames)
    stream = Stream(MODALITIES["rgbdiff"], CAFFE)
    video = Decoding().opened(path)
    ticks = sampling.eval_ticks(video.files, stream.modality.length)
    tracemalloc.start()
    for count, (_, snippet) in enumerate(  # noqa: B007
        video.snippets(ticks, stream), 1
    ):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 25
    # A snippet and the files that it is made of, and those of the next; all 25
    # snippets would be 39 MB.
    assert peak < 4 * snippet.nbytes


def test_key_frames(source, tmp_path):
    extractor.extract(source, tmp_path, Settings(flow=None))
    found = Decoding().opened(source).key_frames([1, 5], (170, 128))
    for number, image in zip((1, 5), found, strict=True):
        whole = cv2.imread(str(tmp_path / f"img_{number:05d}.jpg"))[..., ::-1]
        small = cv2.resize(whole, (170, 128), interpolation=cv2.INTER_AREA)
        # One was made smaller twice, and stored as JPEG: means differ little.
        assert np.abs(image.astype(int) - small).mean() < 6
        assert image.shape == (128, 170, 3)


def test_a_video_of_one_frame(tmp_path):
    path = videofiles.make(tmp_path / "one.avi", 1)
    with pytest.raises(decode.VideoError, match="no two frames"):
        Decoding().opened(path)


def test_damage(tmp_path):
    whole = videofiles.make(tmp_path / "whole.avi", 30)
    path = videofiles.cut(whole, 0.8, tmp_path / "cut.avi")
    with pytest.raises(decode.VideoError, match="is damaged"):
        Decoding().opened(path)
    video = Decoding(keep_damaged=True).opened(path)
    assert 1 < video.files < 29
    assert video.damage
    assert len(list(video.snippets([1, video.files], STREAMS["rgb"]))) == 2
