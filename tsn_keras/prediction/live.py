"""What a live source shows: a webcam, or a file at its own pace."""

import collections
import dataclasses
import time
from collections.abc import Iterator

import numpy as np

from tsn_keras.video.live import Live

WINDOW = 5  # looks of a mean
_BAR = 30  # characters of a probability of 1


@dataclasses.dataclass(frozen=True)
class Pace:
    """How a look keeps up with its source.

    Attributes:
        frames: that have come.
        seconds: in which they came.
        looks: at them.
        late: frames that came while others were looked at, and that no look had.
    """

    frames: int
    seconds: float
    looks: int
    late: int

    def __str__(self) -> str:
        if not self.seconds:
            return f"{self.frames} frames, {self.looks} looks"
        return (
            f"{self.frames} frames in {self.seconds:.1f} s: "
            f"{self.frames / self.seconds:.1f} frames/s, "
            f"{self.looks / self.seconds:.1f} looks/s, {self.late} frames late"
        )


@dataclasses.dataclass(frozen=True)
class Glance:
    """What a live source shows at a moment.

    Attributes:
        frame: number of the newest frame, from 1.
        looks: number of looks that it is the mean of.
        fused: results.Fused.
        pace: Pace, up to here.
    """

    frame: int
    looks: int
    fused: object
    pace: Pace

    def as_json(self, count: int = 5) -> dict:
        """As a dict of JSON values, with so many classes."""
        return {
            "frame": self.frame,
            "looks": self.looks,
            "seconds": round(self.pace.seconds, 2),
            "late": self.pace.late,
            "top": [row.as_json() for row in self.fused.top(count)],
        }

    def drawn(self, count: int = 5, block: str = "#") -> str:
        """As lines of bars, for a terminal.

        Args:
            count: classes.
            block: of which bars are made.
        """
        rows = self.fused.top(count)
        width = max(len(row.name) for row in rows)
        bars = (
            f"{row.name:{width}}  {100 * row.probability:5.1f} % "
            f"{block * round(_BAR * row.probability)}"
            for row in rows
        )
        return "\n".join([str(self.pace), *bars])


def watch(source: Live, scorer, window=WINDOW) -> Iterator[Glance]:
    """Looks at a live source again and again, until it ends.

    Each look is at one snippet; what is given is the mean over the last looks. While a
    look is computed the source runs on, and the next look is at what is there then:
    frames in between that no look has are late, and are counted.

    Args:
        source: video.live.Live that was not started.
        scorer: predictor.Predictor of one snippet in one crop.
        window: looks of the mean.

    Yields:
        Glance.

    Raises:
        InputError: the source is damaged, or ends before a snippet is there; or the
            weights cannot be used on it.
    """
    depth = max(s.modality.length + s.modality.is_flow for s in scorer.streams.values())
    # The first look compiles the networks; the source is not made to wait for it.
    blank = [np.zeros((240, 320, 3), np.uint8)] * depth
    for modality, stream in scorer.streams.items():
        _look(scorer, modality, blank, stream)
    kept = {m: collections.deque(maxlen=window) for m in scorer.streams}
    looks = late = 0
    last = None
    source.start(depth)
    began = time.monotonic()
    while (newest := source.newest()) is not None:
        number, frames = newest
        for modality, stream in scorer.streams.items():
            kept[modality].append(_look(scorer, modality, frames, stream))
        fused = scorer.fuse({m: np.stack(list(w)) for m, w in kept.items()})
        looks += 1
        if last is not None:
            late += max(0, number - depth - last)
        last = number
        pace = Pace(source.seen, time.monotonic() - began, looks, late)
        yield Glance(number, min(looks, window), fused, pace)


def _look(scorer, modality, frames, stream):
    """Scores of the snippet that ends with the newest frame: [crops, C]."""
    snippet = scorer.decoding.snippet(frames, stream)
    return scorer.score(modality, snippet[None])[0]
