"""Pairs of consecutive frames of real clips, and how far two flows are apart."""

import pathlib
import random

import cv2
import numpy as np

from tsn_keras.flow.quantiser import quantise
from tsn_keras.video import decode
from tsn_keras.video.sources import find

SIZE = (340, 256)  # the original's


def sources(folder, count):
    """(video.sources.Source, seed) of `count` pairs, spread over a folder's videos."""
    found = find(pathlib.Path(folder))
    return [(found[k % len(found)], k) for k in range(count)]


def greys(source, seed):
    """Two consecutive grey frames of a video, uint8 [2, H, W]."""
    cv2.setNumThreads(1)
    frames = list(decode.frames(source.path))
    at = random.Random(seed).randrange(len(frames) - 1)
    return np.stack(
        [
            cv2.cvtColor(cv2.resize(frame, SIZE), cv2.COLOR_BGR2GRAY)
            for frame in frames[at : at + 2]
        ]
    )


def level_differences(one, other):
    """Histogram [256] of the differences of two flows' stored grey levels."""
    levels = [quantise(f).astype(int) for f in (one, other)]
    return np.bincount(np.abs(levels[0] - levels[1]).ravel(), minlength=256)


def describe(histogram):
    """Mean and 99th percentile of a histogram of levels."""
    share = np.cumsum(histogram) / histogram.sum()
    mean = (histogram * np.arange(len(histogram))).sum() / histogram.sum()
    return round(float(mean), 3), int(np.searchsorted(share, 0.99))
