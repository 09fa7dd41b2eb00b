"""The sound of video files, with FFmpeg through PyAV, and as it is stored.

Sound is 16-bit samples at 16 kHz of one channel, the mean of all channels of the first
stream of sound. Sample 0 is heard while the first frame is seen. Nothing longer than a
second is in memory, however long the sound is.

It is stored as FLAC in the frame folder: frames are common JPEG files there, FLAC is as
common for sound, loses nothing of 16 bits, has half of their size, tells damage by its
checksums, and is read whole from an object store, where HDF5 is not.
"""

import contextlib
import fractions
import os
import pathlib

import av

from tsn_keras.common.errors import InputError
from tsn_keras.video import containers, decode
from tsn_keras.video.resampling import RATE, Placed, mono

NAME = "sound.flac"
# An empty file in its place: the video has none.
NONE = "sound.none"
# Of sound in files: below and above are damaged or hostile headers, whose filters would
# take gigabytes.
RATES = (1_000, 768_000)
MOST_CHANNELS = 64
_TAG = "FRAMES_PER_SECOND"
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": "flac"}
# Checksums are compared, and a frame of another is an error.
_CHECKED = {"err_detect": "crccheck+explode"}


def is_in(path):
    """Whether a video file has sound.

    Raises:
        decode.VideoError: the file cannot be used.
        OSError: it cannot be read.
    """
    decode.status_of(path)
    try:
        with decode.opened(path) as container:
            return bool(container.streams.audio)
    except av.error.FFmpegError as error:
        raise decode.VideoError(
            f"{path} is no video that can be read: {error.strerror}"
        ) from None


class Sound:
    """Opened sound: of a video file, or as it is stored. A context manager.

    Args:
        path: the file.
        data: what is in it, a binary file in memory, where it is not on this machine.
        keep_damaged: whether the sound before the damage of damaged sound is used; else
            it is an error.

    Attributes:
        frame_rate: fractions.Fraction, frames of the video a second.
        is_stored: whether it was extracted, and begins with the first frame.
        damage: what is wrong with the sound, when it was read up to there; else None.

    Raises:
        decode.VideoError: there is no sound, or none that can be read.
        OSError: the file cannot be read.
    """

    def __init__(self, path, data=None, keep_damaged=False):
        self.path, self.damage, self._keep = path, None, keep_damaged
        self.is_stored = pathlib.PurePath(str(path)).name == NAME
        if data is None:
            decode.status_of(path)
        with self._explained():
            self._container = self._opened(data)
        try:
            self._stream = self._checked()
            self.frame_rate = self._frame_rate()
        except BaseException:
            self.close()
            raise

    def _opened(self, data):
        if self.is_stored:
            name = data or f"file:{os.fspath(self.path)}"
            return av.open(name, options=_OPTIONS, metadata_errors="replace")
        return decode.opened(self.path)

    def close(self):
        """Closes the file."""
        self._container.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @contextlib.contextmanager
    def _explained(self):
        try:
            yield
        except av.error.FFmpegError as error:
            if isinstance(error, FileNotFoundError):
                raise
            what = f"cannot be read: {error.strerror}"
            raise decode.VideoError(f"the sound of {self.path} {what}") from None

    def _checked(self):
        """The first stream of sound."""
        streams = self._container.streams.audio
        if not streams:
            raise decode.VideoError(f"{self.path} has no sound")
        context = streams[0].codec_context
        if context is None or context.codec is None:
            raise decode.VideoError(
                f"the sound of {self.path} is in a format that FFmpeg cannot decode "
                f"here: it lacks the codec"
            )
        _check(self.path, context.rate, context.layout.nb_channels)
        if self.is_stored:
            context.options = _CHECKED
        return streams[0]

    def _frame_rate(self):
        videos = self._container.streams.video
        if self.is_stored:
            found = _read_rate(self._container.metadata.get(_TAG, ""))
            how = f"its tag {_TAG} does not say"
        else:
            if not videos:
                raise decode.VideoError(f"{self.path} holds no video, only sound")
            found, how = videos[0].average_rate, "it does not say"
        if not found or found <= 0:
            raise decode.VideoError(
                f"the sound of {self.path} cannot be aligned with its frames: {how} "
                f"how many of them a second has"
            )
        return fractions.Fraction(found)

    def blocks(self):
        """Decodes the sound.

        Yields:
            int16 [n], n up to a second or so: from the time of the first frame on, with
            silence where the file has a gap.

        Raises:
            decode.VideoError: it is damaged, or longer than a day.
        """
        count = 0
        for block in Placed(self.path).blocks(self._frames()):
            count += len(block)
            yield block
        if self.is_stored and not self.damage:
            told = self._stream.duration
            if told and told != count:
                self._hurt(f"{count} samples are there, its header says {told}")
        if self.damage is None and not self.is_stored:
            truncated = containers.truncation(self.path)
            if truncated:
                self._hurt(truncated)

    def _hurt(self, damage):
        self.damage = damage
        if not self._keep:
            raise decode.VideoError(
                f"the sound of {self.path} is damaged: {damage}. What is before that "
                f"can be used with `keep_damaged=True`"
            )

    def _frames(self):
        """Yields (second or None, float32 [samples], rate) up to the damage."""
        start = 0.0
        videos = self._container.streams.video
        if videos and videos[0].start_time is not None:
            start = float(videos[0].start_time * videos[0].time_base)
        last = 0.0
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                if packet.is_corrupt:
                    return self._hurt(f"a packet is cut off after second {last:.2f}")
                frames = packet.decode()
            except av.error.FFmpegError as error:
                return self._hurt(f"{error.strerror} after second {last:.2f}")
            for frame in frames:
                if frame.is_corrupt:
                    return self._hurt(f"errors after second {last:.2f}")
                _check(self.path, frame.sample_rate, frame.layout.nb_channels)
                time = None if frame.time is None else frame.time - start
                last = last if time is None else time
                yield time, mono(frame), frame.sample_rate


