"""JPEGs and videos."""

import contextlib
import pathlib
import tempfile

import cv2
import makers
import mutators
import tensorflow as tf
import videofiles

from tsn_keras.pipeline import reading
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream
from tsn_keras.video import decode, seeking


def _jpegs():
    picture = videofiles.picture(1, (80, 64))
    found = []
    for options in (
        [],
        [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
        [cv2.IMWRITE_JPEG_RST_INTERVAL, 2],
        [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x411111],
    ):
        for image in (picture, picture[..., 0]):
            found.append(cv2.imencode(".jpg", image, options)[1].tobytes())
    # Headers lie before the numbers.
    return found


def _make_jpeg():
    goods = _jpegs()

    def make(random):
        return mutators.of_bytes(random, random.choice(goods), makers.near_the_names)

    return goods[0], make


_RGB, _FLOW = (Stream(MODALITIES[name], CAFFE) for name in ("rgb", "flow"))


class _Snippets:
    """The pipeline of `eval` and `train`, compiled once for all files."""

    def __init__(self):
        self._functions = {
            stream.modality.name: (stream, tf.function(self._of(stream)))
            for stream in (_RGB, _FLOW)
        }

    @staticmethod
    def _of(stream):
        def read(folder, numbers):
            return reading.resized_snippet(folder, numbers, stream)

        return read

    def read(self, path):
        data = path.read_bytes()
        reasons = []
        with tempfile.TemporaryDirectory() as folder:
            for stream, function in self._functions.values():
                for prefix in stream.modality.prefixes:
                    for number in range(1, stream.modality.length + 1):
                        pathlib.Path(folder, f"{prefix}{number:05d}.jpg").write_bytes(
                            data
                        )
                numbers = list(range(1, stream.modality.length + 1))
                try:
                    function(tf.constant(folder), tf.constant(numbers))
                except tf.errors.OpError:
                    reason = reading.explain(
                        folder, numbers, stream
                    ) or reading.explain_sizes(
                        folder, [numbers], stream, reading.MIN_SIDE
                    )
                    assert reason, "a snippet fails, and nothing says why"
                    assert "{{" not in reason, reason
                    reasons.append(reason)
        if len(reasons) == 2:
            raise OSError(reasons[0])


def _videos():
    found = []
    for suffix, codec in (
        (".avi", "mpeg4"),
        (".mp4", "libx264"),
        (".mkv", "mpeg4"),
        (".webm", "libvpx-vp9"),
        (".avi", "mjpeg"),
        (".webm", "libvpx"),
        (".mpg", "mpeg1video"),
    ):
        options = {"pixels": "yuvj420p"} if codec == "mjpeg" else {}
        with contextlib.suppress(Exception):  # Not every FFmpeg has each encoder.
            found.append(
                makers.bytes_of(
                    lambda path, codec=codec, options=options: videofiles.make(
                        path, 4, codec, (64, 48), **options
                    ),
                    suffix,
                )
            )
    assert len(found) >= 3
    return found


def _make_video():
    goods = _videos()

    def make(random):
        return mutators.of_bytes(random, random.choice(goods), _anywhere)

    return goods[0], make


def _anywhere(random, length):
    return (
        makers.near_the_names(random, length)
        if random.random() < 0.6
        else (length - 1 - makers.near_the_names(random, length))
    )


def _read_video(path):
    for frame in decode.frames(path):
        frame.sum()


def _seek_in_video(path):
    """As `eval` and `train` read video files."""
    total = seeking.count(path)
    for number in {0, total // 2, total - 1}:
        for _, frame in seeking.frames(path, [number]):
            frame.sum()


def kinds():
    """See hdf5_kinds.kinds."""
    return {
        "JPEGs": (".jpg", _make_jpeg, _Snippets().read),
        "videos": (".video", _make_video, _read_video),
        "frames of videos": (".video", _make_video, _seek_in_video),
    }
