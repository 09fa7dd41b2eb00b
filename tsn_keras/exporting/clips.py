"""Frames of videos on which an export is compared, and int8 is calibrated."""

import dataclasses

import numpy as np
import tensorflow as tf

from tsn_keras.common.errors import InputError, reason_of
from tsn_keras.datasets import selection
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.datasets.records import Choice, VideoFile
from tsn_keras.models.preprocessing import network_input
from tsn_keras.pipeline import reading, stacking, transforms
from tsn_keras.pipeline.from_video import Decoding
from tsn_keras.video import sources

VIDEOS = 8
SNIPPETS = 2  # of each


@dataclasses.dataclass(frozen=True)
class Clips:
    """Snippets of videos, resized as the protocol says.

    Attributes:
        arrays: [K, height, width, planes] of each video; uint8, or float32 of
            modalities that stack displacements.
        origin: what they are of, for people.
    """

    arrays: tuple[np.ndarray, ...]
    origin: str

    def frames(self, together):
        """What a whole view sees, of one video each.

        Args:
            together: whether snippets are seen together.

        Returns:
            Inputs, [B, K, height, width, planes].
        """
        each = [array[None] for array in self.arrays]
        if together:
            return Inputs(tuple(each), tuple(each))
        # Fewer snippets, too: their number is free.
        first = tuple(array[:, :1] for array in each)
        return Inputs((*_first_two(each), first[0]), first)

    def images(self, stream):
        """What the network alone sees, the first crop of each snippet.

        Args:
            stream: protocols.records.Stream.

        Returns:
            Inputs, float32 [N, S, S, channels]; of a network over time [N, K, S, S,
            channels].
        """
        view, each = stream.test, []
        for array in self.arrays:
            pixels = transforms.cut(array, view, stream)[:, 0]
            inputs = network_input(pixels, stream).numpy()
            each += [inputs[None]] if view.together else list(inputs[:, None])
        return Inputs(tuple(_first_two(each)), tuple(each))


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Inputs of an export.

    Attributes:
        batches: arrays, of more than one size of a batch where that can be.
        samples: arrays of batches of one.
    """

    batches: tuple[np.ndarray, ...]
    samples: tuple[np.ndarray, ...]


def _first_two(each):
    """Batches of one, of which the first two become one where they are of one size."""
    if len({array.shape for array in each[:2]}) == 1 < len(each):
        return [np.concatenate(each[:2]), *each[2:]]
    return each


def find(weights, named, listener):
    """Finds frames: those that the user names, of the weights' data set, or the demo's.

    Args:
        weights: checkpoints.loading.Weights.
        named: a video file, a folder of them or a list, or None.
        listener: progress.Silent.

    Returns:
        Clips.

    Raises:
        InputError: what was named cannot be used.
        OSError: it cannot be read.
    """
    stream = weights.stream
    if named is not None:
        found = _spread(sources.find(named), VIDEOS)
        arrays = tuple(_of_file(source.path, stream) for source in found)
        return Clips(arrays, f"{len(arrays)} videos of {named}")
    own = weights.preset.dataset if weights.preset else None
    made = [dataset.name for dataset in DATASETS.values() if dataset.make is not None]
    for name in dict.fromkeys([own, *made]):
        if name not in DATASETS:
            continue
        arrays = _of_dataset(name, stream, listener)
        if arrays:
            return Clips(arrays, f"{len(arrays)} videos of {name}")
    raise InputError(
        f"there are no frames for {stream.modality.name} to compare the export on: "
        f"name a video with `frames`"
    )


def _of_dataset(name, stream, listener):
    """Snippets of some test videos of a data set; none where it is not there."""
    dataset = DATASETS[name]
    try:
        choice = Choice(name, split=dataset.default_split)
        _, root, split = selection.read(choice)
        videos = _spread(split.test, VIDEOS)
        selection.make(dataset, root, videos, listener)
        found = selection.select(
            selection.VideoSet(name, choice.split, root, videos, split.classes),
            stream.modality.all_prefixes,
            allow_missing=True,
            images=not stream.modality.has_flow,
        ).under(stream)
    except InputError:
        return ()
    return tuple(of_folder(folder, stream) for folder in found.folders)


def of_folder(folder, stream, count=SNIPPETS):
    """Reads some of the snippets of a video's test.

    Args:
        folder: datasets.records.FrameFolder, or VideoFile.
        stream: protocols.records.Stream.
        count: their number; all are read where they are seen together.

    Returns:
        [K, height, width, planes], uint8 or float32.

    Raises:
        InputError: a file cannot be used.
    """
    if isinstance(folder, VideoFile):
        return _of_file(folder.path, stream, count)
    ticks = _ticks(folder.files, stream, folder.rate, count)
    bounds = stacking.bounds([folder], stream.modality)
    numbers = [folder.numbered(stream.numbers(tick, folder.files)) for tick in ticks]
    try:
        found = [
            reading.resized_snippet(
                tf.constant(str(folder.path)),
                tf.constant(row, tf.int32),
                stream,
                None if bounds is None else bounds[0],
            )[0].numpy()
            for row in numbers
        ]
    except tf.errors.OpError as error:
        why = reading.explain_video(folder, np.array(numbers), stream)
        raise InputError(why or f"{folder.path}: {reason_of(error)}") from None
    return np.stack(found)


def _of_file(path, stream, count=SNIPPETS):
    video = Decoding().opened(path)
    ticks = _ticks(video.images(stream), stream, video.rate, count)
    needed, order = np.unique(ticks, return_inverse=True)
    found = [pixels for _, pixels in video.snippets(needed.tolist(), stream)]
    return np.stack([found[index] for index in order])


def _ticks(files, stream, rate, count):
    """Some of the snippets of a test; all, where they are seen together."""
    view, length = stream.test, stream.modality.length
    ticks = view.ticks(files, length, rate)
    return ticks if view.together else _spread(ticks, count)


def _spread(items, count):
    """So many of a sequence, as far apart as can be."""
    places = np.linspace(0, len(items) - 1, min(count, len(items)))
    return tuple(items[int(place)] for place in places.round())
