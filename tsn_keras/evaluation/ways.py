"""How the scores of a test become a video's, by what its weights say of themselves."""

from tsn_keras.common.errors import InputError
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.scores import joining, windows
from tsn_keras.scores.consensus import Consensus


def of(weights, view, over_time=None):
    """The way from snippets to a video.

    Args:
        weights: checkpoints.loading.Weights, under the protocol of the test.
        view: the look at videos, a protocols.records.View.
        over_time: windows.OverTime, or None for that of the protocol.

    Returns:
        joining.Way.

    Raises:
        InputError: the consensus of the weights is asked for, and they do not say it,
            or it is for another number of snippets.
    """
    over_time = over_time or _over_time(weights)
    return joining.Way(
        average=weights.protocol.average,
        fused=weights.protocol.fused,
        over_time=over_time,
        a_second=view.stride.a_second if view.stride else 1,
        loss=loss(weights),
        consensus=check(weights, view) if over_time.trained else None,
    )


def _over_time(weights):
    return windows.OVER_TIME.find(weights.protocol.over_time, "`over_time`")


def trained(weights):
    """The Consensus of weights whose test asks for it; else None."""
    if not _over_time(weights).trained:
        return None
    return Consensus.read(weights.consensus, weights.path)


def check(weights, view):
    """Refuses a test whose snippets the consensus of the weights cannot take.

    Returns:
        Consensus, or None where the test does not ask for it.

    Raises:
        InputError: see `of`.
    """
    found = trained(weights)
    if found is not None:
        count = None if view.stride else view.snippets
        found.check(count, weights.path, view.stride or count)
    return found


def loss(weights):
    """By which loss the weights were trained, one of joining.CHANCES.

    What they say; of published weights, what their data set tells.

    Raises:
        InputError: they say something unknown.
    """
    if weights.loss is None:
        preset = weights.preset
        dataset = DATASETS.get(preset.dataset) if preset else None
        several = dataset is not None and dataset.multi_label
        return "sigmoid" if several else joining.SOFTMAX
    if weights.loss not in joining.CHANCES:
        raise InputError(
            f"{weights.path} says its loss is {weights.loss[:40]!r}; known are "
            f"{' and '.join(joining.CHANCES)}"
        )
    return weights.loss


def told(weights):
    """What a score file says of the training, where it is not the usual one.

    Returns:
        dict of JSON values.

    Raises:
        InputError: the weights say something that cannot be used.
    """
    kind = loss(weights)
    found = {} if kind == joining.SOFTMAX else {"loss": kind}
    if weights.consensus is not None:
        trained_by = Consensus.read(weights.consensus, weights.path)
        found["consensus"] = trained_by.as_json()
    return found
