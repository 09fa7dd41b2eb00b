"""Small videos in many containers and codecs, and their frames by OpenCV."""

import fractions

import av
import cv2
import numpy as np


def picture(time, size=(160, 120)):
    """A textured B, G, R image that moves with time; uint8 [h, w, 3]."""
    width, height = size
    y, x = np.mgrid[:height, :width].astype(float)
    x = x + 2 * time
    planes = [
        np.sin(x / (5 + c)) * np.cos(y / (7 - c)) + 0.3 * np.sin((x + 2 * y) / 3)
        for c in range(3)
    ]
    return np.clip(128 + 90 * np.dstack(planes), 0, 255).astype(np.uint8)


def make(path, frames=12, codec="mpeg4", size=(160, 120), **options):
    """Writes a video of `picture`s.

    Args:
        path: the file; its suffix chooses the container.
        frames: number of frames, or uint8 arrays [h, w, 3] (B, G, R).
        codec: FFmpeg's name of the encoder.
        size: (width, height).
        pixels: pixel format.
        times: presentation times in milliseconds, for variable rates.
        start: time of the first frame, in frames.
        container: options of the container.
        encoder: options of the encoder; key frames are six frames apart unless they
            say otherwise.
    """
    if isinstance(frames, int):
        frames = [picture(time, size) for time in range(frames)]
    size = frames[0].shape[1::-1]
    pixels = options.get("pixels", "yuv420p")
    times = options.get("times") or [40 * k for k in range(len(frames))]
    container_options = options.get("container", {})
    with av.open(str(path), "w", container_options=container_options) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.options = {"g": "6", **options.get("encoder", {})}
        # Else the file is another on machines with more or fewer cores.
        stream.codec_context.thread_count = 2
        # AVI and MPEG know constant rates only.
        base = fractions.Fraction(1, 1000 if "times" in options else 25)
        stream.codec_context.time_base = base
        for time, image in zip(times, frames, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(
                format=pixels
            )
            frame.time_base = base
            frame.pts = time if "times" in options else time // 40
            frame.pts += options.get("start", 0)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def remux(source, target, change, container=None):
    """Copies the packets of a video into another file, without decoding them.

    Args:
        source, target: the files.
        change: function of the list of av.Packet that yields those to write.
        container: options of the target's container.
    """
    with (
        av.open(str(source)) as read,
        av.open(str(target), "w", container_options=container or {}) as written,
    ):
        stream = written.add_stream_from_template(read.streams.video[0])
        packets = [packet for packet in read.demux(video=0) if packet.size]
        for packet in change(packets):
            packet.stream = stream
            written.mux(packet)
    return target


def by_opencv(path):
    """All frames as OpenCV decodes them, uint8 [h, w, 3] each."""
    capture = cv2.VideoCapture(str(path))
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # Versions differ.
    found = []
    while True:
        good, frame = capture.read()
        if not good:
            return found
        found.append(frame)


def cut(path, share, target):
    """Copies the first part of a file."""
    data = path.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target
