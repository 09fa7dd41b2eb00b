"""Tensor functions from files to crops, equal to OpenCV's pixels.

All work on uint8: the mean is subtracted afterwards, as the original does
(models.preprocessing). Those that follow the reading also take float32, which snippets
of displacements are (protocols.stackings).
"""

import tensorflow as tf

from tsn_keras.protocols.stackings import STILL

# The size of the largest cinema frames. A JPEG header that says more is damaged or
# hostile, and would take gigabytes before any pixel is decoded.
MAX_PIXELS = 8192 * 4320

# Up to so many values, a whole image as 32-bit integers takes little memory.
_LARGE = 2**22

# No function of a pipeline has Python's `if` on a tensor. To look for one, as tf.data
# does, takes a third of the time in which a pipeline is made.
as_it_is = tf.autograph.experimental.do_not_convert

# cv2.resize on uint8 works with weights of 11 bits.
_WEIGHT_SCALE = 2048.0


def require(holds, message):
    """Checks a condition, as tf.debugging does.

    A video of flow has sixty such checks in training, and those of tf.debugging took
    a third of the time in which a pipeline is made: they trace two branches each.

    Args:
        holds: scalar bool tensor.
        message: of the error.

    Returns:
        list of operations that must run first; empty in eager mode, where the check
        has run.

    Raises:
        tf.errors.InvalidArgumentError: it does not hold; in a graph, when that runs.
    """
    if not tf.executing_eagerly():
        return [tf.raw_ops.Assert(condition=holds, data=[message])]
    if not holds:
        raise tf.errors.InvalidArgumentError(None, None, message)
    return []


def decode(path, channels):
    """Reads and decodes a JPEG file, as cv2.imread does, bit for bit.

    A grey file becomes three equal planes; a colour file is never made grey.

    Args:
        path: scalar string tensor.
        channels: 3 for B, G, R or 1 for grey.

    Returns:
        uint8 [height, width, channels].

    Raises:
        tf.errors.OpError: the file is missing, empty, damaged or too large, or
            a colour file where a grey one is due.
    """
    data = tf.io.read_file(path)
    height, width, planes = tf.unstack(
        tf.io.extract_jpeg_shape(data, output_type=tf.int64)
    )
    checks = require(height * width <= MAX_PIXELS, "too many pixels")
    if channels == 1:
        # Flow files have one plane: a colour picture is not flow, also not as grey.
        checks += require(tf.equal(planes, 1), "a colour file, not grey")
    with tf.control_dependencies(checks):
        # libjpeg's default, which OpenCV uses; TensorFlow's own default is a
        # faster transform that is up to 15 levels off.
        image = tf.io.decode_jpeg(
            data, channels=channels, dct_method="INTEGER_ACCURATE"
        )
    return image[..., ::-1] if channels == 3 else image


def resize(image, height, width):
    """Resizes as cv2.resize(image, (width, height)) does, bit for bit.

    Bilinear, without antialiasing, in integers: weights of 11 bits, first
    along the rows (exact), then along the columns with two truncations and one
    rounding (OpenCV resize.cpp, HResizeLinear and VResizeLinear for uchar).

    Args:
        image: uint8 [h, w, channels]; or float32, which is interpolated in float32.
        height: rows of the result, an int or int32.
        width: columns of the result, likewise.

    Returns:
        [height, width, channels], of the image's type.
    """
    image = tf.convert_to_tensor(image)
    if image.dtype.is_floating:
        return interpolated(image, height, width)
    shape = tf.shape(image)

    def interpolate():
        left, right, left_weight, right_weight = _linear_taps(shape[1], width, True)
        top, bottom, top_weight, bottom_weight = _linear_taps(shape[0], height, False)
        used, top, bottom = _used(image, 0, top, bottom)
        used, left, right = _used(used, 1, left, right)
        pixels = tf.cast(used, tf.int32)
        rows = tf.gather(pixels, left, axis=1) * left_weight[None, :, None]
        rows += tf.gather(pixels, right, axis=1) * right_weight[None, :, None]
        rows = tf.bitwise.right_shift(rows, 4)
        upper = tf.gather(rows, top) * top_weight[:, None, None]
        lower = tf.gather(rows, bottom) * bottom_weight[:, None, None]
        total = tf.bitwise.right_shift(upper, 16) + tf.bitwise.right_shift(lower, 16)
        return tf.cast(tf.bitwise.right_shift(total + 2, 2), tf.uint8)

    fits = tf.reduce_all(tf.equal(shape[:2], [height, width]))
    resized = tf.cond(fits, lambda: image, interpolate)
    sides = (tf.get_static_value(side) for side in (height, width))
    return tf.ensure_shape(resized, (*sides, image.shape[-1]))


def interpolated(image, height, width, antialias=False):
    """Resizes float32 [h, w, channels] bilinearly; see `resize`, pillow.resize."""
    size = tf.stack([height, width])
    resized = tf.image.resize(image, size, antialias=antialias)
    sides = (tf.get_static_value(side) for side in (height, width))
    return tf.ensure_shape(resized, (*sides, image.shape[-1]))


def _used(image, axis, first, second):
    """Drops the unused lines of a large image.

    Returns:
        (image, first, second), the positions in what is left.
    """
    count = tf.size(first)

    def gathered():
        both = tf.concat([first, second], axis=0)
        left = tf.range(count)
        return tf.gather(image, both, axis=axis), left, count + left

    # For a small image it is faster to keep everything.
    large = tf.size(image) > _LARGE
    return tf.cond(large, gathered, lambda: (image, first, second))


