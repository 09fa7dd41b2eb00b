"""Files of a snippet to a stack of planes, and why a file cannot be read."""

import itertools

import tensorflow as tf

from tsn_keras.common.errors import reason_of
from tsn_keras.datasets.records import VideoFile
from tsn_keras.pipeline import framing, stacking, transforms, video_reading

# The last feature map has one cell for 32 pixels. A smaller image would be nothing
# but interpolation.
MIN_SIDE = 32


def file_names(folder, prefixes, numbers):
    """Paths of the files of steps of a snippet.

    Args:
        folder: scalar string tensor.
        prefixes: of each step, [N][P].
        numbers: int32 [N, 1].

    Returns:
        string [N, P].
    """
    prefixes = tf.constant(prefixes)
    digits = tf.strings.as_string(numbers, width=5, fill="0")
    digits = tf.tile(digits, (1, prefixes.shape[1]))
    return tf.strings.join([folder, "/", prefixes, digits, ".jpg"])


def resized_snippet(folder, numbers, stream, bound=None):
    """Reads, decodes, resizes and stacks the files of a snippet.

    Args:
        folder: scalar string tensor.
        numbers: int32 [length].
        stream: protocols.records.Stream.
        bound: of the folder's flow, see stacking.bounds; None: the levels of the files
            are the pixels.

    Returns:
        (uint8 [height, width, planes], int32 [2]): B, G, R of each file, or x1,
        y1, x2, y2, ... (eval_net.py:95-106), float32 where the modality stacks
        displacements; and the size of the files.

    Raises:
        tf.errors.OpError: see `plain_snippet`; or the files are too long and
            narrow for the protocol, ask `explain_sizes`.
    """
    # Stacked before they are resized, which needs equal sizes.
    stacked = plain_snippet(folder, numbers, stream, bound)
    return framing.framed(stacked, stream.protocol), tf.shape(stacked)[:2]


def plain_snippet(folder, numbers, stream, bound=None):
    """Reads and stacks the files of a snippet as they are.

    The original resizes for the test only; it trains on the size of the files.

    Args:
        folder, numbers, stream, bound: see `resized_snippet`.

    Returns:
        uint8 or float32 [h, w, planes].

    Raises:
        tf.errors.OpError: a file cannot be decoded, is smaller than MIN_SIDE or
            of another size than the others; ask `explain` and `explain_sizes`.
    """
    stacked = tf.concat(_decoded(folder, numbers, stream.modality), axis=-1)
    size = tf.shape(stacked)[:2]
    is_large = tf.reduce_min(size) >= MIN_SIDE
    with tf.control_dependencies(transforms.require(is_large, "too small")):
        stacked = tf.ensure_shape(stacked, (None, None, stream.modality.planes))
    if bound is None:
        return stacked
    return stacking.decoded(stacked, folder, numbers, stream.modality, bound)


def _decoded(folder, numbers, modality):
    """The images of a snippet, uint8 [h, w, planes of the file] each."""
    numbers = tf.ensure_shape(numbers, (modality.length,))
    found = []
    for part, own in modality.split(tf.unstack(numbers)):
        names = file_names(folder, part.step_prefixes, tf.stack(own)[:, None])
        found += [
            transforms.decode(path, part.file_planes)
            for path in tf.unstack(tf.reshape(names, (-1,)))
        ]
    return found


def clip(folder, numbers, stream, bound=None):
    """Reads snippets of a video that are seen together; see `resized_snippet`.

    Args:
        folder, stream, bound: see there.
        numbers: int32 [T * length].

    Returns:
        (uint8 [T, height, width, planes], int32 [2]), the size of the files.

    Raises:
        tf.errors.OpError: likewise; or they are of other sizes than the first.
    """
    modality = stream.modality
    pixels = tf.TensorSpec((None, None, modality.planes), modality.pixel_type)
    # A graph of one snippet, not of all.
    frames, sizes = tf.map_fn(
        lambda row: resized_snippet(folder, row, stream, bound),
        tf.reshape(numbers, (-1, modality.length)),
        fn_output_signature=(pixels, tf.TensorSpec((2,), tf.int32)),
    )
    alike = tf.reduce_all(tf.equal(sizes, sizes[0]))
    with tf.control_dependencies(transforms.require(alike, "unequal sizes")):
        shape = (None, None, None, modality.planes)
        return tf.ensure_shape(frames, shape), sizes[0]


