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

from tsn_keras import config
from tsn_keras.data import extractor, flow
from tsn_keras.engine import extraction_record

_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
# Faults of the place that is written to, not of a video: the next video would
# meet them too.
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


def run(source, out, aside, settings, cores, sharing, child):
    """Makes a video's folder: written aside, then renamed into place.

    Args:
        source: videos.Source.
        out: folder for the frame folders.
        aside: folder for unfinished work, on the same file system.
        settings: extractor.Settings.
        cores: of this process, for flow.
        sharing: videos that share them.
        child: whether this is another process than the one that was asked.

    Returns:
        Result; nothing that concerns one video is raised.
    """
    if child and threading.current_thread() is threading.main_thread():
        # Ctrl-C reaches every process of a terminal; the one that was asked
        # stops the others.
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    out, aside = pathlib.Path(out), pathlib.Path(aside)
    folder = aside / uuid.uuid4().hex
    try:
        # Whoever asked made the folder above it: where it is missing, this
        # process sees another disk, and nothing that it made would arrive.
        folder.mkdir()
        try:
            made = extractor.extract(source.path, folder, settings, cores, sharing)
            extraction_record.write(folder, source.path, settings, made)
            target = out / source.id
            target.parent.mkdir(parents=True, exist_ok=True)
            _put(folder, target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        if not aside.is_dir():
            reason = f"{socket.gethostname()} cannot write to {aside}: {error}"
            return Result(source.id, error=reason, fatal=True)
        fatal = error.errno in _FULL
        return Result(source.id, error=f"{source.path}: {error}", fatal=fatal)
    except flow.DeviceError as error:
        return Result(source.id, error=str(error), fatal=True)
    except config.InputError as error:
        return Result(source.id, error=str(error))
    except (cv2.error, MemoryError) as error:
        return Result(source.id, error=f"{source.path}: {error!r}")
    return Result(source.id, made)


def _put(folder, target):
    """Renames a finished folder into place."""
    try:
        folder.rename(target)
    except OSError as error:
        # Another run may have made the same video meanwhile.
        if error.errno not in _TAKEN or extraction_record.read(target) is None:
            raise
