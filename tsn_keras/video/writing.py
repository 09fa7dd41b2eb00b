"""Writes pictures as a video."""

import fractions

import av
import numpy as np

# The second is in every FFmpeg.
_CODECS = ("libx264", "mpeg4")


def write(path, pictures, rate):
    """Writes an MP4 file.

    Args:
        path: of the file.
        pictures: iterable of uint8 [height, width, 3], R, G, B, of one size; of an odd
            side the last row or column is left out.
        rate: pictures a second.

    Raises:
        OSError: it cannot be written.
    """
    codec = next(name for name in _CODECS if name in av.codecs_available)
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream(codec, fractions.Fraction(rate))
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            height, width = (side // 2 * 2 for side in picture.shape[:2])
            if not stream.codec_context.is_open:
                stream.height, stream.width = height, width
            even = np.ascontiguousarray(picture[:height, :width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, "rgb24")))
        container.mux(stream.encode())
