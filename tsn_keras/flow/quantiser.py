"""How flow is stored: pixels of motion as grey levels."""

import numpy as np

BOUND = 20  # pixels; tools/build_of.py:52


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
