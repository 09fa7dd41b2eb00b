"""Files that are whole or not there, and where files that can be made again lie."""

import contextlib
import glob
import hashlib
import os
import pathlib
import uuid


@contextlib.contextmanager
def replacing(path):
    """Yields a path beside `path`, renamed onto it if the block succeeds.

    Whoever reads `path` sees the old file or the whole new one. The suffixes
    are kept, since some writers choose the format by them.
    """
    path = pathlib.Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} for {path.name}")
    aside = path.with_name(f".{uuid.uuid4().hex[:8]}.{path.name}")
    try:
        yield aside
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def remove_unfinished(path):
    """Removes what writers of `path` have left that were killed in `replacing`.

    Only for who alone writes `path` now: another's file would be taken away.
    """
    path = pathlib.Path(path)
    pattern = f".{'[0-9a-f]' * 8}.{glob.escape(path.name)}"
    for aside in path.parent.glob(pattern):
        aside.unlink(missing_ok=True)


def sha256(path):
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()


def cache_folder():
    """Folder for what can be made or fetched again.

    `TSN_KERAS_CACHE`, else `tsn_keras` in `XDG_CACHE_HOME` or ~/.cache.
    """
    named = os.environ.get("TSN_KERAS_CACHE")
    if named:
        return pathlib.Path(named).expanduser()
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(home).expanduser() / "tsn_keras"
