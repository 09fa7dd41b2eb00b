"""Small videos with a sound track."""

import fractions

import av
import numpy as np


def sine(frequency, seconds=3.0, rate=16_000, amplitude=0.5):
    """float64 [n], a tone."""
    return amplitude * np.sin(
        2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate
    )


def make(path, samples, rate=16_000, **options):
    """Writes a video of grey frames with sound.

    Args:
        path: the file; its suffix chooses the container.
        samples: float [n] or [channels, n], 1 full scale; None: no sound.
        rate: samples a second.
        codec: FFmpeg's name of the encoder of the sound.
        sample_format: of the encoder.
        frames: number of frames.
        frame_rate: frames a second.
        delay: seconds by which the sound begins later than the frames.
    """
    count, frame_rate = options.get("frames", 30), options.get("frame_rate", 10)
    kind = options.get("sample_format", "s16")
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=frame_rate)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        audio = None
        if samples is not None:
            samples = np.atleast_2d(samples)
            layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(samples)]
            codec = options.get("codec", "pcm_s16le")
            audio = container.add_stream(codec, rate=rate, layout=layout)
            audio.codec_context.format = kind
        for number in range(count):
            image = np.full((120, 160, 3), 5 * (number % 50), np.uint8)
            frame = av.VideoFrame.from_ndarray(image, "bgr24").reformat(
                format="yuv420p"
            )
            frame.pts, frame.time_base = number, fractions.Fraction(1, frame_rate)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            for frame in _frames(samples, rate, kind, options.get("delay", 0)):
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def _frames(samples, rate, kind, delay):
    size = 1024
    for first in range(0, samples.shape[1], size):
        part = samples[:, first : first + size]
        if kind == "s16":
            values = np.rint(part * 32767).astype(np.int16).T.reshape(1, -1)
        else:
            values = np.ascontiguousarray(part, np.float32)
        layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(samples)]
        frame = av.AudioFrame.from_ndarray(values, kind, layout)
        frame.sample_rate = rate
        frame.time_base = fractions.Fraction(1, rate)
        frame.pts = first + round(delay * rate)
        yield frame
