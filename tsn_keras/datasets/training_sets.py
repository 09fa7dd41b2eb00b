"""Videos to train on and videos to validate on, of any data set."""

import dataclasses
import hashlib
import json
from typing import Any

from tsn_keras.datasets import selection
from tsn_keras.datasets.records import Choice, DatasetError, labels_of
from tsn_keras.datasets.selection import Selection, VideoSet

MOST_CLASSES = 100_000  # More are a mistake in a list.


@dataclasses.dataclass(frozen=True)
class TrainingSet:
    """Videos to train and to validate on.

    Attributes:
        name: of the data set.
        split: number of the split, or None.
        root: folder that holds the frame folders, a path or an address.
        train: selection.Selection.
        validation: selection.Selection, or None.
        count: number of classes.
        classes: their names, or None.
        empty: names or labels of classes without a training video.
        mirrored: for each label that of the mirrored video, see records.Split.
        multi_label: whether videos have several labels.
        sources: selection.Selection of each further source of training videos.
        tasks: Task of each further data set with classes of its own.
    """

    name: str
    split: int | None
    root: Any
    train: Selection
    validation: Selection | None
    count: int
    classes: tuple[str, ...] | None
    empty: tuple[str, ...]
    mirrored: tuple[int, ...] | None = None
    multi_label: bool = False
    sources: tuple[Selection, ...] = ()
    tasks: tuple["Task", ...] = ()

    def under(self, stream) -> "TrainingSet":
        """The same with what a Stream sees, see selection.Selection.

        Raises:
            DatasetError: the sound of a video cannot be used.
        """
        validation = self.validation and _whole(self.validation.under(stream))
        train = _whole(self.train.under(stream))
        sources = tuple(_whole(source.under(stream)) for source in self.sources)
        return dataclasses.replace(
            self,
            train=train,
            validation=validation,
            sources=sources,
            tasks=tuple(task.under(stream) for task in self.tasks),
            empty=_empty(train, self.count, self.classes),
        )

    @property
    def digest(self) -> str:
        """SHA-256 of what is trained on, wherever it lies."""
        return _digest(self.train)

    @property
    def digests_of_sources(self) -> list[str]:
        """SHA-256 of each further source."""
        return [_digest(source) for source in self.sources]

    @property
    def digests_of_tasks(self) -> list[str]:
        """SHA-256 of each further data set."""
        return [_digest(task.videos) for task in self.tasks]

    @property
    def digest_of_validation(self) -> str | None:
        """SHA-256 of what is validated on, or None."""
        return self.validation and _digest(self.validation)


@dataclasses.dataclass(frozen=True)
class Task:
    """A further data set, with classes of its own.

    Attributes:
        videos: selection.Selection.
        count: number of classes.
        mirrored: see TrainingSet.
    """

    videos: Selection
    count: int
    mirrored: tuple[int, ...] | None = None

    def under(self, stream) -> "Task":
        """The same with what a Stream sees; see TrainingSet."""
        return dataclasses.replace(self, videos=_whole(self.videos.under(stream)))


def _digest(chosen):
    # The first file's number only where it is not 1, so that checkpoints from before
    # it was known are resumed; so the untrimmed video.
    rows = [
        (
            *(f.id, f.labels or f.label, f.files),
            *([f.first] if f.first != 1 else ()),
            *([f.raw] if f.raw else ()),
        )
        for f in chosen.folders
    ]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def find(choice: Choice, prefixes, listener, images=False) -> TrainingSet:
    """Finds the videos that a user chooses and counts their files.

    Args:
        choice: records.Choice.
        prefixes: those of a modality's files.
        listener: progress.Silent that is shown how frames are made, and counted.
        images: whether video files will do; see selection.select.

    Returns:
        TrainingSet.

    Raises:
        InputError: videos are missing or without files, a class has none, or a
            label belongs to no class.
    """
    dataset, root, split = selection.read(choice)
    selection.make(dataset, root, split.train + split.test, listener)
    about = dataset.name, choice.split if dataset.splits else None, root
    parts = [VideoSet(*about, split.train, split.classes, "training")]
    if split.test:
        # Where one label is trained, the first of each is validated.
        test = split.test
        if not split.multi_label:
            test = tuple(dataclasses.replace(video, labels=()) for video in test)
        parts.append(VideoSet(*about, test, split.classes, "validation"))
    count = _count(parts[0])
    for videos in parts:
        _check_labels(videos, count)
    how = prefixes, choice.allow_missing, images, listener
    chosen = [_select(videos, *how) for videos in parts]
    empty = _empty(chosen[0], count, split.classes)
    _refuse_empty(empty, count, choice, split)
    return TrainingSet(
        *about,
        train=chosen[0],
        validation=chosen[1] if len(chosen) > 1 else None,
        count=count,
        classes=split.classes,
        empty=empty,
        mirrored=split.mirrored,
        multi_label=split.multi_label,
    )


