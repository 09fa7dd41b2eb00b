"""The pipeline of a test: every distinct snippet of every video, in batches."""

import dataclasses

import numpy as np
import tensorflow as tf

from tsn_keras.datasets.records import VideoFile
from tsn_keras.pipeline import (
    parallel,
    reading,
    stacking,
    transforms,
    video_reading,
)

# Of a video file, decoded at a time: 20 MB at 340 x 256. All 25 of an RGB test; more
# would take memory, less would decode more often what lies before them.
_MOST_IMAGES = 75


@dataclasses.dataclass(frozen=True)
class Snippets:
    """Test snippets to be scored, J in all.

    Attributes:
        video: int32 [J], index into the folders.
        tick: int32 [J], index of the snippet among the video's distinct ones.
        files: int32 [J, length], numbers of the files to read; of snippets that are
            seen together those of all, [J, steps * length].
    """

    video: np.ndarray
    tick: np.ndarray
    files: np.ndarray

    def of(self, index):
        """Numbers of the files of each snippet of a video."""
        return self.files[self.video == index]

    def only(self, rows):
        """The Snippets of some rows: bool [J]."""
        return Snippets(self.video[rows], self.tick[rows], self.files[rows])


def plan(folders, stream, view):
    """Lists the distinct test snippets of videos.

    Args:
        folders: list of datasets.records.FrameFolder.
        stream: protocols.records.Stream.
        view: protocols.records.View.

    Returns:
        Snippets.
    """
    length = stream.modality.length
    rows = [
        (video, index, folder.numbered(_numbers(int(tick), folder, stream, view)))
        for video, folder in enumerate(folders)
        for index, tick in enumerate(
            view.distinct(folder.files, length, folder.rate)[0]
        )
    ]
    video, tick, numbers = zip(*rows, strict=True) if rows else ((), (), ())
    return Snippets(
        np.array(video, np.int32),
        np.array(tick, np.int32),
        np.array(numbers, np.int32).reshape(-1, view.steps * length),
    )


def _numbers(tick, folder, stream, view):
    """Numbers of the files that a row of scores is of, step by step."""
    steps = view.clip(tick, folder.files, stream.modality.length)
    return [number for step in steps for number in stream.numbers(step, folder.files)]


def for_test(folders, snippets, stream, batch):
    """Pipeline of the snippets of the protocol's test.

    Args:
        folders: list of datasets.records.FrameFolder.
        snippets: Snippets of them.
        stream: protocols.records.Stream.
        batch: snippets in a batch.

    Returns:
        tf.data.Dataset of (video int32 [batch], tick int32 [batch], int32
        [batch, 2], the height and width of the snippet's files, uint8 [batch,
        height, width, planes]), in order, those of video files last; where videos
        keep their ratio, the pixels are crops, uint8 [batch, crops, S, S, planes].
        Pixels of modalities that stack displacements are float32. Where snippets are
        seen together their axis follows the batch's.
        The last batch is filled up with video -1. A snippet with a file that cannot
        be read, or with files of unequal sizes, is left out: the consumer knows
        which it expects and must ask why.
    """

    @transforms.as_it_is
    def fill_up(video, tick, size, frames):
        # One shape for all batches: one trace, and no empty replica.
        missing = batch - tf.shape(video)[0]
        video = tf.pad(video, [(0, missing)], constant_values=-1)
        tick = tf.pad(tick, [(0, missing)])
        size = tf.ensure_shape(tf.pad(size, [(0, missing), (0, 0)]), (batch, 2))
        rest = [(0, 0)] * (frames.shape.rank - 1)
        frames = tf.pad(frames, [(0, missing), *rest])
        frames = tf.ensure_shape(frames, (batch, *frames.shape[1:]))
        return video, tick, size, frames

    are_files = np.array([isinstance(folder, VideoFile) for folder in folders], bool)
    of_files = are_files[snippets.video]
    parts = []
    if not (of_files.any() and of_files.all()):
        parts.append(_from_frames(folders, snippets.only(~of_files), stream))
    if of_files.any():
        parts.append(_from_files(folders, snippets.only(of_files), stream))
    dataset = parts[0] if len(parts) == 1 else parts[0].concatenate(parts[1])
    return parallel.ahead(dataset.batch(batch).map(fill_up))


def _from_frames(folders, snippets, stream):
    """Dataset of (video, tick, size, pixels) of each snippet from frame folders."""
    paths = tf.constant([str(folder.path) for folder in folders])
    bounds = stacking.bounds(folders, stream.modality)

    @transforms.as_it_is
    def read(video, tick, numbers):
        path = tf.gather(paths, video)
        bound = None if bounds is None else tf.gather(bounds, video)
        if stream.test.together:
            frames, size = reading.clip(path, numbers, stream, bound)
            return video, tick, size, _cut(frames, stream)
        frames, size = reading.resized_snippet(path, numbers, stream, bound)
        return video, tick, size, _cut(frames[None], stream)[0]

    dataset = tf.data.Dataset.from_tensor_slices(
        (snippets.video, snippets.tick, snippets.files)
    )
    dataset = parallel.mapped(dataset, read)
    # After the map and before the batch, so that one bad file costs one
    # snippet and not the batch.
    return dataset.ignore_errors()


def _from_files(folders, snippets, stream):
    """The same from video files; snippets of a video are decoded together."""
    paths = tf.constant([str(folder.path) for folder in folders])
    ticks, numbers = tf.constant(snippets.tick), tf.constant(snippets.files)

    @transforms.as_it_is
    def read(video, start, end):
        rows = tf.reshape(numbers[start:end], (-1, stream.modality.length))
        frames, size = video_reading.decoded(
            tf.gather(paths, video), rows, stream, framed=True
        )
        count, found = end - start, _cut(frames, stream)
        if stream.test.together:
            shape = tf.concat([[count, stream.test.steps], tf.shape(found)[1:]], axis=0)
            found = tf.reshape(found, shape)
        sizes = tf.tile(size[None], (count, 1))
        return tf.fill((count,), video), ticks[start:end], sizes, found

    dataset = tf.data.Dataset.from_tensor_slices(_runs(snippets))
    dataset = parallel.mapped(dataset, read)
    return dataset.ignore_errors().unbatch()


def _runs(snippets):
    """Snippets of a video that are decoded together.

    Returns:
        (video, first snippet, one past the last) of each run, int32 each.
    """
    most = max(1, _MOST_IMAGES // snippets.files.shape[1])
    _, starts, counts = np.unique(snippets.video, return_index=True, return_counts=True)
    rows = [
        (snippets.video[start], first, min(first + most, start + count))
        for start, count in zip(starts.tolist(), counts.tolist(), strict=True)
        for first in range(start, start + count, most)
    ]
    return tuple(np.array(column, np.int32) for column in zip(*rows, strict=True))


def _cut(frames, stream):
    """Crops of frames that make no batch; others as they are.

    Frames of unequal sizes make none, and a network is compiled anew for each size;
    crops are equal.
    """
    if stream.fixed_size is not None:
        return frames
    return transforms.cut(frames, stream.test, stream)
