"""Diving48: 48 kinds of dives, in the corrected annotations V2.

Diving48_V2_train.json and Diving48_V2_test.json are arrays of {"vid_name", "label"};
Diving48_vocab.json names each class by four words, in the order of the labels
(mmaction2 tools/data/parse_file_list.py; label_map.txt joins the words by "+").
"""

from tsn_keras.common import json_file, text
from tsn_keras.datasets import annotations
from tsn_keras.datasets.records import Split, Video

COUNT = 48
_WORDS = 4


def read_split(folder):
    """Reads the official division.

    Returns:
        Split, in the order of the files.

    Raises:
        TextFileError: a file is missing, malformed or incomplete.
    """
    vocabulary, *paths = (
        annotations.file_of(folder, "diving48", (name,))
        for name in (
            "Diving48_vocab.json",
            "Diving48_V2_train.json",
            "Diving48_V2_test.json",
        )
    )
    classes = []
    for words in json_file.read(vocabulary, list):
        is_name = isinstance(words, list) and len(words) == _WORDS
        if not is_name or not all(isinstance(w, str) and w for w in words):
            raise text.TextFileError(
                f"{vocabulary}: expected arrays of {_WORDS} words. Received: "
                f"{words!r:.80}"
            )
        classes.append("+".join(words))
    annotations.expect(vocabulary, len(set(classes)), COUNT, "classes")
    parts = [annotations.unique(path, list(_videos(path))) for path in paths]
    return Split(*parts, tuple(classes))


def _videos(path):
    for item in json_file.read(path, list):
        name = json_file.field(path, item, "vid_name", str)
        label = json_file.field(path, item, "label", int)
        if not 0 <= label < COUNT:
            raise text.TextFileError(f"{path}: {name} has label {label}")
        # The archive of the videos unpacks to rgb/.
        yield Video(name, label, "rgb")


DIVING48 = annotations.single("diving48", read_split)
