"""Something-Something V1 and V2: 174 things that people do with things.

V1's CSV files have `ID;CLASS` a line, its labels count the lines of
something-something-v1-labels.csv. V2's JSON files have for each video its id and the
template that the class is named by, with brackets; something-something-v2-labels.json
numbers the classes. The validation part is the test set: the test part has no labels.

V1 comes as frames without a prefix, as 00001.jpg: name it `rgb_prefix=""`.
"""

from tsn_keras.common import json_file, text
from tsn_keras.datasets import annotations
from tsn_keras.datasets.records import Split, Video

COUNT = 174
PARTS = ("train", "validation")


def read_v1(folder):
    """Reads the official division of V1.

    Returns:
        Split, in the order of the files.

    Raises:
        TextFileError: a file is missing, malformed or incomplete.
    """
    paths = _files(folder, "sthv1", "something-something-v1-{}.csv")
    rows = [list(_rows(path)) for path in paths[1:]]
    return _split(paths, text.names(paths[0]), rows, "20bn-something-something-v1")


def read_v2(folder):
    """Reads the official division of V2; see `read_v1`."""
    # The names of the first release, and of that by Qualcomm.
    paths = _files(folder, "sthv2", "something-something-v2-{}.json", "{}.json")
    numbers = []
    for name, number in json_file.read(paths[0], dict).items():
        if reason := text.fault(name):
            raise text.TextFileError(f"{paths[0]}: class {name[:80]!r} {reason}")
        if not (isinstance(number, str) and number.isdecimal() and len(number) < 7):
            raise text.TextFileError(
                f"{paths[0]}: the number of class {name[:80]!r} is {number!r:.80}"
            )
        numbers.append((name, int(number)))
    classes = annotations.names_by_number(paths[0], numbers)
    rows = [list(_items(path)) for path in paths[1:]]
    return _split(paths, classes, rows, "20bn-something-something-v2")


def _files(folder, name, *forms):
    return [
        annotations.file_of(
            folder, name, tuple(form.format(part) for form in forms), ("labels",)
        )
        for part in ("labels", *PARTS)
    ]


def _rows(path):
    """Yields (id, class) of a CSV file."""
    for number, line in text.lines(path):
        video, _, name = line.partition(";")
        if not video.isdecimal() or not name:
            raise text.malformed(path, number, line, "<id>;<class>")
        yield video, name


def _items(path):
    """Yields (id, class) of a JSON file."""
    for item in json_file.read(path, list):
        template = json_file.field(path, item, "template", str)
        video = json_file.field(path, item, "id", str)
        yield video, template.replace("[", "").replace("]", "")


def _split(paths, classes, parts, folder):
    """A Split of lists of (id, class); `folder` is what the archive unpacks to."""
    annotations.expect(paths[0], len(classes), COUNT, "classes")
    labels = {name: label for label, name in enumerate(classes)}
    videos = ([], [])
    for path, rows, found in zip(paths[1:], parts, videos, strict=True):
        for video, name in rows:
            if name not in labels:
                raise text.TextFileError(
                    f"{path}: class {name[:80]!r} of video {video[:80]} is not in "
                    f"{paths[0]}"
                )
            found.append(Video(video, labels[name], folder))
    return Split(
        *map(annotations.unique, paths[1:], videos),
        classes,
        annotations.mirrored(classes),
    )


STHV1 = annotations.single("sthv1", read_v1)
STHV2 = annotations.single("sthv2", read_v2)
