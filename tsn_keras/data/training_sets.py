"""What a training file names, to videos to train on and to validate on."""

import collections
import dataclasses
import hashlib
import json
import zlib

from tsn_keras import config
from tsn_keras.data import annotations, datasets, demo, frames, storage

MOST_CLASSES = 100_000  # More are a mistake in a list.
OPTIONS = datasets.Options(
    data="data.root",
    annotations="data.annotations",
    allow_missing="train on the others: data.allow_missing = true",
    prefixes="data.rgb_prefix, data.flow_x_prefix, data.flow_y_prefix",
)


@dataclasses.dataclass(frozen=True)
class TrainingSet:
    """Videos to train and to validate on.

    Attributes:
        name: data.dataset of the training file.
        split: number of the split, or None.
        root: folder that holds the frame folders, a path or an address.
        train: datasets.Selection.
        validation: datasets.Selection, or None.
        count: number of classes.
        classes: their names, or None.
        empty: names or labels of classes without a training video.
        prefixes: frames.Prefixes.
    """

    name: str
    split: int | None
    root: object
    train: datasets.Selection
    validation: datasets.Selection | None
    count: int
    classes: tuple[str, ...] | None
    empty: tuple[str, ...]
    prefixes: frames.Prefixes

    @property
    def digest(self):
        """SHA-256 of what is trained on, wherever it lies."""
        return _digest(self.train)

    @property
    def digest_of_validation(self):
        """SHA-256 of what is validated on, or None."""
        return self.validation and _digest(self.validation)


def _digest(selection):
    rows = [
        (video.id, video.label, count)
        for video, count in zip(selection.videos, selection.counts, strict=True)
    ]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def find(settings, progress=None):
    """Finds the videos of a training file and counts their files.

    Args:
        settings: config.DataSettings.
        progress: called without arguments for each video of the demo that was
            made.

    Returns:
        TrainingSet.

    Raises:
        config.InputError: videos are missing or without files, a class has
            none, or a label is none of the classes'.
    """
    _check(settings)
    train, validation = _sets(settings, progress)
    prefixes = frames.Prefixes(
        settings.rgb_prefix, settings.flow_x_prefix, settings.flow_y_prefix
    )
    labels = [video.label for video in train.videos]
    count = len(train.classes or ()) or max(labels) + 1
    for videos in filter(None, (train, validation)):
        _check_labels(videos, count)
    if count > MOST_CLASSES:
        raise datasets.DatasetError(
            f"the largest label is {count - 1}; labels count from 0 without gaps"
        )
    selected = [
        videos and _select(videos, settings.modality, prefixes, settings.allow_missing)
        for videos in (train, validation)
    ]
    empty = _empty(selected[0], count, train.classes)
    if empty and not settings.allow_missing:
        raise datasets.DatasetError(
            f"{len(empty)} of {count} classes have no training video, as {empty[0]}"
            + ("" if train.classes else "; labels count from 0 without gaps")
        )
    return TrainingSet(
        train.name,
        train.split,
        train.root,
        *selected,
        count,
        train.classes,
        empty,
        prefixes,
    )


def _check(settings):
    """Refuses settings that would do nothing."""
    own = {"list": ("validation", "classes"), "folders": ("holdout",)}
    for dataset, keys in own.items():
        for key in keys:
            if settings.dataset != dataset and getattr(settings, key):
                raise datasets.DatasetError(
                    f'data.{key} is for data.dataset = "{dataset}" only. Received: '
                    f"{settings.dataset}"
                )
    if settings.dataset in ("demo", "folders") and settings.annotations:
        raise datasets.DatasetError(
            f"data.annotations is not for data.dataset = {settings.dataset!r}"
        )
    if settings.split != 1 and settings.dataset not in annotations.ARCHIVE_FOLDERS:
        raise datasets.DatasetError(
            f"data.split is for hmdb51 and ucf101 only. Received: {settings.dataset}"
        )
    if settings.dataset == "list" and not settings.annotations:
        raise datasets.DatasetError("name the list file to train on: data.annotations")


