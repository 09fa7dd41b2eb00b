"""What the readers of annotation files share.

The rules are those of pyActionRecog/benchmark_db.py; what a user has on disk
is what the data sets' own archives unpack to.
"""

import collections
import csv
import re

from tsn_keras.common import text
from tsn_keras.common.text import TextFileError
from tsn_keras.datasets.records import Dataset


def folder_with(folder, dataset, probe, archives):
    """Finds the folder that holds a data set's official files.

    Args:
        folder: path or address of that folder, or of one that holds the folder
            that the official archive unpacks to, or `annotations`.
        dataset: its name, for the message.
        probe: name of one of the files.
        archives: names of the folders of such archives.

    Raises:
        TextFileError: there is none.
    """
    below = ("annotations", *archives)
    for place in (folder, *(folder / name for name in below)):
        if (place / probe).is_file():
            return place
    looked = " and in ".join(f"{name}/" for name in below)
    raise TextFileError(
        f"no {dataset} annotations in {folder} (looked for {probe} there, in "
        f"{looked}): unpack the official archive of train/test splits there, or name "
        f"its folder with `annotations`"
    )


def expect(path, count, expected, what):
    """Refuses a file with another number of entries than the official one."""
    if count != expected:
        raise TextFileError(
            f"{path} has {count} {what}; the official file has {expected}: is it "
            f'complete? For videos of your own use a list file (`dataset="list"`)'
        )


def unique(path, videos):
    """The videos as a tuple; refuses a file that lists none, or one twice."""
    if not videos:
        raise TextFileError(f"{path} lists no video of this part of the data set")
    counts = collections.Counter(video.id for video in videos)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise TextFileError(f"{path} lists {len(twice)} videos twice, as {twice[0]}")
    return tuple(videos)


def official(name, classes, probe, archives, read_split):
    """The record of a data set with three official splits.

    Args:
        name: of the data set.
        classes: names of the classes, in the order of the labels.
        probe: name of one of its annotation files.
        archives: names of the folders that archives of them unpack to.
        read_split: function (folder of the files, split) to a Split.

    Returns:
        Dataset.
    """

    def read(choice, root):
        named = choice.annotations or root
        return read_split(folder_with(named, name, probe, archives), choice.split)

    return Dataset(
        name=name,
        read=read,
        settings=frozenset(("annotations",)),
        splits=(1, 2, 3),
        classes=classes,
    )


def single(name, read_split, classes=None, multi_label=False):
    """The record of a data set with one official division.

    Args:
        name: of the data set.
        read_split: function (folder that holds the annotations, or a folder above
            them) to a Split; see `file_of`.
        classes: names of the classes, or None where its files name them.
        multi_label: see records.Dataset.

    Returns:
        Dataset.
    """
    return Dataset(
        name=name,
        read=lambda choice, root: read_split(choice.annotations or root),
        settings=frozenset(("annotations",)),
        classes=classes,
        multi_label=multi_label,
    )


def file_of(folder, dataset, names, archives=()):
    """Finds an annotation file, which may have one of several names.

    Args:
        folder: path or address of the folder that holds it, or of one that holds
            `annotations` or what an archive unpacks to.
        dataset: name of the data set, for the message.
        names: of the file.
        archives: names of the folders of such archives.

    Raises:
        TextFileError: there is none.
    """
    place, name = place_of(folder, dataset, names, archives)
    return place / name


def place_of(folder, dataset, names, archives=()):
    """Like `file_of`, but the folder and the name of the file."""
    below = ("annotations", *archives)
    for place in (folder, *(folder / name for name in below)):
        for name in names:
            if (place / name).is_file():
                return place, name
    raise TextFileError(
        f"no {dataset} annotations in {folder} (looked for {' or '.join(names)} there, "
        f"and in {', '.join(f'{name}/' for name in below)}): name their folder with "
        f"`annotations`"
    )


def rows(path, columns, limit=text.MAX_BYTES):
    """Yields (number of the line, list of texts) of a CSV file.

    Args:
        path: path or address of the file.
        columns: least number of values in a line.
        limit: bytes that it may have.

    Raises:
        TextFileError: it cannot be read, or a line has fewer values.
    """
    at, form = [0], ",".join(["<value>"] * columns)

    def lines():
        for at[0], line in text.lines(path, limit):
            yield line

    try:
        for row in csv.reader(lines(), strict=True):
            if len(row) < columns:
                raise text.malformed(path, at[0], ",".join(row), form)
            yield at[0], [value.strip() for value in row]
    except csv.Error as error:
        raise TextFileError(f"{path}:{at[0]}: is not CSV: {error}") from None


def names_by_number(path, numbers):
    """Names of classes in the order of their numbers.

    Args:
        path: of the file that numbers them, for messages.
        numbers: iterable of (name, its number).

    Returns:
        tuple of str.

    Raises:
        TextFileError: the numbers are not 0, 1, ... in some order; or names repeat.
    """
    numbers = list(numbers)
    names = {number: name for name, number in numbers}
    if not numbers or sorted(names) != list(range(len(numbers))):
        raise TextFileError(
            f"{path}: the numbers of its {len(numbers)} classes do not count from 0 "
            f"without gaps"
        )
    if len(set(names.values())) != len(names):
        raise TextFileError(f"{path} names a class twice")
    return tuple(names[number] for number in range(len(names)))


def mirrored(classes):
    """Labels of mirrored videos: of "left" and "right" in the names of classes.

    As MMAction2 swaps three pairs of Something-Something V2, 86 and 87, 93 and 94,
    166 and 167 (configs/recognition/tsn/
    tsn_imagenet-pretrained-r50_8xb32-1x1x8-50e_sthv2-rgb.py).

    Args:
        classes: names of the classes.

    Returns:
        tuple of the label for each label, or None where none changes.

    Example:
        >>> mirrored(("Pushing from left to right", "Pushing from right to left", "Up"))
        (1, 0, 2)
    """
    numbers = {name: label for label, name in enumerate(classes)}
    other = {"left": "right", "right": "left"}

    def turned(name):
        return re.sub(r"\b(left|right)\b", lambda word: other[word[0]], name)

    found = tuple(numbers.get(turned(name), numbers[name]) for name in classes)
    return None if found == tuple(range(len(found))) else found
