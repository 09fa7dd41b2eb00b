"""Random shifts of colour in training, as functions of drawn whole numbers."""

import dataclasses
import statistics

_SPAN = 2.0**31  # Drawn numbers are below.
_NORMAL = statistics.NormalDist()


@dataclasses.dataclass(frozen=True)
class ColourShift:
    """A shift along the principal components of the colours of ImageNet.

    Krizhevsky et al., ImageNet Classification with Deep Convolutional Neural Networks
    (2012), section 4.1: to every pixel of an image the sum over the components is
    added of (component) * (its eigenvalue) * (a number from a normal distribution).

    The paper does not print the components. These are the published ones of
    fb.resnet.torch (datasets/imagenet.lua), which are for colours from 0 to 1: the
    shift, too, is in these units, and so 255 times as large in grey levels.

    Attributes:
        deviation: of the normal distribution.
        eigenvalues: of the components.
        components: for R, G and B their parts in each component.

    Example:
        >>> RGB.of([2**30, 2**30, 2**30])  # the middle of the distribution
        (0.0, 0.0, 0.0)
    """

    deviation: float
    eigenvalues: tuple[float, ...] = (0.2175, 0.0188, 0.0045)
    components: tuple[tuple[float, ...], ...] = (
        (-0.5675, 0.7192, 0.4009),
        (-0.5808, -0.0045, -0.8140),
        (-0.5836, -0.6948, 0.4203),
    )

    draws = 3  # numbers that `of` needs

    def of(self, drawn):
        """The shift of an image.

        Args:
            drawn: ints from 0, below 2**31, `draws` of them.

        Returns:
            (of blue, of green, of red), in grey levels.
        """
        # By the inverse of the distribution: one number each, the same everywhere. Its
        # ends are at infinity: 0 counts as 1.
        normal = [_NORMAL.inv_cdf((n or 1) / _SPAN) for n in drawn]
        along = [
            self.deviation * value * 255.0 * number
            for value, number in zip(self.eigenvalues, normal, strict=True)
        ]
        red, green, blue = (
            sum(part * size for part, size in zip(parts, along, strict=True))
            for parts in self.components
        )
        return blue, green, red


# The deviation is that of the same section.
RGB = ColourShift(0.1)