def segments(path, files, ticks, stream, first=1, bound=None):
    """Reads the snippets of a video as its files are.

    Past the end as in the test: the last file is repeated, or the first follows.
    (The original cannot load a video that is shorter than a snippet, and trains on
    what it loaded before in its place.)

    Args:
        path: scalar string tensor, the frame folder.
        files: int32, number of its files.
        ticks: int32 [K], first files of the snippets.
        stream: protocols.records.Stream.
        first: int32, number of its first file on disk; `ticks` count from 1.
        bound: see `resized_snippet`.

    Returns:
        uint8 or float32 [K, h, w, planes].
    """
    numbers = segment_numbers(files, ticks, stream) + (first - 1)
    return tf.stack(
        [plain_snippet(path, row, stream, bound) for row in tf.unstack(numbers)]
    )


def segment_numbers(files, ticks, stream):
    """Numbers of the files of a video's snippets: int32 [K, length]; see `segments`."""
    numbers = ticks[:, None] + tf.constant(stream.modality.offsets)
    if stream.protocol.loops:
        numbers = 1 + (numbers - 1) % files
    return tf.clip_by_value(numbers, 1, files)


def explain_video(video, numbers, stream, is_training=False):
    """Says why snippets of a video cannot be used.

    Args:
        video: datasets.records.FrameFolder.
        numbers: for each snippet the numbers of its files.
        stream: protocols.records.Stream.
        is_training: whether they are cut as they are; else they are resized.

    Returns:
        str that names a file and the reason, or None if all can be used after all.
    """
    if isinstance(video, VideoFile):
        side = stream.protocol.crop_size if is_training else None
        return video_reading.explain(video.path, numbers, stream, side)
    reasons = (
        explain(video.path, row, stream)
        or (video.bound is None and stacking.explain(video.path, row, stream.modality))
        for row in numbers
    )
    smallest = None if is_training else MIN_SIDE
    return next(filter(None, reasons), None) or explain_sizes(
        video.path, numbers, stream, smallest
    )


def explain(folder, numbers, stream):
    """Says why a snippet cannot be read.

    Args:
        folder: the frame folder.
        numbers: numbers of the snippet's files.
        stream: protocols.records.Stream.

    Returns:
        str that names the first file that fails and the reason, or None if
        the snippet can be read after all.
    """
    for path, planes in _paths(folder, [numbers], stream):
        name = path.numpy().decode()
        try:
            transforms.decode(path, planes)
        except tf.errors.NotFoundError:
            return f"{name}: no such file"
        except tf.errors.OpError as error:
            if tf.io.gfile.stat(name).length == 0:
                return f"{name}: the file is empty"
            return f"{name}: cannot be decoded: {reason_of(error)}"
    return None


def explain_sizes(folder, snippets, stream, smallest=None):
    """Says whether files of a video have unequal sizes, or impossible ones.

    Args:
        folder: of the video.
        snippets: lists of numbers of files, which can all be decoded.
        stream: protocols.records.Stream.
        smallest: shortest side that will do, or None for that of a crop.

    Returns:
        str that names the first such file, or None.
    """
    first, size = None, smallest or stream.protocol.crop_size
    what = "the least side of" if smallest else "a crop of"
    rows, columns = stream.protocol.stored_size
    for path, _ in _paths(folder, snippets, stream):
        name = path.numpy().decode()
        shape = tf.io.extract_jpeg_shape(tf.io.read_file(path)).numpy()
        height, width = (int(side) for side in shape[:2])
        if min(height, width) < size:
            return (
                f"{name} is {width} x {height}, smaller than {what} {size}: extract "
                f"at {columns} x {rows}"
            )
        if not framing.is_possible(height, width, stream.protocol):
            return (
                f"{name} is {width} x {height}, too narrow to be resized: extract at "
                f"{columns} x {rows}"
            )
        first = first or (name, width, height)
        if first[1:] != (width, height):
            return (
                f"{name} is {width} x {height}, but {first[0]} is {first[1]} x "
                f"{first[2]}"
            )
    return None


def _paths(folder, snippets, stream):
    """Yields (path, planes) of every file of some snippets once."""
    every = [int(number) for numbers in snippets for number in numbers]
    for part, numbers in stream.modality.split(every):
        files = zip(numbers, itertools.cycle(part.step_prefixes))
        for number, prefixes in dict.fromkeys(files):
            for path in file_names(str(folder), [prefixes], [[number]])[0]:
                yield path, part.file_planes
