"""List files of a user's own, and those that MMAction2 makes.

A line of a list is

    FOLDER FRAMES LABEL              a frame folder (also of the original's tools)
    VIDEO.mp4 LABEL                  a video file, or the frame folder of its name
    FOLDER FRAMES LABEL [LABEL ...]  in `list_multilabel`
    VIDEO.mp4 LABEL [LABEL ...]      in `list_multilabel`
    FOLDER OFFSET FRAMES LABEL       in `list_offset`: a clip, after OFFSET files

In the last three forms numbers tell the parts apart: folders have no spaces. A list
whose name ends in .json says of each number what it is: an array of objects of
{"frame_dir", "total_frames", "label"} and perhaps "offset", or of {"filename",
"label"}, where "label" is an integer or an array of them (mmaction2 0.x
mmaction/datasets/rawframe_dataset.py:20-60, video_dataset.py:13-30, base.py:104-119,
tools/data/anno_txt2json.py).
"""

import functools
import pathlib
import posixpath
import re
import reprlib

from tsn_keras.common import json_file, text
from tsn_keras.datasets.records import Dataset, DatasetError, Split, Stretch, Video

# Endings of names of video files.
VIDEOS = (".mp4", ".avi", ".webm", ".mkv", ".mov", ".m4v", ".mpg", ".mpeg", ".wmv")
_NUMBERS = r"(?P<numbers>(?:[ \t]+\d{1,9})+)"
# Nobody has a billion files; larger numbers do not fit int32.
_FOLDER = re.compile(rf"(?P<path>\S+){_NUMBERS}")
_VIDEO = re.compile(
    rf"(?P<path>.*(?:{'|'.join(map(re.escape, VIDEOS))})){_NUMBERS}", re.IGNORECASE
)
FORMS = {
    "plain": "<folder> <frames> <label>` or `<video>.mp4 <label>",
    "multilabel": "<folder> <frames> <label> [...]` or `<video>.mp4 <label> [...]",
    "offset": "<folder> <offset> <frames> <label>",
}


def read_list(path, form="plain"):
    """Reads a list file; see the forms above.

    Args:
        path: path or address of the file. Paths in it may contain spaces where the
            form is "plain".
        form: "plain", "multilabel" or "offset".

    Returns:
        tuple of Video, in the order of the file. If one has several labels, or the
        form is "multilabel", all have `labels`.

    Raises:
        TextFileError: the file is missing, empty or malformed, or lists a
            video twice.
    """
    is_json = path.name.lower().endswith(".json")
    found = _objects(path) if is_json else _lines(path, form)
    rows, seen = [], {}
    for number, row in found:
        # "a", "./a", "a/"; selection.select asks the disk about links.
        place = pathlib.PurePosixPath(row[0]), row[2]
        before = seen.setdefault(place, number)
        if before != number:
            raise text.TextFileError(
                f"{path} lists {row[0]} twice, in lines {before} and {number}"
            )
        rows.append(row)
    if not rows:
        raise text.TextFileError(f"{path} lists no video")
    several = form == "multilabel" or any(len(labels) > 1 for *_, labels in rows)
    return tuple(_video(row, several) for row in rows)


def _video(row, several):
    """A Video of (path, number of files or None, Stretch or None, labels)."""
    name, files, clip, labels = row
    aliases = ()
    if clip is not None:
        name, aliases = f"{name} {clip.offset} {clip.files}", (name,)
    elif files is None:
        # Frames of a video file are in a folder of its name.
        aliases = (posixpath.splitext(name)[0],)
    return Video(name, labels[0], "", files, aliases, labels if several else (), clip)


def _lines(path, form):
    """Yields (line, row) of a text; see `_video`."""
    parse = _PARSERS[form]
    for number, line in text.lines(path):
        row = parse(line)
        if row is None:
            raise text.malformed(path, number, line, FORMS[form])
        yield number, row


def _plain(line):
    """The row of a line, or None."""
    folder, *numbers = text.words(line, 2)
    if folder and [n.isdecimal() and len(n) < 10 for n in numbers] == [True] * 2:
        files, label = map(int, numbers)
        return folder, files, None, (label,)
    video, numbers = _parts(_VIDEO, line)
    return (video, None, None, tuple(numbers)) if len(numbers) == 1 else None


def _multilabel(line):
    video, labels = _parts(_VIDEO, line)
    if video:
        return video, None, None, tuple(sorted(set(labels)))
    folder, numbers = _parts(_FOLDER, line)
    if len(numbers) < 2:
        return None
    return folder, numbers[0], None, tuple(sorted(set(numbers[1:])))


def _offset(line):
    folder, numbers = _parts(_FOLDER, line)
    if len(numbers) != 3:
        return None
    return folder, None, Stretch(*numbers[:2]), (numbers[2],)


def _parts(form, line):
    """(path, numbers) of a line, or (None, [])."""
    found = form.fullmatch(line)
    return (
        (found["path"], list(map(int, found["numbers"].split())))
        if found
        else (
            None,
            [],
        )
    )


_PARSERS = {"plain": _plain, "multilabel": _multilabel, "offset": _offset}


def _objects(path):
    """Yields (number, row) of a JSON list; see `_video`."""
    for number, item in enumerate(json_file.read(path, list), 1):
        is_folder = isinstance(item, dict) and "frame_dir" in item
        key = "frame_dir" if is_folder else "filename"
        name, files, clip = json_file.field(path, item, key, str), None, None
        label = item.get("label")
        labels = label if isinstance(label, list) else [label]
        numbers = list(labels)
        if is_folder:
            files = json_file.field(path, item, "total_frames", int)
            numbers.append(files)
        if is_folder and "offset" in item:
            offset = json_file.field(path, item, "offset", int)
            numbers.append(offset)
            files, clip = None, Stretch(offset, files)
        if not labels or not all(type(n) is int and 0 <= n < 10**9 for n in numbers):
            raise text.TextFileError(
                f"{path}: video {number}, {name[:80]}: labels and numbers of frames "
                f"must be integers from 0. Received: {reprlib.repr(numbers)}"
            )
        yield number, (name, files, clip, tuple(sorted(set(labels))))


def _read(form, choice, root):
    """The Split of a records.Choice; see Dataset."""
    if choice.annotations is None:
        raise DatasetError("name the list file with `annotations`")
    train = read_list(choice.annotations, form)
    test = read_list(choice.validation, form) if choice.validation else ()
    if test and bool(train[0].labels) != bool(test[0].labels):
        raise DatasetError(
            f"{choice.annotations} and {choice.validation} must both give one label a "
            f"video, or both several: see `list_multilabel`"
        )
    classes = text.names(choice.classes) if choice.classes else None
    return Split(train, test, classes)


def _lists(name, form):
    return Dataset(
        name=name,
        read=functools.partial(_read, form),
        settings=frozenset(("annotations", "validation", "classes")),
        usual_root=pathlib.Path,  # the working folder
        # An evaluation scores the list itself.
        scored="train",
        lists_its_files=True,
        multi_label=form == "multilabel",
    )


LIST = _lists("list", "plain")
LIST_MULTILABEL = _lists("list_multilabel", "multilabel")
LIST_OFFSET = _lists("list_offset", "offset")
