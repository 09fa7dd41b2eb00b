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


def weighted(seed, epoch, ends):
    """Draws with replacement for a pass, one for each video.

    Args:
        seed: of the run.
        epoch: number of the pass.
        ends: float64, increasing to 1: the i-th video is drawn by numbers from
            ends[i - 1] to ends[i].

    Returns:
        int32 [len(ends)], indices of videos.
    """
    key = _key_of_pass(seed, epoch, 0)
    places = tf.random.stateless_uniform((len(ends),), key, dtype=tf.float64)
    return tf.searchsorted(tf.constant(ends, tf.float64), places, side="right")


def parts(seed, epoch, count):
    """Draws for the parts of a pass: int32 [count], not negative."""
    return _bits(_key_of_pass(seed, epoch, 1), count)


def _key_of_pass(seed, epoch, place):
    # Above all seeds of sources (below 2**38), so that nothing else has these keys.
    first = tf.cast(seed, tf.int64) + 2**40
    return tf.stack([first, 2 * tf.cast(epoch, tf.int64) + place])


def draw(seed, number, count):
    """Draws for a video: int32 [count], not negative, the same on every machine."""
    key = tf.stack([tf.cast(seed, tf.int64), tf.cast(number, tf.int64)])
    return _bits(key, count)


def together(seed, number):
    """Draws for the videos of a sub-batch together: int32 [1], not negative."""
    # Above all other keys, see `_key_of_pass`.
    first = tf.cast(seed, tf.int64) + 2**41
    return _bits(tf.stack([first, tf.cast(number, tf.int64)]), 1)


def _bits(key, count):
    bits = tf.random.stateless_uniform(
        (count,), key, minval=None, maxval=None, dtype=tf.int32
    )
    return tf.bitwise.bitwise_and(bits, np.iinfo(np.int32).max)


def train_ticks(stream, files, segments, drawn):
    """First file of each segment's snippet, by the rule of the protocol.

    Args:
        stream: protocols.records.Stream.
        files: int32, number of files.
        segments: K.
        drawn: int32 [K], not negative.

    Returns:
        int32 [K].
    """
    rule, depth = stream.protocol.train_rule, stream.modality.length

    def chosen(files, drawn):
        return np.array(rule(int(files), depth, segments, drawn.tolist()), np.int32)

    ticks = tf.numpy_function(chosen, (files, drawn), tf.int32, stateful=False)
    return tf.ensure_shape(ticks, (segments,))


def window(shape, augmentation, stream, drawn):
    """Chooses the window of a training crop.

    Args:
        shape: int32 [2], height and width of the frames.
        augmentation: one of protocols.augmentations.
        stream: protocols.records.Stream.
        drawn: int32 [augmentation.draws], not negative.

    Returns:
        int32 [4]: top, left, height, width.
    """
    side, ratios = stream.protocol.crop_size, stream.modality.crop_ratios

    def chosen(shape, drawn):
        shape = tuple(shape.tolist())
        return np.array(
            augmentation.window(shape, side, ratios, drawn.tolist()), np.int32
        )

    found = tf.numpy_function(chosen, (shape, drawn), tf.int32, stateful=False)
    return tf.ensure_shape(found, (4,))


def colours(rule, drawn):
    """The shift of a video's colours.

    Args:
        rule: protocols.colours.ColourShift.
        drawn: int32 [rule.draws], not negative.

    Returns:
        float32 [3]: of B, G, R, in grey levels.
    """

    def chosen(drawn):
        return np.array(rule.of(drawn.tolist()), np.float32)

    found = tf.numpy_function(chosen, (drawn,), tf.float32, stateful=False)
    return tf.ensure_shape(found, (3,))


def blending(seed, number, videos, alpha):
    """Draws for the videos that a mixup blends, see training.mixup.

    Args:
        seed: of the run, below 2**31.
        number: int64 from 0, another one for each set of videos.
        videos: how many are blended.
        alpha: of the Beta distribution, above 0.

    Returns:
        (float64 [], share that each video has in itself; int32 [videos], its partner)
    """
    # Seeds are below 2**31: no video and no pass has one of these keys.
    first = tf.cast(seed, tf.int64) + 2**32
    keys = [
        tf.stack([first, 4 * tf.cast(number, tf.int64) + place]) for place in range(3)
    ]
    with tf.device("CPU:0"):  # The same numbers whatever device trains.
        # Beta is x / (x + y) of two gamma numbers. For a small alpha both are 0 too
        # often, so their logarithms are drawn: gamma(alpha) is gamma(alpha + 1) times
        # a uniform number to the power of 1 / alpha.
        powers = 1 - tf.random.stateless_uniform((2,), keys[0], dtype=tf.float64)
        gammas = tf.random.stateless_gamma((2,), keys[1], alpha + 1.0, dtype=tf.float64)
        logs = tf.math.log(gammas) + tf.math.log(powers) / alpha
        share = tf.sigmoid(logs[0] - logs[1])
        partners = tf.random.experimental.stateless_shuffle(tf.range(videos), keys[2])
    return share, partners