def more(choice: Choice, found: TrainingSet, prefixes, listener, images=False):
    """Finds a further source of videos to train on.

    Args:
        choice: records.Choice; the training part of its data set is taken.
        found: the main TrainingSet, whose classes the labels are.
        prefixes, listener, images: see `find`.

    Returns:
        Selection. Classes may be without a video.

    Raises:
        InputError: see `find`; or the classes are others.
    """
    dataset, root, split = selection.read(choice)
    if split.multi_label and not found.multi_label:
        raise DatasetError(
            f"videos of {found.name} and of its source {dataset.name} must have one "
            f"label each, or several each"
        )
    if None not in (split.classes, found.classes) and split.classes != found.classes:
        raise DatasetError(
            f"the source {dataset.name} has other classes than {found.name}, or in "
            f"another order: list its videos with the labels of {found.name} "
            f'(`dataset="list"`)'
        )
    selection.make(dataset, root, split.train, listener)
    about = dataset.name, choice.split if dataset.splits else None, root
    train = split.train
    if found.multi_label:  # One label is all that a video of the source has.
        train = tuple(dataclasses.replace(v, labels=labels_of(v)) for v in train)
    videos = VideoSet(*about, train, found.classes, "training")
    _check_labels(videos, found.count)
    return _select(videos, prefixes, choice.allow_missing, images, listener)


def task(choice: Choice, part, prefixes, listener, images=False) -> Task:
    """Finds a further data set to train a classifier of its own on.

    Args:
        choice: records.Choice.
        part: "train", or "all": its test videos too.
        prefixes, listener, images: see `find`.

    Raises:
        InputError: see `find`; or its videos have several labels.
    """
    dataset, root, split = selection.read(choice)
    if split.multi_label:
        raise DatasetError(
            f"videos of the task {dataset.name} have several labels each: a classifier "
            f"of a further data set is for one"
        )
    chosen = split.train + split.test if part == "all" else split.train
    selection.make(dataset, root, chosen, listener)
    about = dataset.name, choice.split if dataset.splits else None, root
    videos = VideoSet(*about, chosen, split.classes, "training")
    count = _count(videos)
    _check_labels(videos, count)
    found = _select(videos, prefixes, choice.allow_missing, images, listener)
    _refuse_empty(_empty(found, count, split.classes), count, choice, split)
    return Task(found, count, split.mirrored)


def _count(videos):
    """Number of classes of a set, which the labels tell where nothing else does."""
    count = videos.class_count
    if count > MOST_CLASSES:
        raise DatasetError(
            f"the largest label is {count - 1}; labels count from 0 without gaps"
        )
    return count


def _refuse_empty(empty, count, choice, split):
    if empty and not choice.allow_missing:
        raise DatasetError(
            f"{len(empty)} of {count} classes have no training video, as {empty[0]}"
            + ("" if split.classes else "; labels count from 0 without gaps")
        )


def _check_labels(videos, count):
    for video in videos.videos:
        for label in labels_of(video):
            if not 0 <= label < count:
                raise DatasetError(
                    f"{video.id} of the {videos.part} videos has label {label}; "
                    f"labels of {count} classes are from 0 to {count - 1}"
                )


def _select(videos, *how):
    return _whole(selection.select(videos, *how), f"{videos.part} ")


def _whole(found, part=""):
    """A Selection in which nothing has failed."""
    if found.failed:
        name, reason = next(iter(found.failed.items()))
        count = sum(map(len, (found.folders, found.failed, found.without)))
        raise DatasetError(
            f"{len(found.failed)} of {count} {part}videos cannot be used; {name}: "
            f"{reason}"
        )
    return found


def _empty(chosen, count, classes):
    present = {label for folder in chosen.folders for label in labels_of(folder)}
    names = classes or [f"label {label}" for label in range(count)]
    return tuple(name for label, name in enumerate(names) if label not in present)
