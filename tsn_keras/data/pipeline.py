"""tf.data pipelines: the one place that batches and prefetches."""

import dataclasses

import numpy as np
import tensorflow as tf

from tsn_keras.data import augmentation, sampling, transforms


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
    planes = _decoded(folder, numbers, preprocess, prefixes)
    size = preprocess.frame_size
    return tf.concat([transforms.resize(p, *size) for p in planes], axis=-1)


def read_files(folder, numbers, preprocess, prefixes):
    """Reads and stacks the files of a snippet as they are.

    The original resizes for the test only; it trains on the size of the files.

    Args:
        folder, numbers, preprocess, prefixes: see `read_snippet`.

    Returns:
        uint8 [h, w, planes].
    """
    planes = _decoded(folder, numbers, preprocess, prefixes)
    stacked = tf.concat(planes, axis=-1)
    return tf.ensure_shape(stacked, (None, None, preprocess.planes))


def _decoded(folder, numbers, preprocess, prefixes):
    """The images of a snippet, uint8 [h, w, planes of the file] each."""
    channels = preprocess.planes_per_file // len(prefixes)
    return [
        transforms.decode(path, channels)
        for step in range(preprocess.snippet_length)
        for path in file_names(folder, prefixes, numbers[step])
    ]


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


def for_training(videos, preprocess, prefixes, *, segments, batch, seed, first=0):
    """Pipeline of training batches, without end.

    Each pass over the videos is in an order of its own. What is drawn for the
    n-th video of all passes depends on `seed` and n alone: a run that goes on
    at n draws what an undisturbed one draws. Of each segment one snippet, at
    random inside it (video_data_layer.cpp:123-142); for all of a video one
    crop size, place and mirroring (data_transformer.cpp:148-326).

    Args:
        videos: list of (frame folder, number of files, label).
        preprocess: config.Preprocess.
        prefixes: those of the modality's files.
        segments: K.
        batch: videos in a batch.
        seed: int.
        first: number of videos that were seen before.

    Returns:
        tf.data.Dataset of (uint8 [batch, K, S, S, planes], int32 [batch]). A
        file that cannot be read is an error when its batch is taken.
    """
    paths, counts, labels = zip(*videos, strict=True)
    paths = tf.constant([str(path) for path in paths])
    counts, labels = tf.constant(counts, tf.int32), tf.constant(labels, tf.int32)
    total, size = len(videos), preprocess.crop_size
    ratios = augmentation.RATIOS[preprocess.modality]

    def one_pass(epoch):
        # Its seed is none of a video's, whose second number is not negative.
        order = tf.random.experimental.stateless_shuffle(
            tf.range(total), tf.stack([tf.cast(seed, tf.int64), -1 - epoch])
        )
        numbers = epoch * total + tf.range(total, dtype=tf.int64)
        return tf.data.Dataset.from_tensor_slices((order, numbers))

    def read(index, number):
        draws = draw(seed, number, segments + 3)
        ticks = train_ticks(
            counts[index], preprocess.snippet_length, segments, draws[3:]
        )
        snippets = _read_segments(
            tf.gather(paths, index), ticks, preprocess, prefixes, segments
        )
        window = transforms.draw_window(
            tf.shape(snippets)[1:3], ratios, size, draws[1:3]
        )
        crops = transforms.resized_crop(snippets, window, size)
        mirrored = transforms.mirror(crops, preprocess.modality == "flow")
        return tf.where(draws[0] % 2 == 1, mirrored, crops), labels[index]

    start = first // total
    dataset = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
    dataset = dataset.flat_map(one_pass).skip(first - start * total)
    dataset = dataset.map(read, tf.data.AUTOTUNE, deterministic=True)
    return dataset.batch(batch, drop_remainder=True).prefetch(2)


def draw(seed, number, count):
    """Draws for a video: int32 [count], not negative, the same on every machine."""
    key = tf.stack([tf.cast(seed, tf.int64), tf.cast(number, tf.int64)])
    drawn = tf.random.stateless_uniform(
        (count,), key, minval=None, maxval=None, dtype=tf.int32
    )
    return tf.bitwise.bitwise_and(drawn, np.iinfo(np.int32).max)


def train_ticks(files, depth, segments, draws):
    """First file of each segment's snippet (video_data_layer.cpp:123-134).

    Args:
        files: int32, number of files.
        depth: files in a snippet.
        segments: K.
        draws: int32 [K], not negative.

    Returns:
        int32 [K]: somewhere in each segment, so that the snippet does not leave
        it; 1 if segments are too short for a snippet.
    """
    length = files // segments
    room = tf.maximum(length - depth + 1, 1)
    ticks = 1 + tf.range(segments) * length + draws % room
    return tf.where(length < depth, tf.ones_like(ticks), ticks)


def _read_segments(path, ticks, preprocess, prefixes, segments):
    """Reads the snippets of a video as its files are, uint8 [K, h, w, planes]."""
    steps = tf.range(preprocess.snippet_length)
    return tf.stack(
        [
            read_files(path, ticks[k] + steps, preprocess, prefixes)
            for k in range(segments)
        ]
    )


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
