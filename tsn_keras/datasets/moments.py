"""Moments in Time, and Multi-Moments in Time, whose videos have several labels.

moments_categories.txt numbers the classes, `CLASS,NUMBER` a line. The lines of Moments'
trainingSet.csv and validationSet.csv begin with `CLASS/VIDEO.mp4`; what follows, the
class again and how many people agreed, is not needed. Those of Multi-Moments are
`VIDEO.mp4,NUMBER[,NUMBER...]`. The validation part is the test set (mmaction2
tools/data/parse_file_list.py, tools/data/mit/README.md, tools/data/mmit/README.md).
"""

import posixpath

from tsn_keras.common import text
from tsn_keras.datasets import annotations
from tsn_keras.datasets.records import Split, Video

CLASSES = "moments_categories.txt"
PARTS = {"trainingSet.csv": "training", "validationSet.csv": "validation"}


def read_mit(folder):
    """Reads the official division of Moments in Time.

    Returns:
        Split, in the order of the files. Ids are `CLASS/VIDEO`.

    Raises:
        TextFileError: a file is missing or malformed.
    """
    classes = _classes(annotations.file_of(folder, "mit", (CLASSES,)))
    labels = {name: label for label, name in enumerate(classes)}
    parts = []
    for name, part in PARTS.items():
        path, videos = annotations.file_of(folder, "mit", (name,)), []
        for number, row in annotations.rows(path, 1):
            video = _video(path, number, row)
            label = labels.get(posixpath.dirname(video))
            if label is None:
                raise text.malformed(path, number, ",".join(row), "<class>/<video>.mp4")
            videos.append(Video(video, label, part))
        parts.append(annotations.unique(path, videos))
    return Split(*parts, classes)


def read_mmit(folder):
    """Reads the official division of Multi-Moments; see `read_mit`."""
    classes = _classes(annotations.file_of(folder, "mmit", (CLASSES,)))
    parts = []
    for name in PARTS:
        path, videos = annotations.file_of(folder, "mmit", (name,)), []
        for number, row in annotations.rows(path, 2):
            video, numbers = _video(path, number, row), row[1:]
            labels = [int(n) for n in numbers if n.isdecimal() and len(n) < 7]
            if len(labels) != len(numbers) or max(labels) >= len(classes):
                form = f"<video>.mp4,<number from 0 to {len(classes) - 1}>[,...]"
                raise text.malformed(path, number, ",".join(row), form)
            labels = tuple(sorted(set(labels)))
            # Frames are in folders of the videos' names, beside one another.
            aliases = tuple({posixpath.basename(video)} - {video})
            videos.append(
                Video(video, labels[0], "videos", aliases=aliases, labels=labels)
            )
        parts.append(annotations.unique(path, videos))
    return Split(*parts, classes)


def _classes(path):
    numbers = []
    for number, line in text.lines(path):
        name, comma, label = line.rpartition(",")
        if not (comma and name and label.isdecimal() and len(label) < 7):
            raise text.malformed(path, number, line, "<class>,<number>")
        numbers.append((name, int(label)))
    return annotations.names_by_number(path, numbers)


def _video(path, number, row):
    """Name of the video of a line, without its ending."""
    name, ending = posixpath.splitext(row[0])
    if not ending or not posixpath.basename(name):
        raise text.malformed(path, number, ",".join(row), "<video>.mp4,...")
    return name


MIT = annotations.single("mit", read_mit)
MMIT = annotations.single("mmit", read_mmit, multi_label=True)
