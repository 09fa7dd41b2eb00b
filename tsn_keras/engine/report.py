"""Results for people: tables, and confusion matrices as PNG and CSV."""

import csv

import numpy as np

from tsn_keras.engine import files, metrics


def table(rows, headers):
    """Aligns rows of strings below headers; all but words to the right."""
    rows = [[str(cell) for cell in row] for row in rows]
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


def confusion_csv(matrix, classes, path):
    """Writes a confusion matrix of counts: a row a true class."""
    with (
        files.replacing(path) as aside,
        aside.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["true class", *classes])
        for name, row in zip(classes, matrix.tolist(), strict=True):
            writer.writerow([name, *row])


def confusion_png(matrix, classes, path, title):
    """Draws a confusion matrix, each row in shares of the true class's videos."""
    # Imported here: it takes half a second, and only this needs it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    counts = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, counts, where=counts > 0, out=np.zeros(matrix.shape))
    side = 3 + 0.16 * len(classes)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    image = axes.imshow(100 * shares, cmap="viridis", vmin=0, vmax=100)
    ticks = range(len(classes))
    axes.set_xticks(ticks, classes, rotation=90, fontsize=7)
    axes.set_yticks(ticks, classes, fontsize=7)
    axes.set(xlabel="predicted class", ylabel="true class", title=title)
    figure.colorbar(image, label="% of the true class's videos", shrink=0.8)
    with files.replacing(path) as aside:
        figure.savefig(aside, dpi=150)
