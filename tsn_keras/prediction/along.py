"""Where in an untrimmed video its classes are."""

import dataclasses

import numpy as np

from tsn_keras.scores import windows

SECONDS = 4  # of a window that is shown: the middle one of M-TWI's five lengths
MOST = 3  # windows


@dataclasses.dataclass(frozen=True)
class Window:
    """A part of a video in which a class scores high.

    Attributes:
        name: of the class.
        label: its index.
        first: image with which it begins, counted from 1.
        last: image with which its last snippet begins.
        seconds: where these are, (from, to), or None if that is not known.
        probability: the class's highest one in it.
    """

    name: str
    label: int
    first: int
    last: int
    seconds: tuple[float, float] | None
    probability: float

    def as_json(self) -> dict:
        """As a dict of JSON values."""
        seconds = self.seconds and [round(value, 2) for value in self.seconds]
        return {
            "class": self.name,
            "first": self.first,
            "last": self.last,
            "seconds": seconds,
            "probability": round(self.probability, 6),
        }

    def __str__(self) -> str:
        if self.seconds is None:
            return f"frames {self.first} to {self.last}"
        return " to ".join(map(clock, self.seconds))


def strongest(scores, stride, count=MOST):
    """The windows of a video in which a class scores best, none within another.

    Args:
        scores: raw, of the class, [snippets].
        stride: protocols.strides.Stride of the snippets.
        count: most windows.

    Returns:
        list of (first snippet, one after the last), in the order of time.

    Example:
        >>> from tsn_keras.protocols.strides import Stride
        >>> scores = np.zeros(30)
        >>> scores[[3, 20, 21]] = 1, 3, 3
        >>> strongest(scores, Stride(), 2)
        [(0, 4), (20, 24)]
    """
    starts, ends = windows.places(len(scores), SECONDS * stride.a_second)
    # By the mean: all windows with the best snippet have the same maximum.
    values = [scores[a:b].mean() for a, b in zip(starts, ends, strict=True)]
    found = []
    for at in np.argsort(values, kind="stable")[::-1]:
        if all(ends[at] <= a or starts[at] >= b for a, b in found):
            found.append((int(starts[at]), int(ends[at])))
        if len(found) == count:
            break
    return sorted(found)


def clock(seconds):
    """Seconds as people write a time.

    Example:
        >>> clock(59.9), clock(3723.5)
        ('0:59', '1:02:03')
    """
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"