def _check(path, rate, channels):
    """Refuses what no sound has."""
    if not RATES[0] <= rate <= RATES[1]:
        raise decode.VideoError(
            f"{path} says its sound has {rate} samples a second: must be from "
            f"{RATES[0]} to {RATES[1]}"
        )
    if not 1 <= channels <= MOST_CHANNELS:
        raise decode.VideoError(
            f"{path} says its sound has {channels} channels: must be from 1 to "
            f"{MOST_CHANNELS}"
        )


def _read_rate(text):
    try:
        return fractions.Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None


def check_writable():
    """Refuses to begin where FFmpeg cannot write FLAC.

    Raises:
        InputError: its codec is missing.
    """
    if "flac" not in av.codecs_available:
        raise InputError(
            "PyAV's FFmpeg lacks the codec flac, in which sound is stored: install the "
            "package av from its wheel, which has it"
        )


def write(path, blocks, frame_rate):
    """Stores sound.

    Args:
        path: the FLAC file to write.
        blocks: int16 [n] each.
        frame_rate: fractions.Fraction, frames of the video a second.

    Returns:
        int, the number of samples.

    Raises:
        OSError: the file cannot be written.
    """
    count = 0
    # Nothing in it tells the time or the version: the same sound, the same bytes.
    options = {"fflags": "+bitexact"}
    with (
        open(path, "wb") as file,
        av.open(file, "w", format="flac", container_options=options) as container,
    ):
        container.metadata[_TAG] = str(frame_rate)
        stream = container.add_stream("flac", rate=RATE, layout="mono")
        stream.codec_context.format = "s16"
        for block in blocks:
            frame = av.AudioFrame.from_ndarray(block[None], "s16", "mono")
            frame.sample_rate, frame.pts = RATE, count
            frame.time_base = fractions.Fraction(1, RATE)
            container.mux(stream.encode(frame))
            count += len(block)
        container.mux(stream.encode(None))
    return count


def extract(path, folder, keep_damaged=False):
    """Stores the sound of a video in its frame folder.

    Args:
        path: the video.
        folder: its frame folder.
        keep_damaged: see Sound.

    Returns:
        (number of samples, or None where the video has no sound; damage or None)

    Raises:
        decode.VideoError: the sound cannot be used.
        OSError: a file cannot be read or written.
    """
    folder = pathlib.Path(folder)
    if not is_in(path):
        (folder / NONE).touch()
        return None, None
    aside = folder / f"{NAME}.partial"
    try:
        with Sound(path, keep_damaged=keep_damaged) as sound:
            count = write(aside, sound.blocks(), sound.frame_rate)
            aside.rename(folder / NAME)
            return count, sound.damage
    finally:
        aside.unlink(missing_ok=True)
