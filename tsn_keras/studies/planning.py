"""A study to the runs that its cells need, with settings that were checked."""

import dataclasses
import hashlib
import json
import os
import pathlib

from tsn_keras import config
from tsn_keras.common import toml_records
from tsn_keras.common.errors import InputError, short
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.studies import reading
from tsn_keras.studies.records import Options, Plan, Planned, Run, TestSettings
from tsn_keras.training import run as training

# Of these a run's name knows the last part of the path, and of `root` nothing: data and
# weights may move.
_PLACES = ("annotations", "validation", "classes", "initial")
# What may change while a run is resumed, see training.loop.
_FREE = ("device_batch", "save_every", "validate_every", "validate_epochs")
_DIGITS = 10


def plan(path, options: Options) -> Plan:
    """Reads a study file, and finds the runs that its cells need.

    Args:
        path: the file (TOML).
        options: Options.

    Returns:
        Plan.

    Raises:
        InputError: the file or a setting of a cell is wrong; the text names the cell.
        OSError: a file cannot be read.
    """
    path = pathlib.Path(path)
    study = reading.read(path)
    _check_names(study, options, path)
    splits = _splits(study, options)
    bases = {
        cell.config: toml_records.read(path.parent / cell.config)
        for cell in study.cells
        if cell.config
    }
    runs = {
        cell.name: [
            _run(path, study, options, cell, _values(bases, study, options, cell, one))
            for one in splits
        ]
        for cell in study.cells
        if cell.config
    }
    cells = []
    for cell in study.cells:
        parts = [[(made, w) for made in runs[n]] for n, w in cell.parts.items()]
        chosen = cell.name in options.only if options.only else bool(parts)
        # Parts by splits to splits by parts.
        cells.append(Planned(cell, tuple(zip(*parts, strict=True)), chosen))
    return Plan(path, study, splits, tuple(cells), tuple(_kept(study, options)))


def _check_names(study, options, path):
    """Refuses names of cells that the study does not have."""
    runs = {cell.name: bool(cell.config) for cell in study.cells}
    for name in (*options.only, *options.of_cells):
        if name not in runs:
            raise InputError(
                f"{path} has no cell {short(name)!r}; it has {', '.join(runs)}"
            )
    for name in options.of_cells:
        if not runs[name]:
            raise InputError(f"{path}, cell {name!r}: it is no run of its own")
    if study.splits and "split" in options.changes.get("data", {}):
        raise InputError(
            f"{path} is of the splits {study.splits}: name some by `splits`"
        )


def _splits(study, options):
    """Numbers of the splits, or (None,) for that of the training files."""
    if not options.splits:
        return study.splits or (None,)
    if set(options.splits) - set(study.splits):
        raise InputError(
            f"`splits` is {list(options.splits)}; the study is of "
            f"{list(study.splits) or 'that of its training files'}"
        )
    return tuple(sorted(set(options.splits)))


def merged(values, changes):
    """Settings by section with changes of some; what is no section is checked later."""
    made = dict(values)
    for section, part in changes.items():
        before = made.get(section)
        both = isinstance(before, dict) and isinstance(part, dict)
        made[section] = {**before, **part} if both else part
    return made


def _values(bases, study, options, cell, split):
    """The settings of a run, as a training file holds them."""
    wanted = [study.changes, options.changes, cell.changes]
    wanted.append(options.of_cells.get(cell.name, {}))
    if split is not None:
        wanted.append({"data": {"split": split}})
    values = bases[cell.config]
    for changes in wanted:
        values = merged(values, toml_records.plain(changes))
    return values


def _run(path, study, options, cell, values):
    try:
        settings = config.training_of(values)
        override = reading.override_of(study.test)
        override.of(PROTOCOLS.find(settings.data.protocol))
        if study.test != TestSettings():
            _check_test(study.test.dataset or settings.data.dataset)
    except InputError as error:
        reason = str(error).removeprefix("config: ")
        raise InputError(f"{path}, cell {cell.name!r}: {reason}") from None
    test = training.OWN_TEST
    if study.test != TestSettings():
        told = dataclasses.asdict(study.test)
        name = f"scores_{_digest(told)}.h5"
        test = training.Test(study.test.dataset, override, name)
    out = pathlib.Path(options.runs) / name_of(settings)
    base = pathlib.Path(os.path.normpath(path.parent / cell.config))
    return Run(out, settings, base, test)


def _check_test(dataset):
    if DATASETS[dataset].scored is None:
        raise InputError(
            f"section [test] needs videos that annotations name, of which {dataset} "
            f'has none: list them (`dataset="list"`)'
        )


def name_of(settings: config.Training) -> str:
    """The name of a run: of the same settings always the same.

    Only what differs from the defaults counts, so that a setting that is added later
    changes no name.
    """
    defaults = dataclasses.asdict(config.Training())
    told = {
        section: {
            key: _shortened(key, value)
            for key, value in part.items()
            if value != defaults[section][key] and key not in _FREE
        }
        for section, part in dataclasses.asdict(settings).items()
    }
    told["data"].pop("root", None)
    data, model = settings.data, settings.model
    split = f"_split{data.split}" if DATASETS[data.dataset].splits else ""
    segments = f"k{model.segments}"
    words = f"{data.dataset}_{data.modality}{split}_{model.backbone}_{segments}"
    return f"{words.replace(':', '_')}_{_digest(told)}"


def _shortened(key, value):
    if key in ("sources", "tasks"):
        return [
            {k: _shortened(k, v) for k, v in one.items() if k != "root"}
            for one in value
        ]
    if key in _PLACES:
        return value.rstrip("/").rpartition("/")[-1]
    return value


def _digest(value):
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _kept(study, options):
    """Yields what cells keep of their own against the user's changes."""
    for section, part in options.changes.items():
        for key in part if isinstance(part, dict) else ():
            own = [
                cell.name
                for cell in study.cells
                if key in cell.changes.get(section, {})
                and key not in options.of_cells.get(cell.name, {}).get(section, {})
            ]
            if own:
                yield (
                    f"{section}.{key} stays as in {', '.join(own)}: cells are "
                    f"about what they change; name the cell to change it too"
                )
