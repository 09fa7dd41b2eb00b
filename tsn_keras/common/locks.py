"""One run in one place at a time."""

import contextlib
import datetime
import json
import os
import pathlib
import socket

import filelock

from tsn_keras.common import files
from tsn_keras.common.errors import InputError

_MAX_HOLDER = 4096  # bytes


class LockedError(InputError):
    """Another run works in the same place; the text says which."""


@contextlib.contextmanager
def held(path, way_out):
    """Holds a place while the block runs.

    The system's lock of a file beside it, `.NAME.lock`, which ends with the
    process, however that ends. What killed runs were writing beside `path` goes when
    it is held again. Processes of other machines meet it where a shared
    file system passes locks on, as NFS 4 does. The files go when the block ends;
    two runs that begin in the instant in which a third one ends may both get it.

    Args:
        path: file or folder that the run writes; what lies beside it exists.
        way_out: what else the user can do than wait, such as "name another folder
            with `out`".

    Raises:
        LockedError: another process holds it.
        OSError: the file of the lock cannot be made.
    """
    path = pathlib.Path(path)
    file = _file(path)
    about = path.with_name(f".{path.name}.holder")
    lock = filelock.FileLock(file)
    try:
        with files.writing(path):
            lock.acquire(timeout=0)
    except filelock.Timeout:
        raise LockedError(
            f"{path} is in use by another run{_holder(about)}: wait until it has "
            f"ended, or {way_out}"
        ) from None
    try:
        for place in (path, about):
            files.remove_unfinished(place)
        _sign(about)
        yield
    finally:
        about.unlink(missing_ok=True)
        # Before the lock is released: afterwards the file may be another run's.
        file.unlink(missing_ok=True)
        lock.release()


def is_left(path) -> bool:
    """Whether a run holds a place, or was killed while it did."""
    return _file(pathlib.Path(path)).exists()


def _file(path):
    return path.with_name(f".{path.name}.lock")


def _sign(about):
    now = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
    text = json.dumps(
        {"host": socket.gethostname(), "process": os.getpid(), "since": now}
    )
    # It only informs others: on a full disk other errors matter more.
    with contextlib.suppress(files.DiskFullError), files.replacing(about) as aside:
        aside.write_text(text)


def _holder(about):
    """Words for who holds a lock, as far as that can be read."""
    try:
        with about.open("rb") as file:
            found = json.loads(file.read(_MAX_HOLDER))
        process, host, since = int(found["process"]), found["host"], found["since"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return ""
    # Anybody may have written it, and it is shown on a terminal.
    host, since = (ascii(str(text))[1:-1][:64] for text in (host, since))
    return f" (process {process} on {host}, since {since})"
