"""List files of a user's own: `folder frames label` a line."""

import pathlib

from tsn_keras.common import text
from tsn_keras.datasets.records import Dataset, DatasetError, Split, Video


def read_list(path):
    """Reads a list file: `path frames label` a line (build_file_list.py).

    Args:
        path: path or address of the file. Paths in it may contain spaces.

    Returns:
        tuple of Video, in the order of the file.

    Raises:
        TextFileError: the file is missing, empty or malformed, or lists a
            video twice.
    """
    videos, seen = [], {}
    for number, line in text.lines(path):
        folder, *numbers = text.words(line, 2)
        # Nobody has a billion files; larger numbers do not fit int32.
        if not folder or [n.isdecimal() and len(n) < 10 for n in numbers] != [True] * 2:
            raise text.malformed(path, number, line, "<folder> <frames> <label>")
        # "a", "./a", "a/"; selection.select asks the disk about links.
        before = seen.setdefault(pathlib.PurePosixPath(folder), number)
        if before != number:
            raise text.TextFileError(
                f"{path} lists {folder} twice, in lines {before} and {number}"
            )
        files, label = map(int, numbers)
        videos.append(Video(folder, label, "", files))
    if not videos:
        raise text.TextFileError(f"{path} lists no video")
    return tuple(videos)


def _read(choice, root):
    """The Split of a records.Choice; see Dataset."""
    if choice.annotations is None:
        raise DatasetError("name the list file with `annotations`")
    train = read_list(choice.annotations)
    test = read_list(choice.validation) if choice.validation else ()
    classes = text.names(choice.classes) if choice.classes else None
    return Split(train, test, classes)


LIST = Dataset(
    name="list",
    read=_read,
    settings=frozenset(("annotations", "validation", "classes")),
    usual_root=pathlib.Path,  # the working folder
    # An evaluation scores the list itself.
    scored="train",
    lists_its_files=True,
)
