"""Snippets of video files inside a pipeline: only the frames or sound they need.

Their pixels are those of `as_stored`.
"""

import numpy as np
import tensorflow as tf

from tsn_keras.pipeline import as_stored, sound_reading
from tsn_keras.video import decode, seeking


def snippets(path, numbers, stream, framed):
    """Decodes snippets of a video file.

    Args:
        path: the file.
        numbers: int [n, length], numbers of the images of each snippet, from 1.
        stream: protocols.records.Stream.
        framed: whether images are resized as for the test; training takes them as
            they are stored.

    Returns:
        (uint8 [n, height, width, planes]; int32 [2], height and width of the images
        before they are resized)

    Raises:
        decode.VideoError: the file cannot be used, is damaged there, or changes the
            size of its frames.
        OSError: it cannot be read.
    """
    if stream.modality.is_sound:
        return sound_reading.snippets(path, numbers, stream)
    # Frames at the beginning that are no images, 1 or 0: image 1 is the next.
    before = 2 - stream.images(2)
    needed = [int(number) + before - 1 for number in np.unique(numbers)]
    size, held = None, {}
    for index, frame in seeking.frames(path, needed):
        image = as_stored.stored(frame, stream)
        size = size or image.shape[:2]
        if image.shape[:2] != size:
            height, width = image.shape[:2]
            raise decode.VideoError(
                f"{path} changes the size of its frames, from {size[1]} x {size[0]} "
                f"to {width} x {height}"
            )
        held[index - before + 1] = as_stored.framed(image, stream) if framed else image
    rows = [[held[number] for number in row] for row in np.asarray(numbers).tolist()]
    found = np.stack([np.concatenate(row, axis=-1) for row in rows])
    return found, np.array(size, np.int32)


def decoded(path, numbers, stream, framed):
    """`snippets` in a graph.

    Args:
        path: scalar string tensor.
        numbers: int32 [n, length].
        stream, framed: see `snippets`.

    Returns:
        (uint8 [n, height, width, planes], int32 [2])

    Raises:
        tf.errors.OpError: where `snippets` raises; ask `explain`.
    """

    def read(name, rows):
        return snippets(name.decode(), rows, stream, framed)

    # FFmpeg and OpenCV work without Python's lock, so that files are read in parallel.
    images, size = tf.numpy_function(read, (path, numbers), (tf.uint8, tf.int32))
    sides = stream.fixed_size if framed else None
    shape = (numbers.shape[0], *(sides or (None, None)), stream.modality.planes)
    return tf.ensure_shape(images, shape), tf.ensure_shape(size, (2,))


def explain(path, numbers, stream, smallest=None):
    """Says why snippets of a video file cannot be used.

    Args:
        path: the file.
        numbers: see `snippets`.
        stream: protocols.records.Stream.
        smallest: shortest side that will do, or None for any.

    Returns:
        str, or None if they can be used after all.
    """
    try:
        _, (height, width) = snippets(path, numbers, stream, smallest is None)
    except (decode.VideoError, OSError) as error:
        return str(error)
    if smallest and min(height, width) < smallest:
        rows, columns = stream.protocol.stored_size
        return (
            f"{path} is {width} x {height}, smaller than a crop of {smallest}: extract "
            f"its frames at {columns} x {rows}"
        )
    return None
