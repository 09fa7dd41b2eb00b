"""Confusion matrices for people: PNG and CSV."""

import csv

import numpy as np

from tsn_keras.common import files


def write_csv(matrix, classes, path):
    """Writes a confusion matrix of counts: a row a true class."""
    with (
        files.replacing(path) as aside,
        aside.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["true class", *classes])
        for name, row in zip(classes, matrix.tolist(), strict=True):
            writer.writerow([name, *row])


def write_png(matrix, classes, path, title):
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
