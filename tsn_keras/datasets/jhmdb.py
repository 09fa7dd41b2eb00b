"""J-HMDB: 928 clips of 21 classes, cut out of those of HMDB51 and named as they are.

Its clips are shorter: only what shows the action, 15 to 40 frames. The classes and
the names are those of the data set's own folders (Jhuang et al., Towards understanding
action recognition, ICCV 2013), listed in jhmdb_clips.txt.
"""

import functools
import pathlib

from tsn_keras.common import text
from tsn_keras.datasets import annotations, hmdb51
from tsn_keras.datasets.records import Split

CLASSES = tuple(
    "brush_hair catch clap climb_stairs golf jump kick_ball pick pour pullup push run "
    "shoot_ball shoot_bow shoot_gun sit stand swing_baseball throw walk wave".split()
)
CLIPS = pathlib.Path(__file__).with_name("jhmdb_clips.txt")  # CLASS/VIDEO


@functools.cache
def clips():
    """{class: set of the names of its clips}, of the whole data set."""
    found = {name: set() for name in CLASSES}
    for _, line in text.lines(CLIPS):
        name, _, video = line.partition("/")
        found[name].add(video)
    return found


def read_split(folder, split):
    """Reads a split from the folder of HMDB51's official files, or of J-HMDB's own.

    Both have the same form. HMDB51's name 70 training and 30 test videos of a class.
    Of these the clips of J-HMDB count: 650 and 256 in split 1. 22 clips have no entry
    there, 16 of them because J-HMDB writes "@" for "#" and "&".

    Returns:
        Split, by class, then in the order of the files.

    Raises:
        TextFileError: a file is missing, malformed or incomplete.
    """
    parts = ([], [])
    for label, name in enumerate(CLASSES):
        path = folder / hmdb51.file_name(name, split)
        found = hmdb51.read_class(path, label, name)
        ours = clips()[name]
        own = sum(video.id in ours for videos in found for video in videos)
        counts = tuple(map(len, found))
        if counts != hmdb51.VIDEOS_PER_CLASS and own < len(ours):
            raise text.TextFileError(
                f"{path} has {counts[0]} training and {counts[1]} test videos, with "
                f"{own} of the {len(ours)} clips of J-HMDB; HMDB51's file has 70 and "
                f"30, J-HMDB's own has all clips: is it complete?"
            )
        for part, videos in zip(parts, found, strict=True):
            part += [video for video in videos if video.id in ours]
    return Split(*(annotations.unique(folder, videos) for videos in parts), CLASSES)


JHMDB = annotations.official(
    "jhmdb",
    CLASSES,
    hmdb51.file_name(CLASSES[0], 1),
    (hmdb51.ARCHIVE, "splits"),
    read_split,
)
