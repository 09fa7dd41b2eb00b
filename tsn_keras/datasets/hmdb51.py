"""HMDB51: 51 classes, three official splits of 70 and 30 clips a class."""

from tsn_keras.common import text
from tsn_keras.datasets import annotations
from tsn_keras.datasets.records import Split, Video

# data/hmdb51_splits/class_list.txt: the label order of the reference models.
# It is not sorted (kick_ball before kick, sword_exercise before sword).
CLASSES = tuple(
    "brush_hair cartwheel catch chew clap climb climb_stairs dive draw_sword dribble "
    "drink eat fall_floor fencing flic_flac golf handstand hit hug jump kick_ball kick "
    "kiss laugh pick pour pullup punch push pushup ride_bike ride_horse run "
    "shake_hands shoot_ball shoot_bow shoot_gun sit situp smile smoke somersault stand "
    "swing_baseball sword_exercise sword talk throw turn walk wave".split()
)

ARCHIVE = "testTrainMulti_7030_splits"  # the folder that it unpacks to
VIDEOS_PER_CLASS = (70, 30)  # train, test
_CODES = {"0": None, "1": 0, "2": 1}  # unused, train, test


def file_name(name, split):
    """The official file of a class and a split."""
    return f"{name}_test_split{split}.txt"


def read_class(path, label, name):
    """Reads the file of a class.

    Args:
        path: of the file, in HMDB51's form: `VIDEO.avi CODE` a line.
        label: of the class.
        name: of the class.

    Returns:
        (training videos, test videos), lists of Video in the order of the file.

    Raises:
        TextFileError: it is missing or malformed.
    """
    parts = ([], [])
    for number, line in text.lines(path):
        video, *code = text.words(line, 1)
        if not (video.endswith(".avi") and code and code[0] in _CODES):
            raise text.malformed(path, number, line, "<video>.avi <0, 1 or 2>")
        part = _CODES[code[0]]
        if part is not None:
            parts[part].append(Video(video[: -len(".avi")], label, name))
    return parts


def read_split(folder, split):
    """Reads a split from the folder of the official files.

    Returns:
        Split, by class, then in the order of the files. (The original takes the
        files in the order in which the file system returns them, so that its
        order differs by machine.)

    Raises:
        TextFileError: a file is missing or malformed, or the number of videos is
            not the official one.
    """
    parts = ([], [])
    for label, name in enumerate(CLASSES):
        path = folder / file_name(name, split)
        for part, videos, expected in zip(
            parts, read_class(path, label, name), VIDEOS_PER_CLASS, strict=True
        ):
            annotations.expect(path, len(videos), expected, "videos of a part")
            part += videos
    return Split(*(annotations.unique(folder, videos) for videos in parts), CLASSES)


HMDB51 = annotations.official(
    "hmdb51", CLASSES, file_name(CLASSES[0], 1), (ARCHIVE,), read_split
)
