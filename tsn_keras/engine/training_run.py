"""A training run: from a training file to weights, and on from where it stopped."""

import dataclasses
import json
import os
import platform
import shutil
import time

import tqdm

import tsn_keras
from tsn_keras import config
from tsn_keras.checkpoints import folders, keras_file
from tsn_keras.data import datasets, demo, storage, training_sets
from tsn_keras.engine import console, evaluation, files, progress, stopping

RECORD = "run.json"
CHECKPOINT = "checkpoint.h5"
LAST, BEST = "last.weights.h5", "best.weights.h5"
SCORES = "scores.h5"
MACHINES = "TF_CONFIG"
# What may differ in a run that goes on: where things lie, how long and how
# often. The videos themselves are compared by their digest.
# device_batch is what an exhausted memory asks to change.
_FREE = {
    "data": ("root", "annotations", "validation", "classes"),
    "model": ("initial",),
    "train": ("iterations", "validate_every", "save_every", "device_batch"),
}


@dataclasses.dataclass(frozen=True)
class Request:
    """What to train; see `python -m tsn_keras.train --help`.

    Attributes:
        settings: config.Training.
        out: folder of the run.
        evaluate: whether to run the 25 x 10 test at the end.
    """

    settings: config.Training
    out: str
    evaluate: bool = False


def train(request):
    """Trains, or goes on with the training in the folder of the run.

    Args:
        request: Request.

    Returns:
        (dict for the last line of output, exit status).

    Raises:
        config.InputError: something is missing or wrong; the text gives the
            next step.
        OSError: a file cannot be read or written.
        KeyboardInterrupt: with a text that says what was kept.
    """
    settings = request.settings
    data = settings.data
    out = _out_folder(request.out)
    if request.evaluate and os.environ.get(MACHINES):
        raise config.InputError(
            f"--evaluate is for one machine, but {MACHINES} names several: evaluate "
            f"the weights with python -m tsn_keras.eval"
        )
    # Several machines must know of one another before TensorFlow reads a file.
    devices = _devices() if os.environ.get(MACHINES) else None
    places = (data.root, data.annotations, data.validation, settings.model.initial)
    variables = (datasets.DATA_VARIABLE, folders.VARIABLE)
    with console.quiet_frameworks():
        storage.prepare(filter(None, (*places, *map(os.environ.get, variables))))
    found = _find_data(data)
    if request.evaluate and found.validation is None:
        raise config.InputError(
            "--evaluate needs videos to validate on: set data.holdout for folders, "
            "data.validation for lists"
        )
    out.mkdir(parents=True, exist_ok=True)
    # Imported when all videos are in place: TensorFlow takes seconds.
    devices = devices or _devices()
    from tsn_keras.engine import training_session

    with training_session.explained():
        session = training_session.Session(settings, found, devices)
        run = _Run(session, settings, found, out)
        result = run.go()
    if request.evaluate:
        if run.stopped:
            raise KeyboardInterrupt(
                f"stopped by {run.stopped}: the training is complete; the same command "
                f"goes on with the evaluation"
            )
        result["evaluation"], status = _evaluate(settings, found, out)
        return result, status
    return result, console.EXIT_OK


def _out_folder(name):
    path = storage.path(name)
    if storage.is_remote(path):
        raise config.InputError(f"--out {name}: must be a folder of this machine")
    return path


def _devices():
    with console.quiet_frameworks():
        from tsn_keras.engine import distribution

        return distribution.strategy()


def _find_data(settings):
    if settings.dataset == "demo":
        videos = demo.split()
        total = len(videos.train) + len(videos.test)
        with tqdm.tqdm(desc="making demo videos", unit="video", total=total) as bar:
            found = training_sets.find(settings, bar.update)
    else:
        found = training_sets.find(settings)
    parts = (("train", found.train), ("validate", found.validation))
    for verb, part in parts:
        if part is not None and part.missing:
            console.say(
                f"{len(part.missing)} videos to {verb} on have no folder and are left "
                f"out, as {part.missing[0]}"
            )
    if found.empty:
        console.say(
            f"{len(found.empty)} of {found.count} classes have no training video, as "
            f"{found.empty[0]}"
        )
    return found


def _about(settings, found, session):
    """What a run that goes on must share, as a dict of JSON values."""
    kept = {
        f"{section}.{key}": value
        for section, values in dataclasses.asdict(settings).items()
        for key, value in values.items()
        if key not in _FREE.get(section, ())
    }
    return {
        **kept,
        "training videos (digest)": found.digest,
        "initial weights (digest)": session.initial_digest,
    }


