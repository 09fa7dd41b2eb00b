"""Files that are complete or absent, full disks, and the user's cache."""

import contextlib
import errno
import glob
import hashlib
import io
import os
import pathlib
import uuid

from tsn_keras.common.errors import InputError

NO_SPACE = "no space left on the disk (or quota exceeded)"
_FULL = (errno.ENOSPC, errno.EDQUOT)
# Libraries give the system's words, without its number; SQLite has words of its own.
_WORDS = (*map(os.strerror, _FULL), "database or disk is full")


class DiskFullError(InputError):
    """A file cannot be written, since its disk is full; the text names it."""


def is_full(error):
    """Whether an exception of any library is about a full disk."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _FULL
    return any(words in str(error) for words in _WORDS)


@contextlib.contextmanager
def writing(path):
    """Turns any library's error for a full disk into one.

    Args:
        path: the file, as its user knows it.

    Raises:
        DiskFullError: the disk filled up within the block.
        OSError: as it was, and naming the file if it named none.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if not is_full(error):
            if isinstance(error, OSError) and error.errno and not error.filename:
                error.filename = str(path)
            raise
        raise DiskFullError(f"cannot write {path}: {NO_SPACE}") from None


@contextlib.contextmanager
def replacing(path):
    """Yields a path beside `path`, renamed onto it if the block succeeds.

    Whoever reads `path` sees the old file or the whole new one. The suffixes
    are kept, since some writers choose the format by them.

    Raises:
        DiskFullError: the disk is full.
        OSError: the file cannot be written for another reason.
    """
    path = pathlib.Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} for {path.name}")
    aside = path.with_name(f".{uuid.uuid4().hex[:8]}.{path.name}")
    try:
        with writing(path):
            yield aside
            os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


@contextlib.contextmanager
def appending(path):
    """Yields a text file to add to; where that fails nothing is added.

    Raises:
        DiskFullError: the disk is full.
        OSError: the file is missing, or cannot be written for another reason.
    """
    path = pathlib.Path(path)
    before = path.stat().st_size
    try:
        with writing(path), path.open("a", newline="") as file:
            yield file
    except BaseException:
        os.truncate(path, before)
        raise


@contextlib.contextmanager
def enduring(path, reads=False):
    """Yields a new binary file for a library that crashes when a disk is full.

    HDF5 ends the process, zipfile shows tracebacks when it is deleted. So what
    cannot be written is dropped until the library has closed its file, which is
    to happen within the block. The file's method `check` raises the error earlier.

    Args:
        path: the file.
        reads: whether the library reads what it has written, as HDF5 does: then
            what cannot be written is kept in memory.

    Raises:
        OSError: the file could not be written.
    """
    with _Enduring(path, "w+") as file:
        file.reads = reads
        try:
            yield file
        except Exception:
            # Later errors may follow from the failed write.
            file.check()
            raise
        file.check()


class _Enduring(io.FileIO):
    """A file that keeps the first error of writing; see `enduring`."""

    reads = False
    _error = None

    def __init__(self, *args):
        super().__init__(*args)
        self._unwritten = []  # (place in the file, bytes), the later one counts

    def check(self):
        """Raises the error of writing, if there was one."""
        if self._error is not None:
            raise self._error

    def write(self, data):
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            # The last write may be incomplete.
            while left and self._error is None:
                left = left[super().write(left) :]
        except OSError as error:
            self._error = error
        if self.reads and left:
            self._unwritten.append((self.tell(), bytes(left)))
        self.seek(len(left), os.SEEK_CUR)
        return size

    def readinto(self, buffer):
        if self._error is None:
            return super().readinto(buffer)
        view, start = memoryview(buffer).cast("B"), self.tell()
        view[:] = bytes(len(view))
        super().readinto(view)
        for place, data in self._unwritten:
            first, last = max(place, start), min(place + len(data), start + len(view))
            if first < last:
                view[first - start : last - start] = data[first - place : last - place]
        self.seek(start + len(view))
        return len(view)

    def truncate(self, size=None):
        try:
            return super().truncate(size)
        except OSError as error:
            self._error = self._error or error
            return size


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
    return _digest(path, hashlib.sha256())


def md5(path):
    """Hexadecimal MD5 of a file, where a publisher gave no better digest."""
    return _digest(path, hashlib.md5(usedforsecurity=False))


def _digest(path, digest):
    with open(path, "rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()


def cache_folder():
    """The user's cache: files that can be made or fetched again.

    `TSN_KERAS_CACHE`, else `tsn_keras` in `XDG_CACHE_HOME` or ~/.cache.
    """
    named = os.environ.get("TSN_KERAS_CACHE")
    if named:
        return pathlib.Path(named).expanduser()
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(home).expanduser() / "tsn_keras"
