"""Which program's filter resizes frames and crops, by the name that a rule gives."""

import functools

from tsn_keras.pipeline import matlab, pillow, transforms

RESIZE = {
    "opencv": transforms.resize,
    "pillow": pillow.resize,
    "matlab": matlab.resize,
    "matlab_plain": functools.partial(matlab.resize, antialiased=False),
}


def of(rule):
    """Function (uint8 [h, w, channels], height, width) to uint8 [height, width, .].

    Args:
        rule: a size or an augmentation, see protocols.sizes and
            protocols.augmentations.
    """
    return RESIZE[rule.resampling]
