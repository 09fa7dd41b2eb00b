"""tf.data pipelines: the one place that batches and prefetches."""

import dataclasses

import numpy as np
import tensorflow as tf

from tsn_keras.data import augmentation, draws, sampling, transforms


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


@dataclasses.dataclass(frozen=True)
class Share:
    """The part of every batch that is read here.

    A batch is divided among machines, and each machine's part among its
    devices, in order.

    Attributes:
        machine: number of this machine, from 0.
        machines: how many there are.
        devices: of each machine.
    """

    machine: int = 0
    machines: int = 1
    devices: int = 1

    def of(self, dataset, batch):
        """Keeps the rows of this machine.

        Args:
            dataset: of (row, number), number counted over all batches.
            batch: rows of a batch, a multiple of `machines`.
        """
        if self.machines == 1:
            return dataset
        rows = batch // self.machines
        return dataset.filter(
            lambda _, number: number // rows % self.machines == self.machine
        )

    def size(self, batch):
        """Rows of a device."""
        return batch // (self.machines * self.devices)


def for_training(
    videos, preprocess, prefixes, *, segments, batch, seed, first=0, share=Share()
):
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
        batch: videos in a batch, over all machines and devices.
        seed: int.
        first: number of videos that were seen before, a multiple of `batch`.
        share: Share.

    Returns:
        tf.data.Dataset of (uint8 [b, K, S, S, planes], int32 [b]), b videos of
        a device, device by device. A file that cannot be read is an error when
        its batch is taken.
    """
    paths, counts, labels = _columns(videos)
    total, size = len(videos), preprocess.crop_size
    ratios = augmentation.RATIOS[preprocess.modality]

    def one_pass(epoch):
        numbers = epoch * total + tf.range(total, dtype=tf.int64)
        order = draws.order(seed, epoch, total)
        return tf.data.Dataset.from_tensor_slices((order, numbers))

    def read(index, number):
        drawn = draws.draw(seed, number, segments + 3)
        ticks = draws.train_ticks(
            counts[index], preprocess.snippet_length, segments, drawn[3:]
        )
        ticks = tf.ensure_shape(ticks, (segments,))
        snippets = _read_segments(
            paths[index], counts[index], ticks, preprocess, prefixes
        )
        window = draws.window(tf.shape(snippets)[1:3], ratios, size, drawn[1:3])
        crops = transforms.resized_crop(snippets, window, size)
        mirrored = transforms.mirror(crops, preprocess.modality == "flow")
        return tf.where(drawn[0] % 2 == 1, mirrored, crops), labels[index]

    start = first // total
    dataset = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
    dataset = dataset.flat_map(one_pass).skip(first - start * total)
    dataset = share.of(dataset, batch)
    dataset = dataset.map(read, tf.data.AUTOTUNE, deterministic=True)
    return dataset.batch(share.size(batch), drop_remainder=True).prefetch(2)


def for_validation(videos, preprocess, prefixes, *, segments, batch, share=Share()):
    """Pipeline of all videos in order, without chance, without end.

    Of each segment the snippet in its middle, and the centre of its frames, as
    the original tests while it trains (video_data_layer.cpp:135-142,
    data_transformer.cpp:237-242).

    Args:
        videos, preprocess, prefixes, segments, batch, share: see
            `for_training`.

    Returns:
        tf.data.Dataset as that of `for_training`. A pass fills its last batch up
        with black videos of label -1.
    """
    paths, counts, labels = _columns(videos)
    depth, total = preprocess.snippet_length, len(videos)
    ticks = tf.constant(
        [sampling.validation_ticks(count, depth, segments) for _, count, _ in videos]
    )
    padded = -(-total // batch) * batch
    shape = (segments, *2 * (preprocess.crop_size,), preprocess.planes)

    def read(index):
        snippets = _read_segments(
            paths[index], counts[index], ticks[index], preprocess, prefixes
        )
        return transforms.centre_crop(snippets, preprocess.crop_size), labels[index]

    def row(index, _):
        return tf.cond(
            index < total,
            lambda: read(tf.cast(index, tf.int32)),
            lambda: (tf.zeros(shape, tf.uint8), tf.constant(-1)),
        )

    dataset = tf.data.Dataset.range(padded).repeat().enumerate()
    dataset = share.of(dataset.map(lambda number, index: (index, number)), batch)
    dataset = dataset.map(row, tf.data.AUTOTUNE, deterministic=True)
    return dataset.batch(share.size(batch), drop_remainder=True).prefetch(2)


def _columns(videos):
    paths, counts, labels = zip(*videos, strict=True)
    paths = tf.constant([str(path) for path in paths])
    return paths, tf.constant(counts, tf.int32), tf.constant(labels, tf.int32)


def training_snippets(videos, preprocess, *, segments, batch, seed, first=0):
    """Files that a training batch reads, for whoever asks why it failed.

    Yields:
        (folder, numbers of the files) of each snippet.
    """
    for number in range(first, first + batch):
        epoch, place = divmod(number, len(videos))
        index = int(draws.order(seed, epoch, len(videos))[place])
        folder, count, _ = videos[index]
        drawn = draws.draw(seed, number, segments + 3)[3:]
        depth = preprocess.snippet_length
        for tick in draws.train_ticks(count, depth, segments, drawn):
            yield folder, sampling.snippet_files(int(tick), count, depth)


def validation_snippets(videos, preprocess, *, segments):
    """Files that the validation reads; see `training_snippets`."""
    depth = preprocess.snippet_length
    for folder, count, _ in videos:
        for tick in sampling.validation_ticks(count, depth, segments):
            yield folder, sampling.snippet_files(tick, count, depth)


def _read_segments(path, files, ticks, preprocess, prefixes):
    """Reads the snippets of a video as its files are, uint8 [K, h, w, planes].

    Past the end the last file is repeated, as in the test. (The original cannot
    load a video that is shorter than a snippet, and trains on what it loaded
    before in its place.)
    """
    steps = tf.range(preprocess.snippet_length)
    return tf.stack(
        [
            read_files(path, tf.minimum(tick + steps, files), preprocess, prefixes)
            for tick in tf.unstack(ticks)
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


def explain_sizes(folder, snippets, preprocess, prefixes):
    """Says whether files of a video have unequal sizes, or are too small.

    Args:
        folder: of the video.
        snippets: lists of numbers of files, which can all be decoded.
        preprocess: config.Preprocess.
        prefixes: those of the modality's files.

    Returns:
        str that names the first such file, or None.
    """
    first = None
    for number in dict.fromkeys(n for numbers in snippets for n in numbers):
        for path in file_names(str(folder), prefixes, int(number)):
            name = path.numpy().decode()
            shape = tf.io.extract_jpeg_shape(tf.io.read_file(path)).numpy()
            height, width = (int(side) for side in shape[:2])
            if min(height, width) < preprocess.crop_size:
                return (
                    f"{name} is {width} x {height}, smaller than a crop of "
                    f"{preprocess.crop_size}: extract at 340 x 256"
                )
            first = first or (name, width, height)
            if first[1:] != (width, height):
                return (
                    f"{name} is {width} x {height}, but {first[0]} is {first[1]} x "
                    f"{first[2]}"
                )
    return None
