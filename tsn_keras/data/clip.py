"""Snippets straight from a video file, with the pixels that extracted files have.

What `extract` would write is made in memory, JPEG and all, for those files
only that the snippets read: the scores are those of the evaluation of the
extracted files.
"""

import collections
import itertools

import cv2
import numpy as np

from tsn_keras.data import extractor, images, sampling, video
from tsn_keras.data.flow import quantise


def count_files(path, on_damage=None, threads=1):
    """Counts the files of a kind that `extract` would make of a video.

    Raises:
        video.VideoError: the video cannot be used, or has fewer than 2 frames.
    """
    damage = []

    def told(text):
        damage.append(f" before its damage: {text}")
        on_damage(text)

    listener = told if on_damage else None
    files = video.count(path, on_damage=listener, threads=threads) - 1
    if files < 1:
        raise video.VideoError(f"{path} has no two frames{''.join(damage)}")
    return files


def snippets(path, ticks, files, preprocess, settings, threads=1):
    """Decodes the snippets of a video, in the order of time.

    Args:
        path: the video.
        ticks: first files of the snippets, increasing.
        files: number of files of the video.
        preprocess: config.Preprocess.
        settings: extractor.Settings; its TV-L1 parameters, device, batch, bound
            and what to do with damage are used.
        threads: cores that decode and compute flow.

    Yields:
        (tick, uint8 [height, width, planes]). No more than a few snippets are
        in memory at a time, however long the video is.
    """
    depth = preprocess.snippet_length
    wanted = {tick: sampling.snippet_files(tick, files, depth) for tick in ticks}
    needed = sorted({number for numbers in wanted.values() for number in numbers})
    planes = _flow_planes if preprocess.modality == "flow" else _rgb_planes
    held = collections.OrderedDict()
    waiting = collections.deque(wanted.items())
    for number, image in planes(path, needed, preprocess, settings, threads):
        held[number] = image
        while waiting and waiting[0][1][-1] <= number:
            tick, numbers = waiting.popleft()
            yield tick, np.concatenate([held[n] for n in numbers], axis=-1)
        while held and waiting and next(iter(held)) < waiting[0][0]:
            held.popitem(last=False)


def _rgb_planes(path, numbers, preprocess, settings, threads):
    """Yields (number, uint8 [H, W, 3]) of image files."""
    # Image k is decoded frame k + 1, which is index k.
    picked = video.pick(path, numbers, on_damage=_ignore(settings), threads=threads)
    for number, frame in picked:
        yield number, images.stored(_resized(frame, preprocess))


def _flow_planes(path, numbers, preprocess, settings, threads):
    """Yields (number, uint8 [H, W, 2]) of pairs of flow files."""
    # Flow k goes from index k - 1 to index k.
    indices = sorted({index for k in numbers for index in (k - 1, k)})
    picked = video.pick(path, indices, on_damage=_ignore(settings), threads=threads)
    wanted = set(numbers)
    pairs = (
        (index, previous, following)
        for (_, previous), (index, following) in itertools.pairwise(
            (index, _grey(frame, preprocess)) for index, frame in picked
        )
        if index in wanted
    )
    yield from _flow_of(pairs, settings, threads)


def _flow_of(pairs, settings, threads):
    """Yields (tag, uint8 [H, W, 2]) of (tag, grey frame, grey frame)."""
    for tag, (field, *_) in extractor.flows(pairs, settings, threads):
        levels = quantise(field, settings.bound)
        yield tag, np.dstack([images.stored(levels[..., axis]) for axis in (0, 1)])


def _resized(frame, preprocess):
    height, width = preprocess.frame_size
    return cv2.resize(frame, (width, height))


def _grey(frame, preprocess):
    return cv2.cvtColor(_resized(frame, preprocess), cv2.COLOR_BGR2GRAY)


def snippet_of_frames(frames, preprocess, settings, threads=1):
    """Makes the snippet that ends with the last of some consecutive frames.

    Args:
        frames: list of uint8 [h, w, 3], B, G, R: enough of them, for flow one
            more than the snippet has files.
        preprocess: config.Preprocess.
        settings: extractor.Settings.
        threads: cores that compute flow.

    Returns:
        uint8 [height, width, planes].
    """
    depth = preprocess.snippet_length
    if preprocess.modality == "flow":
        greys = [_grey(frame, preprocess) for frame in frames[-depth - 1 :]]
        pairs = ((k, *pair) for k, pair in enumerate(itertools.pairwise(greys)))
        planes = [levels for _, levels in _flow_of(pairs, settings, threads)]
    else:
        planes = [images.stored(_resized(f, preprocess)) for f in frames[-depth:]]
    return np.concatenate(planes, axis=-1)


def _ignore(settings):
    """Damage was told when the files were counted."""
    return (lambda damage: None) if settings.damaged == "keep" else None


def key_frames(path, ticks, size, settings):
    """Decodes the first image of each snippet, small.

    Args:
        path: the video.
        ticks: first files of the snippets, increasing.
        size: (width, height) in pixels.
        settings: extractor.Settings.

    Returns:
        list of uint8 [height, width, 3], R, G, B.
    """
    picked = video.pick(path, ticks, on_damage=_ignore(settings))
    return [
        cv2.cvtColor(
            cv2.resize(frame, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB
        )
        for _, frame in picked
    ]
