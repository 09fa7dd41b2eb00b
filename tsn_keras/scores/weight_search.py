"""Weights of a fusion, chosen on videos that are not tested."""

import itertools

import numpy as np

from tsn_keras.scores import joining

# Multiples of the first stream's weight that are tried. Finer steps would tell the
# held-out videos apart, and nothing about others.
MULTIPLES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 8.0)
_MOST = 2000  # fusions that are tried at once


def search(joined, start):
    """The weights of the best fusion of held-out videos.

    All multiples of all streams are tried where that is not too many, of five streams
    or more one stream after the other, until none gets better.

    Args:
        joined: joining.Joined of the held-out videos.
        start: weights, as published or 1 each. Of equally good ones the nearest to
            them are taken; the first weight stays.

    Returns:
        list of float, a weight for each stream.
    """
    start = [float(weight) for weight in start]
    unit = start[0] or 1.0
    choices = [start[:1], *([m * unit for m in MULTIPLES] for _ in start[1:])]
    # The start may be between the multiples, and is tried too.
    choices = [sorted({*values, w}) for values, w in zip(choices, start, strict=True)]
    if np.prod([len(values) for values in choices]) <= _MOST:
        return _best(joined, itertools.product(*choices), start)
    found, before = start, None
    while found != before:
        before = found
        for stream, values in enumerate(choices):
            ways = ([*found[:stream], w, *found[stream + 1 :]] for w in values)
            found = _best(joined, ways, start)
    return found


def _best(joined, ways, start):
    """The best weights of some, the nearest to `start` of equally good ones."""

    def worth(weights):
        scores = joining.fuse(joined.scores, weights)
        distance = np.square(np.subtract(weights, start)).sum()
        return joined.accuracy_of(scores).main, -distance

    return list(max((way for way in map(list, ways) if any(way)), key=worth))
