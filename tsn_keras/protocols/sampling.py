"""Which files of a video make a snippet: arithmetic on ints, no input or output.

File numbers are 1-based, as the extraction tool names them.
"""

import dataclasses
import math

import numpy as np

# mmaction2 0.x pipelines/loading.py:364-409: frames of a window, windows of a video.
DENSE_WINDOW, _DENSE_WINDOWS = 64, 10


def eval_ticks(files, depth, snippets=25):
    """First file of each test snippet (tools/eval_net.py:76-90).

    The step is floored, so the end of the video is not covered, and a video
    too short for a step of 1 gives the same first snippet every time.

    Args:
        files: number of files of the modality, at least 1.
        depth: files in a snippet (1 for RGB, 5 for flow).
        snippets: number of snippets, at least 2.

    Returns:
        list of `snippets` ints, in [1, files].
    """
    if files < 1 or depth < 1 or snippets < 2:
        raise ValueError(
            "`files` and `depth` must be at least 1 and `snippets` at least 2. "
            f"Received: files={files}, depth={depth}, snippets={snippets}"
        )
    step = (files - depth) // (snippets - 1)
    if step <= 0:
        return [1] * snippets
    return [1 + i * step for i in range(snippets)]


def very_deep_ticks(files, depth, snippets=25):
    """First file of each test snippet of the very deep two-stream networks.

    Images are taken as by `eval_ticks`. The distance of stacks of flow is the number
    of places for them over the snippets, rounded down, so that the last ones lie
    further from the end (yjxiong/caffe, branch action_recog, action_python/
    VideoSpatialPrediction.py, VideoTemporalPrediction.py). A video too short for a
    distance of 1 gives the same first snippet every time; the original looks for
    files before the first there, if it is shorter than a snippet, and stops.

    Args, returns: see `eval_ticks`.

    Example:
        >>> very_deep_ticks(100, 1)[-1], very_deep_ticks(100, 10)[-1]
        (97, 73)
    """
    if depth == 1:
        return eval_ticks(files, depth, snippets)
    _check(files, depth, snippets)
    step = max(0, (files - depth + 1) // snippets)
    return [1 + i * step for i in range(snippets)]


def validation_ticks(files, depth, segments=3):
    """First file of each segment's middle snippet: deterministic.

    The original's rule while it trains (caffe video_data_layer.cpp:123-142,
    phase TEST): the middle of each segment; the first file of all if segments
    are too short for a snippet.

    Args:
        files: number of files of the modality, at least 1.
        depth: files in a snippet.
        segments: K.

    Returns:
        list of `segments` ints, in [1, files].
    """
    if files < 1 or depth < 1 or segments < 1:
        raise ValueError(
            "`files`, `depth` and `segments` must be at least 1. Received: "
            f"files={files}, depth={depth}, segments={segments}"
        )
    length = files // segments
    if length < depth:
        return [1] * segments
    return [1 + (length - depth + 1) // 2 + i * length for i in range(segments)]


def centre_ticks(files, depth, snippets):
    """First file of the snippet in the middle of each part of the starts.

    The starts at which a snippet fits are divided into equal parts, in fractions
    of a file. MMAction2's test (0.x pipelines/loading.py:137-259; 1.x has the same
    for snippets of one file) and tsn-pytorch's (dataset.py:59-113). A video shorter
    than a snippet gives its first file every time: so does MMAction2; tsn-pytorch
    looks for files before the first there, or for 0, and stops.

    Args:
        files: number of files of the modality, at least 1.
        depth: files in a snippet.
        snippets: number of snippets, at least 1.

    Returns:
        list of `snippets` ints, in [1, files].

    Example:
        >>> centre_ticks(10, 1, 3)
        [2, 6, 9]
    """
    _check(files, depth, snippets)
    starts = files - depth + 1
    if starts < 1:
        return [1] * snippets
    # In the originals' order of operations: the sum decides on which side of a
    # whole number a position falls.
    part = starts / snippets
    return [1 + int(i * part + part / 2) for i in range(snippets)]


def guarded_centre_ticks(files, depth, snippets):
    """`centre_ticks` where all snippets can differ, else the first file only.

    tsn-pytorch's validation (dataset.py:59-113).

    Args, returns: see `centre_ticks`.
    """
    _check(files, depth, snippets)
    if files <= snippets + depth - 1:
        return [1] * snippets
    return centre_ticks(files, depth, snippets)


def dense_ticks(files, depth, snippets):
    """First file of each snippet of ten windows of 64 files.

    MMAction2's dense test (0.x pipelines/loading.py:364-409): the windows begin at
    ten places from the first to the last possible, and in each of them the
    snippets begin at equal distances. A video shorter than a window begins again.

    Args:
        files: number of files of the modality, at least 1.
        depth: files in a snippet; the places do not depend on it.
        snippets: number of snippets in all windows, a multiple of ten up to 640.

    Returns:
        list of `snippets` ints, in [1, files], window by window.
    """
    _check(files, depth, snippets)
    each, rest = divmod(snippets, _DENSE_WINDOWS)
    if rest or each > DENSE_WINDOW:
        raise ValueError(
            f"`snippets` of dense sampling must be a multiple of {_DENSE_WINDOWS} up "
            f"to {_DENSE_WINDOWS * DENSE_WINDOW}. Received: snippets={snippets}"
        )
    last = max(0, files - DENSE_WINDOW)
    step = DENSE_WINDOW // each
    return [
        1 + (int(start) + i * step) % files
        for start in np.linspace(0, last, _DENSE_WINDOWS)
        for i in range(each)
    ]


def spread_ticks(files, depth, snippets):
    """First file of each snippet from the first to the last that fits.

    MMAction2 1.x's test of snippets of several files (1.x transforms/loading.py:
    230-398); of one file it has `centre_ticks`. So its flow is of other frames than
    that of 0.x. One snippet is in the middle.

    Args:
        files: number of files of the modality, at least 1.
        depth: files in a snippet.
        snippets: number of snippets, at least 1.

    Returns:
        list of `snippets` ints, in [1, files].

    Example:
        >>> spread_ticks(100, 5, 3)
        [1, 49, 96]
    """
    _check(files, depth, snippets)
    if depth == 1:
        return centre_ticks(files, depth, snippets)
    last = max(files - depth, 0)
    if snippets == 1:
        return [1 + last // 2]
    # Halves go to the even neighbour, as in Python and NumPy.
    return [1 + round(i * last / (snippets - 1)) for i in range(snippets)]


def twice_ticks(files, depth, snippets):
    """`centre_ticks` of half of the snippets, then where their parts begin.

    MMAction2's `twice_sample` (0.x pipelines/loading.py:137-259), which no published
    configuration of TSN has. 1.x has the same for snippets of one file.

    Args:
        files: number of files of the modality, at least 1.
        depth: files in a snippet.
        snippets: number of snippets of both, even.

    Returns:
        list of `snippets` ints, in [1, files].

    Example:
        >>> twice_ticks(10, 1, 4)
        [3, 8, 1, 6]
    """
    _check(files, depth, snippets)
    half, rest = divmod(snippets, 2)
    if rest:
        raise ValueError(
            f"`snippets` of sampling twice must be even. Received: snippets={snippets}"
        )
    part = max(files - depth + 1, 0) / half
    begins = [1 + int(i * part) for i in range(half)]
    return centre_ticks(files, depth, half) + begins


def untrimmed_files(files, depth, interval=16):
    """Files of the snippets of an untrimmed video, one snippet each `interval` files.

    MMAction2's UntrimmedSampleFrames (0.x pipelines/loading.py:299-323), from which
    features of untrimmed videos are made; no published test has it. A snippet has its
    place in the middle; past either end of the video the last file there is repeated.

    Args:
        files: number of files of the modality, more than half of `interval`.
        depth: files in a snippet.
        interval: files from one snippet to the next, at least 1.

    Returns:
        list of lists of `depth` ints, in [1, files]; as many as the video is long.

    Example:
        >>> untrimmed_files(50, 1)
        [[9], [25], [41]]
    """
    _check(files, depth, 1)
    if interval < 1 or files <= interval // 2:
        raise ValueError(
            "`interval` must be at least 1, and half of it less than `files`. "
            f"Received: files={files}, interval={interval}"
        )
    return [
        [
            min(max(middle + k, 0), files - 1) + 1
            for k in range(-(depth // 2), depth - depth // 2)
        ]
        for middle in range(interval // 2, files, interval)
    ]


def framed_ticks(files, depth, snippets):
    """Places of the steps of ST-ResNet's test: evenly, with room for flow around each.

    st-resnet cnn_get_im_flow_batch.m:87-131. A step at frame t reads the flow of frames
    t - 5 to t + 4 (modalities.RGB_FLOW), so that the frames from 6 to the sixth last
    have steps. Fewer than `snippets` of them are continued with the last ones again,
    then with the first ones, and so on: the paper speaks of symmetric padding. The
    original stops at a video of 11 frames; here a video without room has all steps at
    one place.

    Args:
        files: number of files of the modality, one less than frames, at least 1.
        depth: files in a snippet; the places do not depend on it.
        snippets: number of snippets, at least 1.

    Returns:
        list of `snippets` ints, in [1, files].

    Example:
        >>> framed_ticks(39, 11, 5)
        [6, 13, 21, 28, 35]
    """
    _check(files, depth, snippets)
    last = max(1, files + 1 - 2 * FLOW_AROUND)
    found = [FLOW_AROUND + n for n in evenly(1, last, min(last, snippets))]
    once, ends = list(found), 0
    while len(found) < snippets:
        count = min(len(once), snippets - len(found))
        found += once[:count] if ends % 2 else once[-count:]
        ends += 1
    return [min(n, files) for n in found]


@dataclasses.dataclass(frozen=True)
class Framed:
    """Places of a part of the steps of ST-ResNet's test, for a network of its own.

    Attributes:
        before: how many files before its step the part begins, see
            modalities.RGB_FLOW.

    Example:
        >>> Framed(5)(39, 10, 5)  # of flow
        [1, 8, 16, 23, 30]
    """

    before: int

    def __call__(self, files: int, depth: int, snippets: int) -> list[int]:
        """See framed_ticks."""
        ticks = framed_ticks(files, depth, snippets)
        return [max(1, tick - self.before) for tick in ticks]


FLOW_AROUND = 5  # frames before and after a step of ST-ResNet whose flow it reads


def evenly(first, last, count):
    """Whole numbers at equal distances, as MATLAB's round(linspace(...)): a half up.

    Example:
        >>> evenly(6, 35, 5)
        [6, 13, 21, 28, 35]
    """
    if count == 1:
        return [last]
    return [
        math.floor(first + k * (last - first) / (count - 1) + 0.5) for k in range(count)
    ]


def _check(files, depth, snippets):
    if files < 1 or depth < 1 or snippets < 1:
        raise ValueError(
            "`files`, `depth` and `snippets` must be at least 1. Received: "
            f"files={files}, depth={depth}, snippets={snippets}"
        )


def snippet_files(tick, files, depth, loops=False):
    """Numbers of the files of the snippet at `tick` (eval_net.py:102-106).

    Args:
        tick: its first file.
        files: number of files of the modality.
        depth: files in a snippet.
        loops: whether it goes on with the first file past the end, as in MMAction2;
            else the last file is repeated.

    Returns:
        list of `depth` ints, in [1, files].
    """
    return files_around(tick, files, range(depth), loops)


def files_around(tick, files, offsets, loops=False):
    """The same of a snippet whose files are counted from its tick, as -5, -4, ..., 4.

    Where the last file is repeated past the end, the first is before the beginning.
    """
    numbers = [tick + offset for offset in offsets]
    if loops:
        return [1 + (n - 1) % files for n in numbers]
    return [max(1, min(files, n)) for n in numbers]
