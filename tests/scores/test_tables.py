"""Tables for people."""

import numpy as np

from tsn_keras.scores import tables

MATRIX = np.array([[2, 1, 0], [0, 3, 0], [0, 0, 0]])
CLASSES = ("clap", "brush, hair", "é")


def test_table_aligns_numbers_right_and_words_left():
    found = tables.table([("rgb", "54.40", ""), ("fusion", "9.5", "+1.00")], "abc")
    assert found == (
        "a           b      c\n"
        "------  -----  -----\n"
        "rgb     54.40\n"
        "fusion    9.5  +1.00"
    )


def test_per_class_table_names_the_most_frequent_error():
    lines = tables.per_class_table(MATRIX, CLASSES).splitlines()
    assert lines[2].split() == ["clap", "3", "66.7", "brush,", "hair", "(1)"]
    assert lines[3].split() == ["brush,", "hair", "3", "100.0"]
    assert lines[4].split() == ["é", "0"]
