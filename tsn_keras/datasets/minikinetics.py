"""Mini-Kinetics: 200 classes of Kinetics-400, in two releases.

OmniSource (mmaction2 tools/data/omnisource/README.md) has lists of files and labels,
annotations/kinetics_200/k200_train.txt and k200_val.txt, and the names of the classes
in annotations/k200_actions.txt. Its videos from other sources are lists of files with
the same labels: use them as any list.

Xie et al. (Rethinking Spatiotemporal Feature Learning, ECCV 2018) list ids of videos,
one a line, in train_ytid_list.txt and val_ytid_list.txt; the CSV files of Kinetics-400
beside them say the rest. They number no classes. Here the order is that of the names,
which need not be OmniSource's: its weights are not for this data set.
"""

from tsn_keras.common import text
from tsn_keras.datasets import annotations, kinetics, lists
from tsn_keras.datasets.records import Split, Video

COUNT = 200
_IDS = ("train_ytid_list.txt", "val_ytid_list.txt")
_LISTS = ("kinetics_200/k200_train.txt", "kinetics_200/k200_val.txt")
# data_prefix of the configurations (configs/recognition/omnisource/).
_FOLDERS = ("kinetics_200_train", "kinetics_200_val")


def read_ids(folder):
    """Reads the division from the folder of Xie's lists.

    Returns:
        Split, in the order of the files.

    Raises:
        TextFileError: a file is missing, malformed or incomplete.
    """
    folder, _ = annotations.place_of(folder, "minikinetics_ids", _IDS[:1])
    tables, parts = kinetics.files_of(folder, "kinetics400"), []
    for name, table in zip(_IDS, tables, strict=True):
        path, clips = folder / name, {}
        for row in kinetics.read_clips(table):
            # Before the numbers of two times six digits.
            clips[row[1][: -len("_000000_000000")]] = row
        found = []
        for number, video in text.lines(path):
            if video not in clips:
                raise text.TextFileError(
                    f"{path}:{number}: video {video[:80]!r} is not in {table}"
                )
            found.append(clips[video])
        parts.append((path, found))
    split = kinetics.split_of(*parts)
    annotations.expect(folder / _IDS[0], len(split.classes), COUNT, "classes")
    return split


def read_lists(folder):
    """Reads the division from the folder of OmniSource's lists; see `read_ids`."""
    folder, _ = annotations.place_of(folder, "minikinetics", _LISTS[:1])
    classes = text.names(folder / "k200_actions.txt")
    annotations.expect(folder / "k200_actions.txt", len(classes), COUNT, "classes")
    parts = []
    for name, part in zip(_LISTS, _FOLDERS, strict=True):
        videos = []
        for video in lists.read_list(folder / name):
            if video.label >= len(classes):
                raise text.TextFileError(
                    f"{folder / name}: {video.id[:80]} has label {video.label}; "
                    f"k200_actions.txt names {len(classes)} classes"
                )
            videos.append(Video(video.id, video.label, part, aliases=video.aliases))
        parts.append(tuple(videos))
    return Split(*parts, classes)


MINIKINETICS = annotations.single("minikinetics", read_lists)
MINIKINETICS_IDS = annotations.single("minikinetics_ids", read_ids)