class _Run:
    """The loop over the iterations, and the files of its folder.

    Attributes:
        stopped: name of a signal that came in the last iteration, or None.
    """

    def __init__(self, session, settings, found, out):
        self._session = session
        self._settings = settings.train
        self._out = out
        self._about = _about(settings, found, session)
        self._digest = found.digest_of_validation
        self.stopped = None

    def go(self):
        session, checkpoint = self._session, self._out / CHECKPOINT
        if session.is_chief:
            self._make_room()
        if checkpoint.exists():
            session.restore(checkpoint, self._about)
        elif (self._out / LAST).exists():
            raise config.InputError(
                f"{self._out} holds weights of another run: name another folder with "
                f"--out, or empty it"
            )
        train = self._settings
        session.check_that_all_start_alike(
            self._about,
            self._digest,
            (train.iterations, train.validate_every, train.save_every),
        )
        first, last = session.iteration, train.iterations
        if first:
            console.say(f"{self._out}: going on at iteration {first} of {last}")
        log = self._open_log(first)
        start = time.monotonic()
        try:
            if first and log is not None:
                self._complete(first, log)
            if first < last:
                self._loop(first, last, log)
        finally:
            if log is not None:
                log.close()
        seconds = round(time.monotonic() - start, 1)
        validations = log.validations if log is not None else []
        return {
            "out": str(self._out),
            "iterations": session.iteration,
            "seconds": seconds,
            "weights": str(self._out / LAST),
            "validation": validations[-1] if validations else None,
            "best": _best(validations),
        }

    def _complete(self, iteration, log):
        """Writes what a kill right after the checkpoint kept from being written."""
        if _iteration_of(self._out / LAST) != iteration:
            self._session.save_weights(self._out / LAST)
        best = _best(log.validations)
        is_new = best is not None and best["iteration"] == iteration
        if is_new and _iteration_of(self._out / BEST) != iteration:
            self._session.save_weights(self._out / BEST, validation=best)

    def _open_log(self, iteration):
        if not self._session.is_chief:
            return None
        from tsn_keras.engine import training_log

        with files.replacing(self._out / RECORD) as aside:
            record = {
                "settings": self._about,
                "iterations": self._settings.iterations,
                "tsn_keras": tsn_keras.__version__,
                "python": platform.python_version(),
                **self._session.versions,
            }
            aside.write_text(json.dumps(record, indent=1))
        return training_log.Log(self._out, iteration)

    def _loop(self, first, last, log):
        session, settings = self._session, self._settings
        batches = session.training_batches()
        since = time.monotonic()
        with (
            progress.iterations("training", last, first, session.is_chief) as bar,
            stopping.requests() as stop,
        ):
            for iteration in range(first + 1, last + 1):
                rate = session.learning_rate
                loss = session.step(batches)
                now = time.monotonic()
                if log is not None:
                    speed = settings.batch / (now - since)
                    log.step(
                        iteration=iteration,
                        loss=loss,
                        learning_rate=rate,
                        videos_per_s=round(speed, 2),
                    )
                since = now
                bar.set_postfix_str(f"loss {loss:.3f}, rate {rate:.2g}", refresh=False)
                bar.update()
                at_end = iteration == last
                every = settings.validate_every
                due = at_end or (every and iteration % every == 0)
                figures = session.validate() if due and session.validates else None
                asked = session.anyone(stop.signal is not None)
                if due or asked or iteration % settings.save_every == 0:
                    self._save()
                if figures is not None and log is not None:
                    self._tell(iteration, figures, log)
                if due or asked:
                    since = time.monotonic()
                if asked and not at_end:
                    raise KeyboardInterrupt(
                        f"stopped by {stop.signal or 'another machine'} after "
                        f"iteration {iteration} of {last}, kept in {self._out}; the "
                        f"same command goes on from there"
                    )
            self.stopped = stop.signal

    def _tell(self, iteration, figures, log):
        """Logs a validation; its checkpoint is written already."""
        log.validation(iteration=iteration, **figures)
        progress.say(
            f"iteration {iteration}: {figures['videos']} validation videos, loss "
            f"{figures['loss']:.3f}, top-1 {figures['top1']:.2f} %, mean class "
            f"accuracy {figures['mean_class_accuracy']:.2f} %"
        )
        if _best(log.validations) is log.validations[-1]:
            self._session.save_weights(self._out / BEST, validation=figures)

    def _save(self):
        """Writes the checkpoint and the last weights."""
        self._session.prepare_to_save()
        if self._session.is_chief:
            self._session.save(self._out / CHECKPOINT, self._about)
            self._session.save_weights(self._out / LAST)

    def _make_room(self):
        """Removes what killed runs left, and refuses a disk that is too full."""
        for name in (CHECKPOINT, LAST, BEST):
            for path in self._out.glob(f".*.{name}"):
                path.unlink()
        # Weights twice, and the checkpoint twice while it is replaced.
        there = [self._out / name for name in (CHECKPOINT, LAST, BEST)]
        there = sum(path.stat().st_size for path in there if path.exists())
        needed = 3 * self._session.checkpoint_size - there
        free = shutil.disk_usage(self._out).free
        if free < needed:
            raise config.InputError(
                f"no space for checkpoints in {self._out}: {needed / 2**20:.0f} MiB "
                f"are needed, {free / 2**20:.0f} MiB are free"
            )


def _iteration_of(path):
    """Iteration at which a weight file was written; None without a usable one."""
    try:
        return (keras_file.shapes(path)[0] or {}).get("iteration")
    except (config.InputError, OSError):
        return None


def _best(validations):
    """The validation of the highest top-1 accuracy, then of the lowest loss."""
    return max(validations, key=lambda row: (row["top1"], -row["loss"]), default=None)


def _evaluate(settings, found, out):
    """Runs the 25 x 10 test with the last weights, as the original does."""
    data = settings.data
    dataset, annotations = data.dataset, data.annotations
    if dataset in ("folders", "list"):
        # The very videos that were validated on, by their own names.
        annotations = out / "validation.txt"
        rows = zip(found.validation.videos, found.validation.counts, strict=True)
        lines = [f"{video.id} {count} {video.label}\n" for video, count in rows]
        with files.replacing(annotations) as aside:
            aside.write_text("".join(lines), encoding="utf-8")
        dataset = "list"
    for name in (SCORES, f"{SCORES}.partial"):
        path = out / name
        # Scores of earlier weights; the run went on since.
        if path.exists() and path.stat().st_mtime < (out / LAST).stat().st_mtime:
            path.unlink()
    return evaluation.evaluate(
        evaluation.Request(
            dataset=dataset,
            split=(found.split or (1 if dataset == "demo" else None),),
            modality=(data.modality,),
            data=str(found.root),
            annotations=str(annotations) if annotations else None,
            weights=(str(out / LAST),),
            scores=str(out / SCORES),
            allow_missing=data.allow_missing,
            prefixes=found.prefixes,
        )
    )
