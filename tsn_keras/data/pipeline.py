"""tf.data pipelines: the one place that batches and prefetches."""

import dataclasses

import numpy as np
import tensorflow as tf

from tsn_keras.data import sampling, transforms


@dataclasses.dataclass(frozen=True)
class Snippets:
    """Test snippets to be scored, J in all.

    Attributes:
        video: int32 [J], index into the folders.
        tick: int32 [J], index of the snippet among the video's distinct ones.
        files: int32 [J, depth], numbers of the files to read.
    """

    video: np.ndarray
    tick: np.ndarray
    files: np.ndarray


def distinct_ticks(files, depth, snippets):
    """Distinct test ticks of a video, and which of them each snippet takes.

    A short video repeats its only snippet; it is computed once.

    Returns:
        (list of ticks, int array [snippets] of indices into it)
    """
    return np.unique(sampling.eval_ticks(files, depth, snippets), return_inverse=True)


def plan(counts, depth, snippets):
    """Lists the distinct test snippets of videos.

    Args:
        counts: {index of the video: number of its files}, in order.
        depth: files in a snippet.
        snippets: snippets of a video.

    Returns:
        Snippets.
    """
    rows = [
        (video, index, sampling.snippet_files(int(tick), files, depth))
        for video, files in counts.items()
        for index, tick in enumerate(distinct_ticks(files, depth, snippets)[0])
    ]
    video, tick, numbers = zip(*rows, strict=True) if rows else ((), (), ())
    return Snippets(
        np.array(video, np.int32),
        np.array(tick, np.int32),
        np.array(numbers, np.int32).reshape(-1, depth),
    )


def file_names(folder, prefixes, number):
    """Paths of the files of one step of a snippet; strings or tensors."""
    digits = tf.strings.as_string(number, width=5, fill="0")
    return [tf.strings.join([folder, "/", p, digits, ".jpg"]) for p in prefixes]


def read_snippet(folder, numbers, preprocess, prefixes):
    """Reads, decodes, resizes and stacks the files of a snippet.

    Args:
        folder: scalar string tensor.
        numbers: int32 [depth].
        preprocess: config.Preprocess.
        prefixes: those of the modality's files.

    Returns:
        uint8 [height, width, planes]: B, G, R of each file, or x1, y1, x2, y2,
        ... (eval_net.py:95-106).
    """
    channels = preprocess.planes_per_file // len(prefixes)
    planes = [
        transforms.resize(transforms.decode(path, channels), *preprocess.frame_size)
        for step in range(preprocess.snippet_length)
        for path in file_names(folder, prefixes, numbers[step])
    ]
    return tf.concat(planes, axis=-1)


def for_test(folders, snippets, preprocess, prefixes, batch):
    """Pipeline of the snippets of a test.

    Args:
        folders: list of the videos' frame folders.
        snippets: Snippets.
        preprocess: config.Preprocess.
        prefixes: those of the modality's files.
        batch: snippets in a batch.

    Returns:
        tf.data.Dataset of (video int32 [batch], tick int32 [batch], uint8
        [batch, height, width, planes]), in order. The last batch is filled
        up with video -1. A snippet with a file that cannot be read is left
        out: the consumer knows which it expects and must ask why.
    """
    paths = tf.constant([str(folder) for folder in folders])

    def read(video, tick, numbers):
        frames = read_snippet(tf.gather(paths, video), numbers, preprocess, prefixes)
        return video, tick, frames

    def fill_up(video, tick, frames):
        # One shape for all batches: one trace, and no empty replica.
        missing = batch - tf.shape(video)[0]
        video = tf.pad(video, [(0, missing)], constant_values=-1)
        tick = tf.pad(tick, [(0, missing)])
        frames = tf.pad(frames, [(0, missing), (0, 0), (0, 0), (0, 0)])
        shape = (batch, *preprocess.frame_size, preprocess.planes)
        return video, tick, tf.ensure_shape(frames, shape)

    dataset = tf.data.Dataset.from_tensor_slices(
        (snippets.video, snippets.tick, snippets.files)
    )
    dataset = dataset.map(read, tf.data.AUTOTUNE, deterministic=True)
    # After the map and before the batch, so that one bad file costs one
    # snippet and not the batch.
    dataset = dataset.ignore_errors()
    dataset = dataset.batch(batch).map(fill_up)
    # Two batches are enough to keep a device busy; more would hold memory.
    return dataset.prefetch(2)


def explain(folder, numbers, preprocess, prefixes):
    """Says why a snippet cannot be read.

    Returns:
        str that names the first file that fails and the reason, or None if
        the snippet can be read after all.
    """
    for number in numbers:
        for path in file_names(str(folder), prefixes, int(number)):
            name = path.numpy().decode()
            try:
                transforms.decode(path, 1)
            except tf.errors.NotFoundError:
                return f"{name}: no such file"
            except tf.errors.OpError as error:
                if tf.io.gfile.stat(name).length == 0:
                    return f"{name}: the file is empty"
                reason = error.message.splitlines()[0].partition("[Op:")[0].strip()
                return f"{name}: cannot be decoded: {reason[:200]}"
    return None
