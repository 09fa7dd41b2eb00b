"""Class folders of frame folders or video files: videos of a user's own."""

import os
import zlib

from tsn_keras.common import storage
from tsn_keras.datasets import video_files
from tsn_keras.datasets.records import Dataset, DatasetError, Split, Video


def read_folders(root, holdout=0.0):
    """Reads class folders of frame folders or video files.

    Args:
        root: folder of a folder for each class, whose folders and video files are
            videos; those whose names begin with a dot are none. Folders of nothing but
            text files, such as official split files, are no classes.
        holdout: fraction of the videos of a class to validate on. Which they
            are depends on their names alone; one at least is left to train on.

    Returns:
        Split; labels count the classes in the order of their names.

    Raises:
        DatasetError: there is no class, or one without a video.
    """
    classes = [name for name in _folders(root) if not _is_of_texts(root / name)]
    train, test = [], []
    for label, name in enumerate(classes):
        videos = [
            Video(f"{name}/{video}", label, name) for video in _videos(root / name)
        ]
        if not videos:
            raise DatasetError(
                f"{root / name} is a class without videos: expected "
                f"{root}/CLASS/VIDEO/, as extract writes a folder of class folders, or "
                f"video files"
            )
        # By a digest, so that numbered names have no influence.
        order = sorted(videos, key=lambda video: zlib.crc32(os.fsencode(video.id)))
        share = min(len(videos) - 1, max(1, round(len(videos) * holdout)))
        held = set(order[:share]) if holdout else set()
        train += [video for video in videos if video not in held]
        test += [video for video in videos if video in held]
    if not classes:
        raise DatasetError(f"{root} has no class folders: expected {root}/CLASS/VIDEO/")
    return Split(tuple(train), tuple(test), tuple(classes))


def _folders(root):
    return [
        name
        for name in storage.names(root)
        if not name.startswith(".") and (root / name).is_dir()
    ]


def _videos(folder):
    """Names of a class's videos: frame folders, and files without their endings."""
    found = _folders(folder)
    if storage.is_remote(folder):
        return found
    files = video_files.by_stem(storage.names(folder))
    # A frame folder is named up to the first dot, see video.sources.
    return sorted({*found, *(f for f in files if f.split(".")[0] not in found)})


def _is_of_texts(folder):
    """Whether a folder is no class but holds official split files."""
    names = storage.names(folder)
    return bool(names) and all(name.lower().endswith(".txt") for name in names)


def _read(choice, root):
    """The Split of a records.Choice; see Dataset."""
    return read_folders(root, choice.holdout)


FOLDERS = Dataset(
    name="folders",
    read=_read,
    settings=frozenset(("holdout",)),
    # Only the training run knows which videos were held out.
    scored=None,
)
