"""The runs of a study: one after the other, or on a Dask cluster."""

import dataclasses
import gc
import json
import pathlib
import threading

import tsn_keras
from tsn_keras.common import cluster, files, json_text, progress, storage, text
from tsn_keras.common.errors import InputError
from tsn_keras.studies.planning import plan
from tsn_keras.studies.records import Options, Plan, Run
from tsn_keras.studies.results import Table, tabulated
from tsn_keras.training import run as training
from tsn_keras.training.loop import CHECKPOINT

_MAX_RECORD = 16 * 2**20  # bytes; it names each video that failed
_PLACES = ("root", "annotations", "validation", "classes")
FINISHED, BEGUN, TO_DO = "finished", "begun", "to do"


def study(
    path,
    options: Options,
    scheduler: str | None = None,
    listener: progress.Silent = progress.SILENT,
) -> Table:
    """Runs the cells of a study that are not finished, and makes its table.

    Args:
        path: the study file.
        options: Options.
        scheduler: address of a Dask cluster's scheduler, or None for this process.
        listener: is shown how far it has come.

    Returns:
        Table.

    Raises:
        InputError: the study file is wrong, or the cluster does not answer. A run that
            cannot be made is named in the table, and the others are made.
        OSError: a file cannot be read or written.
        KeyboardInterrupt: with a text that says what was kept.
    """
    planned = plan(path, options)
    for line in planned.kept:
        listener.say(line)
    left = [run for run in planned.runs if state(run) != FINISHED]
    total = len(planned.runs)
    if len(left) < total:
        listener.say(f"{total - len(left)} of {total} runs are finished already")
    try:
        if scheduler is None:
            failed = _one_by_one(left, listener)
        else:
            failed = _on_cluster(left, scheduler, listener)
    except KeyboardInterrupt as stop:
        done = sum(state(run) == FINISHED for run in planned.runs)
        raise KeyboardInterrupt(
            f"{str(stop) or 'stopped; the same command resumes'}; {done} of {total} "
            f"runs of the study are finished"
        ) from None
    return table_of(planned, failed)


def table_of(planned: Plan, failed=()) -> Table:
    """The table of what is finished; see results.tabulated."""
    runs = {run.scores: run for cell in planned.cells for run in cell.all_runs}
    finished = {path for path, run in runs.items() if state(run) == FINISHED}
    return tabulated(planned, finished, dict(failed))


def state(run: Run) -> str:
    """How far a run is: FINISHED, BEGUN or TO_DO.

    Finished is what was trained and tested with the very settings of now. Where only a
    path or an interval differs, the run is resumed, which compares the videos.
    """
    if _record(run).get("run") == _told(run) and run.scores.exists():
        return FINISHED
    return BEGUN if (run.out / CHECKPOINT).exists() else TO_DO


def _told(run):
    """What a record says of its run, as JSON has it."""
    told = {
        "settings": dataclasses.asdict(run.settings),
        "test": dataclasses.asdict(run.test),
    }
    return json.loads(json.dumps(told))


def _place(run):
    return run.scores.with_suffix(".json")


def _record(run):
    """What is kept of a finished run; {} if nothing can be read."""
    try:
        content = text.read(_place(run), _MAX_RECORD)
        return json_text.parse(content, str(_place(run)))
    except (OSError, ValueError):
        return {}


def make(run: Run, listener: progress.Silent = progress.SILENT, told=None) -> None:
    """Trains and tests, or resumes it, and keeps a record if no video failed.

    Args:
        run: Run.
        listener: is shown how far it has come.
        told: the same Run as the record names it; None: as it is.

    Raises:
        InputError: it cannot be made, or videos failed in the test.
        OSError: a file cannot be read or written.
        KeyboardInterrupt: with a text that says what was kept.
    """
    run.out.parent.mkdir(parents=True, exist_ok=True)
    request = training.Request(run.settings, str(run.out), True, run.test)
    trained = training.train(request, listener)
    found = trained.evaluation
    if found.failed:
        (video, reason), *others = found.failed.items()
        more = f" (and {len(others)} more videos)" if others else ""
        raise InputError(f"{video} failed in the test: {reason}{more}")
    record = {
        "run": _told(told or run),
        "iterations": trained.iterations,
        "evaluation": found.as_json(),
        "tsn_keras": tsn_keras.__version__,
    }
    with files.replacing(_place(run)) as aside:
        aside.write_text(json.dumps(record, indent=1))


def _one_by_one(runs, listener):
    """Makes runs here; returns {folder: reason} of those that cannot be made."""
    failed = {}
    for number, run in enumerate(runs, 1):
        listener.say(f"run {number} of {len(runs)}: {run.out}")
        try:
            make(run, listener)
        except InputError as error:
            failed[run.out] = str(error)
            listener.say(f"{run.out} failed: {error}")
        # Networks and compiled functions refer to themselves.
        gc.collect()
    return failed


def _on_cluster(runs, scheduler, listener):
    """The same on the workers of a cluster; what they have begun they end."""
    failed = {}
    for run in runs:
        # The workers see it at this place, and make nothing elsewhere.
        run.out.parent.mkdir(parents=True, exist_ok=True)
    jobs = [(_absolute(run), run) for run in runs]
    try:
        with (
            cluster.connected(scheduler) as client,
            listener.bar("runs", len(jobs), unit="run") as bar,
        ):
            for out, reason in cluster.share_out(client, work, jobs, listener):
                if reason is not None:
                    failed[out] = reason
                    listener.say(f"{out} failed: {reason}")
                bar.update()
    except cluster.LOST as error:
        raise InputError(
            f"{cluster.words_for(error)}; what was made is kept, and the same command "
            f"resumes"
        ) from None
    return failed


def _absolute(run):
    """A run with the paths that workers need, whose working folders are others."""
    data, model = run.settings.data, run.settings.model
    further = {
        key: tuple(_with_absolute(one, _PLACES[:2]) for one in getattr(data, key))
        for key in ("sources", "tasks")
    }
    data = dataclasses.replace(_with_absolute(data, _PLACES), **further)
    if pathlib.Path(model.initial).is_file():  # Else the name of a preset.
        model = _with_absolute(model, ("initial",))
    settings = dataclasses.replace(run.settings, data=data, model=model)
    return dataclasses.replace(run, out=run.out.absolute(), settings=settings)


def _with_absolute(settings, names):
    changes = {name: getattr(settings, name) for name in names}
    return dataclasses.replace(
        settings,
        **{
            name: str(pathlib.Path(value).absolute())
            for name, value in changes.items()
            if value and not storage.is_remote(storage.path(value))
        },
    )


# TensorFlow takes all of a device for one run: the other threads of a worker wait.
_ONE_AT_A_TIME = threading.Lock()


def work(job: tuple[Run, Run]) -> tuple[pathlib.Path, str | None]:
    """Makes a run; called on a worker.

    Args:
        job: the Run with the worker's paths, and as the user told it.

    Returns:
        (its folder as told, why it cannot be made or None)
    """
    run, told = job
    with _ONE_AT_A_TIME:
        try:
            cluster.demand(run.out.parent.is_dir(), run.out.parent)
            if run.settings.data.root:
                root = storage.path(run.settings.data.root)
                cluster.demand(storage.is_remote(root) or root.exists(), root)
            make(run, told=told)
        except InputError as error:
            return told.out, str(error)
        finally:
            gc.collect()
    return told.out, None
