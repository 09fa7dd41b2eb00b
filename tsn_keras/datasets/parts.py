"""Lists of untrimmed videos that are cut into parts, as OmniSource's Kinetics-raw is.

A line of a list is

    FOLDER LABEL PARTS [POSITIVE ...]

The parts of ten seconds are FOLDER/part_0.mp4 and so on, or frame folders of the same
names without the ending; the positive ones, numbered from 0, show the class. A pass of
training has one positive part of each video, another one every time; videos without any
are left out (mmaction2 0.x mmaction/datasets/rawvideo_dataset.py:59-149, its
sampling_strategy "positive"). A list whose name ends in .json is an array of objects
of {"video_dir", "label", "num_clips", "positive_clip_inds"}.
"""

import functools
import pathlib
import re
import reprlib

from tsn_keras.common import json_file, text
from tsn_keras.datasets.records import Dataset, DatasetError, Split, Video

MAX_PARTS = text.MAX_LINES  # As many as other lists may have videos.
# Nobody has a billion parts; larger numbers do not fit int32.
_LINE = re.compile(r"(?P<folder>\S+)(?P<numbers>(?:[ \t]+\d{1,9}){2,})")
_FORM = "<folder> <label> <parts> [<positive part> ...]"


def read_parts(path):
    """Reads a list of untrimmed videos; see the forms above.

    Args:
        path: path or address of the file. Folders have no spaces in a text.

    Returns:
        tuple of Video, the positive parts in the order of the file; the untrimmed
        video of each is `raw`.

    Raises:
        TextFileError: the file is missing or malformed, lists a video or a part
            twice, or has no positive part, or more than MAX_PARTS.
    """
    is_json = path.name.lower().endswith(".json")
    found, seen = [], {}
    for number, row in _objects(path) if is_json else _lines(path):
        folder, label, parts, positive = row
        place = pathlib.PurePosixPath(folder)  # "a", "./a", "a/"
        if place in seen:
            raise text.TextFileError(
                f"{path} lists {folder} twice, in lines {seen[place]} and {number}"
            )
        seen[place] = number
        if len(set(positive)) < len(positive) or max(positive, default=-1) >= parts:
            raise text.TextFileError(
                f"{path}: positive parts of {folder} must be numbers below {parts}, "
                f"each once. Received: {reprlib.repr(positive)}"
            )
        if len(found) + len(positive) > MAX_PARTS:
            raise text.TextFileError(f"{path} lists more than {MAX_PARTS} parts")
        found.extend(_video(str(place), label, part) for part in positive)
    if not found:
        raise text.TextFileError(f"{path} lists no video with a positive part")
    return tuple(found)


def _video(folder, label, part):
    name = f"{folder}/part_{part}"
    return Video(f"{name}.mp4", label, aliases=(name,), raw=folder)


def _lines(path):
    """Yields (line, (folder, label, number of parts, [positive parts]))."""
    for number, line in text.lines(path):
        row = _LINE.fullmatch(line)
        if row is None:
            raise text.malformed(path, number, line, _FORM)
        label, parts, *positive = map(int, row["numbers"].split())
        yield number, (row["folder"], label, parts, positive)


def _objects(path):
    """The same of a JSON list, with numbers of objects for lines."""
    for number, item in enumerate(json_file.read(path, list), 1):
        field = functools.partial(json_file.field, path, item)
        folder, parts = field("video_dir", str), field("num_clips", int)
        positive, label = field("positive_clip_inds", list), item.get("label")
        label = label[0] if isinstance(label, list) and len(label) == 1 else label
        numbers = [label, parts, *positive]
        if not all(type(n) is int and 0 <= n < 10**9 for n in numbers):
            raise text.TextFileError(
                f"{path}: video {number}, {folder[:80]}: label, number of parts and "
                f"positive parts must be integers from 0. Received: "
                f"{reprlib.repr(numbers)}"
            )
        yield number, (folder, label, parts, positive)


def _read(choice, root):
    """The Split of a records.Choice; see Dataset."""
    if choice.annotations is None:
        raise DatasetError("name the list file with `annotations`")
    classes = text.names(choice.classes) if choice.classes else None
    return Split(read_parts(choice.annotations), (), classes)


LIST_PARTS = Dataset(
    name="list_parts",
    read=_read,
    settings=frozenset(("annotations", "classes")),
    usual_root=pathlib.Path,  # the working folder
    # Parts are what is trained on; tests have whole videos.
    scored=None,
)
