"""Disks that are full."""

import contextlib
import pathlib
import subprocess

import pytest

_BALLAST = "ballast"


class Disk:
    """A small file system.

    Attributes:
        path: where it is mounted.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def leave(self, kilobytes):
        """Fills it up so that so much is free: whole pages of 4 kB."""
        with contextlib.suppress(FileNotFoundError):
            (self.path / _BALLAST).unlink()
        with (self.path / _BALLAST).open("wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(1024))
            file.truncate(max(0, file.tell() - 1024 * kilobytes))

    def names(self):
        """What lies on it, at any depth, but for what fills it."""
        found = {p.relative_to(self.path).as_posix() for p in self.path.rglob("*")}
        return sorted(found - {_BALLAST})


@contextlib.contextmanager
def mounted(place, kilobytes):
    """Yields a Disk of a size; skips the test where none can be mounted."""
    place.mkdir()
    size = f"size={kilobytes}k"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs the command mount")
    if done.returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield Disk(place)
    finally:
        subprocess.run(["umount", str(place)], check=True)
