"""A data set's name to the videos of a split and their frame folders."""

import concurrent.futures
import dataclasses
import functools
import os
import pathlib

from tsn_keras import config
from tsn_keras.data import annotations, frames, storage

NAMES = ("demo", "hmdb51", "ucf101", "list")
DATA_VARIABLE = "TSN_KERAS_DATA"
REQUESTS = 32  # to an object store at a time


class DatasetError(config.InputError):
    """A data set cannot be used as it lies there; the text gives the next step."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What a command calls its settings; for the texts of errors."""

    data: str = "--data"
    annotations: str = "--annotations"
    allow_missing: str = "score the others: --allow-missing"
    prefixes: str = "--rgb-prefix, --flow-x-prefix, --flow-y-prefix"


@dataclasses.dataclass(frozen=True)
class VideoSet:
    """The test or training videos of a split.

    Attributes:
        name: "demo", "hmdb51", "ucf101" or "list".
        split: number of the split, or None for a list.
        root: folder that holds the frame folders, a path or an address.
        videos: annotations.Video in the order of the split.
        classes: names of the classes, or None if the list does not name them.
        part: "test", "training" or "validation".
    """

    name: str
    split: int | None
    root: pathlib.Path
    videos: tuple[annotations.Video, ...]
    classes: tuple[str, ...] | None
    part: str = "test"


@dataclasses.dataclass(frozen=True)
class Selection:
    """Those videos of a set that are on disk for a modality.

    Attributes:
        videos: those whose folders hold files.
        folders: their frame folders.
        counts: their numbers of files.
        missing: ids of the videos that have no folder.
        failed: {id: reason} of the videos whose folders cannot be used.
    """

    videos: tuple[annotations.Video, ...]
    folders: tuple[pathlib.Path, ...]
    counts: tuple[int, ...]
    missing: tuple[str, ...]
    failed: dict[str, str]


def data_folder(name, data, options=Options()):
    """Folder of a data set: the one named, else one in TSN_KERAS_DATA."""
    if data is not None:
        root = storage.path(data)
    elif name == "list":
        root = pathlib.Path()
    else:
        home = os.environ.get(DATA_VARIABLE)
        if not home:
            raise DatasetError(
                f"where is {name}? Name the folder of its frames with "
                f"{options.data}, or put it into a folder {name} and set "
                f"{DATA_VARIABLE} to the folder that holds that one"
            )
        root = storage.path(home) / name
    if storage.is_remote(root) and root.lists_no_folders:
        if name != "list":
            raise DatasetError(
                f"{root}: a web server does not list its folders. Name the videos and "
                f"their numbers of files in a list file: --dataset list"
            )
    elif not root.is_dir():
        raise DatasetError(
            f"there is no folder {root}: name the folder that holds the frame folders "
            f"of {name} with {options.data}"
        )
    return root


def find_test_set(name, split, data=None, annotation_path=None):
    """Finds the test videos of a split.

    Args:
        name: "hmdb51", "ucf101" or "list".
        split: 1, 2 or 3; not used for a list.
        data: the data folder, or None for `name` in TSN_KERAS_DATA.
        annotation_path: folder of the official split files (default: in the
            data folder), or the list file.

    Returns:
        VideoSet.

    Raises:
        DatasetError, annotations.AnnotationError.
    """
    root = data_folder(name, data)
    if name == "list":
        if annotation_path is None:
            raise DatasetError("name the list file with --annotations FILE")
        videos = annotations.read_list(annotation_path)
        return VideoSet(name, None, root, videos, None)
    found = annotations.read(name, annotation_path or root, split)
    return VideoSet(name, split, root, found.test, found.classes)


def select(test, modality, prefixes, allow_missing=False, options=Options()):
    """Finds the frame folders of a set and counts their files.

    Args:
        test: VideoSet.
        modality: "rgb", "flow" or "rgbdiff".
        prefixes: frames.Prefixes.
        allow_missing: whether videos without a folder may be left out.
        options: Options.

    Returns:
        Selection.

    Raises:
        DatasetError: folders are missing and must not be, or no folder holds
            a file of the modality.
    """
    kept, missing, failed = [], [], {}
    wanted = prefixes.of(modality)
    look = functools.partial(_look, test.root, wanted)
    # An object store answers many questions at once as fast as one.
    at_once = REQUESTS if storage.is_remote(test.root) else 1
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for video, (folder, found) in zip(
            test.videos, pool.map(look, test.videos), strict=True
        ):
            if folder is None:
                missing.append(video.id)
            elif isinstance(found, str):
                failed[video.id] = found
            else:
                kept.append((video, folder, found))
    total = len(test.videos)
    if missing and (not allow_missing or len(missing) == total):
        raise DatasetError(
            f"{len(missing)} of {total} {test.part} videos of {test.name} have no "
            f"folder in {test.root}, as {_some(missing)}: complete the copy"
            + ("" if len(missing) == total else f", or {options.allow_missing}")
        )
    if not kept:
        video, reason = next(iter(failed.items()))
        raise DatasetError(
            f"none of {len(failed)} videos can be used; {video}: {reason}. "
            f"{_files_there(frames.locate(test.root, _named(test, video)), options)}"
        )
    videos, folders, counts = zip(*kept, strict=True)
    return Selection(videos, folders, counts, tuple(missing), failed)


def _look(root, wanted, video):
    """Returns (folder or None, number of files or what is wrong with them)."""
    root = storage.path(root)
    if storage.is_remote(root) and root.lists_no_folders:
        # The list's word has to do; a file that is not there fails its video.
        return root / video.id, video.listed_frames
    try:
        folder = frames.locate(root, video)
        if folder is None:
            return None, None
        count = frames.count(folder, wanted)
    except storage.StorageError:
        raise
    except (frames.FrameError, OSError) as error:
        return root, str(error)
    if count == 0:
        return folder, f"{folder}: no files {wanted[0]}*.jpg"
    if count < (video.listed_frames or 0):
        return folder, (
            f"{folder}: {count} files {wanted[0]}*.jpg, but the list says "
            f"{video.listed_frames}"
        )
    return folder, count


def _named(test, video_id):
    return next(video for video in test.videos if video.id == video_id)


def _files_there(folder, options):
    """Says what a folder holds instead, for a user with other file names."""
    names = storage.names(folder)
    if not names:
        return "The folder is empty: extract the frames first"
    return (
        f"The folder holds {len(names)} files, as {names[0]}: if these are the "
        f"frames, give what stands before the number with {options.prefixes}"
    )


def _some(names):
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown}, ..."
