"""Video files to frames, with FFmpeg through PyAV.

The pixels are those that OpenCV's VideoCapture gives, bit for bit; unlike it,
PyAV says when a file is damaged.
"""

import os
import stat

import av
import cv2
from av.video.reformatter import VideoReformatter

from tsn_keras.common.errors import InputError
from tsn_keras.video import containers

# No frame is larger; a header that says more is damaged or hostile, and would
# ask for gigabytes.
MAX_PIXELS = 2**26

# Containers of videos only. FFmpeg goes by the content of a file, and formats
# that it also knows (playlists, lists of files) open whatever they name.
_FORMATS = (
    "asf,avi,flv,gif,h264,hevc,ivf,m4v,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mpeg,"
    "mpegvideo,mpegts,mxf,nut,ogg,rm,swf,wtv,yuv4mpegpipe"
)
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}

_TURNS = {
    90: cv2.ROTATE_90_COUNTERCLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_CLOCKWISE,
}


class VideoError(InputError):
    """A video cannot be used; the text names the file and the reason."""


def frames(path, *, on_damage=None, threads=1):
    """Decodes a video, one frame at a time.

    Rotation that the file asks for is carried out, as OpenCV does.

    Args:
        path: the file.
        on_damage: function that is told what is wrong with a damaged file,
            after its frames before the damage; without one it is an error.
        threads: of the decoder.

    Yields:
        uint8 [height, width, 3], B, G, R: every frame that the file holds,
        once, whatever the times at which they are shown.

    Raises:
        VideoError: not a video, damaged, or too large.
        OSError: the file cannot be read.
    """
    convert = converter(path)
    for frame in _decode(path, on_damage, threads):
        yield convert(frame)


def count(path, *, on_damage=None, threads=1):
    """Counts the frames that `frames` yields: they are decoded, not converted."""
    return sum(1 for _ in _decode(path, on_damage, threads))


def told_frames(path):
    """How many frames a file's header says it has, without decoding it.

    Args:
        path: the file.

    Returns:
        int; 0 if the header does not say it, or cannot be believed.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return 0
        with opened(path) as container:
            videos = container.streams.video
            told = videos[0].frames if videos else 0
            if videos and not told and container.duration:
                told = _by_time(container.duration, videos[0].average_rate)
    except (OSError, av.error.FFmpegError):
        return 0
    # No frame takes less than a byte.
    return told if 0 < told <= status.st_size else 0


def rate(path):
    """Frames a second, as a file's header says it: the average.

    Args:
        path: a video file.

    Returns:
        float, or None if the header does not say it.
    """
    try:
        with opened(path) as container:
            videos = container.streams.video
            found = videos[0].average_rate if videos else None
    except (OSError, av.error.FFmpegError):
        return None
    return float(found) if found else None


def _by_time(duration, rate):
    """Frames of a duration in FFmpeg's units, at a rate a second or None."""
    return round(duration * rate / av.time_base) if rate else 0


def pick(path, numbers, *, on_damage=None, threads=1):
    """Decodes some frames of a video.

    Args:
        path: the file.
        numbers: numbers of the frames from 0, increasing.
        on_damage: see `frames`.
        threads: of the decoder.

    Yields:
        (number, uint8 [height, width, 3], B, G, R) for each number.

    Raises:
        VideoError: also if the video has fewer frames.
    """
    convert = converter(path)
    wanted = iter(numbers)
    number = next(wanted, None)
    if number is None:
        return
    for index, frame in enumerate(_decode(path, on_damage, threads)):
        if index == number:
            yield number, convert(frame)
            number = next(wanted, None)
            if number is None:
                return
    raise VideoError(f"{path} has no frame {number + 1}: did it change meanwhile?")


def converter(path):
    """Makes a function from av.VideoFrame to uint8 [height, width, 3], B, G, R."""
    reformatter = VideoReformatter()  # keeps its tables from frame to frame

    def convert(frame):
        # The filter for half-size chroma that OpenCV asks for.
        try:
            image = reformatter.reformat(frame, format="bgr24", interpolation="BICUBIC")
        except av.error.FFmpegError as error:
            raise VideoError(
                f"{path} has frames that cannot be converted: {error.strerror}"
            ) from None
        turn = _TURNS.get(round(frame.rotation) % 360)
        pixels = image.to_ndarray()
        return pixels if turn is None else cv2.rotate(pixels, turn)

    return convert


