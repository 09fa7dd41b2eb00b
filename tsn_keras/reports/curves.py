"""The course of trainings, from the logs beside weights and scores."""

import csv

import numpy as np

from tsn_keras.common import csv_rows

STEPS, VALIDATIONS = "log.csv", "validation.csv"
MOST = 300  # points of a curve
LOSS = "loss"
# Columns that are no curve.
_OTHERS = ("iteration", "learning_rate", "videos_per_s", "videos")


def of_runs(folders) -> list[dict]:
    """Curves of the first folder that has logs.

    Args:
        folders: pathlib.Path each.

    Returns:
        list of {"part": "training" or "validation", "figure": "loss" or that of a
        validation in percent, "points": [[iteration, value], ...]}.
    """
    for folder in folders:
        found = [
            {"part": part, "figure": figure, "points": points}
            for part, name in (("training", STEPS), ("validation", VALIDATIONS))
            for figure, points in _curves(folder / name).items()
        ]
        if found:
            return found
    return []


def _curves(path):
    """{column: points} of a log; nothing where it is not there."""
    try:
        rows = csv_rows.read(path)
    except (OSError, csv.Error):
        return {}
    rows = [
        row for row in rows if "iteration" in row and np.isfinite([*row.values()]).all()
    ]
    names = [name for name in rows[0] if name not in _OTHERS] if rows else []
    return {
        name: thinned([(row["iteration"], row[name]) for row in rows]) for name in names
    }


def thinned(points, most=MOST) -> list[list[float]]:
    """At most so many points: means of as many neighbours each.

    Args:
        points: (iteration, value) each, in order.
        most: number of points.

    Example:
        >>> thinned([(1, 4), (2, 6), (3, 1), (4, 2)], 2)
        [[1.5, 5.0], [3.5, 1.5]]
    """
    table = np.asarray(points, np.float64)
    if len(table) > most:
        table = np.stack([part.mean(axis=0) for part in np.array_split(table, most)])
    return [[float(f"{value:.6g}") for value in row] for row in table.tolist()]
