"""Tensor functions from files to crops, equal to OpenCV's pixels.

All work on uint8 until the mean is subtracted, as the original does.
"""

import tensorflow as tf

# No frame is larger; a JPEG header that says more is damaged or hostile, and
# would ask for gigabytes before its data is looked at.
MAX_PIXELS = 2**26

# cv2.resize on uint8 works with weights of 11 bits.
_WEIGHT_SCALE = 2048.0


def decode(path, channels):
    """Reads and decodes a JPEG file, as cv2.imread does, bit for bit.

    Args:
        path: scalar string tensor.
        channels: 3 for B, G, R or 1 for grey.

    Returns:
        uint8 [height, width, channels].

    Raises:
        tf.errors.OpError: the file is missing, empty, damaged or too large.
    """
    data = tf.io.read_file(path)
    shape = tf.io.extract_jpeg_shape(data)
    pixels = tf.cast(shape[0], tf.int64) * tf.cast(shape[1], tf.int64)
    too_large = tf.debugging.assert_less_equal(
        pixels, tf.constant(MAX_PIXELS, tf.int64), message="too many pixels"
    )
    with tf.control_dependencies([too_large]):
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
        image: uint8 [h, w, channels].
        height: rows of the result.
        width: columns of the result.

    Returns:
        uint8 [height, width, channels].
    """
    shape = tf.shape(image)

    def interpolate():
        left, right, left_weight, right_weight = _linear_taps(shape[1], width, True)
        top, bottom, top_weight, bottom_weight = _linear_taps(shape[0], height, False)
        pixels = tf.cast(image, tf.int32)
        rows = tf.gather(pixels, left, axis=1) * left_weight[None, :, None]
        rows += tf.gather(pixels, right, axis=1) * right_weight[None, :, None]
        rows = tf.bitwise.right_shift(rows, 4)
        upper = tf.gather(rows, top) * top_weight[:, None, None]
        lower = tf.gather(rows, bottom) * bottom_weight[:, None, None]
        total = tf.bitwise.right_shift(upper, 16) + tf.bitwise.right_shift(lower, 16)
        return tf.cast(tf.bitwise.right_shift(total + 2, 2), tf.uint8)

    fits = tf.reduce_all(tf.equal(shape[:2], [height, width]))
    resized = tf.cond(fits, lambda: image, interpolate)
    return tf.ensure_shape(resized, (height, width, image.shape[-1]))


def _linear_taps(source, target, clamp_weights):
    """OpenCV's two positions and integer weights for each target position.

    Returns:
        (first, second, first weight, second weight), int32 [target].
    """
    # In OpenCV's order of operations: the scale is the inverse of an inverse,
    # in doubles, and the position is rounded to a float.
    scale = 1.0 / (tf.constant(target, tf.float64) / tf.cast(source, tf.float64))
    position = (tf.range(target, dtype=tf.float64) + 0.5) * scale - 0.5
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


def mirror(frames, is_flow):
    """Mirrors images left to right.

    In mirrored flow the x planes (the even ones) become 255 - v, so that no
    motion, 128, becomes 127 (pyActionRecog/utils/io.py:41,
    data_transformer.cpp:281-302).

    Args:
        frames: uint8 [N, H, W, C].
        is_flow: whether the planes are x, y, x, y, ...

    Returns:
        uint8 [N, H, W, C].
    """
    mirrored = tf.reverse(frames, axis=[2])
    if is_flow:
        # 255 - v is v with every bit turned.
        x_planes = tf.constant([255, 0] * (frames.shape[-1] // 2), tf.uint8)
        mirrored = tf.bitwise.bitwise_xor(mirrored, x_planes)
    return mirrored


def resized_crop(frames, window, size):
    """Cuts a window out of every image and resizes it, on uint8.

    As the original trains (data_transformer.cpp:252-271): plane by plane with
    OpenCV's bilinear interpolation, before the mean is subtracted.

    Args:
        frames: uint8 [N, H, W, C].
        window: int32 [4]: top, left, height, width.
        size: side of the result in pixels.

    Returns:
        uint8 [N, size, size, C].
    """
    count, channels = frames.shape[0], frames.shape[-1]
    top, left, rows, columns = tf.unstack(window)
    cut = frames[:, top : top + rows, left : left + columns]
    # All images in one go, as planes of one.
    planes = tf.reshape(
        tf.transpose(cut, [1, 2, 0, 3]), (rows, columns, count * channels)
    )
    planes = tf.ensure_shape(planes, (None, None, count * channels))
    planes = tf.reshape(resize(planes, size, size), (size, size, count, channels))
    return tf.transpose(planes, [2, 0, 1, 3])


def ten_crop(frames, size, is_flow):
    """Corners and centre, then the same five mirrored.

    pyActionRecog/utils/io.py:4-42 and caffe/io.py:337-379: upper left, upper
    right, lower left, lower right, centre. In mirrored flow the x planes (the
    even ones) become 255 - v, so that no motion, 128, becomes 127.

    Args:
        frames: uint8 [N, H, W, C].
        size: side of a crop in pixels.
        is_flow: whether the planes are x, y, x, y, ...

    Returns:
        uint8 [N, 10, size, size, C].
    """
    height, width = frames.shape[1:3]
    down, right = height - size, width - size
    # Mirrored once as a whole, then cut where the mirrored windows are.
    mirrored = mirror(frames, is_flow)
    corners = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    windows = [(frames, y, x) for y, x in corners]
    windows += [(mirrored, y, right - x) for y, x in corners]
    return tf.stack(
        [image[:, y : y + size, x : x + size] for image, y, x in windows], axis=1
    )


def centre_crop(frames, size):
    """Cuts out the middle, which is crop 4 of the ten.

    Args:
        frames: uint8 [N, H, W, C].
        size: side of the crop in pixels.

    Returns:
        uint8 [N, size, size, C].

    Raises:
        tf.errors.InvalidArgumentError: the frames are smaller.
    """
    shape = tf.shape(frames)[1:3]
    fits = tf.debugging.assert_greater_equal(
        shape, size, message=f"frames are smaller than a crop of {size} x {size}"
    )
    with tf.control_dependencies([fits] if fits is not None else []):
        y, x = tf.unstack((shape - size) // 2)
    crop = frames[:, y : y + size, x : x + size]
    return tf.ensure_shape(crop, (frames.shape[0], size, size, frames.shape[-1]))


def differences(pixels, planes):
    """What changes from each file of a snippet to the next (models.py:193-224).

    Args:
        pixels: float32 [..., L * planes], file by file.
        planes: planes of a file, 3 for B, G, R.

    Returns:
        float32 [..., (L - 1) * planes], each file less the one before.
    """
    return pixels[..., planes:] - pixels[..., :-planes]


def subtract_mean(pixels, mean):
    """Casts to float32 and subtracts the mean of each plane.

    Args:
        pixels: uint8 [..., C].
        mean: one value, or one for each plane of a file; repeated over C
            (data_transformer.cpp:182-196).

    Returns:
        float32 [..., C].
    """
    planes = tf.constant(mean * (pixels.shape[-1] // len(mean)), tf.float32)
    return tf.cast(pixels, tf.float32) - planes
