"""Runs the cells of a published table, and prints them beside what was published.

python -m tsn_keras.study configs/studies/eccv2016_table3_consensus.toml --list
python -m tsn_keras.study configs/studies/eccv2016_table3_consensus.toml \\
    --set data.root=/data/ucf101 --only rgb_max flow_max both_max
python -m tsn_keras.study STUDY.toml --backend dask --scheduler tcp://HOST:8786

A cell is a training with its test, or a fusion of such scores. Each run has a
folder in --runs, named by its settings: tables that have a run in common share
it. The same command resumes where it stopped; what is finished is not run again.
Exit status: 0, or 1 if a run failed, 2 if something is missing or wrong, 130 if
interrupted.
"""

import dataclasses
import json
import shlex

from tsn_keras.common import console
from tsn_keras.common.errors import spelled

WORDS = {
    "out": "--runs",
    "splits": "--split",
    "evaluate": "a study",
    "data": "--set data.root=...",
    "annotations": "--set data.annotations=...",
    "validation": "--set data.validation=...",
    "allow_missing=True": "--set data.allow_missing=true",
    "backward=True": "python -m tsn_keras.extract --backward",
    "holdout": "data.holdout",
    "classes": "data.classes",
    "rgb_prefix": "data.rgb_prefix",
    "flow_x_prefix": "data.flow_x_prefix",
    "flow_y_prefix": "data.flow_y_prefix",
}
EXAMPLE = "train.base_lr=0.002"


def parse_args(argv=None):
    parser = console.parser("study", __doc__)
    add = parser.add_argument
    add(
        "file",
        metavar="FILE",
        help="study file (TOML); those of the papers are in configs/studies/",
    )
    add(
        "--set",
        action="append",
        default=[],
        metavar="[CELL:]SECTION.KEY=VALUE",
        help="a value for all cells, as data.root=/data/ucf101, but for those that are "
        "about this very key; or for one cell; may be repeated",
    )
    add("--only", nargs="+", default=(), metavar="CELL", help="cells to run")
    add("--split", type=int, nargs="+", default=(), help="of the study's splits, these")
    add(
        "--runs",
        default="runs/studies",
        metavar="DIR",
        help="folder of the folders of runs (default: runs/studies)",
    )
    add("--csv", metavar="FILE", help="write the table, a line for each cell")
    add(
        "--list",
        action="store_true",
        help="print the cells and their commands, and run nothing",
    )
    console.add_cluster(parser, "the study's folders, frames and weights")
    return parser.parse_args(argv)


@console.command(WORDS)
def main(argv=None):
    args = parse_args(argv)
    scheduler = console.scheduler_of(args)
    # Imported after parsing, so that --help answers at once.
    from tsn_keras.common import progress
    from tsn_keras.studies import planning, running
    from tsn_keras.studies.records import Options

    changes, of_cells = _changes(args.set)
    options = Options(args.runs, changes, of_cells, tuple(args.only), tuple(args.split))
    if args.list:
        return _listed(planning.plan(args.file, options)), console.EXIT_OK
    found = running.study(args.file, options, scheduler, progress.Terminal(WORDS))
    console.show(found)
    if args.csv:
        found.write_csv(args.csv)
        console.show(f"{args.csv} written")
    for reason in dict.fromkeys(found.failed.values()):
        outs = [str(out) for out, why in found.failed.items() if why == reason]
        console.say(f"failed: {', '.join(outs)}: {spelled(reason, WORDS)}")
    status = console.EXIT_SOME_FAILED if found.failed else console.EXIT_OK
    return found.as_json(), status


def _changes(told):
    """({section: {key: value}}, {cell: the same}) of what --set was given."""
    from tsn_keras.common import toml_records

    changes, of_cells = {}, {}
    for one in told:
        cell, colon, rest = one.partition(":")
        if colon and "=" not in cell:
            toml_records.override(of_cells.setdefault(cell, {}), rest, EXAMPLE)
        else:
            toml_records.override(changes, one, EXAMPLE)
    return changes, of_cells


def _listed(plan):
    """Prints the cells of a plan and their commands; returns them as JSON values."""
    from tsn_keras.studies import running

    cells = []
    for line in plan.kept:
        console.say(line)
    for planned in (cell for cell in plan.cells if cell.chosen):
        cell, runs, fusions = planned.cell, [], []
        console.show(f"{cell.name} ({cell.row}, {cell.column})")
        for parts in planned.runs:
            if cell.config:
                run, _ = parts[0]
                told = {"out": str(run.out), "state": running.state(run)}
                runs.append({**told, "commands": list(commands(run))})
                lines = (told["state"], *runs[-1]["commands"])
                console.show("\n".join(f"  {line}" for line in lines))
            else:
                fusions.append(_fusion(parts))
                console.show(f"  {fusions[-1]}")
        told = {"name": cell.name, "row": cell.row, "column": cell.column}
        told |= {"published": cell.published or None}
        cells.append({**told, "runs": runs, "fusions": fusions})
    return {"study": str(plan.path), "cells": cells}


def commands(run):
    """Yields the commands that make a run, as a shell takes them.

    Args:
        run: studies.records.Run.
    """
    from tsn_keras import config
    from tsn_keras.training.run import OWN_TEST

    base, own = config.read_training(run.config), run.test == OWN_TEST
    words = ["train", "--config", run.config]
    for section in ("data", "model", "train"):
        before, now = (
            dataclasses.asdict(getattr(one, section)) for one in (base, run.settings)
        )
        for key, value in now.items():
            if value != before[key]:
                words += ["--set", f"{section}.{key}={_toml(value)}"]
    yield _command(*words, "--out", run.out, *(["--evaluate"] if own else []))
    if not own:
        yield _command(*_test(run))


def _test(run):
    """Words of the command that tests a run otherwise than `train --evaluate`."""
    from tsn_keras import config
    from tsn_keras.datasets.catalogue import DATASETS
    from tsn_keras.training.loop import LAST

    data, test = run.settings.data, run.test
    dataset = DATASETS[test.dataset or data.dataset]
    is_list = dataset.scored == "train"
    told = {
        "dataset": dataset.name,
        "modality": data.modality,
        "split": data.split if len(dataset.splits) > 1 else None,
        "weights": run.out / LAST,
        "scores": run.scores,
        "data": data.root,
        "annotations": data.validation if is_list else data.annotations,
        **dataclasses.asdict(test.override),
        "rgb_prefix": data.rgb_prefix,
        "flow_x_prefix": data.flow_x_prefix,
        "flow_y_prefix": data.flow_y_prefix,
    }
    usual = dataclasses.asdict(config.DataSettings())
    flags = {
        f"--{key.replace('_', '-')}": value
        for key, value in told.items()
        if value and (value != usual.get(key) or not key.endswith("prefix"))
    }
    words = ["eval", *(word for pair in flags.items() for word in pair)]
    return [*words, *(["--allow-missing"] if data.allow_missing else [])]


def _fusion(parts):
    """The command that fuses the scores of ((Run, weight), ...)."""
    files = [run.scores for run, _ in parts]
    return _command("fuse", *files, "--weights", *(weight for _, weight in parts))


def _command(name, *words):
    return shlex.join(["python", "-m", f"tsn_keras.{name}", *map(str, words)])


def _toml(value):
    """A setting as TOML: JSON, but for tables."""
    if isinstance(value, dict):
        pairs = (f"{key} = {_toml(item)}" for key, item in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)


if __name__ == "__main__":
    console.run(main)
