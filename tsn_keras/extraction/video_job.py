"""The work on one video, as it is sent to a process here or on a cluster."""

import contextlib
import dataclasses
import errno
import pathlib
import shutil
import signal
import socket
import threading
import uuid

import cv2

from tsn_keras.common import files
from tsn_keras.common.errors import InputError
from tsn_keras.extraction import extractor, provenance
from tsn_keras.extraction.settings import Settings
from tsn_keras.flow.settings import DeviceError
from tsn_keras.video import sources

_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
# Faults of the place that is written to, not of a video: the next video would fail
# too.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of a video.

    Attributes:
        id: the video's.
        made: extractor.Made, or None if it failed.
        error: why it failed, or None.
        fatal: whether every other video would fail as well.
    """

    id: str
    made: extractor.Made | None = None
    error: str | None = None
    fatal: bool = False


@dataclasses.dataclass(frozen=True)
class Job:
    """A video to make the files of.

    Attributes:
        source: video.sources.Source.
        out: folder for the frame folders.
        aside: folder for unfinished work, on the same file system.
        settings: settings.Settings.
        only_sound: whether the folder is there, and only its sound is to be made.
    """

    source: sources.Source
    out: pathlib.Path
    aside: pathlib.Path
    settings: Settings
    only_sound: bool = False


@dataclasses.dataclass(frozen=True)
class Crew:
    """Who works on a job.

    Attributes:
        cores: of this process, for flow.
        sharing: videos that share them.
        child: whether this is another process than the one that was asked.
    """

    cores: int
    sharing: int = 1
    child: bool = False


def run(job, crew):
    """Makes a video's folder: written aside, then renamed into place.

    Args:
        job: Job.
        crew: Crew.

    Returns:
        Result; nothing that concerns one video is raised.
    """
    if crew.child and threading.current_thread() is threading.main_thread():
        # Ctrl-C reaches every process of a terminal; the main process stops the others.
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, aside = job.source, job.aside
    try:
        if job.only_sound:
            made = _add_sound(job)
        else:
            made = _make(job, aside / uuid.uuid4().hex, crew)
    except OSError as error:
        if not aside.is_dir():
            reason = f"{socket.gethostname()} cannot write to {aside}: {error}"
            return Result(source.id, error=reason, fatal=True)
        told = error
        if files.is_full(error):
            told = f"cannot write {job.out / source.id}: {files.NO_SPACE}"
        fatal = error.errno in _FULL
        return Result(source.id, error=f"{source.path}: {told}", fatal=fatal)
    except DeviceError as error:
        return Result(source.id, error=str(error), fatal=True)
    except InputError as error:
        return Result(source.id, error=str(error))
    except (cv2.error, MemoryError) as error:
        return Result(source.id, error=f"{source.path}: {error!r}")
    return Result(source.id, made)


def _make(job, folder, crew):
    """Makes the files in `folder`, and renames it into place; returns Made."""
    # The main process made the parent folder. If it is missing, this process sees
    # another disk, and its files would be lost.
    folder.mkdir()
    try:
        path = job.source.path
        made = extractor.extract(path, folder, job.settings, crew.cores, crew.sharing)
        provenance.write(folder, path, job.settings, made)
        target = job.out / job.source.id
        target.parent.mkdir(parents=True, exist_ok=True)
        _put(folder, target)
        return made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _add_sound(job):
    """Adds sound to a folder that is there; returns Made of no frames."""
    folder = job.out / job.source.id
    heard = extractor.Heard.of(job.source.path, folder, job.settings)
    provenance.add_sound(folder, provenance.read(folder), heard)
    return extractor.Made(0, 0, None, heard)


def _put(folder, target):
    """Renames a finished folder into place."""
    try:
        folder.rename(target)
    except OSError as error:
        # Another run may have made the same video meanwhile.
        if error.errno not in _TAKEN or provenance.read(target) is None:
            raise
