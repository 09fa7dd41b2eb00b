"""The table of a study: what was found beside what was published."""

import csv
import dataclasses
import pathlib
import statistics

from tsn_keras.common import files
from tsn_keras.scores import fusion, joining, tables
from tsn_keras.studies.records import METRICS, Cell, Plan


@dataclasses.dataclass(frozen=True)
class Figure:
    """A cell and its figure.

    Attributes:
        cell: Cell.
        value: in percent, over all splits of the table; None as long as a run of it is
            not finished.
        of_splits: that of each split whose runs are finished, as (split, value).
        videos: number of videos that it is over.
        finished, runs: how many of its runs are finished, and how many it has.
    """

    cell: Cell
    value: float | None
    of_splits: tuple[tuple[int | None, float], ...]
    videos: int
    finished: int
    runs: int

    @property
    def difference(self) -> float | None:
        """How much the value is above the published one."""
        if self.value is None or not self.cell.published:
            return None
        return self.value - self.cell.published

    def as_json(self) -> dict:
        """As a dict of JSON values."""
        cell = self.cell
        return {
            "name": cell.name,
            "row": cell.row,
            "column": cell.column,
            "value": self.value,
            "published": cell.published or None,
            "difference": self.difference,
            "splits": {str(split or ""): value for split, value in self.of_splits},
            "videos": self.videos,
            "finished": self.finished,
            "runs": self.runs,
        }


@dataclasses.dataclass(frozen=True)
class Table:
    """A study's table. `print` shows it.

    Attributes:
        plan: Plan.
        figures: a Figure for each cell, in the order of the study file.
        left: how many runs of the whole table are not finished.
        failed: {folder of a run: why it could not be made}.
    """

    plan: Plan
    figures: tuple[Figure, ...]
    left: int
    failed: dict[pathlib.Path, str]

    def of(self, name: str) -> Figure:
        """The figure of a cell.

        Raises:
            KeyError: there is no such cell.
        """
        return {figure.cell.name: figure for figure in self.figures}[name]

    def __str__(self) -> str:
        study = self.plan.study
        found = {(f.cell.row, f.cell.column): f for f in self.figures}
        rows, columns = (list(dict.fromkeys(part)) for part in zip(*found, strict=True))
        headers, shown = [study.rows], [[row] for row in rows]
        for column in columns:
            there = [found.get((row, column)) for row in rows]
            headers.append(column)
            for line, figure in zip(shown, there, strict=True):
                line.append(_two_digits(figure and figure.value))
            if any(figure and figure.cell.published for figure in there):
                headers.append("published")
                for line, figure in zip(shown, there, strict=True):
                    line.append(_two_digits(figure and figure.cell.published or None))
        return "\n".join(
            (study.title, "", tables.table(shown, headers), "", *self._notes())
        )

    def _notes(self):
        """Lines below the table."""
        study, splits = self.plan.study, self.plan.splits
        over = ""
        if len(study.splits) > 1:
            over = f", mean of the splits {' '.join(map(str, splits))}"
            if splits != study.splits:
                over += f"; published: of {' '.join(map(str, study.splits))}"
        yield f"{METRICS[study.metric][0]}{over}"
        if study.source:
            yield f"published: {study.source}"
        if self.left:
            yield f"{self.left} of {len(self.plan.scores)} runs are to do"

    def as_json(self) -> dict:
        """As a dict of JSON values."""
        study = self.plan.study
        return {
            "study": str(self.plan.path),
            "title": study.title,
            "source": study.source,
            "metric": study.metric,
            "left": self.left,
            "cells": [figure.as_json() for figure in self.figures],
            "failed": {str(out): reason for out, reason in self.failed.items()},
        }

    def write_csv(self, path) -> None:
        """Writes a line for each cell."""
        names = ("name", "row", "column", "value", "published", "difference")
        names += ("videos", "finished", "runs")
        with files.replacing(pathlib.Path(path)) as aside, aside.open("w") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names)
            for figure in self.figures:
                told = figure.as_json()
                writer.writerow([_rounded(told[name]) for name in names])


def tabulated(plan: Plan, finished, failed) -> Table:
    """Makes the table of score files.

    Args:
        plan: Plan.
        finished: paths of the score files of finished runs.
        failed: {folder of a run: why it could not be made}.

    Raises:
        InputError: score files cannot be used, or not together.
        OSError: a score file cannot be read.
    """
    read = {}

    def aggregated(path):
        if path not in read:
            with fusion.read(path) as file:
                read[path] = joining.aggregate_file(file)
        return read[path]

    figures = tuple(_figure(plan, cell, finished, aggregated) for cell in plan.cells)
    return Table(plan, figures, len(plan.scores - finished), failed)


def _figure(plan, planned, finished, aggregated):
    """The Figure of a Planned; `aggregated` reads a score file."""
    of_splits, videos = [], 0
    for split, parts in zip(plan.splits, planned.runs, strict=bool(planned.runs)):
        if finished.issuperset(run.scores for run, _ in parts):
            read = [aggregated(run.scores) for run, _ in parts]
            fusion.check_alike([one.file for one in read])
            joined = joining.join(read, allow_missing=True)
            scores = joining.fuse(joined.scores, [weight for _, weight in parts])
            value = METRICS[plan.study.metric][1](joined, scores)
            of_splits.append((split, float(value)))
            videos += len(joined.video_ids)
    runs = planned.all_runs
    whole = len(of_splits) == len(plan.splits)
    return Figure(
        planned.cell,
        statistics.fmean(value for _, value in of_splits) if whole else None,
        tuple(of_splits),
        videos,
        sum(run.scores in finished for run in runs),
        len(runs),
    )


def _two_digits(value):
    return "" if value is None else f"{value:.2f}"


def _rounded(value):
    return round(value, 4) if isinstance(value, float) else value
