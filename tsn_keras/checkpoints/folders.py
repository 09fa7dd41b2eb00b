"""Where weight files lie: folders in order, download, recorded digests."""

import hashlib
import json
import os
import pathlib
import warnings

import tsn_keras
from tsn_keras import config
from tsn_keras.data import storage
from tsn_keras.engine import files

DIGESTS = "sha256.json"
VARIABLE = "TSN_KERAS_WEIGHTS"


class WeightsNotFound(config.InputError):
    """A published weight file is not here; the text says how to get it."""


def search_path(folder=None):
    """Folders that are searched for weights, first match first.

    Args:
        folder: a folder named by the user, or None.

    Returns:
        list of paths or addresses: that folder, TSN_KERAS_WEIGHTS, weights/ in the
        working folder, that of the checkout or the installed package, the
        user's cache.
    """
    package = pathlib.Path(tsn_keras.__file__).parent
    named = [folder, os.environ.get(VARIABLE), "weights"]
    if (package.parent / "setup.cfg").is_file():
        named.append(package.parent / "weights")
    named += [package / "weights", config.cache_folder() / "weights"]
    return [storage.path(name) for name in named if name]


def find(preset, folder=None):
    """Finds a preset's file: converted, then original, folder by folder.

    Returns:
        pathlib.Path, or None if there is none.
    """
    names = (f"{preset.name}.weights.h5", preset.file, f"{preset.file}.v5")
    for place in search_path(folder):
        for name in names:
            path = place / name
            if path.is_file():
                return local_copy(path) if storage.is_remote(path) else path
    return None


def obtain(preset, folder=None):
    """Finds a preset's file, or downloads it into the user's cache.

    Raises:
        WeightsNotFound: it is nowhere, and cannot be downloaded.
    """
    path = find(preset, folder)
    if path is not None:
        return path
    reason = "is offered in an archive that has to be fetched by hand"
    if preset.url is not None:
        try:
            return _download(preset)
        except Exception as error:  # get_file raises whatever its library does
            reason = f"could not be downloaded from {preset.url} ({error})"
    places = ", ".join(str(place) for place in search_path(folder))
    raise WeightsNotFound(
        f"weights {preset.name}: {preset.file} {reason}. Get it from "
        f"{preset.url or preset.origin} and put it into one of: {places}"
    )


def local_copy(address):
    """Copies a file from an object store or web server into the user's cache.

    Anew each time: other weights of the same network are as long.

    Args:
        address: data.storage.Address.

    Returns:
        pathlib.Path.

    Raises:
        OSError, storage.StorageError: it cannot be read, or not be kept.
    """
    key = hashlib.sha256(str(address).encode()).hexdigest()[:16]
    path = config.cache_folder() / "remote" / key / address.name
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as aside:
        address.copy_to(aside)
    return path


def _download(preset):
    import keras

    cache = config.cache_folder() / "weights"
    cache.mkdir(parents=True, exist_ok=True)
    # Under another name until it is whole: get_file takes any file of the
    # right name for a finished download.
    aside = f"{preset.file}.download"
    keras.utils.get_file(aside, preset.url, cache_dir=cache, cache_subdir="")
    os.replace(cache / aside, cache / preset.file)
    return cache / preset.file


def sha256(path):
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()


def check_digest(name, digest):
    """Records a published file's digest when first seen; warns if it changed.

    No digest was ever published, so the first one seen is the reference.

    Args:
        name: the file's name.
        digest: its SHA-256.
    """
    record = config.cache_folder() / DIGESTS
    try:
        known = json.loads(record.read_text())
    except (OSError, ValueError):
        known = {}
    if not isinstance(known, dict):
        known = {}
    if known.get(name, digest) != digest:
        warnings.warn(
            f"{name} has sha256 {digest}, but had {known[name]} when it was first "
            f"loaded: the weights changed. To accept them delete {record}",
            stacklevel=3,
        )
    elif name not in known:
        try:
            record.parent.mkdir(parents=True, exist_ok=True)
            with files.replacing(record) as aside:
                aside.write_text(json.dumps({**known, name: digest}, indent=1))
        except OSError as error:
            warnings.warn(f"cannot record the digest of {name}: {error}", stacklevel=3)
