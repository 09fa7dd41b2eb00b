"""Motion as colours."""

import cv2
import numpy as np


def wheel(motion, full):
    """Motion in colours: the hue its direction, the saturation its length.

    Args:
        motion: [H, W, 2], pixels, x to the right, y down.
        full: length that has full saturation, pixels.

    Returns:
        uint8 [H, W, 3], R, G, B: white where nothing moves, red to the right, cyan to
        the left.
    """
    x, y = motion[..., 0], motion[..., 1]
    degrees = np.degrees(np.arctan2(y, x)) % 360
    saturation = np.minimum(np.hypot(x, y) / full, 1)
    parts = np.stack([degrees, saturation, np.ones_like(degrees)], -1)
    colours = cv2.cvtColor(parts.astype(np.float32), cv2.COLOR_HSV2RGB)
    return np.round(255 * colours).astype(np.uint8)
