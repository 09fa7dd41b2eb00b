"""Confusion matrices as PNG and CSV."""

import csv

import cv2
import numpy as np
import pytest

from tsn_keras.scores import confusion

MATRIX = np.array([[2, 1, 0], [0, 3, 0], [0, 0, 0]])
CLASSES = ("clap", "brush, hair", "é")


def test_confusion_csv(tmp_path):
    path = tmp_path / "c.csv"
    confusion.write(MATRIX, CLASSES, tmp_path / "c.png", path, "title")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["true class", *CLASSES]
    assert rows[1] == ["clap", "2", "1", "0"]
    assert len(rows) == 4


@pytest.mark.parametrize("count", [3, 101])
def test_confusion_png_shows_the_shares(tmp_path, count):
    matrix = np.eye(count, dtype=int) * 7
    path = tmp_path / "c.png"
    classes = [f"class {i}" for i in range(count)]
    confusion.write(matrix, classes, path, tmp_path / "c.csv", "title")
    image = cv2.imread(str(path))
    assert min(image.shape[:2]) > 400
    # The diagonal is drawn in viridis' last colour, the rest in its first.
    yellow = (np.abs(image.astype(int) - (37, 231, 253)) < 4).all(axis=2).sum()
    purple = (np.abs(image.astype(int) - (84, 1, 68)) < 4).all(axis=2).sum()
    assert yellow / (yellow + purple) == pytest.approx(1 / count, rel=0.3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.csv", "c.png"]


def test_no_folder_is_named(tmp_path):
    """And of the two files none is written."""
    with pytest.raises(FileNotFoundError, match="no folder .*absent"):
        confusion.write(
            MATRIX, CLASSES, tmp_path / "c.png", tmp_path / "absent/c.csv", "title"
        )
    assert list(tmp_path.iterdir()) == []
