"""Weights under another test than their own, as far as the network can take it."""

import dataclasses

from tsn_keras.checkpoints.loading import Weights
from tsn_keras.common.errors import InputError
from tsn_keras.protocols.overrides import Override


def overridden(weights: Weights, override: Override) -> Weights:
    """Weights whose protocol is the one that a user wants.

    Args:
        weights: Weights under their own protocol.
        override: Override.

    Returns:
        Weights; the same ones where nothing changes.

    Raises:
        InputError: there is no such test, or the network cannot take its input.
    """
    if not override:
        return weights
    protocol = override.of(weights.protocol)
    if protocol == weights.protocol:
        return weights
    changed = dataclasses.replace(weights, protocol=protocol)
    changed.check_steps()
    stream = changed.stream
    if not stream.is_normalised:
        raise InputError(
            f"the protocol {protocol.name} is not for {stream.modality.name}, as "
            f"{weights.path} is"
        )
    side = stream.side_of(stream.test)
    if side != weights.architecture.input_shape[0]:
        _check_side(weights, side, protocol)
    return changed


def _check_side(weights, side, protocol):
    """Refuses a size of crops for which the network cannot be built."""
    known = weights.architecture
    try:
        known.build(side)
    except ValueError as error:
        own = known.input_shape[0]
        raise InputError(
            f"{protocol.test} of {side} x {side}, of the protocol {protocol.name}, are "
            f"not for {weights.path}, a {known.backbone.title} of {own} x {own}: "
            f"{error}"
        ) from None
