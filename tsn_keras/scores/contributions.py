"""What each stream does to a fusion: the videos that it saves, and those it loses."""

import numpy as np

from tsn_keras.scores import joining, metrics

SAVED, LOST = 1, -1


def effects(joined, weights):
    """Compares the fusion with that of all streams but one.

    A stream saves a video that is right in the fusion and wrong without it, and loses
    one that is wrong in it and right without it. Of videos with several labels the
    average precision over the classes is compared: higher with the stream, or lower.

    Args:
        joined: joining.Joined.
        weights: what the scores of each stream are multiplied by.

    Returns:
        int8 [streams, V]: SAVED, LOST or 0; also 0 where no other stream has scores of
        the video, or the stream has none.

    Raises:
        InputError: a sum is not finite.
    """
    count = len(joined.scores)
    found = np.zeros((count, len(joined.video_ids)), np.int8)
    if count < 2:
        return found
    scored = _scored(joined)
    merit = merits(joined, joining.fuse(joined.scores, weights))
    for place in range(count):
        others = [k for k in range(count) if k != place]
        rest = joining.fuse(
            [joined.scores[k] for k in others], [weights[k] for k in others]
        )
        change = np.sign(np.nan_to_num(merit - merits(joined, rest)))
        found[place] = np.where(
            scored[others].any(axis=0) & scored[place], change, 0
        ).astype(np.int8)
    return found


def merits(joined, scores):
    """How good the scores of each video are, float64 [V].

    1 where the best class is the video's, else 0; where videos have several labels, the
    average precision over the classes, NaN without a label.

    Args:
        joined: joining.Joined.
        scores: [V, C].
    """
    if joined.label_sets is None:
        return (scores.argmax(axis=1) == joined.labels).astype(np.float64)
    is_true = metrics.many_hot(joined.label_sets, scores.shape[1])
    pairs = zip(scores, is_true, strict=True)
    return np.array([metrics.average_precision(*pair) for pair in pairs])


def _scored(joined):
    """Bool [streams, V]: which has scores of which video."""
    if joined.scored:
        return np.stack(joined.scored)
    return np.ones((len(joined.scores), len(joined.video_ids)), bool)