def _linear_taps(source, target, clamp_weights):
    """OpenCV's two positions and integer weights for each target position.

    Returns:
        (first, second, first weight, second weight), int32 [target].
    """
    # In OpenCV's order of operations: the scale is the inverse of an inverse,
    # in doubles, and the position is rounded to a float.
    scale = 1.0 / (tf.cast(target, tf.float64) / tf.cast(source, tf.float64))
    position = (tf.cast(tf.range(target), tf.float64) + 0.5) * scale - 0.5
    position = tf.cast(position, tf.float32)
    floor = tf.floor(position)
    first, fraction = tf.cast(floor, tf.int32), position - floor
    if clamp_weights:
        outside = (first < 0) | (first >= source - 1)
        fraction = tf.where(outside, 0.0, fraction)
    weights = (1.0 - fraction, fraction)
    weights = [tf.cast(tf.round(w * _WEIGHT_SCALE), tf.int32) for w in weights]
    second = tf.clip_by_value(first + 1, 0, source - 1)
    return tf.clip_by_value(first, 0, source - 1), second, *weights


def mirror(frames, modality, inverts=True):
    """Mirrors images left to right.

    In mirrored flow the x planes (the even ones) become 255 - v, so that no
    motion, 128, becomes 127 (pyActionRecog/utils/io.py:41,
    data_transformer.cpp:281-302). In float32 no motion stays 128: there x changes its
    sign exactly, and mirrored fields have mirrored paths (protocols.stackings).

    Args:
        frames: uint8 or float32 [N, H, W, C].
        modality: protocols.modalities.Modality, which says what is inverted.
        inverts: whether anything is; see protocols.crops.Crops.

    Returns:
        [N, H, W, C], of the frames' type.
    """
    frames = tf.convert_to_tensor(frames)
    mirrored = tf.reverse(frames, axis=[2])
    if not (inverts and any(modality.inverted)):
        return mirrored
    inverted = modality.inverted * (frames.shape[-1] // modality.step_planes)
    if frames.dtype.is_floating:
        return tf.where(inverted, 2 * STILL - mirrored, mirrored)
    # 255 - v is v with every bit inverted.
    bits = tf.constant([255 if one else 0 for one in inverted], tf.uint8)
    return tf.bitwise.bitwise_xor(mirrored, bits)


def shifted(images, shift):
    """Adds a shift to the colours of images, which stay images.

    The sum is rounded to the nearest grey level, a half to the even one, and what
    leaves the range of 8 bits becomes its end, as in a photograph under such a light.

    Args:
        images: uint8 [..., C], C a multiple of the colours.
        shift: float32 [colours], in grey levels.

    Returns:
        uint8 [..., C].
    """
    every = tf.tile(shift, [images.shape[-1] // shift.shape[0]])
    values = tf.round(tf.cast(images, tf.float32) + every)
    return tf.cast(tf.clip_by_value(values, 0.0, 255.0), tf.uint8)


def resized_crop(frames, window, size, resize=resize):
    """Cuts a window out of every image and resizes it, on uint8 or float32.

    As the originals train (data_transformer.cpp:252-271): plane by plane, before the
    mean is subtracted.

    Args:
        frames: uint8 [N, H, W, C].
        window: int32 [4]: top, left, height, width.
        size: side of the result in pixels.
        resize: function (image, height, width); that of OpenCV, or pillow.resize.

    Returns:
        uint8 [N, size, size, C].
    """
    count, channels = frames.shape[0], frames.shape[-1]
    top, left, rows, columns = tf.unstack(window)
    cut = frames[:, top : top + rows, left : left + columns]
    # All images at once, as the planes of one image.
    planes = tf.reshape(
        tf.transpose(cut, [1, 2, 0, 3]), (rows, columns, count * channels)
    )
    planes = tf.ensure_shape(planes, (None, None, count * channels))
    planes = tf.reshape(resize(planes, size, size), (size, size, count, channels))
    return tf.transpose(planes, [2, 0, 1, 3])


def cut(frames, view, stream):
    """Cuts the crops of a test out of frames.

    Args:
        frames: uint8 [N, H, W, C]; H and W need not be known.
        view: protocols.records.View, whose crops are cut.
        stream: protocols.records.Stream.

    Returns:
        uint8 [N, crops, size, size, C]; [N, crops, H, W, C] of whole frames.

    Raises:
        tf.errors.InvalidArgumentError: the frames are smaller than a crop.
    """
    size, crops = stream.side_of(view), view.crops
    height, width = frames.shape[1:3]
    if crops.whole:
        mirrored = mirror(frames, stream.modality, crops.inverts)
        windows = crops.windows(height, width, size)
        found = [mirrored if window.mirrored else frames for window in windows]
        return tf.stack(found, axis=1)
    if height is None or width is None:
        shape = tf.shape(frames)[1:3]
        fits = require(
            tf.reduce_min(shape) >= size,
            f"frames are smaller than a crop of {size} x {size}",
        )
        with tf.control_dependencies(fits):
            height, width = tf.unstack(tf.identity(shape))
    windows = crops.windows(height, width, size)
    # Mirrored once as a whole, then cut where the mirrored windows are.
    mirrored = None
    if any(w.mirrored for w in windows):
        mirrored = mirror(frames, stream.modality, crops.inverts)
    places = [
        (mirrored, w.top, width - size - w.left) if w.mirrored else (frames, *w[:2])
        for w in windows
    ]
    cuts = [image[:, y : y + size, x : x + size] for image, y, x in places]
    found = tf.stack(cuts, axis=1)
    # It is so: what is smaller was refused above. An operation that checked it again
    # would have no counterpart in the formats of other programs.
    found.set_shape((frames.shape[0], crops.count, size, size, frames.shape[-1]))
    return found
