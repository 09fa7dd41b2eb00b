"""The pipeline of a test: every distinct snippet of every video, in batches."""

import dataclasses

import numpy as np
import tensorflow as tf

from tsn_keras.pipeline import reading, transforms


@dataclasses.dataclass(frozen=True)
class Snippets:
    """Test snippets to be scored, J in all.

    Attributes:
        video: int32 [J], index into the folders.
        tick: int32 [J], index of the snippet among the video's distinct ones.
        files: int32 [J, length], numbers of the files to read.
    """

    video: np.ndarray
    tick: np.ndarray
    files: np.ndarray

    def of(self, index):
        """Numbers of the files of each snippet of a video."""
        return self.files[self.video == index]


def plan(folders, stream, view):
    """Lists the distinct test snippets of videos.

    Args:
        folders: list of datasets.selection.FrameFolder.
        stream: protocols.records.Stream.
        view: protocols.records.View.

    Returns:
        Snippets.
    """
    length = stream.modality.length
    rows = [
        (video, index, folder.numbered(stream.numbers(int(tick), folder.files)))
        for video, folder in enumerate(folders)
        for index, tick in enumerate(view.distinct(folder.files, length)[0])
    ]
    video, tick, numbers = zip(*rows, strict=True) if rows else ((), (), ())
    return Snippets(
        np.array(video, np.int32),
        np.array(tick, np.int32),
        np.array(numbers, np.int32).reshape(-1, length),
    )


def for_test(folders, snippets, stream, batch):
    """Pipeline of the snippets of the protocol's test.

    Args:
        folders: list of datasets.selection.FrameFolder.
        snippets: Snippets of them.
        stream: protocols.records.Stream.
        batch: snippets in a batch.

    Returns:
        tf.data.Dataset of (video int32 [batch], tick int32 [batch], int32
        [batch, 2], the height and width of the snippet's files, uint8 [batch,
        height, width, planes]), in order; where videos keep their ratio, the last
        are crops, uint8 [batch, crops, S, S, planes]. The last batch is filled up
        with video -1. A snippet with a file that cannot be read, or with files of
        unequal sizes, is left out: the consumer knows which it expects and must ask
        why.
    """
    paths = tf.constant([str(folder.path) for folder in folders])

    @transforms.as_it_is
    def read(video, tick, numbers):
        path = tf.gather(paths, video)
        frames, size = reading.resized_snippet(path, numbers, stream)
        if stream.protocol.fixed_size is None:
            # Frames of unequal sizes make no batch, and a network is compiled anew
            # for each size; crops are equal.
            frames = transforms.cut(frames[None], stream.protocol.test, stream)[0]
        return video, tick, size, frames

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

    dataset = tf.data.Dataset.from_tensor_slices(
        (snippets.video, snippets.tick, snippets.files)
    )
    dataset = dataset.map(read, tf.data.AUTOTUNE, deterministic=True)
    # After the map and before the batch, so that one bad file costs one
    # snippet and not the batch.
    dataset = dataset.ignore_errors()
    dataset = dataset.batch(batch).map(fill_up)
    # Two batches keep a device busy; more would only take memory.
    return dataset.prefetch(2)
