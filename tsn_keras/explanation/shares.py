"""By how much each snippet and crop counts in a video's score of a class."""

import numpy as np

# Columns that a way over time gets at once: hours of video have many snippets.
_AT_ONCE = 256


def of(way, values, attention=None):
    """How much the score of a video grows with that of each snippet and crop.

    1 / (snippets * crops) of a mean; of maxima, best snippets and windows those that
    are chosen, each as often as it is; of a learned consensus its weights.

    Args:
        way: scores.joining.Way.
        values: what is averaged, of one class: [snippets, crops].
        attention: [snippets], where the way needs it.

    Returns:
        float64 [snippets, crops]; the sum of its products with `values` is the score.

    Example:
        >>> from tsn_keras.scores.joining import Way
        >>> of(Way(), np.zeros((2, 2))).tolist()
        [[0.25, 0.25], [0.25, 0.25]]
    """
    values = np.asarray(values, np.float64)
    crops = way.over_time.crops or way.crops
    if crops == "max":
        chosen = np.zeros_like(values)
        chosen[np.arange(len(values)), values.argmax(axis=1)] = 1
    else:
        chosen = np.full_like(values, 1 / values.shape[1])
    snippets = (chosen * values).sum(axis=1)
    return _slopes(lambda columns: way.over(columns, attention), snippets)[:, None] * (
        chosen
    )


def of_attention(values, attention):
    """How much the score grows with what the attention is the softmax of.

    The journal version's equation 12, arXiv:1705.02953.

    Args:
        values: mean scores of the class, [snippets].
        attention: [snippets], before the softmax.

    Returns:
        float64 [snippets].
    """
    weights = np.exp(np.float64(attention) - np.max(attention))
    weights /= weights.sum()
    return weights * (values - weights @ values)


def _slopes(function, values):
    """The slopes of a function of snippets at some values, [snippets].

    Means, maxima and sorting: such a function is linear as long as the order of the
    snippets stays, and so depends on nothing else. In the place of the values it gets
    their ranks, which are a whole 1 apart: a step of a quarter changes no order.

    Args:
        function: [snippets, columns] to [columns].
        values: [snippets]; of equal ones the earlier counts as the lower.
    """
    count = len(values)
    ranks = np.empty(count)
    ranks[np.argsort(values, kind="stable")] = np.arange(count)
    found, step = np.empty(count), 0.25
    for first in range(0, count, _AT_ONCE):
        own = np.arange(first, min(first + _AT_ONCE, count))
        columns = np.repeat(ranks[:, None], len(own) + 1, axis=1)
        columns[own, np.arange(len(own))] += step
        reached = function(columns)
        found[own] = (reached[:-1] - reached[-1]) / step
    return found
