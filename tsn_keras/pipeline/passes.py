"""Which videos a pass over a training set has, and in which order."""

import itertools

import numpy as np
import tensorflow as tf

from tsn_keras.pipeline import draws


class Passes:
    """The passes over videos: every one once, or drawn by the sizes of their classes.

    With a `power` below 1 a pass has as many draws as there are videos, each of all
    videos: a class of n videos is drawn in proportion to n ** power, and any of its
    videos as often as another (MMAction2 0.x mmaction/datasets/base.py:91-103,
    samplers/distributed_sampler.py:119-132). At 0 all classes are drawn as often. At 1
    all videos are, and every one is taken once. Of parts of an untrimmed video
    (FrameFolder.raw) a pass has one, any as often as another, in the place of the
    video.

    Args:
        folders: datasets.records.FrameFolder of each video, with one label each if
            `power` is not 1.
        power: from 0 to 1.

    Attributes:
        length: number of videos in a pass.

    Example:
        >>> import pathlib
        >>> from tsn_keras.datasets.records import FrameFolder
        >>> Passes([FrameFolder(n, 0, pathlib.Path(n), 8) for n in "abcd"]).length
        4
    """

    def __init__(self, folders, power=1.0):
        parts = {}
        for index, folder in enumerate(folders):
            parts.setdefault(folder.raw or index, []).append(index)
        self.length = len(parts)
        counts = [len(some) for some in parts.values()]
        self._parts = None
        if any(folder.raw for folder in folders):
            starts = [0, *itertools.accumulate(counts)][:-1]
            inside = list(itertools.chain(*parts.values()))
            self._parts = [np.array(n, np.int32) for n in (inside, starts, counts)]
        self._ends = None
        if power != 1:
            labels = [folders[some[0]].label for some in parts.values()]
            self._ends = _ends(labels, power)

    def of(self, seed, epoch):
        """The videos of a pass: int32 [length], their indices.

        A function of its arguments alone: a run that resumes has those of an
        undisturbed one.

        Args:
            seed: of the run.
            epoch: number of the pass, from 0.
        """
        if self._ends is None:
            chosen = draws.order(seed, epoch, self.length)
        else:
            chosen = draws.weighted(seed, epoch, self._ends)
        if self._parts is None:
            return chosen
        inside, starts, counts = map(tf.constant, self._parts)
        drawn = draws.parts(seed, epoch, self.length) % tf.gather(counts, chosen)
        return tf.gather(inside, tf.gather(starts, chosen) + drawn)


def _ends(labels, power):
    """Where each video's part of the draws from 0 to 1 ends: float64."""
    _, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    # n ** power of a class is shared out to its n videos.
    ends = np.cumsum(sizes.astype(np.float64)[inverse] ** (power - 1))
    return ends / ends[-1]
