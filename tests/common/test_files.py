"""Files on full disks: one error, nothing half, and what was there stays."""

import errno
import sqlite3
import zipfile

import h5py
import pytest

from tsn_keras.common import files
from tsn_keras.common.errors import InputError


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "x"), True),
        (OSError(errno.EDQUOT, "x"), True),
        (OSError(errno.EIO, "No space left on device"), False),
        (OSError("(file write failed: No space left on device)"), True),
        (RuntimeError("Unable to flush: errno = 28, No space left on device"), True),
        (sqlite3.OperationalError("database or disk is full"), True),
        (sqlite3.OperationalError("database is locked"), False),
        (ValueError("seek of closed file"), False),
    ],
)
def test_what_a_full_disk_looks_like(error, full):
    assert files.is_full(error) is full
    expected = files.DiskFullError if full else type(error)
    with pytest.raises(expected) as caught, files.writing("a.h5"):
        raise error
    if full:
        assert str(caught.value) == f"cannot write a.h5: {files.NO_SPACE}"


def test_other_errors_name_the_file_too(tmp_path):
    path, words = tmp_path / "a.txt", "Input/output error"
    with pytest.raises(OSError, match=f"{words}: '{path}'"), files.replacing(path):
        raise OSError(errno.EIO, words)
    with pytest.raises(InputError, match="^bad$"), files.writing("a"):
        raise InputError("bad")


def test_replacing(small_disk):
    path = small_disk.path / "a.txt"
    path.write_bytes(b"before")
    small_disk.leave(8)

    def write():
        with files.replacing(path) as aside:
            aside.write_bytes(bytes(10_000))

    with pytest.raises(files.DiskFullError, match=r"cannot write .*/a\.txt: no space"):
        write()
    assert small_disk.names() == ["a.txt"]
    assert path.read_bytes() == b"before"


def test_appending(small_disk):
    """All of a row, or nothing of it."""
    path = small_disk.path / "a.csv"
    path.write_text("one\n")
    with files.appending(path) as file:
        file.write("two\n")
    small_disk.leave(4)

    def write():
        with files.appending(path) as file:
            file.write("3" * 9_000)

    with pytest.raises(files.DiskFullError, match=r"a\.csv"):
        write()
    assert path.read_text() == "one\ntwo\n"


def test_enduring_holds_what_is_written(tmp_path):
    with files.enduring(tmp_path / "a.h5") as written:
        with h5py.File(written, "w") as file:
            file["numbers"] = range(5)
        written.seek(0)
        assert written.read(4) == b"\x89HDF"
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["numbers"][()].tolist() == [0, 1, 2, 3, 4]


def as_hdf5(path):
    with files.enduring(path, reads=True) as written, h5py.File(written, "w") as file:
        for number in range(100):
            file[f"group{number}/numbers"] = list(range(500))


def as_zip(path):
    with files.enduring(path) as written, zipfile.ZipFile(written, "w") as archive:
        for number in range(100):
            archive.writestr(f"{number}", bytes(3000))


@pytest.mark.parametrize("write", [as_hdf5, as_zip])
@pytest.mark.parametrize("free", [0, 4, 36, 96])
@pytest.mark.filterwarnings("error")
def test_enduring_a_full_disk(small_disk, free, write):
    """The libraries end as usual, and the first error is raised."""
    small_disk.leave(free)
    with pytest.raises(OSError) as caught:
        write(small_disk.path / "a")
    assert caught.value.errno == errno.ENOSPC
