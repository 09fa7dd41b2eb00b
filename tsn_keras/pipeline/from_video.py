"""Snippets straight from a video file, with the pixels that a protocol's test has.

What an extraction would write is made in memory, JPEG and all, for those files
only that the snippets read: the scores are those of the evaluation of the
extracted files. A protocol may take decoded frames as they are instead.
"""

import dataclasses
import itertools
import pathlib

import cv2
import numpy as np

from tsn_keras.flow import fields, quantiser
from tsn_keras.flow.settings import FlowSettings
from tsn_keras.pipeline import as_stored, sound_reading
from tsn_keras.video import decode, jpeg, sound


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
        damaged = damage[0] if damage else None
        rate = decode.rate(path)
        return OpenedVideo(pathlib.Path(path), count - 1, damaged, self, rate)

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
        return _FramesInMemory(None, len(frames) - 1, None, self, frames=frames)

    def snippet(self, frames, stream):
        """Makes the snippet that ends with the last of some consecutive frames.

        Args:
            frames: list of uint8 [h, w, 3], B, G, R: enough of them, for flow one
                more than the snippet has steps.
            stream: protocols.records.Stream.

        Returns:
            uint8 [height, width, planes].

        Raises:
            decode.VideoError: the stream is of sound, which frames do not have.
        """
        length = stream.modality.length
        if stream.modality.is_sound:
            raise decode.VideoError(
                f"a webcam has frames without sound: leave the weights for "
                f"{stream.modality.name} out"
            )
        if stream.modality.parts:
            raise decode.VideoError(
                f"a webcam is looked at one moment at a time: the weights for "
                f"{stream.modality.name} see a video as a whole"
            )
        if stream.modality.is_flow:
            greys = [as_stored.grey(frame, stream) for frame in frames[-length - 1 :]]
            pairs = (
                (k, *pair[::-1]) if is_backward else (k, *pair)
                for k, (pair, is_backward) in enumerate(
                    zip(
                        itertools.pairwise(greys),
                        as_stored.are_backward(stream),
                        strict=True,
                    )
                )
            )
            planes = [found for _, found in self.stored_flow(pairs, stream)]
        else:
            planes = [as_stored.image(frame, stream) for frame in frames[-length:]]
        return as_stored.snippet(planes, stream)

    def stored_flow(self, pairs, stream):
        """Computes flow as a snippet takes it from files.

        Args:
            pairs: iterable of (tag, grey frame, grey frame), each uint8 [H, W].
            stream: protocols.records.Stream.

        Yields:
            (tag, [H, W, 2]): levels as the test has them, uint8; or displacements in
            pixels, float32, at the stored size, where the modality stacks these.
        """
        modality, bound = stream.modality, self.flow.bound
        plain = dataclasses.replace(self.flow, warped=False, backward=False)
        for tag, (field,) in fields.compute(pairs, plain, self.threads):
            coded = [quantiser.encode(field[..., axis], bound) for axis in (0, 1)]
            planes = np.dstack([jpeg.stored(levels) for levels, _ in coded])
            if modality.stacking is not None or bound is None:
                # As files keep them.
                low, high = np.float32([limits for _, limits in coded]).T
                planes = quantiser.decode(planes, low, high)
            if modality.stacking is None:
                levels = quantiser.quantise(planes) if bound is None else planes
                planes = as_stored.framed(levels, stream)
            yield tag, planes


