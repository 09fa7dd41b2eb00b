"""One video to the frame and flow files that the original's tools make of it.

Image k is decoded frame k + 1 and flow k the motion from decoded frame k to
k + 1, both numbered from 1: the first frame is never written (dense_flow
src/dense_flow_gpu.cpp:38-59,100-112).
"""

import dataclasses
import pathlib

import cv2

from tsn_keras.flow import fields, ranges
from tsn_keras.flow.quantiser import encode
from tsn_keras.video import decode, jpeg, sound


@dataclasses.dataclass(frozen=True)
class Heard:
    """What was made of a video's sound.

    Attributes:
        samples: number of samples at sound.RATE; None where the video has no sound.
        damage: what is wrong with it, after these samples; or None.
    """

    samples: int | None
    damage: str | None

    @classmethod
    def of(cls, source, folder, settings) -> "Heard":
        """Stores the sound of a video; see video.sound.extract."""
        return cls(*sound.extract(source, folder, settings.keep_damaged))


@dataclasses.dataclass(frozen=True)
class Made:
    """What was made of a video.

    Attributes:
        decoded: number of decoded frames.
        files: number of files with each prefix, one less.
        damage: what is wrong with the video, after these frames; or None.
        sound: Heard, or None if sound was not asked for.
    """

    decoded: int
    files: int
    damage: str | None
    sound: Heard | None = None


def extract(source, folder, settings, cores=1, sharing=1):
    """Writes the files of a video.

    Args:
        source: the video file.
        folder: folder to write into, which must be there.
        settings: settings.Settings.
        cores: of this process, for flow.
        sharing: videos that share them.

    Returns:
        Made.

    Raises:
        decode.VideoError: the video cannot be used, or has fewer than 2 frames.
        OSError: the video cannot be read, or a file not be written.
    """
    folder = pathlib.Path(folder)
    # First: it is read within a second, flow takes minutes.
    heard = Heard.of(source, folder, settings) if settings.sound else None
    damage = []
    on_damage = damage.append if settings.keep_damaged else None
    decoded = (
        cv2.resize(frame, settings.size)
        for frame in decode.frames(
            source, on_damage=on_damage, threads=max(1, cores // sharing)
        )
    )
    rows = []
    made = _with_flow(decoded, settings, cores, sharing)
    for number, (image, flows) in enumerate(made, 1):
        coded = [
            encode(field[..., axis], settings.flow.bound)
            for field in flows
            for axis in (0, 1)
        ]
        planes = (image, *(levels for levels, _ in coded))
        for prefix, plane in zip(settings.prefixes, planes, strict=True):
            jpeg.write(folder / f"{prefix}{number:05d}.jpg", plane)
        rows.append([limits for _, limits in coded])
    if not rows:
        why = f" before its damage: {damage[0]}" if damage else ""
        raise decode.VideoError(f"{source} has no two frames{why}")
    if settings.has_ranges:
        ranges.write(folder, settings.flow.prefixes, rows)
    return Made(len(rows) + 1, len(rows), damage[0] if damage else None, heard)


def _with_flow(frames, settings, cores, sharing):
    """Yields (frame, flow fields to it from the one before) of all but the first."""
    pairs = _pairs(frames)
    if settings.flow is None:
        yield from ((frame, ()) for frame, _, _ in pairs)
    else:
        yield from fields.compute(pairs, settings.flow, cores, sharing)


def _pairs(frames):
    """Yields (frame, grey frame before, grey frame) for all but the first."""
    previous = None
    for frame in frames:
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        if previous is not None:
            yield frame, previous, grey
        previous = grey
