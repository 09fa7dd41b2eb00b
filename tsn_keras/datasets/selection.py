"""The videos of a split, and which of them are on disk."""

import concurrent.futures
import dataclasses
import functools
import os
import pathlib
from collections.abc import Mapping

from tsn_keras.common import progress, storage, text
from tsn_keras.datasets import codings, frames, sounds, video_files
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.datasets.records import (
    Choice,
    Dataset,
    DatasetError,
    FrameFolder,
    Stretch,
    Video,
)

DATA_VARIABLE = "TSN_KERAS_DATA"
REQUESTS = 32  # to an object store at a time


@dataclasses.dataclass(frozen=True)
class VideoSet:
    """The videos of a part of a split.

    Attributes:
        name: of the data set.
        split: number of the split, or None.
        root: folder that holds the frame folders, a path or an address.
        videos: records.Video in the order of the split.
        classes: names of the classes, or None if they are not known.
        part: "test", "training" or "validation", for messages.
        measure, fusion_weights: those of the data set, see records.Dataset.
    """

    name: str
    split: int | None
    root: pathlib.Path | storage.Address
    videos: tuple[Video, ...]
    classes: tuple[str, ...] | None
    part: str = "test"
    measure: str | None = None
    fusion_weights: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def class_count(self) -> int:
        """Number of classes; without names, up to the largest label."""
        labels = (max(v.labels, default=v.label) for v in self.videos)
        return len(self.classes or ()) or max(labels) + 1


@dataclasses.dataclass(frozen=True)
class Selection:
    """Those videos of a set that are on disk for a modality.

    Attributes:
        folders: FrameFolder of each video whose folder holds files.
        missing: ids of the videos that have no folder.
        failed: {id: reason} of the videos whose folders cannot be used.
        without: ids of the videos that have nothing of the modality: no sound.
    """

    folders: tuple[FrameFolder, ...]
    missing: tuple[str, ...] = ()
    failed: dict[str, str] = dataclasses.field(default_factory=dict)
    without: tuple[str, ...] = ()

    @property
    def of_a_pass(self) -> int:
        """Number of videos that a pass of training has: one part of each untrimmed."""
        whole = sum(not folder.raw for folder in self.folders)
        return whole + len({folder.raw for folder in self.folders if folder.raw})

    def under(self, stream) -> "Selection":
        """The same with what a Stream sees: images of video files, or their sound.

        Of flow it is known then what the levels of each video's files mean.

        Raises:
            DatasetError: it is sound, and that of a video was not extracted.
        """
        folders = tuple(folder.under(stream) for folder in self.folders)
        if stream.modality.has_flow:
            folders, failed = codings.told(folders)
            return Selection(folders, self.missing, {**self.failed, **failed})
        if not stream.modality.is_sound:
            return dataclasses.replace(self, folders=folders)
        kept, without, failed = sounds.heard(folders)
        return Selection(kept, self.missing, {**self.failed, **failed}, without)


def data_folder(dataset: Dataset, named=None):
    """Folder of a data set's frames: the one named, else the usual one.

    Args:
        dataset: records.Dataset.
        named: path or address, or None.

    Raises:
        DatasetError: there is no such folder, or none is named.
    """
    if named is not None:
        root = named
    elif dataset.usual_root is not None:
        root = dataset.usual_root()
    else:
        home = os.environ.get(DATA_VARIABLE)
        if not home:
            raise DatasetError(
                f"where is {dataset.name}? Name the folder of its frames with "
                f"`data`, or put it into a folder {dataset.name} and set "
                f"{DATA_VARIABLE} to the folder that holds that one"
            )
        root = storage.path(home) / dataset.name
    if reason := text.halves(str(root)):
        raise DatasetError(f"the folder {root} {reason}: rename it")
    if storage.is_remote(root) and root.lists_no_folders:
        if not dataset.lists_its_files:
            raise DatasetError(
                f"{root}: a web server does not list its folders. Name the videos and "
                f'their numbers of files in a list file (`dataset="list"`)'
            )
    elif dataset.make is None and not root.is_dir():
        raise DatasetError(
            f"there is no folder {root}: name the folder that holds the frame folders "
            f"of {dataset.name} with `data`"
        )
    return root


def read(choice: Choice):
    """Reads the split that a user chooses.

    Args:
        choice: records.Choice.

    Returns:
        (records.Dataset, root of the frames, records.Split)

    Raises:
        InputError: the data set or its annotations are not there, or a setting
            means nothing for it.
    """
    dataset = DATASETS.find(choice.dataset)
    _check(dataset, choice)
    root = data_folder(dataset, choice.root)
    split = dataset.read(choice, root)
    _check_names(dataset, split)
    return dataset, root, split


def _check_names(dataset, split):
    """Refuses names that a list of them, or a table, could not hold."""
    for label, name in enumerate(split.classes or ()):
        if reason := text.fault(name):
            raise DatasetError(
                f"class {label} of {dataset.name}, {name[:80]!r}, {reason}: rename it"
            )
    for video in (*split.train, *split.test):
        if reason := text.fault(video.id):
            raise DatasetError(
                f"video {video.id[:80]!r} of {dataset.name} {reason}: rename it"
            )


def _check(dataset, choice):
    """Refuses settings that would do nothing."""
    for name in ("annotations", "validation", "classes", "holdout"):
        if getattr(choice, name) and name not in dataset.settings:
            others = [d.name for d in DATASETS.values() if name in d.settings]
            raise DatasetError(
                f"`{name}` is not for {dataset.name}, only for {', '.join(others)}"
            )
    if choice.split not in (dataset.splits or (None,)):
        raise DatasetError(
            f"`split` is {choice.split}; {dataset.name} has "
            + (
                f"splits {', '.join(map(str, dataset.splits))}"
                if dataset.splits
                else "no splits"
            )
        )


