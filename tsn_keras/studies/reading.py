"""Study files: TOML to a Study whose cells fit together."""

import collections
import math
import pathlib
import re

from tsn_keras.common import ranges, toml_records
from tsn_keras.common.errors import InputError, short
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.protocols.overrides import Override
from tsn_keras.scores import windows
from tsn_keras.studies.records import METRICS, Study, TestSettings

_NAME = re.compile(r"[A-Za-z0-9_.+-]{1,60}")
_MOST_CELLS = 500


def read(path) -> Study:
    """Reads a study file.

    Raises:
        InputError: it is not TOML, has an unknown key, or its cells do not fit
            together; the text names the cell.
        OSError: it cannot be read.
    """
    path = pathlib.Path(path)
    study = toml_records.record(Study, toml_records.read(path), f"{path}")
    if study.metric not in METRICS:
        rule = ranges.OneOf(tuple(METRICS))
        raise InputError(
            f"{path}: metric must be {rule}. Received: {short(study.metric)!r}"
        )
    if not 1 <= len(study.cells) <= _MOST_CELLS:
        raise InputError(
            f"{path} has {len(study.cells)} cells; a study has 1 to {_MOST_CELLS}"
        )
    if list(study.splits) != sorted(set(study.splits)):
        raise InputError(f"{path}: splits must be increasing. Received: {study.splits}")
    if reason := _unlike_sections(study.changes):
        raise InputError(f"{path}: {reason}")
    _check_test(study.test, path)
    for what, found in (
        ("the name", [cell.name for cell in study.cells]),
        ("the place", [f"{cell.row}, {cell.column}" for cell in study.cells]),
    ):
        name, count = collections.Counter(found).most_common(1)[0]
        if count > 1:
            raise InputError(f"{path}: {count} cells have {what} {short(name)!r}")
    cells = {cell.name: cell for cell in study.cells}
    for cell in study.cells:
        if reason := _fault(cell, cells):
            raise InputError(f"{path}, cell {short(cell.name)!r}: {reason}")
    return study


def override_of(test: TestSettings) -> Override:
    """What a section [test] changes of a protocol's test."""
    return Override(
        snippets=test.snippets or None,
        crops=test.crops or None,
        every=test.every or None,
        over_time=test.over_time or None,
    )


def _check_test(test, path):
    if test.dataset:
        DATASETS.find(test.dataset, f"{path}: test.dataset")
    if test.over_time:
        windows.OVER_TIME.find(test.over_time, f"{path}: test.over_time")
    if min(test.snippets, test.crops) < 0:
        raise InputError(f"{path}: test.snippets and test.crops must be 0 or more")


def _fault(cell, cells):
    """What is wrong with a cell, or None."""
    if not _NAME.fullmatch(cell.name):
        return "name must be of letters, digits, and any of _ . + -"
    if not (cell.row and cell.column):
        return "it needs row and column, its place in the table"
    if cell.config and cell.fusion:
        return "config makes it a run, fusion a sum of others: leave one out"
    if not (cell.config or cell.fusion or cell.published):
        return "it needs config, fusion, or what was published"
    if cell.changes and not cell.config:
        return "changes are of a run, which it is not: it has no config"
    if reason := _unlike_sections(cell.changes):
        return reason
    if not 0 <= cell.published <= 100:
        return f"published must be a percentage. Received: {cell.published}"
    for name in cell.fusion:
        if name not in cells or not cells[name].config:
            return f"fusion names {short(name)!r}, which is no cell with a config"
    weights = list(cell.fusion.values())
    if not all(map(math.isfinite, weights)) or (weights and not any(weights)):
        return f"fusion has the weights {weights}: not finite, or all 0"
    return None


def _unlike_sections(changes):
    """Says that changes are not those of a training file, or None."""
    if all(isinstance(part, dict) for part in changes.values()):
        return None
    return "changes must be like { model.segments = 5 }, the sections of training files"
