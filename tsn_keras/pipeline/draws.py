"""What chance decides in a training batch, as functions of a seed and a number.

Nothing here has a state: a run that resumes draws what an undisturbed run draws.
"""

import numpy as np
import tensorflow as tf


def order(seed, epoch, total):
    """The order of the videos in a pass: int32 [total], a permutation."""
    # No video has this key: the second number of theirs is not negative.
    key = tf.stack([tf.cast(seed, tf.int64), -1 - tf.cast(epoch, tf.int64)])
    return tf.random.experimental.stateless_shuffle(tf.range(total), key)


def draw(seed, number, count):
    """Draws for a video: int32 [count], not negative, the same on every machine."""
    key = tf.stack([tf.cast(seed, tf.int64), tf.cast(number, tf.int64)])
    bits = tf.random.stateless_uniform(
        (count,), key, minval=None, maxval=None, dtype=tf.int32
    )
    return tf.bitwise.bitwise_and(bits, np.iinfo(np.int32).max)


def train_ticks(files, depth, segments, drawn):
    """First file of each segment's snippet (video_data_layer.cpp:123-134).

    Args:
        files: int32, number of files.
        depth: files in a snippet.
        segments: K.
        drawn: int32 [K], not negative.

    Returns:
        int32 [K]: somewhere in each segment, so that the snippet does not leave
        it; 1 if segments are too short for a snippet.
    """
    length = files // segments
    room = tf.maximum(length - depth + 1, 1)
    ticks = 1 + tf.range(segments) * length + drawn % room
    return tf.where(length < depth, tf.ones_like(ticks), ticks)


def window(shape, stream, drawn):
    """Chooses the window of a training crop; see protocols.crops.

    Args:
        shape: int32 [2], height and width of the frames.
        stream: protocols.records.Stream.
        drawn: int32 [2], not negative: they choose the size and the place.

    Returns:
        int32 [4]: top, left, height, width.
    """
    rule, size = stream.protocol.augmentation, stream.protocol.crop_size
    ratios = stream.modality.crop_ratios
    shorter = tf.cast(tf.reduce_min(shape), tf.float32)
    sides = tf.cast(shorter * tf.constant(ratios, tf.float32), tf.int32)
    sides = tf.where(tf.abs(sides - size) < 3, size, sides)
    pairs = [
        (a, b)
        for a in range(len(ratios))
        for b in range(len(ratios))
        if abs(a - b) <= rule.max_distort
    ]
    chosen = tf.gather(sides, tf.constant(pairs)[drawn[0] % len(pairs)])
    place = tf.constant(rule.places)[drawn[1] % len(rule.places)]
    return tf.concat([place * ((shape - chosen) // 4), chosen], axis=0)
