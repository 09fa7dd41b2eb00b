"""Which snippets of a video training reads: rules on drawn whole numbers.

Each is a function (files, length of a snippet, segments, drawn) to the first file of
each snippet, counted from 1; `drawn` are ints from 0, below 2**31, one a segment.
"""

import dataclasses

from tsn_keras.protocols.sampling import DENSE_WINDOW, FLOW_AROUND, evenly


def in_segments(files, depth, segments, drawn):
    """Caffe's: one in each segment (video_data_layer.cpp:123-134).

    Somewhere in it, so that the snippet does not leave it; 1 if segments are too short
    for a snippet.

    Example:
        >>> in_segments(30, 5, 3, [0, 2, 5])
        [1, 13, 26]
    """
    length = files // segments
    if length < depth:
        return [1] * segments
    room = length - depth + 1
    return [1 + k * length + number % room for k, number in enumerate(drawn)]


def in_parts(files, depth, segments, drawn):
    """MMAction2's (0.x pipelines/loading.py:164-200).

    The starts at which a snippet fits are divided into equal parts; one snippet begins
    in each. Where there are fewer starts than segments, they are drawn from all, in a
    video of more files than segments; else they are fixed.

    Example:
        >>> in_parts(20, 1, 3, [0, 3, 7])
        [1, 10, 14]
        >>> in_parts(6, 1, 8, [0] * 8)
        [1, 2, 3, 3, 4, 5, 5, 6]
    """
    starts = files - depth + 1
    if starts >= segments or files > max(segments, depth):
        return _drawn(starts, segments, drawn)
    if starts >= 0:
        # Halves go to the even neighbour, as NumPy rounds.
        return [1 + round(k * starts / segments) for k in range(segments)]
    return [1] * segments


def in_parts_or_first(files, depth, segments, drawn):
    """tsn-pytorch's (dataset.py:59-75): as `in_parts`, but short videos give file 1.

    Where a video has more files than segments but is shorter than a snippet, the
    original stops with an error; here it has its first file every time, too.

    Example:
        >>> in_parts_or_first(6, 1, 8, [0] * 8)
        [1, 1, 1, 1, 1, 1, 1, 1]
    """
    starts = files - depth + 1
    if starts >= segments or (files > segments and starts > 0):
        return _drawn(starts, segments, drawn)
    return [1] * segments


def _drawn(starts, segments, drawn):
    """One start in each part; where they are fewer than segments, any, in order."""
    length = starts // segments
    if length:
        return [1 + k * length + number % length for k, number in enumerate(drawn)]
    return sorted(1 + number % starts for number in drawn)


def in_window(files, depth, segments, drawn):
    """MMAction2's dense rule: evenly in 64 frames (0.x pipelines/loading.py:364-409).

    The window begins at random, never at the last place (0.x draws below it); past the
    end of the video its first files follow.

    Example:
        >>> in_window(100, 1, 8, [5] + [0] * 7)
        [6, 14, 22, 30, 38, 46, 54, 62]
    """
    places = max(1, 1 + files - DENSE_WINDOW)
    begin = drawn[0] % (places - 1) if places > 1 else 0
    step = DENSE_WINDOW // segments
    return [1 + (begin + k * step) % files for k in range(segments)]


@dataclasses.dataclass(frozen=True)
class Strided:
    """ST-ResNet's: steps at a distance that is drawn (cnn_get_im_flow_batch.m:98-139).

    The distance is that of the first number, the place that of the second. Where the
    grid of frames from 6 on has more points than steps, its first is never taken; where
    it has fewer, the steps are spread over the video.

    Attributes:
        least: distance, frames.
        most: likewise.

    Example:
        >>> Strided(5, 15)(59, 11, 5, [5, 0, 0, 0, 0])  # 10 of 60 frames
        [6, 16, 26, 36, 46]
        >>> Strided(5, 15)(99, 11, 5, [10, 3, 0, 0, 0])  # 15 of 100 frames
        [21, 36, 51, 66, 81]
    """

    least: int
    most: int

    def __call__(self, files, depth, segments, drawn):
        stride = self.least + drawn[0] % (self.most - self.least + 1)
        first = FLOW_AROUND + 1
        last = max(first, files + 1 - FLOW_AROUND)
        grid = list(range(first, last + 1, stride))
        if len(grid) < segments:
            grid = evenly(first, last, segments)
        if len(grid) > segments:
            begin = 1 + drawn[-1 if segments == 1 else 1] % (len(grid) - segments)
            grid = grid[begin : begin + segments]
        return [min(n, files) for n in grid]
