"""Temporal Segment Networks in Keras 3.

Wang et al., "Temporal Segment Networks: Towards Good Practices for Deep
Action Recognition", ECCV 2016 (https://arxiv.org/abs/1608.00859).
"""

from __future__ import annotations

import os
import typing

if typing.TYPE_CHECKING:
    import keras

__version__ = "0.1.0"


def load(name_or_path: str | os.PathLike, **options: typing.Any) -> keras.Model:
    """Loads a model with its weights; see `tsn_keras.checkpoints.loading.load`."""
    # Imported here: `import tsn_keras` must not take the seconds of Keras.
    from tsn_keras.checkpoints import loading

    return loading.load(name_or_path, **options)
