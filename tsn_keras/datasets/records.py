"""The records of data sets: what one is, its videos, and where a user keeps it."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from tsn_keras.common import storage
from tsn_keras.common.errors import InputError
from tsn_keras.flow.quantiser import BOUND

# A path of this machine, or an address elsewhere.
Place = pathlib.Path | storage.Address
NO_LABEL = -1  # of a video that shows no class


class DatasetError(InputError):
    """A data set cannot be used as it lies there; the text gives the next step."""


@dataclasses.dataclass(frozen=True)
class Stretch:
    """Files of a frame folder that are a clip, as lists with offsets name them.

    Attributes:
        offset: how many files come before.
        files: how many it has.
    """

    offset: int
    files: int

    def within(self, files: int) -> tuple[int, int]:
        """(files before it, files of it), in a folder of so many files.

        Raises:
            DatasetError: the folder has fewer.
        """
        if self.offset + self.files > files:
            raise DatasetError(
                f"{files} files, but the list names {self.files} after the first "
                f"{self.offset}"
            )
        return self.offset, self.files


@dataclasses.dataclass(frozen=True)
class Seconds:
    """A part of a video that is a clip, as annotations in seconds name it.

    Attributes:
        start: its first second.
        end: its last.
        duration: of the whole video.
    """

    start: float
    end: float
    duration: float

    def within(self, files: int) -> tuple[int, int]:
        """(files before it, files of it), in a folder of so many files.

        The rate is the number of files over the duration; the file at the end is part
        of the clip (mmaction2 tools/data/activitynet/generate_rawframes_filelist.py:
        78-90). There a clip at the very end may be without a file; here it has the
        last one.
        """
        rate = files / self.duration
        offset, last = (
            min(int(second * rate), files - 1) for second in (self.start, self.end)
        )
        return offset, max(1, last - offset + 1)


@dataclasses.dataclass(frozen=True)
class Video:
    """One video of a split.

    Attributes:
        id: the video's name, which is also its frame folder's name; for a list
            file the path as listed. The id of a clip says which it is.
        label: class index, 0-based; the first one of several; or NO_LABEL, in a data
            set of several labels: such a video is a negative of every class.
        folder: name of the class folder that may hold the frame folder, or "".
        listed_frames: number of files according to a list file, else None.
        aliases: other names that its frame folder may have.
        labels: all class indices, in increasing order, where videos have several;
            else ().
        clip: which part of the frame folder it is, or None for the whole.
        folders: other folders that may hold the frame folder.
        duration: seconds of the whole video, where the annotations say it.
        raw: the untrimmed video that it is a part of, where a pass of training has one
            part of each; else "".
    """

    id: str
    label: int
    folder: str = ""
    listed_frames: int | None = None
    aliases: tuple[str, ...] = ()
    labels: tuple[int, ...] = ()
    clip: Stretch | Seconds | None = None
    folders: tuple[str, ...] = ()
    duration: float | None = None
    raw: str = ""


def are_several(videos) -> bool:
    """Whether videos of a set have several labels: all have, or none.

    Args:
        videos: Video or FrameFolder. The first may show no class.
    """
    return any(video.labels or video.label == NO_LABEL for video in videos)


def labels_of(video) -> tuple[int, ...]:
    """All labels of a Video or FrameFolder: one, several or none."""
    return video.labels or (() if video.label == NO_LABEL else (video.label,))


@dataclasses.dataclass(frozen=True)
class Split:
    """Videos to train on, videos to test on, and the names of the classes.

    Attributes:
        train: Video records.
        test: Video records; they may have several labels where `train` has one each.
        classes: names, or None where they are not known.
        mirrored: for each label that of the mirrored video, as "from left to right"
            becomes "from right to left"; None where no label changes.
    """

    train: tuple[Video, ...]
    test: tuple[Video, ...]
    classes: tuple[str, ...] | None
    mirrored: tuple[int, ...] | None = None

    @property
    def multi_label(self) -> bool:
        """Whether a video to train on may have several labels."""
        return are_several(self.train or self.test)


@dataclasses.dataclass(frozen=True)
class Choice:
    """What a user says of a data set. Texts that name places become paths here.

    Attributes:
        dataset: name of the data set, see datasets.catalogue.
        split: number of the official split, or None.
        root: path or address of the frame folders, or None for the usual place.
        annotations: folder of the split files (None: in the data folder), or the
            list file.
        validation: list file to validate on.
        classes: file with the names of the classes.
        holdout: fraction of each class's videos to validate on.
        allow_missing: whether videos of the split may be absent.
    """

    dataset: str
    split: int | None = None
    root: Place | None = None
    annotations: Place | None = None
    validation: Place | None = None
    classes: Place | None = None
    holdout: float = 0.0
    allow_missing: bool = False

    def __post_init__(self):
        for name in ("root", "annotations", "validation", "classes"):
            if (named := getattr(self, name)) is not None:
                object.__setattr__(self, name, storage.path(named))


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A data set.

    Attributes:
        name: what users and presets call it.
        read: function (Choice, root) to the Split that is chosen.
        settings: fields of Choice, beside root and split, that mean something
            for it.
        splits: numbers of its official splits; () where there are none.
        classes: names of its classes in the order of the labels, or None where they
            come with the annotations.
        usual_root: function without arguments to the folder of its frames when
            none is named, or None for a folder of its name in TSN_KERAS_DATA.
        make: function (root, videos, progress) that makes frames which are not
            there, or None.
        scored: which part of a Split an evaluation scores: "test" or "train";
            None where an evaluation cannot name its videos.
        lists_its_files: whether numbers of files are known without a look into
            the folders, as a web server demands.
        multi_label: whether a video has several labels, which are in Video.labels.
            Of a user's lists only the Split tells.
        measure: name of the measure in scores.metrics.MEASURES by which its tests are
            told, or None for the usual one.
        fusion_weights: {modality: published weight of its scores in a fusion}; {}
            where none were published for it, and those of the modalities are taken.
    """

    name: str
    read: Callable[[Choice, Any], Split]
    settings: frozenset[str] = frozenset()
    splits: tuple[int, ...] = ()
    classes: tuple[str, ...] | None = None
    usual_root: Callable[[], Any] | None = None
    make: Callable | None = None
    scored: str | None = "test"
    lists_its_files: bool = False
    multi_label: bool = False
    measure: str | None = None
    fusion_weights: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def names_its_test(self) -> bool:
        """Whether it says which videos test: in annotation files, or it makes them."""
        names = "annotations" in self.settings or self.make is not None
        return self.scored == "test" and names

    @property
    def default_split(self) -> int | None:
        """The split when none is named."""
        return self.splits[0] if self.splits else None


