"""Kinetics-400, -600 and -700: clips of ten seconds of YouTube's videos.

Their CSV files have a line of names first, and then the class, the video's id and the
seconds where the clip begins and ends. They are called train.csv and validate.csv by
DeepMind, train.csv and val.csv by CVDF, kinetics_train.csv and kinetics_val.csv by
MMAction2, kinetics-400_train.csv and kinetics-400_val.csv by ActivityNet's crawler.
The validation set is the test set: MMAction2 and the papers report it.
"""

import functools
import re

from tsn_keras.common import text
from tsn_keras.datasets import annotations
from tsn_keras.datasets.records import Split, Video

COLUMNS = ("label", "youtube_id", "time_start", "time_end")
# Folders of a part: MMAction2's of frames and of videos, and CVDF's.
TRAIN_FOLDERS = ("rawframes_train", "videos_train", "train")
TEST_FOLDERS = ("rawframes_val", "videos_val", "val")
_ID = re.compile("[A-Za-z0-9_-]{1,64}")
_SECONDS = re.compile(r"\d{1,6}(\.\d{1,9})?")


def clip_name(video, start, end, scale=1):
    """Name of the file of a clip, as `abc_000012_000022`, or None.

    Args:
        video: id of the video.
        start, end: seconds, as texts.
        scale: what the name counts seconds by.
    """
    if not (_ID.fullmatch(video) and all(map(_SECONDS.fullmatch, (start, end)))):
        return None
    first, last = (int(float(seconds) * scale) for seconds in (start, end))
    return f"{video}_{first:06d}_{last:06d}"


def places(name, folders):
    """(class folder, other folders) that may hold a clip of a class.

    Args:
        name: of the class; MMAction2 writes "_" for the spaces.
        folders: of its part.
    """
    folder = name.replace(" ", "_")
    found = [name]
    for part in folders:
        found += [f"{part}/{folder}", f"{part}/{name}", part]
    return folder, tuple(dict.fromkeys(found))


def read_clips(path):
    """Yields (class, name of the clip) of each line of a CSV file.

    Raises:
        TextFileError: it is missing or malformed.
    """
    rows = annotations.rows(path, len(COLUMNS))
    number, header = next(rows, (1, []))
    if not set(COLUMNS) <= set(header):
        raise text.malformed(path, number, ",".join(header), ",".join(COLUMNS))
    at = [header.index(name) for name in COLUMNS]
    for number, row in rows:
        row = [*row, *[""] * (len(header) - len(row))]
        name, *clip = (row[place] for place in at)
        # The original drops quotes (mmaction2 tools/data/parse_file_list.py).
        name, clip = name.replace('"', ""), clip_name(*clip)
        if not name or clip is None:
            raise text.malformed(path, number, ",".join(row), ",".join(COLUMNS))
        yield name, clip


def split_of(train, test):
    """A Split of two parts.

    Args:
        train, test: (path, list of (class, clip)).

    Returns:
        Split, in the order of the files. Labels count the classes of the training
        part in the order of their names (mmaction2 tools/data/parse_file_list.py,
        tools/data/kinetics/label_map_k400.txt).

    Raises:
        TextFileError: a clip is listed twice, or a class has no training video.
    """
    classes = tuple(sorted({name for name, _ in train[1]}))
    labels = {name: label for label, name in enumerate(classes)}
    parts = []
    for (path, clips), folders in ((train, TRAIN_FOLDERS), (test, TEST_FOLDERS)):
        videos, found = [], {name: places(name, folders) for name in classes}
        for name, clip in clips:
            if name not in labels:
                raise text.TextFileError(
                    f"{path}: class {name[:80]!r} is not in {train[0]}"
                )
            folder, others = found[name]
            videos.append(Video(clip, labels[name], folder, folders=others))
        parts.append(annotations.unique(path, videos))
    return Split(*parts, classes)


def files_of(folder, name):
    """Paths of the CSV files of the training and the validation part."""
    crawled = name.replace("kinetics", "kinetics-")
    names = (
        ("train.csv", "kinetics_train.csv", f"{crawled}_train.csv"),
        ("val.csv", "validate.csv", "kinetics_val.csv", f"{crawled}_val.csv"),
    )
    return [annotations.file_of(folder, name, part, (name,)) for part in names]


def _read_split(count, folder):
    """The Split of a folder; see annotations.single."""
    paths = files_of(folder, f"kinetics{count}")
    train, test = ((path, list(read_clips(path))) for path in paths)
    split = split_of(train, test)
    annotations.expect(paths[0], len(split.classes), count, "classes")
    return split


KINETICS400, KINETICS600, KINETICS700 = (
    annotations.single(f"kinetics{count}", functools.partial(_read_split, count))
    for count in (400, 600, 700)
)
