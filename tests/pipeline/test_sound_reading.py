"""Snippets of sound: at the time of their image, silent beyond the ends."""

import fractions
import tracemalloc

import cv2
import numpy as np
import pytest
import soundfiles
import tensorflow as tf

from tsn_keras.common import storage
from tsn_keras.datasets.records import FrameFolder
from tsn_keras.datasets.sounds import heard
from tsn_keras.models.preprocessing import Preprocessing
from tsn_keras.pipeline import snippets, sound_reading, spectrogram
from tsn_keras.pipeline.training import Batches
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import SOUND
from tsn_keras.protocols.records import Stream
from tsn_keras.video import sound

STREAM = Stream(SOUND, PROTOCOLS["caffe"])
SHAPE = SOUND.spectrogram


class Clicks:
    """Opened sound in the place of a file."""

    def __init__(self, samples, frame_rate, block=16000):
        self.frame_rate = fractions.Fraction(frame_rate)
        self._samples, self._block = samples, block

    def blocks(self):
        for first in range(0, len(self._samples), self._block):
            yield self._samples[first : first + self._block]


def test_a_picture_is_of_the_time_of_its_frame():
    samples = np.random.default_rng(0).normal(0, 3000, 80000).astype(np.int16)
    rate = fractions.Fraction(30000, 1001)
    indices = [0, 1, 60, 61, 130, 149]
    found = list(sound_reading.pictures(Clicks(samples, rate, 999), indices, STREAM))
    padded = np.pad(samples, SHAPE.samples)
    for index, picture in zip(indices, found, strict=True):
        start = int(index * 16000 / rate) - SHAPE.before + SHAPE.samples
        expected = spectrogram.picture(padded[start : start + SHAPE.samples], SHAPE)
        np.testing.assert_array_equal(picture, cv2.resize(expected, (224, 224)))
    # Before the beginning it is silent: half of the first picture.
    assert not found[0][:, :105].any()
    assert found[0][:, 115:].any()


def test_hours_take_the_memory_of_a_picture():
    block = np.ones(16000, np.int16)
    starts = [0, 1000 * 16000, 9000 * 16000 - 50, 20_000 * 16000]
    tracemalloc.start()
    found = list(
        sound_reading._cuts((block for _ in range(3 * 3600)), starts, SHAPE.samples)
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [int(one.sum()) for one in found] == [SHAPE.samples] * 3 + [0]
    assert peak < 1e6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Frame folders with sound: a tone from second 1.5 of 3 on; and no sound."""
    root = tmp_path_factory.mktemp("sounds")
    silent = np.zeros(24000)
    track = np.concatenate([silent, soundfiles.sine(1000, 1.5)])
    video = soundfiles.make(root / "a.mkv", track, frame_rate=10)
    soundfiles.make(root / "b.mkv", None)
    for name in "ab":
        (root / name).mkdir()
        sound.extract(root / f"{name}.mkv", root / name)
    return root, video


def folder_of(root, name="a", **more):
    return FrameFolder(name, 0, root / name, 29, **more)


def test_files_and_videos_give_the_same(folder):
    root, video = folder
    (stored,), silent, failed = heard([folder_of(root), folder_of(root, "b")])
    assert (silent, failed) == (("b",), {})
    assert (stored.files, stored.path) == (29, root / "a" / sound.NAME)
    numbers = [[20], [3], [20]]
    found, size = sound_reading.snippets(stored.path, numbers, STREAM)
    direct, _ = sound_reading.snippets(video, numbers, STREAM)
    np.testing.assert_array_equal(found, direct)
    assert (found.shape, size.tolist()) == ((3, 224, 224, 3), [224, 224])
    np.testing.assert_array_equal(found[0], found[2])
    # Image 3 is heard at 0.3 s, the tone begins 1.2 s later: 120 columns of 10 ms.
    loud = (found[1].max(axis=(0, 2)) > 200).nonzero()[0]
    assert loud.size == 0
    # Image 10: the tone begins 0.5 s after the middle.
    (picture,), _ = sound_reading.snippets(stored.path, [[10]], STREAM)
    loud = (picture.max(axis=(0, 2)) > 200).nonzero()[0]
    assert loud[0] == pytest.approx(112 + 50, abs=3)


def test_sound_in_an_object_store(folder, monkeypatch):
    root, _ = folder
    data = (root / "a" / sound.NAME).read_bytes()
    monkeypatch.setattr(storage.Address, "read_bytes", lambda self: data)
    found, _ = sound_reading.snippets("s3://bucket/a/sound.flac", [[20]], STREAM)
    expected, _ = sound_reading.snippets(root / "a" / sound.NAME, [[20]], STREAM)
    np.testing.assert_array_equal(found, expected)


def test_clips_of_a_folder_begin_later(folder):
    root, _ = folder
    (clip,), _, _ = heard([folder_of(root, first=11)])
    assert snippets.plan([clip], STREAM, STREAM.test).files[0].tolist() == [11]
    batches = Batches((clip,), STREAM, 3, 1)
    load = batches._segments()
    (found,) = tf.function(lambda: load(0, tf.constant([1, 2, 3])))()[:1]
    expected, _ = sound_reading.snippets(clip.path, [[11]], STREAM)
    np.testing.assert_array_equal(found, expected[0])


def test_training_and_test_see_whole_pictures(folder):
    root, _ = folder
    kept, _, _ = heard([folder_of(root)])
    batches = Batches(kept, STREAM, segments=2, batch=1)
    (pixels, label), *_ = list(batches.for_fit())
    assert (pixels.shape, label.numpy().tolist()) == ((1, 2, 224, 224, 3), [0])
    _, numbers = next(iter(batches.training_files(0, 1)))
    expected, _ = sound_reading.snippets(kept[0].path, numbers, STREAM)
    np.testing.assert_array_equal(pixels[0], expected)
    (middle, _), *_ = list(batches.for_test())
    assert middle.shape == (1, 2, 224, 224, 3)
    planned = snippets.plan(list(kept), STREAM, STREAM.test)
    video, tick, size, crops = next(
        iter(snippets.for_test(list(kept), planned, STREAM, 4))
    )
    assert crops.shape == (4, 224, 224, 3)
    expected, _ = sound_reading.snippets(kept[0].path, planned.files[:4], STREAM)
    np.testing.assert_array_equal(crops, expected)
    assert STREAM.test.crops.count == 1


def test_network_input(folder):
    pixels = np.array([[[0, 128, 255]]], np.uint8)
    # The mean of 104, 117, 123; planes stay in their order under any protocol.
    mean = (104 + 117 + 123) / 3
    found = np.asarray(Preprocessing("sound")(pixels))
    np.testing.assert_allclose(found, pixels - np.float32(mean), rtol=1e-6)
    torch = np.asarray(Preprocessing("sound", "mmaction2_s25_10crop224")(pixels))
    mean, deviation = (123.675 + 116.28 + 103.53) / 3, (58.395 + 57.12 + 57.375) / 3
    np.testing.assert_allclose(torch, (pixels - mean) / deviation, rtol=1e-5)


def test_keeping_the_ratio_changes_nothing(folder):
    root, _ = folder
    kept, _, _ = heard([folder_of(root)])
    stream = Stream(SOUND, PROTOCOLS["mmaction2_s25_3crop256"])
    planned = snippets.plan(list(kept), stream, stream.test)
    _, _, _, pixels = next(iter(snippets.for_test(list(kept), planned, stream, 2)))
    expected, _ = sound_reading.snippets(kept[0].path, planned.files[:2], stream)
    np.testing.assert_array_equal(pixels, expected)
