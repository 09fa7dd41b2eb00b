"""Looks at a live source: which frames they have, and which were late."""

import threading
import time

import numpy as np
import pytest
import videofiles

from tsn_keras.common.errors import InputError
from tsn_keras.prediction import live
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.modalities import RGB_DIFFERENCE
from tsn_keras.protocols.records import Stream
from tsn_keras.video import decode
from tsn_keras.video import live as sources


class _Scorer:
    """Looks that take as long as a test wants; a score is the newest frame's number."""

    def __init__(self, wait=lambda: None):
        self.streams = {"rgbdiff": Stream(RGB_DIFFERENCE, CAFFE)}
        self.decoding, self._wait = self, wait

    def snippet(self, frames, stream):
        return np.array([frame[0, 0, 0] for frame in frames[-6:]])

    def score(self, modality, snippets):
        if snippets.any():
            self._wait()
        return snippets.max(axis=1).astype(float)[:, None, None]

    def fuse(self, values):
        (scores,) = values.values()
        return scores[:, 0, 0].tolist()


class _Frames(sources.Live):
    """Frames that come when they are let: of these all but the first bring more."""

    def __init__(self, count):
        super().__init__("frames")
        self._count, self.gate = count, threading.Semaphore(6)

    def _read(self):
        for number in range(1, self._count + 1):
            self.gate.acquire()
            yield np.full((4, 4, 3), number, np.uint8)

    def let(self, frames):
        """Lets more come, and waits for them."""
        wanted = min(self.seen + frames, self._count)
        for _ in range(frames):
            self.gate.release()
        while self.seen < wanted:
            time.sleep(0.001)


def test_late_frames_are_counted():
    """20 frames come during each look, which has 6 of them."""
    source = _Frames(66)
    with source:
        found = list(live.watch(source, _Scorer(lambda: source.let(20)), window=2))
    assert [glance.frame for glance in found] == [6, 26, 46, 66]
    assert [glance.fused for glance in found] == [[6], [6, 26], [26, 46], [46, 66]]
    assert [glance.looks for glance in found] == [1, 2, 2, 2]
    assert [glance.pace.late for glance in found] == [0, 14, 28, 42]
    assert found[-1].pace.frames == 66
    assert found[-1].pace.looks == 4


def test_a_look_that_is_quick_enough_has_every_frame():
    source = _Frames(40)
    with source:
        found = list(live.watch(source, _Scorer(lambda: source.let(6)), window=1))
    assert found[-1].pace.late == 0
    assert found[-1].fused == [40]


def test_file_is_played_at_its_own_pace(tmp_path):
    path = videofiles.make(tmp_path / "v.mp4", 12)
    began = time.monotonic()
    with sources.Playing(path) as source:
        source.start(2)
        while (newest := source.newest()) is not None:
            number, frames = newest
            # No frame comes before its time.
            assert time.monotonic() - began >= (number - 1) / 25
    assert number == source.seen == 12
    wanted = list(decode.frames(path))[-2:]
    np.testing.assert_array_equal(frames, wanted)


def test_file_that_cannot_be_played(tmp_path):
    (tmp_path / "v.mp4").write_text("no video")
    with pytest.raises(decode.VideoError, match="v.mp4"):
        sources.Playing(tmp_path / "v.mp4")


def _to_the_end(source):
    source.start(2)
    while source.newest() is not None:
        pass


def test_damage_ends_a_source_with_its_reason(tmp_path):
    whole = videofiles.make(tmp_path / "whole.avi", 12)
    path = videofiles.cut(whole, 0.8, tmp_path / "cut.avi")
    with sources.Playing(path) as source, pytest.raises(InputError, match="damaged"):
        _to_the_end(source)
    with sources.Playing(path, keep_damaged=True) as source:
        _to_the_end(source)
        assert "cut off" in source.damage
        assert 1 < source.seen < 12


def test_a_file_that_is_gone_ends_a_source_with_its_reason(tmp_path):
    path = videofiles.make(tmp_path / "v.mp4", 4)
    played = sources.Playing(path)
    path.unlink()
    with played as source, pytest.raises(OSError, match="v.mp4"):
        _to_the_end(source)
