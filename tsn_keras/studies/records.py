"""What a study is: the cells of a table, and the runs that each of them needs."""

import dataclasses
import pathlib
from collections.abc import Mapping

from tsn_keras import config
from tsn_keras.common.errors import InputError
from tsn_keras.scores import metrics
from tsn_keras.training import run as training


def _mean_precision(joined, scores):
    """Mean average precision in percent, of probabilities as the authors compute it.

    They rank the videos of a class by it (yjxiong/anet2016-cuhk
    pyActionRec/utils/metrics.py:41-50), also where each has one label.
    """
    sets = joined.label_sets or [(label,) for label in joined.labels]
    is_true = metrics.many_hot(sets, scores.shape[1])
    return 100 * metrics.mean_average_precision(metrics.softmax(scores), is_true)


def _of_accuracy(name):
    def figure(joined, scores):
        found = joined.accuracy_of(scores)
        if not hasattr(found, name):
            raise InputError(
                f"the videos have several labels each, of which there is no {name}: "
                f'set metric = "mean_average_precision"'
            )
        return getattr(found, name)

    return figure


# Figures that a table can have: (title, function (scores.joining.Joined, scores [V, C])
# to percent).
METRICS = {
    "mean_class_accuracy": (
        "mean class accuracy, %",
        _of_accuracy("mean_class_accuracy"),
    ),
    "top1": ("top-1 accuracy, %", _of_accuracy("top1")),
    "top5": ("top-5 accuracy, %", _of_accuracy("top5")),
    "mean_average_precision": ("mAP, %", _mean_precision),
}


@dataclasses.dataclass(frozen=True)
class TestSettings:
    """Section [test] of a study file: what differs from a run's own test.

    Attributes:
        dataset: see training.run.Test.
        snippets, crops: of a video and of a snippet; 0 for those of the protocol.
        every, over_time: see protocols.overrides.Override; "" for the protocol's.
    """

    dataset: str = ""
    snippets: int = 0
    crops: int = 0
    every: str = ""
    over_time: str = ""


@dataclasses.dataclass(frozen=True)
class Cell:
    """[[cells]] of a study file: a figure of the table.

    It has `config`, and is a run; or `fusion`, of the scores of such cells; or neither,
    and is only quoted.

    Attributes:
        name: a word, for people and for the fusions of others.
        row, column: where it stands in the table.
        config: training file, relative to the study file.
        changes: {section: {key: value}} that differ from it.
        fusion: {name of a cell: weight of its scores}.
        published: the published figure in percent; 0 if there is none.
    """

    name: str = ""
    row: str = ""
    column: str = ""
    config: str = ""
    changes: dict[str, object] = dataclasses.field(default_factory=dict)
    fusion: dict[str, float] = dataclasses.field(default_factory=dict)
    published: float = 0.0

    @property
    def parts(self) -> dict[str, float]:
        """{name of a cell that is a run: weight of its scores}."""
        return self.fusion or ({self.name: 1.0} if self.config else {})


@dataclasses.dataclass(frozen=True)
class Study:
    """A study file.

    Attributes:
        title: of the table.
        source: where it was published.
        metric: one of METRICS.
        rows: what the rows of the table are.
        splits: official splits over which each figure is the mean; () for the one that
            the training files name.
        changes: {section: {key: value}} for all cells that are runs.
        test: TestSettings.
        cells: Cells, in the order of the table.
    """

    title: str = ""
    source: str = ""
    metric: str = "mean_class_accuracy"
    rows: str = ""
    splits: tuple[int, ...] = ()
    changes: dict[str, object] = dataclasses.field(default_factory=dict)
    test: TestSettings = dataclasses.field(default_factory=TestSettings)
    cells: tuple[Cell, ...] = ()


@dataclasses.dataclass(frozen=True)
class Options:
    """What a user wants of a study.

    Attributes:
        runs: folder of the folders of runs; cells of any studies that are the same run
            share theirs.
        changes: {section: {key: value}} for all cells, as the folder of the data. What
            a cell's own changes say is what the cell is about, and stays.
        of_cells: {name of a cell: {section: {key: value}}}; these come last.
        only: names of the cells to run; () for all.
        splits: of those of the study; () for all.
    """

    runs: str = "runs/studies"
    changes: Mapping[str, Mapping] = dataclasses.field(default_factory=dict)
    of_cells: Mapping[str, Mapping] = dataclasses.field(default_factory=dict)
    only: tuple[str, ...] = ()
    splits: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Run:
    """A training and its test.

    Attributes:
        out: folder.
        settings: config.Training.
        config: its training file.
        test: training.run.Test.
    """

    out: pathlib.Path
    settings: config.Training
    config: pathlib.Path
    test: training.Test

    @property
    def scores(self) -> pathlib.Path:
        """The score file."""
        return self.out / self.test.scores


@dataclasses.dataclass(frozen=True)
class Planned:
    """A cell and the runs that it needs.

    Attributes:
        cell: Cell.
        runs: for each split ((Run, weight of its scores), ...); () of a quoted cell.
        chosen: whether the user wants it run.
    """

    cell: Cell
    runs: tuple[tuple[tuple[Run, float], ...], ...]
    chosen: bool = True

    @property
    def all_runs(self) -> tuple[Run, ...]:
        """Its runs of all splits."""
        return tuple(run for split in self.runs for run, _ in split)


@dataclasses.dataclass(frozen=True)
class Plan:
    """A study and what is to be done.

    Attributes:
        path: the study file.
        study: Study.
        splits: numbers of the splits, or (None,) for that of the training files.
        cells: Planned of each cell.
        kept: what cells keep of their own against the user's changes, for people.
    """

    path: pathlib.Path
    study: Study
    splits: tuple[int | None, ...]
    cells: tuple[Planned, ...]
    kept: tuple[str, ...] = ()

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs of the chosen cells, each once, in the order of the table."""
        chosen = (run for cell in self.cells if cell.chosen for run in cell.all_runs)
        return tuple({run.scores: run for run in chosen}.values())

    @property
    def scores(self) -> frozenset[pathlib.Path]:
        """The score files of all cells."""
        return frozenset(run.scores for cell in self.cells for run in cell.all_runs)
