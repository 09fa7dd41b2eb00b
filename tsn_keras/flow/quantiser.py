"""How flow is stored: pixels of motion as grey levels, and back.

Two codings. "bound" is that of TSN's tools: the grey levels 0 and 255 are the same
motion in all files, and what is beyond is cut off. "range" is that of the two-stream
networks of 2014 (section 5): the levels of each field's component span its own range,
which is stored beside them (`ranges`) to scale it back.
"""

import numpy as np

BOUND = 20  # pixels; tools/build_of.py:52
OF_BOUND, OF_RANGE = "bound", "range"
_LAST = 255


def coding(bound):
    """Name of the coding of a bound, or of None: each field's own range."""
    return OF_RANGE if bound is None else OF_BOUND


def quantise(flow, bound=BOUND):
    """Flow in pixels to grey levels (dense_flow src/common.cpp:7-19).

    Args:
        flow: float array, pixels.
        bound: pixels that become 0 and 255; beyond it flow is cut off.

    Returns:
        uint8 array: round(255 * (v + bound) / (2 * bound)), half to even, so
        that no motion is 128.
    """
    levels = np.rint(255 * (np.asarray(flow, np.float64) + bound) / (2 * bound))
    return np.clip(levels, 0, 255).astype(np.uint8)


def encode(plane, bound=BOUND):
    """A component of a flow field to grey levels, and what they mean.

    Args:
        plane: float32 array, pixels.
        bound: see `quantise`; None: the levels span the plane's own range.

    Returns:
        (uint8 array; (low, high), the pixels of motion of levels 0 and 255). `decode`
        of them is at most half a level from the plane, where it is not cut off.

    Example:
        >>> encode(np.float32([-1, 0, 3]), bound=None)
        (array([  0,  64, 255], dtype=uint8), (-1.0, 3.0))
    """
    if bound is not None:
        return quantise(plane, bound), (-float(bound), float(bound))
    low, high = float(plane.min()), float(plane.max())
    # A plane of one value is level 0, which is decoded to that value.
    scale = _LAST / (high - low) if high > low else 0.0
    levels = np.rint((np.asarray(plane, np.float64) - low) * scale)
    return levels.astype(np.uint8), (low, high)


def decode(levels, low, high):
    """Grey levels to flow in pixels.

    Args:
        levels: uint8 array.
        low, high: float arrays that broadcast with it, see `encode`.

    Returns:
        float32 array.

    Example:
        >>> decode(np.uint8([0, 51, 255]), -20.0, 20.0)
        array([-20., -12.,  20.], dtype=float32)
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    return (low + np.float64(levels) * ((high - low) / _LAST)).astype(np.float32)
