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

    @property
    def resampling(self) -> str:
        """How it is resized, one of pipeline.resizing."""
        return "pillow" if self.antialiased else "opencv"

    def lengths(self, lengths, shorter):
        """What becomes of sides of a frame whose shorter side is `shorter`."""
        return self.scaled(lengths, shorter, self.side)

    def of(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) that a frame is resized to.

        Example:
            >>> ShorterSide(256, rounded).of(240, 320)
            (256, 341)
        """
        return _of(self, height, width)


@dataclasses.dataclass(frozen=True)
class Clamped:
    """Frames that are resized only where a side is out of a range, to its nearer end.

    Each side by itself (st-resnet cnn_get_im_flow_batch.m:180-216), as MATLAB resizes.

    Attributes:
        least: shortest side, pixels.
        most: longest.
    """

    least: int
    most: int

    resampling = "matlab"

    def lengths(self, lengths, shorter):
        """See ShorterSide; by arithmetic that floats and tensors have."""
        low, high = self.least, self.most
        return (abs(lengths - low) - abs(lengths - high) + low + high) / 2

    def of(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) that a frame is resized to.

        Example:
            >>> Clamped(224, 448).of(120, 340), Clamped(224, 448).of(480, 640)
            ((224, 340), (448, 448))
        """
        return _of(self, height, width)


def _of(rule, height, width):
    shorter = float(min(height, width))
    sides = (rule.lengths(float(n), shorter) for n in (height, width))
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