def find_test_set(choice: Choice, listener) -> VideoSet:
    """Finds the videos that an evaluation of a data set scores.

    Args:
        choice: records.Choice.
        listener: progress.Silent that is shown how frames are made.

    Raises:
        InputError: the data set or its annotations are not there.
    """
    dataset, root, split = read(choice)
    if dataset.scored is None:
        raise DatasetError(
            f"{dataset.name} has no test videos of its own: name them in a list file "
            f'(`dataset="list"`)'
        )
    videos = getattr(split, dataset.scored)
    make(dataset, root, videos, listener)
    return VideoSet(
        *(dataset.name, choice.split, root, videos, split.classes),
        measure=dataset.measure,
        fusion_weights=dataset.fusion_weights,
    )


def make(dataset, root, videos, listener):
    """Makes the frames of videos of a data set that can make them."""
    if dataset.make is not None:
        title = f"making {dataset.name} videos"
        with listener.bar(title, len(videos)) as bar:
            dataset.make(root, videos, bar.update)


def select(
    videos: VideoSet,
    prefixes,
    allow_missing=False,
    images=False,
    listener=progress.SILENT,
) -> Selection:
    """Finds the frame folders of a set, or its video files, and counts their images.

    Args:
        videos: VideoSet.
        prefixes: those of a modality's files.
        allow_missing: whether videos without a folder or file may be left out.
        images: whether the files of the modality are images of a video, so that a
            video file will do where there is no frame folder; flow must be extracted.
        listener: progress.Silent that is shown how video files are looked through.

    Returns:
        Selection.

    Raises:
        DatasetError: folders are missing and must not be, two videos are in the
            same folder, or no folder holds a file of the modality.
    """
    kept, missing, failed = [], [], {}
    look = functools.partial(_look, videos.root, prefixes)
    # An object store answers many questions at once as fast as one.
    at_once = REQUESTS if storage.is_remote(videos.root) else 1
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        found = list(pool.map(look, videos.videos))
    if not storage.is_remote(videos.root) and None in found:
        found = video_files.fill(videos, found, images, listener)
    for video, one in zip(videos.videos, found, strict=True):
        if one is None:
            missing.append(video.id)
        elif isinstance(one, str):
            failed[video.id] = one
        else:
            kept.append(one)
    total = len(videos.videos)
    if missing and (not allow_missing or len(missing) == total):
        raise DatasetError(
            f"{len(missing)} of {total} {videos.part} videos of {videos.name} have no "
            f"folder {'or video file ' * images}in {videos.root}, as {_some(missing)}: "
            f"complete the copy"
            + (
                ""
                if len(missing) == total
                else ", or leave them out: `allow_missing=True`"
            )
        )
    if not kept:
        video, reason = next(iter(failed.items()))
        raise DatasetError(
            f"none of {len(failed)} videos can be used; {video}: {reason}. "
            f"{_files_there(videos, video)}".rstrip(" .")
        )
    clips = {video.id for video in videos.videos if video.clip is not None}
    _check_that_folders_differ(videos, [f for f in kept if f.id not in clips])
    return Selection(tuple(kept), tuple(missing), failed)


def _check_that_folders_differ(videos, folders):
    """Refuses a video that counts twice, under two names of its folder."""
    seen = {}
    for folder in folders:
        # Only the disk knows where links and ".." lead.
        real = os.path.normpath if storage.is_remote(folder.path) else os.path.realpath
        place = real(str(folder.path))
        other = seen.setdefault(place, folder.id)
        if other != folder.id:
            raise DatasetError(
                f"{other} and {folder.id} of the {videos.part} videos of {videos.name} "
                f"are the same folder, {folder.path}: list it once"
            )


def _look(root, prefixes, video):
    """Returns a FrameFolder, what is wrong, or None where there is no folder."""
    if storage.is_remote(root) and root.lists_no_folders:
        return _believed(root, video)
    try:
        folder = frames.locate(root, video)
        if folder is None:
            return None
        first, count = frames.numbering(folder, prefixes)
    except storage.StorageError:
        raise
    except (frames.FrameError, OSError) as error:
        return str(error)
    if count == 0:
        return f"{folder}: no files {prefixes[0]}*.jpg"
    if count < (video.listed_frames or 0):
        return (
            f"{folder}: {count} files {prefixes[0]}*.jpg, but the list says "
            f"{video.listed_frames}"
        )
    if video.clip is not None:
        try:
            before, count = video.clip.within(count)
        except DatasetError as error:
            return f"{folder}: {error}"
        first += before
    return FrameFolder(
        *(video.id, video.label, folder, count, first, video.labels),
        rate=count / video.duration if video.duration else None,
        raw=video.raw,
    )


def _believed(root, video):
    """A FrameFolder as its list says; a file that is missing fails its video."""
    name, files, first = video.id, video.listed_frames, 1
    if isinstance(video.clip, Stretch):
        name, files = video.aliases[0], video.clip.files
        first += video.clip.offset
    if files is None:
        return f"{root / name}: its list does not give its number of files"
    return FrameFolder(
        *(video.id, video.label, root / name, files, first, video.labels), raw=video.raw
    )


def _files_there(videos, video_id):
    """Says what a folder holds instead, for a user with other file names."""
    video = next(video for video in videos.videos if video.id == video_id)
    folder = frames.locate(videos.root, video)
    if folder is None:
        return ""
    names = storage.names(folder)
    if not names:
        return "The folder is empty: extract the frames first"
    return (
        f"The folder holds {len(names)} files, as {names[0]}: if these are the "
        f"frames, give what stands before the number with `rgb_prefix`, "
        f"`flow_x_prefix`, `flow_y_prefix`"
    )


def _some(names):
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown}, ..."
