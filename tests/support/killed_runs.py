"""What a run of `train` that is killed leaves, without a run that is killed."""

import contextlib
import shutil

import pytest

from tsn_keras.training import loop


@contextlib.contextmanager
def copied(iteration, out, copy):
    """Runs here are copied right after the checkpoint of an iteration.

    Args:
        iteration: its number.
        out: the folder of the run.
        copy: the folder to be made.
    """
    save = loop.checkpoint.save

    def save_and_copy(trainer, *rest):
        save(trainer, *rest)
        if trainer.iteration == iteration:
            shutil.copytree(out, copy)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loop.checkpoint, "save", save_and_copy)
        yield
