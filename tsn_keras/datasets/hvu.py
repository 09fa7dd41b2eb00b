"""HVU, Holistic Video Understanding: tags of six kinds, several for each video.

HVU_Tags_Categories_V1.0.csv says which tag is of which category, `TAG,CATEGORY` a
line; those of HVU_Train_V1.0.csv and HVU_Val_V1.0.csv are `TAG|TAG...,VIDEO,START,END`.
MMAction2 calls them hvu_categories.csv, hvu_train.csv and hvu_val.csv.

Each category is a data set. Labels count its tags in the order of their names, clips
are named by tenths of seconds, as `abc_000570_000670` (mmaction2 tools/data/hvu/
parse_tag_list.py, generate_file_list.py), and videos without a tag of the category are
left out (generate_sub_file_list.py means to; it writes the whole list).
"""

import functools

from tsn_keras.common import text
from tsn_keras.datasets import annotations, kinetics
from tsn_keras.datasets.records import Split, Video

# Their numbers of tags in version 1.0.
CATEGORIES = {
    **{"action": 739, "attribute": 117, "concept": 291},
    **{"event": 69, "object": 1678, "scene": 248},
}
LIMIT = 2**29  # bytes: the training part has half a million lines with many tags
_FILES = (
    ("HVU_Tags_Categories_V1.0.csv", "hvu_categories.csv"),
    ("HVU_Train_V1.0.csv", "hvu_train.csv"),
    ("HVU_Val_V1.0.csv", "hvu_val.csv"),
)


def _read_split(category, folder):
    """The Split of a folder; see annotations.single.

    Raises:
        TextFileError: a file is missing, malformed or incomplete.
    """
    tags_file, *paths = (
        annotations.file_of(folder, f"hvu_{category}", names, ("HVU-Dataset",))
        for names in _FILES
    )
    categories = _categories(tags_file)
    classes = tuple(sorted(t for t, kind in categories.items() if kind == category))
    annotations.expect(
        tags_file, len(classes), CATEGORIES[category], f"tags of the {category}s"
    )
    labels = {**dict.fromkeys(categories), **{t: k for k, t in enumerate(classes)}}
    folders = kinetics.TRAIN_FOLDERS, kinetics.TEST_FOLDERS
    parts = []
    for path, places in zip(paths, folders, strict=True):
        parts.append(annotations.unique(path, list(_videos(path, labels, places))))
    return Split(*parts, classes)


def _categories(path):
    """{tag: its category}."""
    found, rows = {}, annotations.rows(path, 2)
    next(rows, None)  # the names of the columns
    for number, (tag, category, *more) in rows:
        if not tag or category not in CATEGORIES or more or tag in found:
            line = ",".join((tag, category, *more))
            raise text.malformed(path, number, line, "<tag>,<category>, each tag once")
        found[tag] = category
    return found


def _videos(path, labels, folders):
    """Yields the Video of each line that has a tag of the category.

    Args:
        path: of the CSV file.
        labels: {tag: its label, or None for one of another category}.
        folders: where the videos of the part may be.
    """
    rows = annotations.rows(path, 4, LIMIT)
    next(rows, None)  # the names of the columns
    for number, (tags, *about) in rows:
        clip = kinetics.clip_name(*about[:3], scale=10)
        tags = tags.split("|")
        if clip is None or not all(tag in labels for tag in tags):
            form = "<tag>|...,<youtube id>,<start>,<end>, with known tags"
            raise text.malformed(path, number, ",".join(("|".join(tags), *about)), form)
        ours = tuple(sorted({labels[t] for t in tags if labels[t] is not None}))
        if ours:
            yield Video(clip, ours[0], labels=ours, folders=folders)


HVU = tuple(
    annotations.single(
        f"hvu_{category}", functools.partial(_read_split, category), multi_label=True
    )
    for category in CATEGORIES
)