@dataclasses.dataclass(frozen=True)
class FrameFolder:
    """A video whose frames are on disk.

    Attributes:
        id: the video's.
        label: class index, 0-based, or NO_LABEL.
        path: its frame folder, a path or an address.
        files: number of files of each prefix.
        first: number of the first file; not 1 for clips, and where tools count from 0.
        labels: all class indices where videos have several, else ().
        rate: files a second, or None where it is not known.
        raw: see Video.
        bound: pixels of motion of the grey levels 0 and 255 of its flow files, see
            codings; None: each field has its own range.
    """

    id: str
    label: int
    path: Place
    files: int
    first: int = 1
    labels: tuple[int, ...] = ()
    rate: float | None = None
    raw: str = ""
    bound: float | None = BOUND

    def numbered(self, numbers):
        """Numbers of files on disk, of those that count its files from 1."""
        return [number + self.first - 1 for number in numbers]

    def under(self, stream):
        """The same for a protocols.records.Stream."""
        return self


@dataclasses.dataclass(frozen=True)
class VideoFile(FrameFolder):
    """A video whose images are read from its file.

    Attributes:
        path: the file.
        files: number of its images, numbered from 1: as many as an extraction makes,
            or as a stream sees, see `under`.
        frames: number of its decoded frames.
    """

    frames: int = 0

    def under(self, stream):
        """The same with the images that a protocols.records.Stream sees."""
        return dataclasses.replace(self, files=stream.images(self.frames))