def _decode(path, on_damage, threads):
    """Yields av.VideoFrame up to the end, or to the first damage."""
    status_of(path)
    truncated = containers.truncation(path)
    try:
        with opened(path) as container:
            stream = video_stream(container, path, threads)
            damage = yield from _good_frames(container, stream, truncated)
    except av.error.FFmpegError as error:
        reason = f"{error.strerror}; {truncated}" if truncated else error.strerror
        raise VideoError(f"{path} is no video that can be read: {reason}") from None
    damage = damage or truncated
    if damage and on_damage is None:
        raise VideoError(
            f"{path} is damaged: {damage}. If frames are left before that, they can "
            f"be used with `keep_damaged=True`"
        )
    if damage:
        on_damage(damage)


def status_of(path):
    """The os.stat of a video file.

    Raises:
        VideoError: it is a folder, empty, or no regular file.
        OSError: it is not there.
    """
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise VideoError(f"{path} is a folder")
    if not stat.S_ISREG(status.st_mode):
        # Reading a pipe would wait.
        raise VideoError(f"{path} is no regular file")
    if status.st_size == 0:
        raise VideoError(f"{path} is empty")
    return status


def opened(path):
    """Opens a file by its content: an av.container.InputContainer."""
    # "file:" so that no name is taken for an address. Titles need not be UTF-8.
    name = f"file:{os.fspath(path)}"
    return av.open(name, options=_OPTIONS, metadata_errors="replace")


def video_stream(container, path, threads):
    """The first video of a container, ready to be decoded.

    Raises:
        VideoError: there is none, or its frames are too large.
    """
    if not container.streams.video:
        raise VideoError(f"{path} holds no video, only {container.format.long_name}")
    stream = container.streams.video[0]
    context = stream.codec_context
    if context is None:
        raise VideoError(f"{path} is in a format that FFmpeg cannot decode")
    if context.width * context.height > MAX_PIXELS:
        raise VideoError(
            f"{path} says its frames are {context.width} x {context.height}: more "
            f"than {MAX_PIXELS} pixels"
        )
    context.options = {"max_pixels": str(MAX_PIXELS)}
    # Threads inside a frame, not over frames: else the decoder would report damage some
    # frames late, and the frames it still holds would lie behind the damage.
    context.thread_type = "SLICE"
    context.thread_count = threads
    return stream


def _good_frames(container, stream, truncated):
    """Yields frames up to the first that is damaged; returns the damage or None."""
    number = 0
    for frames, damage in _batches(container, stream, truncated):
        for frame in frames:
            if frame.is_corrupt:
                return f"frame {number + 1} has errors"
            yield frame
            number += 1
        if damage:
            return f"{damage} after frame {number}"
    return None


def _batches(container, stream, truncated):
    """Yields (frames, damage or None) of each packet; stops at damage."""
    packets = container.demux(stream)
    last = None
    while True:
        damage = None
        try:
            packet = next(packets, None)
            if packet is None:
                return
            if packet.is_corrupt:
                damage = "a packet is cut off"
            elif packet.size or not truncated:
                yield packet.decode(), None
            else:
                yield _before(last, packet.decode()), None
            last = packet.dts
        except av.error.FFmpegError as error:
            damage = f"{error.strerror}"
        if damage:
            try:
                held = stream.codec_context.decode(None)
            except av.error.FFmpegError:
                held = []
            yield _before(last, held), damage
            return


def _before(time, frames):
    """The frames that a decoder still held at a damage, as far as none is missing.

    A packet that is gone is shown at the time of decoding of the last that was read, or
    later: behind that a frame may be missing.
    """
    return [
        frame
        for frame in frames
        if time is None or frame.pts is None or frame.pts <= time
    ]
