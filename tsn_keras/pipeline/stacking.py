"""Displacements of a snippet's flow fields: from stored levels, to what is stacked."""

import numpy as np
import tensorflow as tf

from tsn_keras.common import storage
from tsn_keras.flow import quantiser, ranges
from tsn_keras.protocols.stackings import PER_PIXEL, STILL

_LEVELS = 256


def stacked(fields, stacking):
    """The displacements that a snippet has.

    Args:
        fields: float [H, W, 2 * L], x1, y1, x2, y2, ...: flow in pixels.
        stacking: protocols.stackings.Stacking.

    Returns:
        float [H, W, 2 * L].
    """
    fields = tf.convert_to_tensor(fields)
    found = followed(fields) if stacking.follows else fields
    if not stacking.centred:
        return found
    # In float64: a sum of 100,000 float32 depends on the order of its terms.
    mean = tf.reduce_mean(tf.cast(fields, tf.float64), axis=(0, 1))
    return found - tf.cast(mean, fields.dtype)


def followed(fields):
    """Reads flow fields along the path of each point.

    p_1 = (u, v), p_k = p_{k-1} + d_{k-1}(p_{k-1}); plane pair k is d_k(p_k) (two-stream
    ConvNets, section 3.1). A path may leave the field; it is read at the border then.

    Args:
        fields: float [H, W, 2 * L], see `stacked`.

    Returns:
        float [H, W, 2 * L].
    """
    steps = tf.split(fields, fields.shape[-1] // 2, axis=-1)
    shape = tf.shape(fields)
    v, u = tf.meshgrid(tf.range(shape[0]), tf.range(shape[1]), indexing="ij")
    points = tf.cast(tf.stack([u, v], axis=-1), fields.dtype)
    found = [steps[0]]
    for field in steps[1:]:
        points += found[-1]
        found.append(_bilinear(field, points))
    return tf.concat(found, axis=-1)


def _bilinear(field, points):
    """A field [H, W, 2] at points [H, W, 2], (x, y) in pixels, clamped."""
    shape = tf.shape(field)
    rows, columns = shape[0], shape[1]
    last = tf.cast(tf.stack([columns - 1, rows - 1]), points.dtype)
    points = tf.clip_by_value(points, 0.0, last)
    floor = tf.floor(points)
    x_share, y_share = tf.split(points - floor, 2, axis=-1)
    x, y = tf.unstack(tf.cast(floor, tf.int32), axis=-1)
    # A pixel of the last line is its own neighbour; its share is 0.
    right, below = tf.minimum(x + 1, columns - 1), tf.minimum(y + 1, rows - 1)
    flat = tf.reshape(field, (-1, 2))
    upper, lower = (
        tf.gather(flat, row * columns + x) * (1 - x_share)
        + tf.gather(flat, row * columns + right) * x_share
        for row in (y, below)
    )
    return upper * (1 - y_share) + lower * y_share


def levels(displacements):
    """Displacements in pixels to the levels that a network sees, see stackings."""
    return STILL + PER_PIXEL * displacements


def bounds(folders, modality):
    """What the levels of flow files mean, where that has to be known.

    Args:
        folders: datasets.records.FrameFolder of each video.
        modality: protocols.modalities.Modality.

    Returns:
        float32 [videos], the bound of each in pixels, 0 where each field has its own
        range; or None where the files' levels are the pixels of the snippets.
    """
    found = [folder.bound for folder in folders]
    if not modality.stacks and (not modality.has_flow or None not in found):
        return None
    return tf.constant([bound or 0.0 for bound in found], tf.float32)


def decoded(pixels, folder, numbers, modality, bound):
    """The pixels of a snippet with flow files whose levels have to be decoded.

    Args:
        pixels: uint8 [h, w, planes], as the files hold them.
        folder: scalar string tensor.
        numbers: int32 [length].
        modality: protocols.modalities.Modality.
        bound: scalar of `bounds`.

    Returns:
        [h, w, planes]: uint8, levels of the usual bound, where the modality's snippets
        are levels; else float32.

    Raises:
        tf.errors.OpError: the ranges of the fields cannot be read; ask `explain`.
    """
    places = modality.split(tf.unstack(tf.ensure_shape(numbers, (modality.length,))))
    planes = tf.split(pixels, [part.planes for part, _ in places], axis=-1)
    found = [
        _decoded(own, folder, tf.stack(files), part, bound) if part.is_flow else own
        for own, (part, files) in zip(planes, places, strict=True)
    ]
    return tf.concat([tf.cast(own, modality.pixel_type) for own in found], axis=-1)


def _decoded(pixels, folder, numbers, modality, bound):
    """The same of flow alone: of a modality, or of one part of it."""
    if modality.stacking is None:
        # Files with the levels of a bound are taken as they are.
        return tf.cond(
            bound > 0,
            lambda: pixels,
            lambda: _looked_up(pixels, _table(folder, numbers, modality, bound)),
        )
    table = _table(folder, numbers, modality, bound)
    return levels(stacked(_looked_up(pixels, table), modality.stacking))


def _looked_up(pixels, table):
    """uint8 [h, w, planes] through a table [planes, 256]."""
    first = _LEVELS * tf.range(table.shape[0])
    return tf.gather(tf.reshape(table, (-1,)), tf.cast(pixels, tf.int32) + first)


def _table(folder, numbers, modality, bound):
    """What each level of each plane of a snippet is: [planes, 256]."""
    dtype = tf.as_dtype(modality.pixel_type)

    def read(name, rows, pixels):
        # Bytes in a graph, an array of them outside of one.
        place = np.asarray(name).item().decode()
        low, high = limits(place, rows, modality, pixels or None).T[..., None]
        return pixels_of(quantiser.decode(np.arange(_LEVELS), low, high), modality)

    table = tf.numpy_function(
        read, (tf.convert_to_tensor(folder), numbers, bound), dtype
    )
    return tf.ensure_shape(table, (modality.planes, _LEVELS))


def pixels_of(displacements, modality):
    """Decoded flow as far as it is the same for each value, wherever it stands.

    Args:
        displacements: float32 array, pixels of motion.
        modality: protocols.modalities.Modality.

    Returns:
        uint8 levels of the usual bound; where the modality stacks displacements, these.
    """
    if modality.stacking is None:
        return quantiser.quantise(displacements)
    return displacements


def limits(folder, numbers, modality, bound):
    """The displacements of levels 0 and 255 of each plane of a snippet.

    Args:
        folder: the frame folder.
        numbers: numbers of its files.
        modality: protocols.modalities.Modality.
        bound: pixels; None: each field's own range.

    Returns:
        float32 [planes, 2].

    Raises:
        InputError, OSError: the file of the ranges cannot be used.
    """
    if bound is not None:
        return np.full((modality.planes, 2), (-bound, bound), np.float32)
    files = [
        (prefix, int(number))
        for number, prefixes in zip(numbers, modality.step_prefixes, strict=True)
        for prefix in prefixes
    ]
    return ranges.read(storage.path(folder), files)


def explain(folder, numbers, modality):
    """Says why the ranges of fields cannot be used, or None.

    Args:
        folder: the frame folder.
        numbers: of the files of a snippet, or of several, one after the other.
        modality: protocols.modalities.Modality.
    """
    try:
        for snippet in np.reshape(numbers, (-1, modality.length)):
            for part, own in modality.split(snippet):
                if part.is_flow:
                    limits(str(folder), own, part, None)
    except (ValueError, OSError) as error:
        return str(error)
    return None
