"""Checkpoints of a training run: written beside and renamed, checked when read."""

import io
import json
import pathlib

import h5py
import numpy as np

from tsn_keras.common import files, hdf5
from tsn_keras.common.errors import InputError
from tsn_keras.training.loss_scale import START

_FORMAT = "tsn_keras checkpoint 1"


class CheckpointError(InputError):
    """A checkpoint cannot be used; the text names it and the reason."""


def save(trainer, path, about):
    """Writes a checkpoint: weights, optimizer, and the state of what draws.

    Args:
        trainer: trainer.Trainer.
        path: file to write; written beside and renamed.
        about: dict of JSON values that a later run must share.

    Raises:
        files.DiskFullError: the disk is full; the file that was there is kept.
        OSError: it cannot be written for another reason.
    """
    # In memory first: HDF5 crashes when a disk becomes full.
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", userblock_size=hdf5.BLOCK) as file:
        file.attrs["format"] = _FORMAT
        file.attrs["about"] = json.dumps(about, sort_keys=True)
        if trainer.loss_scale is not None:
            file.attrs["loss_scale"] = trainer.loss_scale.state
        for name, variable in trainer.state().items():
            file[name] = np.asarray(variable)
    hdf5.seal(buffer)
    with files.replacing(path) as aside:
        aside.write_bytes(buffer.getbuffer())


def restore(trainer, path, about, defaults=None):
    """Resumes from a checkpoint of the same run.

    Args:
        trainer: trainer.Trainer.
        path: the checkpoint.
        about: what the run is now.
        defaults: what a checkpoint that does not say it was, by key: settings are
            added from version to version.

    Raises:
        CheckpointError: it is of another run, or damaged.
        OSError: it cannot be read.
    """
    path = pathlib.Path(path)
    path.stat()  # A missing file is an OSError that says so.
    state = trainer.state()
    try:
        with hdf5.Reader(path) as file:
            if file.text("format") != _FORMAT:
                raise ValueError(f"its format is not {_FORMAT!r}")
            there = file.json_object("about") or {}
            values = {
                name: file.values(name, variable.shape)
                for name, variable in state.items()
            }
            scale, good = file.numbers("loss_scale") or [START, 0]
            if not 1 <= scale < np.inf:
                raise ValueError(f"its loss scale is {scale}")
    except hdf5.ERRORS as error:
        raise CheckpointError(f"{path} is no usable checkpoint: {error}") from None
    there = {**(defaults or {}), **there}
    now = json.loads(json.dumps(about))
    for key in dict.fromkeys((*now, *there)):
        if now.get(key) != there.get(key):
            raise CheckpointError(
                f"{path} is of another run: its {key} is {there.get(key)}, now it "
                f"is {now.get(key)}; name another folder with `out`"
            )
    if trainer.loss_scale is not None:
        trainer.loss_scale.state = [scale, int(good)]
    for name, variable in state.items():
        variable.assign(values[name])
    trainer.spread()
