"""What a loaded model knows of itself, while it is in memory."""

import dataclasses

from tsn_keras.models.records import Backbone
from tsn_keras.protocols.records import Stream

_NAME = "tsn_identity"


@dataclasses.dataclass(frozen=True)
class Identity:
    """What a model is.

    Attributes:
        backbone: models.records.Backbone.
        stream: protocols.records.Stream, what it must be fed.
    """

    backbone: Backbone
    stream: Stream


def mark(model, known: Identity):
    """Tells a keras.Model what it is."""
    setattr(model, _NAME, known)


def of(model) -> Identity | None:
    """What a model was marked as, or None."""
    return getattr(model, _NAME, None)
