"""What the grey levels of a frame folder's flow files mean: its record says it."""

import concurrent.futures
import dataclasses

from tsn_keras.common import json_text, storage, text
from tsn_keras.common.errors import InputError
from tsn_keras.datasets import frames
from tsn_keras.datasets.records import DatasetError, VideoFile
from tsn_keras.flow import quantiser, ranges

_AT_ONCE = 32  # requests to an object store


def told(folders):
    """Frame folders with the bounds of their flow.

    Args:
        folders: records.FrameFolder of each video.

    Returns:
        (tuple of FrameFolder, {id: reason} of those whose record cannot be used)

    Raises:
        DatasetError: that are all of them.
    """
    remote = any(storage.is_remote(folder.path) for folder in folders)
    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE if remote else 1) as pool:
        found = list(pool.map(_told, folders))
    failed = {
        folder.id: reason
        for folder, reason in zip(folders, found, strict=True)
        if isinstance(reason, str)
    }
    if failed and len(failed) == len(folders):
        raise DatasetError(next(iter(failed.values())))
    return tuple(one for one in found if not isinstance(one, str)), failed


def _told(folder):
    """A FrameFolder with its bound, or what is wrong."""
    if isinstance(folder, VideoFile):
        return folder
    try:
        return dataclasses.replace(folder, bound=bound(folder.path))
    except storage.StorageError:
        raise
    except (InputError, OSError) as error:
        return str(error)


def bound(folder):
    """The bound of a folder's flow.

    Args:
        folder: the frame folder, a path or an address.

    Returns:
        float, pixels of motion of the grey levels 0 and 255: those that its extraction
        has noted, or 20, that of the original's tool, where none is noted; None: each
        field has its own range, which is in a file beside them.

    Raises:
        DatasetError: its record cannot be used, or the ranges are not there.
        OSError: it cannot be read.
    """
    path = folder / frames.RECORD
    try:
        record = json_text.parse(text.read(path, frames.MAX_RECORD), "it")
    except (FileNotFoundError, NotADirectoryError):
        return float(quantiser.BOUND)
    except storage.StorageError:
        raise
    except ValueError as error:
        raise DatasetError(
            f"{path} does not say how flow is stored ({error}): extract the video again"
        ) from None
    parameters = record.get("parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    coding = parameters.get("flow_coding", quantiser.OF_BOUND)
    if coding == quantiser.OF_RANGE:
        if not (folder / ranges.NAME).is_file():
            raise DatasetError(
                f"{folder} has lost its {ranges.NAME}: extract the video again"
            )
        return None
    pixels = parameters.get("bound", quantiser.BOUND)
    if coding != quantiser.OF_BOUND or not _is_bound(pixels):
        raise DatasetError(
            f"{path} stores flow as {coding!s:.50} of {pixels!s:.50}, which is not "
            f"known here"
        )
    return float(pixels)


def _is_bound(pixels):
    return type(pixels) in (int, float) and 0 < pixels <= 1000
