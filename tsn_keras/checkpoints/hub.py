"""Preset folders on model hubs: hf://USER/NAME and kaggle://USER/MODEL/keras/NAME.

Downloads, revisions, logins and caches are those of the hubs' own libraries, which are
optional: `pip install "tsn_keras[hub]"`.
"""

import pathlib

from tsn_keras.checkpoints import fetching, preset_folder
from tsn_keras.common import storage

EXTRA = 'pip install "tsn_keras[hub]"'


def obtain(address):
    """Downloads a preset folder, or finds it in the library's cache.

    Args:
        address: hf://USER/NAME, or hf://USER/NAME@REVISION; or
            kaggle://USER/MODEL/keras/NAME, or with /VERSION.

    Returns:
        pathlib.Path of the folder.

    Raises:
        fetching.FetchError: it cannot be had; the text says why.
    """
    hub = next(hub for hub in storage.HUBS if address.startswith(hub))
    try:
        return pathlib.Path(_DOWNLOADS[hub](address.removeprefix(hub)))
    except ImportError:
        raise fetching.FetchError(f"{address} needs {EXTRA}") from None
    # Of the libraries' many errors some are of no common kind: a ValueError for a name
    # that cannot be, an OSError or their own for an answer.
    except Exception as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise fetching.FetchError(f"cannot get {address}: {reason}") from error


def _hugging_face(handle):
    import huggingface_hub

    name, _, revision = handle.partition("@")
    return huggingface_hub.snapshot_download(
        name, revision=revision or None, allow_patterns=list(preset_folder.FILES)
    )


def _kaggle(handle):
    import kagglehub

    return kagglehub.model_download(handle)


_DOWNLOADS = {"hf://": _hugging_face, "kaggle://": _kaggle}
