"""Snippets straight from a video file, with the pixels that extracted files have.

What an extraction would write is made in memory, JPEG and all, for those files
only that the snippets read: the scores are those of the evaluation of the
extracted files.
"""

import collections
import dataclasses
import itertools
import pathlib

import cv2
import numpy as np

from tsn_keras.flow import fields
from tsn_keras.flow.quantiser import quantise
from tsn_keras.flow.settings import FlowSettings
from tsn_keras.protocols import sampling
from tsn_keras.video import decode, jpeg


@dataclasses.dataclass(frozen=True)
class Decoding:
    """How videos are decoded, and their flow computed.

    Attributes:
        flow: flow.settings.FlowSettings.
        keep_damaged: whether the frames before the damage of a damaged video are
            used; else it is an error.
        threads: cores that decode and compute flow.
    """

    flow: FlowSettings = dataclasses.field(default_factory=FlowSettings)
    keep_damaged: bool = False
    threads: int = 1

    def opened(self, path):
        """Counts the frames of a video.

        Args:
            path: the video.

        Returns:
            OpenedVideo.

        Raises:
            decode.VideoError: the video cannot be used, or has fewer than 2
                frames.
            OSError: it cannot be read.
        """
        damage = []
        on_damage = damage.append if self.keep_damaged else None
        count = decode.count(path, on_damage=on_damage, threads=self.threads)
        if count < 2:
            why = f" before its damage: {damage[0]}" if damage else ""
            raise decode.VideoError(f"{path} has no two frames{why}")
        return OpenedVideo(
            pathlib.Path(path), count - 1, damage[0] if damage else None, self
        )

    def of_array(self, frames):
        """Takes frames that are in memory for a video.

        Args:
            frames: uint8 [frames, height, width, 3], R, G, B, in the order of time.

        Returns:
            OpenedVideo.

        Raises:
            decode.VideoError: they are no such array, or fewer than 2 frames.
        """
        shape = getattr(frames, "shape", None)
        if (
            not isinstance(frames, np.ndarray)
            or frames.dtype != np.uint8
            or frames.ndim != 4
            or shape[3] != 3
        ):
            kind = f"{frames.dtype} {shape}" if shape is not None else type(frames)
            raise decode.VideoError(
                f"`video` must be a path, or uint8 [frames, height, width, 3] in R, G, "
                f"B. Received: {kind}"
            )
        if shape[0] < 2 or min(shape[1:3]) < 1:
            raise decode.VideoError(f"`video` has no two frames: its shape is {shape}")
        return _FramesInMemory(None, len(frames) - 1, None, self, frames)

    def snippet(self, frames, stream):
        """Makes the snippet that ends with the last of some consecutive frames.

        Args:
            frames: list of uint8 [h, w, 3], B, G, R: enough of them, for flow one
                more than the snippet has steps.
            stream: protocols.records.Stream.

        Returns:
            uint8 [height, width, planes].
        """
        length = stream.modality.length
        if stream.modality.is_flow:
            greys = [_grey(frame, stream) for frame in frames[-length - 1 :]]
            pairs = ((k, *pair) for k, pair in enumerate(itertools.pairwise(greys)))
            planes = [levels for _, levels in self.stored_flow(pairs)]
        else:
            planes = [jpeg.stored(_resized(f, stream)) for f in frames[-length:]]
        return np.concatenate(planes, axis=-1)

    def stored_flow(self, pairs):
        """Yields (tag, uint8 [H, W, 2]) of (tag, grey frame, grey frame)."""
        for tag, (field, *_) in fields.compute(pairs, self.flow, self.threads):
            levels = quantise(field, self.flow.bound)
            yield tag, np.dstack([jpeg.stored(levels[..., axis]) for axis in (0, 1)])


@dataclasses.dataclass(frozen=True)
class OpenedVideo:
    """A video whose frames were counted.

    Attributes:
        path: the file; None of frames in memory.
        files: number of files of a kind that an extraction would make of it.
        damage: what is wrong with it, after these frames; or None.
        decoding: Decoding.
    """

    path: pathlib.Path | None
    files: int
    damage: str | None
    decoding: Decoding

    def snippets(self, ticks, stream):
        """Decodes snippets, in the order of time.

        Args:
            ticks: first files of the snippets, increasing.
            stream: protocols.records.Stream.

        Yields:
            (tick, uint8 [height, width, planes]). No more than a few snippets are
            in memory at a time, however long the video is.
        """
        length = stream.modality.length
        wanted = {
            tick: sampling.snippet_files(tick, self.files, length) for tick in ticks
        }
        needed = sorted({number for numbers in wanted.values() for number in numbers})
        planes = self._flow_planes if stream.modality.is_flow else self._image_planes
        held = collections.OrderedDict()
        waiting = collections.deque(wanted.items())
        for number, image in planes(needed, stream):
            held[number] = image
            while waiting and waiting[0][1][-1] <= number:
                tick, numbers = waiting.popleft()
                yield tick, np.concatenate([held[n] for n in numbers], axis=-1)
            while held and waiting and next(iter(held)) < waiting[0][0]:
                held.popitem(last=False)

    def key_frames(self, ticks, size):
        """Decodes the first image of each snippet, small.

        Args:
            ticks: first files of the snippets, increasing.
            size: (width, height) in pixels.

        Returns:
            list of uint8 [height, width, 3], R, G, B.
        """
        return [
            cv2.cvtColor(
                cv2.resize(frame, size, interpolation=cv2.INTER_AREA),
                cv2.COLOR_BGR2RGB,
            )
            for _, frame in self._picked(ticks)
        ]

    def _picked(self, indices):
        """Yields (index, frame) of decoded frames."""
        # Damage was reported when the frames were counted.
        on_damage = (lambda damage: None) if self.decoding.keep_damaged else None
        return decode.pick(
            self.path, indices, on_damage=on_damage, threads=self.decoding.threads
        )

    def _image_planes(self, numbers, stream):
        """Yields (number, uint8 [H, W, 3]) of image files."""
        # Image k is decoded frame k + 1, which is index k.
        for number, frame in self._picked(numbers):
            yield number, jpeg.stored(_resized(frame, stream))

    def _flow_planes(self, numbers, stream):
        """Yields (number, uint8 [H, W, 2]) of pairs of flow files."""
        # Flow k goes from index k - 1 to index k.
        indices = sorted({index for k in numbers for index in (k - 1, k)})
        wanted = set(numbers)
        greys = ((k, _grey(frame, stream)) for k, frame in self._picked(indices))
        pairs = (
            (index, previous, following)
            for (_, previous), (index, following) in itertools.pairwise(greys)
            if index in wanted
        )
        yield from self.decoding.stored_flow(pairs)


@dataclasses.dataclass(frozen=True)
class _FramesInMemory(OpenedVideo):
    """Frames in memory, in the place of a file.

    Attributes:
        frames: uint8 [files + 1, h, w, 3], R, G, B.
    """

    frames: np.ndarray

    def _picked(self, indices):
        for index in indices:
            yield index, np.ascontiguousarray(self.frames[index][..., ::-1])


def _resized(frame, stream):
    height, width = stream.protocol.frame_size
    return cv2.resize(frame, (width, height))


def _grey(frame, stream):
    return cv2.cvtColor(_resized(frame, stream), cv2.COLOR_BGR2GRAY)
