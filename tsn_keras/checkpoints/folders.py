"""Where weight files lie: folders in order, download, digests."""

import dataclasses
import hashlib
import json
import os
import pathlib
import warnings

import tsn_keras
from tsn_keras.checkpoints import fetching, hub, preset_folder, presets
from tsn_keras.common import files, json_text, progress, storage
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
        preset: presets.Preset; None for a file that was named by path, unless
            its name has the digits of a preset's file, which are checked.
    """

    path: pathlib.Path
    preset: presets.Preset | None = None


def locate(name_or_path, folder=None, listener=progress.SILENT):
    """Finds weights by preset name, path or address; fetches what is elsewhere.

    Args:
        name_or_path: name of a preset; path or address of a file; or a preset folder,
            here (see preset_folder) or on a model hub (see hub). A bare name of a file
            is looked for in the folders of `search_path`, too.
        folder: folder to search first for a preset's file.
        listener: is shown how far a download has come.

    Returns:
        Located.

    Raises:
        WeightsNotFound: there is no such preset or file.
        InputError: a preset folder cannot be had, or is not whole.
        OSError: it is another folder.
    """
    preset = presets.PRESETS.get(os.fspath(name_or_path))
    if storage.is_on_hub(name_or_path):
        path = hub.obtain(name_or_path)
    else:
        path = storage.path(name_or_path)
    if preset is not None:
        path = obtain(preset, folder, listener)
    elif storage.is_remote(path):
        path = local_copy(path)
    elif not path.exists():
        path = _by_name(path, folder)
    if path.is_dir():
        path = preset_folder.weights_in(path)
    return Located(path, preset or _by_digits(path))


def _by_name(path, folder):
    """A file of a bare name in the folders that are searched; see `locate`."""
    places = search_path(folder) if len(path.parts) == 1 else ()
    for place in places:
        if not storage.is_remote(place) and (place / path.name).is_file():
            return place / path.name
    raise WeightsNotFound(
        f"{path} is neither a file nor a preset; {presets.alike(path)}"
    )


def _by_digits(path):
    """The preset whose file's name, with the digits of its content, a path has."""
    preset = presets.of_file(path.name)
    if preset is None or path.name != preset.file:
        return None
    return preset if preset.digits or preset.md5 else None


def is_collection(name):
    """Whether a name is that of a folder of weight files, not of a preset folder."""
    if storage.is_on_hub(name):
        return False
    path = storage.path(name)
    return path.is_dir() and not preset_folder.is_one(path)


def search_path(folder=None):
    """Folders that are searched for weights, first match first.

    Args:
        folder: a folder named by the user, or None.

    Returns:
        list of paths or addresses: that folder, TSN_KERAS_WEIGHTS, weights/ in the
        working folder, that of the checkout or the installed package, the
        user's cache, and that of Keras.
    """
    package = pathlib.Path(tsn_keras.__file__).parent
    named = [folder, os.environ.get(VARIABLE), "weights"]
    if (package.parent / "setup.cfg").is_file():
        named.append(package.parent / "weights")
    named += [package / "weights", files.cache_folder() / "weights"]
    home = os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras"
    named.append(pathlib.Path(home, "models"))
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


def on_disk():
    """The presets whose files are on this machine.

    Folders of object stores and web servers are left out: to ask them takes time.

    Returns:
        {name of a preset: path}, the file that `find` gives.
    """
    places = [place for place in search_path() if not storage.is_remote(place)]
    there = {place: set(os.listdir(place)) for place in places if place.is_dir()}
    found = {}
    for preset in presets.PRESETS.values():
        paths = (
            place / name
            for place in there
            for name in preset.files
            if name in there[place]
        )
        found[preset.name] = next(paths, None)
    return {name: path for name, path in found.items() if path}


def obtain(preset, folder=None, listener=progress.SILENT):
    """Finds a preset's file, or downloads it into the user's cache.

    Raises:
        WeightsNotFound: it is nowhere, and cannot be downloaded.
        files.DiskFullError: there is no space to download it to.
    """
    path = find(preset, folder)
    if path is not None:
        return path
    try:
        return download(preset, None, listener)
    except fetching.FetchError as error:
        places = ", ".join(str(place) for place in search_path(folder))
        raise WeightsNotFound(
            f"weights {preset.name}: {error}. Get {preset.file} from "
            f"{preset.url or preset.origin} and put it into one of: {places}"
        ) from None


def download(preset, folder=None, listener=progress.SILENT):
    """Downloads a preset's file, or resumes its download.

    Args:
        preset: presets.Preset.
        folder: where to; None: the user's cache.
        listener: is shown how far it has come.

    Returns:
        pathlib.Path.

    Raises:
        fetching.FetchError: it cannot be downloaded.
        files.DiskFullError: there is no space for it.
        OSError: it cannot be written.
    """
    if preset.url is None:
        raise fetching.FetchError(
            f"{preset.file} is offered in an archive that has to be fetched by hand"
        )
    path = _downloaded(preset) if folder is None else folder / preset.file
    path.parent.mkdir(parents=True, exist_ok=True)
    fetching.fetch(preset.url, path, preset.sha256_start, listener)
    return path


def unfinished(preset):
    """What lies in the user's cache of a download that stopped; a path, or None."""
    path = fetching.part_of(_downloaded(preset))
    return path if path.is_file() else None


def _downloaded(preset):
    return files.cache_folder() / "weights" / preset.file


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


def check_preset_digest(located, digest):
    """Checks a preset's file against what is published of its digest, or first seen.

    Args:
        located: Located.
        digest: SHA-256 of the file.

    Raises:
        InputError: it is not the published file.
    """
    preset = located.preset
    # A converted file's digest depends on the library that wrote it.
    if preset is None or located.path.name not in preset.originals:
        return
    agrees, kind, begin = preset.agrees(digest), "sha256", preset.sha256_start
    if preset.md5 is not None:
        digest, kind, begin = files.md5(located.path), "MD5", preset.md5
        agrees = digest == begin
    if agrees is None:
        check_digest(preset.file, digest)
    elif not agrees:
        raise InputError(
            f"{located.path} is not {preset.name}: its {kind} is {digest}, that of "
            f"the published file begins with {begin}. It is damaged or another file: "
            f"remove it, or give it a name of its own"
        )


def check_digest(name, digest):
    """Records a published file's digest when first seen; warns if it changed.

    Where none was published, the first one seen is the reference.

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