@dataclasses.dataclass(frozen=True)
class OpenedVideo:
    """A video whose frames were counted.

    Attributes:
        path: the file; None of frames in memory.
        files: number of files of a kind that an extraction would make of it.
        damage: what is wrong with it, after these frames; or None.
        decoding: Decoding.
        rate: frames a second, or None where it is not known.
        heard: what is wrong with its sound, as far as it was read; at most one text.
    """

    path: pathlib.Path | None
    files: int
    damage: str | None
    decoding: Decoding
    rate: float | None = None
    heard: list[str] = dataclasses.field(default_factory=list, compare=False)

    def lacks(self, stream):
        """Whether it has nothing of a stream: no sound."""
        return stream.modality.is_sound and not sound.is_in(self.path)

    def images(self, stream):
        """Number of images, or pairs of flow images, from which snippets are made."""
        return stream.images(self.files + 1)

    def snippets(self, ticks, stream):
        """Decodes snippets, in the order of time of their first files.

        Args:
            ticks: first files of the snippets, increasing.
            stream: protocols.records.Stream.

        Yields:
            (tick, uint8 [height, width, planes]), float32 of modalities that stack
            displacements. No more than a few snippets are in memory at a time, however
            long the video is.
        """
        if stream.modality.is_sound:
            yield from self._pictures(ticks, stream)
            return
        count = self.images(stream)
        each = (number for tick in ticks for number in stream.numbers(tick, count))
        # Arrays: of hours of video there are many.
        wanted = np.fromiter(each, np.int64).reshape(len(ticks), -1)
        places = stream.modality.split(range(wanted.shape[1]))
        parts = (
            self._part(wanted[:, own], part)
            for part, (_, own) in zip(stream.parts, places, strict=True)
        )
        for tick, first, *more in zip(ticks, *parts, strict=True):
            # A snippet of one part is not copied: it may be large.
            yield tick, np.concatenate([first, *more], axis=-1) if more else first

    def _part(self, wanted, stream):
        """Yields what snippets have of a stream, [height, width, planes] each.

        Args:
            wanted: int64 [snippets, files], numbers of the files.
            stream: protocols.records.Stream, of one part.
        """
        # Twice the number of a file, and one more for backward flow, so that the order
        # of keys is that of time.
        wanted = 2 * wanted + np.array(as_stored.are_backward(stream))
        # The snippet that needs each image last: until then it is held.
        needed, places = np.unique(wanted.ravel()[::-1], return_index=True)
        last = (wanted.size - 1 - places) // wanted.shape[1]
        planes = self._flow_planes if stream.modality.is_flow else self._image_planes
        held, at = {}, 0
        for key, image in planes(needed, stream):
            held[key] = image
            while at < len(wanted) and wanted[at].max() <= key:
                keys = wanted[at].tolist()
                yield as_stored.snippet([held[n] for n in keys], stream)
                for n in set(keys):
                    if last[np.searchsorted(needed, n)] == at:
                        del held[n]
                at += 1

    def _pictures(self, ticks, stream):
        """Yields (tick, uint8 [S, S, planes]) of sound."""
        indices = [tick - 1 + self._dropped(stream) for tick in ticks]
        keep = self.decoding.keep_damaged
        with sound_reading.opened(self.path, keep) as opened:
            found = sound_reading.pictures(opened, indices, stream)
            yield from zip(ticks, found, strict=True)
            self.heard[:] = filter(None, [opened.damage])

    def key_frames(self, ticks, size, stream=None):
        """Decodes the first image of each snippet, small.

        Args:
            ticks: first files of the snippets, increasing.
            size: (width, height) in pixels.
            stream: protocols.records.Stream of the ticks; None: they are of files
                that an extraction makes.

        Returns:
            list of uint8 [height, width, 3], R, G, B.
        """
        dropped = self._dropped(stream) if stream else 1
        indices = [tick - 1 + dropped for tick in ticks]
        return [
            cv2.cvtColor(
                cv2.resize(frame, size, interpolation=cv2.INTER_AREA),
                cv2.COLOR_BGR2RGB,
            )
            for _, frame in self._picked(indices)
        ]

    def _picked(self, indices):
        """Yields (index, frame) of decoded frames."""
        # Damage was reported when the frames were counted.
        on_damage = (lambda damage: None) if self.decoding.keep_damaged else None
        return decode.pick(
            self.path, indices, on_damage=on_damage, threads=self.decoding.threads
        )

    def _image_planes(self, keys, stream):
        """Yields (key, uint8 [H, W, 3]) of image files, keys int64; see `snippets`."""
        # Image k of an extraction is decoded frame k + 1, which is index k.
        shift = self._dropped(stream) - 1
        for index, frame in self._picked(map(int, keys // 2 + shift)):
            yield 2 * (index - shift), as_stored.image(frame, stream)

    def _dropped(self, stream):
        """Frames at the beginning that are no images of a stream, 1 or 0."""
        return self.files + 1 - self.images(stream)

    def _flow_planes(self, keys, stream):
        """Yields (key, planes) of pairs of flow files, keys int64; see `snippets`."""
        # Flow k goes from index k - 1 to index k, or back.
        numbers = np.unique(keys // 2)
        indices = np.union1d(numbers - 1, numbers)
        forward, back = (np.isin(2 * indices + way, keys)[1:] for way in (0, 1))
        greys = (
            (k, as_stored.grey(frame, stream))
            for k, frame in self._picked(map(int, indices))
        )
        pairs = (
            pair
            for ((_, previous), (index, following)), *ways in zip(
                itertools.pairwise(greys), forward, back, strict=True
            )
            for pair in itertools.compress(
                (
                    (2 * index, previous, following),
                    (2 * index + 1, following, previous),
                ),
                ways,
            )
        )
        yield from self.decoding.stored_flow(pairs, stream)


@dataclasses.dataclass(frozen=True)
class _FramesInMemory(OpenedVideo):
    """Frames in memory, in the place of a file.

    Attributes:
        frames: uint8 [files + 1, h, w, 3], R, G, B.
    """

    frames: np.ndarray = dataclasses.field(kw_only=True)

    def lacks(self, stream):
        return stream.modality.is_sound

    def _picked(self, indices):
        for index in indices:
            yield index, np.ascontiguousarray(self.frames[index][..., ::-1])
