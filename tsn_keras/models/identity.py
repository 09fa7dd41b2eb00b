"""What a loaded model knows of itself, while it is in memory."""

import dataclasses

from tsn_keras.common.errors import InputError
from tsn_keras.models.records import Backbone
from tsn_keras.protocols.records import Stream

_NAME = "tsn_identity"


@dataclasses.dataclass(frozen=True)
class Identity:
    """What a model is.

    Attributes:
        backbone: models.records.Backbone.
        stream: protocols.records.Stream, what it must be fed.
        width: factor on the numbers of channels.
    """

    backbone: Backbone
    stream: Stream
    width: float = 1.0


def mark(model, known: Identity):
    """Tells a keras.Model what it is."""
    setattr(model, _NAME, known)


def of(model) -> Identity | None:
    """What a model was marked as, or None."""
    return getattr(model, _NAME, None)


def demanded(model, argument) -> Identity:
    """What a model was marked as.

    Args:
        model: keras.Model.
        argument: what the caller calls it.

    Raises:
        InputError: it was not marked.
    """
    known = of(model)
    if known is None:
        raise InputError(
            f"`{argument}` must be a model that tsn_keras.load made. Received: {model}"
        )
    return known
