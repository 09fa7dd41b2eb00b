"""Results for people: aligned tables."""

import numpy as np

from tsn_keras.common.errors import printable
from tsn_keras.scores import metrics


def table(rows, headers):
    """Aligns rows of strings below headers; all but words to the right.

    What a terminal would not show is escaped: a name breaks no line.
    """
    rows = [[printable(str(cell)) for cell in row] for row in rows]
    columns = list(zip(headers, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    left = [any(c and not _is_number(c) for c in column[1:]) for column in columns]

    def line(cells):
        aligned = (
            cell.ljust(width) if is_left else cell.rjust(width)
            for cell, width, is_left in zip(cells, widths, left, strict=True)
        )
        return "  ".join(aligned).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([line(headers), rule, *map(line, rows)])


def _is_number(text):
    try:
        float(text.rstrip("%"))
    except ValueError:
        return False
    return True


def per_class_table(matrix, classes):
    """Table of each class's videos, accuracy, and most frequent error.

    Args:
        matrix: metrics.confusion_matrix, [C, C].
        classes: names of the classes.
    """
    rows = []
    for label, accuracy in enumerate(metrics.per_class_accuracy(matrix)):
        wrong = matrix[label].copy()
        wrong[label] = 0
        most = int(wrong.argmax())
        confusion = f"{classes[most]} ({wrong[most]})" if wrong[most] else ""
        share = "" if np.isnan(accuracy) else f"{100 * accuracy:.1f}"
        rows.append((classes[label], matrix[label].sum(), share, confusion))
    return table(rows, ("class", "videos", "accuracy", "most often taken for"))
