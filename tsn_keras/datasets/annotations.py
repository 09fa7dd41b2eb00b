"""What the readers of annotation files share.

The rules are those of pyActionRecog/benchmark_db.py; what a user has on disk
is what the data sets' own archives unpack to.
"""

import collections

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
    """The videos as a tuple; refuses a file that lists one twice."""
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
