"""Sizes of frames: those of files, and those from which crops are cut."""

import dataclasses
from collections.abc import Callable

# Height and width of the files that an extraction makes unless it is told another
# size; that of the 2016 code.
STORED_SIZE = (256, 340)


@dataclasses.dataclass(frozen=True)
class ShorterSide:
    """Frames whose shorter side is given, and which keep their ratio.

    Attributes:
        side: its length, pixels.
        scaled: function (lengths, shorter, side) to whole lengths: what becomes of
            `lengths` in a frame whose shorter side is `shorter`. It uses only
            arithmetic, on floats and on float64 arrays and tensors.
        antialiased: whether frames are resized as Pillow's bilinear filter does,
            which averages where it shrinks; else as cv2.resize does.
    """

    side: int
    scaled: Callable
    antialiased: bool = False

    def of(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) that a frame is resized to.

        Example:
            >>> ShorterSide(256, rounded).of(240, 320)
            (256, 341)
        """
        shorter = float(min(height, width))
        sides = (self.scaled(float(n), shorter, self.side) for n in (height, width))
        return tuple(map(int, sides))


def rounded(lengths, shorter, side):
    """MMAction2's: mmcv image/geometric.py, rescale_size.

    In its order of operations: the factor is rounded before it is applied.

    Example:
        >>> rounded(320.0, 240.0, 256)
        341.0
    """
    return (lengths * (side / shorter) + 0.5) // 1


def truncated(lengths, shorter, side):
    """torchvision's and tsn-pytorch's: the fraction is dropped.

    Example:
        >>> truncated(427.0, 240.0, 256)
        455.0
    """
    return side * lengths // shorter
