"""Where weight files lie: folders in order, download, recorded digests."""

import dataclasses
import hashlib
import json
import os
import pathlib
import warnings

import tsn_keras
from tsn_keras.checkpoints import presets
from tsn_keras.common import files, json_text, storage
from tsn_keras.common.errors import InputError

DIGESTS = "sha256.json"
VARIABLE = "TSN_KERAS_WEIGHTS"


class WeightsNotFound(InputError):
    """A published weight file is not here; the text says how to get it."""


@dataclasses.dataclass(frozen=True)
class Located:
    """A weight file that is on this machine.

    Attributes:
        path: the file.
        preset: presets.Preset, or None for a file that was named by path.
    """

    path: pathlib.Path
    preset: presets.Preset | None = None


def locate(name_or_path, folder=None):
    """Finds weights by preset name, path or address; fetches what is elsewhere.

    Args:
        name_or_path: name of a preset, or path or address of a file.
        folder: folder to search first for a preset's file.

    Returns:
        Located.

    Raises:
        WeightsNotFound: there is no such preset or file.
        OSError: it is a folder.
    """
    preset = presets.PRESETS.get(os.fspath(name_or_path))
    path = storage.path(name_or_path)
    if preset is not None:
        path = obtain(preset, folder)
    elif storage.is_remote(path):
        path = local_copy(path)
    elif not path.exists():
        raise WeightsNotFound(
            f"{name_or_path} is neither a file nor a preset; the presets are "
            f"{', '.join(presets.PRESETS)}"
        )
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not a weight file")
    return Located(path, preset)


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
    named += [package / "weights", files.cache_folder() / "weights"]
    return [storage.path(name) for name in named if name]


def find(preset, folder=None):
    """Finds a preset's file: converted, then original, folder by folder.

    Returns:
        pathlib.Path, or None if there is none.
    """
    for place in search_path(folder):
        for name in preset.files:
            path = place / name
            if path.is_file():
                return local_copy(path) if storage.is_remote(path) else path
    return None


def obtain(preset, folder=None):
    """Finds a preset's file, or downloads it into the user's cache.

    Raises:
        WeightsNotFound: it is nowhere, and cannot be downloaded.
        files.DiskFullError: there is no space to download it to.
    """
    path = find(preset, folder)
    if path is not None:
        return path
    reason = "is offered in an archive that has to be fetched by hand"
    if preset.url is not None:
        try:
            return _download(preset)
        except files.DiskFullError:
            raise
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
        address: common.storage.Address.

    Returns:
        pathlib.Path.

    Raises:
        OSError, InputError: it cannot be read, or not be kept.
    """
    key = hashlib.sha256(str(address).encode()).hexdigest()[:16]
    path = files.cache_folder() / "remote" / key / address.name
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as aside:
        address.copy_to(aside)
    return path


def _download(preset):
    import keras

    cache = files.cache_folder() / "weights"
    cache.mkdir(parents=True, exist_ok=True)
    # Under another name until it is complete: get_file believes that any file of
    # the right name is a finished download.
    aside = f"{preset.file}.download"
    with files.writing(cache / preset.file):
        keras.utils.get_file(aside, preset.url, cache_dir=cache, cache_subdir="")
    os.replace(cache / aside, cache / preset.file)
    return cache / preset.file


def check_preset_digest(located, digest):
    """Checks a preset's file against the digest that was published, or first seen.

    Args:
        located: Located.
        digest: SHA-256 of the file.

    Raises:
        InputError: it is not the published file.
    """
    preset = located.preset
    # A converted file's digest depends on the library that wrote it.
    if preset is None or located.path.name not in preset.files[1:]:
        return
    if preset.sha256 is not None:
        if digest != preset.sha256:
            raise InputError(
                f"{located.path} is not {preset.name}: its sha256 is {digest}, that of "
                f"the published file {preset.sha256}. Remove it, or name it by its path"
            )
    else:
        check_digest(preset.file, digest)


def check_digest(name, digest):
    """Records a published file's digest when first seen; warns if it changed.

    No digest was ever published, so the first one seen is the reference.

    Args:
        name: the file's name.
        digest: its SHA-256.
    """
    record = files.cache_folder() / DIGESTS
    try:
        known = json_text.parse(record.read_bytes(), DIGESTS)
    except (OSError, ValueError):
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
        except (OSError, files.DiskFullError) as error:
            warnings.warn(f"cannot record the digest of {name}: {error}", stacklevel=3)