def _sets(settings, progress):
    """Returns two datasets.VideoSet, the second perhaps None."""
    if settings.dataset == "demo":
        root, found = _demo(settings, progress)
    else:
        root = datasets.data_folder(settings.dataset, settings.root or None, OPTIONS)
        if settings.dataset == "folders":
            found = read_folders(root, settings.holdout)
        elif settings.dataset == "list":
            found = _lists(settings)
        else:
            found = annotations.read(
                settings.dataset, settings.annotations or root, settings.split
            )
    split = settings.split if settings.dataset in annotations.ARCHIVE_FOLDERS else None
    about = settings.dataset, split, root
    train = datasets.VideoSet(*about, found.train, found.classes, "training")
    if not found.test:
        return train, None
    return train, datasets.VideoSet(*about, found.test, found.classes, "validation")


def _demo(settings, progress):
    root = storage.path(settings.root or config.cache_folder() / demo.FOLDER)
    if storage.is_remote(root):
        raise datasets.DatasetError(
            f"data.root = {settings.root}: the demo is made in a folder of this machine"
        )
    found = demo.split()
    demo.prepare(root, found.train + found.test, progress)
    return root, found


def _lists(settings):
    train = annotations.read_list(settings.annotations)
    test = annotations.read_list(settings.validation) if settings.validation else ()
    classes = annotations.read_names(settings.classes) if settings.classes else None
    return annotations.Split(train, test, classes)


def read_folders(root, holdout=0.0):
    """Reads class folders of frame folders.

    Args:
        root: folder of a folder for each class, whose folders are videos; those
            whose names begin with a dot are none.
        holdout: fraction of the videos of a class to validate on. Which they
            are depends on their names alone; one at least is left to train on.

    Returns:
        annotations.Split; labels count the classes in the order of their names.

    Raises:
        datasets.DatasetError: there is no class, or one without a video.
    """
    classes = _folders(root)
    train, test = [], []
    for label, name in enumerate(classes):
        videos = [
            annotations.Video(f"{name}/{video}", label, name)
            for video in _folders(root / name)
        ]
        if not videos:
            raise datasets.DatasetError(
                f"{root / name} is a class without videos: expected "
                f"{root}/CLASS/VIDEO/, as extract writes a folder of class folders"
            )
        # By a digest, so that names that count do not decide.
        order = sorted(videos, key=lambda video: zlib.crc32(video.id.encode()))
        share = min(len(videos) - 1, max(1, round(len(videos) * holdout)))
        held = set(order[:share]) if holdout else set()
        train += [video for video in videos if video not in held]
        test += [video for video in videos if video in held]
    if not classes:
        raise datasets.DatasetError(
            f"{root} has no class folders: expected {root}/CLASS/VIDEO/"
        )
    return annotations.Split(tuple(train), tuple(test), tuple(classes))


def _folders(root):
    return [
        name
        for name in storage.names(root)
        if not name.startswith(".") and (root / name).is_dir()
    ]


def _check_labels(videos, count):
    for video in videos.videos:
        if not 0 <= video.label < count:
            raise datasets.DatasetError(
                f"{video.id} of the {videos.part} videos has label {video.label}; "
                f"labels of {count} classes are from 0 to {count - 1}"
            )


def _select(videos, modality, prefixes, allow_missing):
    found = datasets.select(videos, modality, prefixes, allow_missing, OPTIONS)
    if found.failed:
        name, reason = next(iter(found.failed.items()))
        raise datasets.DatasetError(
            f"{len(found.failed)} of {len(videos.videos)} {videos.part} videos cannot "
            f"be used; {name}: {reason}"
        )
    return found


def _empty(selection, count, classes):
    present = collections.Counter(video.label for video in selection.videos)
    names = classes or [f"label {label}" for label in range(count)]
    return tuple(name for label, name in enumerate(names) if not present[label])
