"""THUMOS14: whole videos of UCF101's classes, or the clips that show an action.

Its files of structures, validation_set.mat and the evaluation kit's test_set_final.mat
(or test_set_meta.mat), have for each video `video_name`, `primary_action_index` and
`secondary_actions_indices` (from 1, in UCF101's order), `video_duration_seconds`, and
those of the test set `background_video`. A background video is a negative of every
class, whatever its primary action is (TH14evalRecog.m:20-40). The validation set is
trained on, beside UCF101 (TSN's journal version, arXiv:1705.02953, section 5.1).

The clips are segments of 20 of the classes, CLASS_val.txt and CLASS_test.txt, with
`VIDEO  START END` a line, in seconds. Those of Ambiguous_*.txt are of no class: they
are no clips, and whole videos do not depend on them.
"""

import dataclasses
import re

from tsn_keras.common import mat_file, text
from tsn_keras.datasets import annotations
from tsn_keras.datasets.records import NO_LABEL, Seconds, Split, Video
from tsn_keras.datasets.ucf101 import CLASSES

# detclasslist.txt, counted from 1.
_DETECTED = (
    *(7, 9, 12, 21, 22, 23, 24, 26, 31, 33, 36, 40, 45, 51, 68, 79, 85, 92, 93, 97),
)
_LONGEST = 10**7  # seconds; a longer video is a mistake
_NAME = re.compile(r"(video_(?:validation|test)_[0-9]{7})(?:\.[a-z0-9]{2,5})?")
_LINE = re.compile(
    r"(?P<video>\S+)[ \t]+(?P<start>[0-9]{1,7}(?:\.[0-9]{1,9})?)"
    r"[ \t]+(?P<end>[0-9]{1,7}(?:\.[0-9]{1,9})?)"
)
_FORM = "<video>  <start> <end>"


@dataclasses.dataclass(frozen=True)
class _Part:
    """The validation set or the test set.

    Attributes:
        variable: name of its structures.
        files: names of the file that holds them.
        count: videos; the kit has one less than the paper says.
        ending: of the names of its files of segments.
        segments: how many these hold.
        archives: folders that its archives unpack to.
        folders: what the folder of its videos or frames may be called.
        tells_background: whether its structures must say what shows no class.
    """

    variable: str
    files: tuple[str, ...]
    count: int
    ending: str
    segments: int
    archives: tuple[str, ...]
    folders: tuple[str, ...]
    tells_background: bool = True


_VALIDATION = _Part(
    variable="validation_videos",
    files=("validation_set.mat",),
    count=1010,
    ending="val",
    segments=3007,
    archives=(
        *("validation_set_meta", "validation_set_meta/validation_set_meta"),
        *("annotation", "TH14_Temporal_annotations_validation/annotation"),
    ),
    folders=("validation", "val"),
    tells_background=False,  # Each has a class.
)
_TEST = _Part(
    variable="test_videos",
    files=("test_set_final.mat", "test_set_meta.mat"),
    count=1574,
    ending="test",
    segments=3358,
    archives=(
        *("test_set_meta", "THUMOS14_evalkit_20150930", "annotation"),
        "THUMOS14_evalkit_20150930/annotation",
        "TH14_Temporal_Annotations_Test/annotations/annotation",
    ),
    folders=("TH14_test_set_mp4", "test"),
)


def read_split(folder):
    """Reads the whole videos; see annotations.single.

    Returns:
        Split; background videos have NO_LABEL.

    Raises:
        InputError: a file is missing, damaged or incomplete.
    """
    return Split(*(_videos(folder, part) for part in (_VALIDATION, _TEST)), CLASSES)


def read_clips(folder):
    """Reads the annotated segments, with labels of all 101 classes.

    Segments that begin behind the end of their video are left out: 26 of the test set
    do, in three videos whose annotations are known to be wrong.

    Returns:
        Split.

    Raises:
        InputError: a file is missing, damaged or incomplete.
    """
    return Split(*(_clips(folder, part) for part in (_VALIDATION, _TEST)), CLASSES)


def _videos(folder, part):
    """The Video of each structure of a part."""
    path = annotations.file_of(folder, part.variable, part.files, part.archives)
    rows = mat_file.structs(path, part.variable)
    annotations.expect(path, len(rows), part.count, "videos")
    found = [_video(path, number, row, part) for number, row in enumerate(rows, 1)]
    return annotations.unique(path, found)


def _video(path, number, row, part):
    name = _NAME.fullmatch(str(row.get("video_name")))
    background = row.get("background_video", None if part.tells_background else "NO")
    indices = [
        index
        for field in ("primary_action_index", "secondary_actions_indices")
        for index in row.get(field) or ()
    ]
    duration = row.get("video_duration_seconds") or (None,)
    good = (
        name
        and background in ("YES", "NO")
        and row.get("primary_action_index")
        and "secondary_actions_indices" in row
        and all(_is_number(i, len(CLASSES)) and i == int(i) >= 1 for i in indices)
        and (duration == (None,) or _is_number(duration[0], _LONGEST))
    )
    if not good:
        raise text.TextFileError(
            f"{path}: video {number} needs `video_name`, `background_video` YES or NO, "
            f"and indices of actions from 1 to {len(CLASSES)}. Received: "
            f"{str(row)[:300]}"
        )
    labels = tuple(sorted({int(index) - 1 for index in indices}))
    if background == "YES":
        labels = ()
    return Video(
        name[1],
        labels[0] if labels else NO_LABEL,
        part.folders[0],
        labels=labels,
        folders=part.folders[1:],
        duration=duration[0],
    )


def _is_number(value, most):
    return isinstance(value, float) and 0 < value <= most


def _clips(folder, part):
    """The Video of each segment of a part."""
    videos = {video.id: video for video in _videos(folder, part)}
    found, count = [], 0
    for index in _DETECTED:
        name = CLASSES[index - 1]
        names = (f"{name}_{part.ending}.txt",)
        path = annotations.file_of(folder, part.variable, names, part.archives)
        for number, line in text.lines(path):
            row = _LINE.fullmatch(line)
            if row is None or row["video"] not in videos:
                raise text.malformed(path, number, line, _FORM)
            video, count = videos[row["video"]], count + 1
            start, end = float(row["start"]), float(row["end"])
            if not video.duration or end < start:
                raise text.malformed(path, number, line, _FORM)
            if start < video.duration:
                clip = Seconds(start, end, video.duration)
                found.append(_clip(video, f"{video.id} {name} {number}", index, clip))
    annotations.expect(path.parent, count, part.segments, "segments")
    return annotations.unique(path.parent, found)


def _clip(video, name, index, clip):
    about = {"folders": video.folders, "aliases": (video.id,), "clip": clip}
    return Video(name, index - 1, video.folder, **about)


THUMOS14 = dataclasses.replace(
    annotations.single("thumos14", read_split, CLASSES, multi_label=True),
    measure="ranked",
)
THUMOS14_CLIPS = annotations.single("thumos14_clips", read_clips, CLASSES)
