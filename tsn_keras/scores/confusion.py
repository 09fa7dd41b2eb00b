"""Confusion matrices for people: PNG and CSV."""

import contextlib
import csv
import io

import numpy as np

from tsn_keras.common import files


def write(matrix, classes, png, csv_file, title):
    """Writes a confusion matrix of counts as a picture and as a table: both or none.

    Args:
        matrix: int64 [C, C], rows the true class, columns the predicted one.
        classes: names of the classes.
        png: path of the picture, each row in shares of the true class's videos.
        csv_file: path of the CSV of the counts, a row a true class.
        title: of the picture.

    Raises:
        files.DiskFullError: the disk is full.
        OSError: a file cannot be written.
    """
    contents = _picture(matrix, classes, title), _table(matrix, classes)
    with contextlib.ExitStack() as stack:
        for path, content in zip((png, csv_file), contents, strict=True):
            stack.enter_context(files.replacing(path)).write_bytes(content)


def _table(matrix, classes):
    """The counts as the bytes of a CSV file."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["true class", *classes])
    for name, row in zip(classes, matrix.tolist(), strict=True):
        writer.writerow([name, *row])
    return text.getvalue().encode()


def _picture(matrix, classes, title):
    """The shares as the bytes of a PNG file."""
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
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=150, format="png")
    return buffer.getvalue()
