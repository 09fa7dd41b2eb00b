"""Snippets of sound: pictures of what is heard around images of a video."""

import io

import cv2
import numpy as np

from tsn_keras.common import storage
from tsn_keras.pipeline import spectrogram as spectrograms
from tsn_keras.video import sound as sounds


def opened(path, keep_damaged=False):
    """Opens stored sound, or that of a video file.

    Args:
        path: the file, or an address of stored sound.
        keep_damaged: see sound.Sound.

    Returns:
        video.sound.Sound.
    """
    place = storage.path(str(path))
    if storage.is_remote(place):
        return sounds.Sound(place, io.BytesIO(place.read_bytes()))
    return sounds.Sound(path, keep_damaged=keep_damaged)


def pictures(sound, indices, stream):
    """Makes the pictures of the sound around frames of a video.

    Args:
        sound: video.sound.Sound.
        indices: numbers of the frames, from 0, increasing.
        stream: protocols.records.Stream.

    Yields:
        uint8 [S, S, planes], with silence before the beginning and after the end. No
        more sound is in memory than a picture and a second, however long it is.

    Raises:
        video.decode.VideoError: it is damaged, see sound.Sound.
    """
    shape, (height, width) = stream.modality.spectrogram, stream.fixed_size
    # First samples of the pictures, in integers: the same on all machines.
    a_frame = shape.rate / sound.frame_rate
    starts = [int(index * a_frame) - shape.before for index in indices]
    for cut in _cuts(sound.blocks(), starts, shape.samples):
        found = spectrograms.picture(cut, shape)
        yield cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR)


def _cuts(blocks, starts, length):
    """Yields int16 [length] from each start, 0 beyond the ends of the sound."""
    held, first, is_over = np.zeros(0, np.int16), 0, False
    for start in starts:
        while not is_over and first + len(held) < start + length:
            block = next(blocks, None)
            if block is None:
                is_over = True
                break
            held = np.concatenate([held, block])
            dropped = min(len(held), max(0, start - first))
            held, first = held[dropped:], first + dropped
        cut = np.zeros(length, np.int16)
        low, high = max(start, first), min(start + length, first + len(held))
        if low < high:
            cut[low - start : high - start] = held[low - first : high - first]
        yield cut


def snippets(path, numbers, stream):
    """Reads snippets of a file; see video_reading.snippets.

    Args:
        path: stored sound, or a video file.
        numbers: int [n, 1], numbers of the images of each snippet.
        stream: protocols.records.Stream.

    Returns:
        (uint8 [n, S, S, planes]; int32 [2], their height and width)
    """
    needed, places = np.unique(np.asarray(numbers)[:, 0], return_inverse=True)
    with opened(path) as sound:
        # Image 1 is the second frame, but where all frames are images.
        before = 1 if sound.is_stored else 2 - stream.images(2)
        found = list(pictures(sound, (needed + before - 1).tolist(), stream))
    return np.stack(found)[places], np.array(stream.fixed_size, np.int32)
