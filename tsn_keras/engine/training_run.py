"""A training run: from a training file to weights, and on from where it stopped."""

import dataclasses
import json
import os
import pathlib
import platform
import shutil
import time

import tqdm

import tsn_keras
from tsn_keras import config
from tsn_keras.checkpoints import folders
from tsn_keras.data import datasets, demo, frames, storage, training_sets
from tsn_keras.engine import console, evaluation, files, progress, stopping

RECORD = "run.json"
CHECKPOINT = "checkpoint.h5"
LAST, BEST = "last.weights.h5", "best.weights.h5"
# What may differ in a run that goes on: where things lie, how long and how
# often. The videos themselves are compared by their digest.
_FREE = {
    "data": ("root", "annotations", "validation", "classes"),
    "train": ("iterations", "validate_every", "save_every"),
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
    places = (data.root, data.annotations, data.validation, settings.model.initial)
    variables = (datasets.DATA_VARIABLE, folders.VARIABLE)
    with console.quiet_frameworks():
        storage.prepare(filter(None, (*places, *map(os.environ.get, variables))))
    found = _find_data(data)
    out = pathlib.Path(request.out)
    out.mkdir(parents=True, exist_ok=True)
    # Imported when all videos are in place: TensorFlow takes seconds.
    with console.quiet_frameworks():
        from tsn_keras.engine import distribution, training_session

        devices = distribution.strategy()
    session = training_session.Session(settings, found, devices)
    about = _about(settings, found, session)
    run = _Run(session, settings.train, out, about, distribution.is_chief())
    result = run.go()
    if request.evaluate and run.is_chief:
        result["evaluation"], status = _evaluate(settings, found, out)
        return result, status
    return result, console.EXIT_OK


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
    """The loop over the iterations, and the files of its folder."""

    def __init__(self, session, settings, out, about, is_chief):
        self._session = session
        self._settings = settings
        self._out = out
        self._about = about
        self.is_chief = is_chief

    def go(self):
        session, checkpoint = self._session, self._out / CHECKPOINT
        self._check_room(checkpoint)
        if checkpoint.exists():
            session.restore(checkpoint, self._about)
        elif (self._out / LAST).exists():
            raise config.InputError(
                f"{self._out} holds weights of another run: name another folder with "
                f"--out, or empty it"
            )
        session.check_that_all_start_alike()
        first, last = session.iteration, self._settings.iterations
        if first:
            console.say(f"{self._out}: going on at iteration {first} of {last}")
        log = self._open_log(first)
        start = time.monotonic()
        try:
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

    def _open_log(self, iteration):
        if not self.is_chief:
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
        loss, since = None, time.monotonic()
        with (
            progress.iterations("training", last, first, self.is_chief) as bar,
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
                if session.validates and (
                    at_end
                    or (
                        settings.validate_every
                        and iteration % settings.validate_every == 0
                    )
                ):
                    self._validate(iteration, log)
                    since = time.monotonic()
                asked = session.anyone(stop.signal is not None)
                if at_end or asked or iteration % settings.save_every == 0:
                    self._save()
                    since = time.monotonic()
                if asked and not at_end:
                    raise KeyboardInterrupt(
                        f"stopped by {stop.signal or 'another machine'} after "
                        f"iteration {iteration} of {last}, kept in {self._out}; the "
                        f"same command goes on from there"
                    )

    def _validate(self, iteration, log):
        figures = self._session.validate()
        if log is None:
            return
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
        self._session.agree()
        if not self.is_chief:
            return
        self._session.save(self._out / CHECKPOINT, self._about)
        self._session.save_weights(self._out / LAST)

    def _check_room(self, checkpoint):
        """Weights twice, and the checkpoint twice while it is replaced."""
        if not self.is_chief:
            return
        there = sum(p.stat().st_size for p in self._out.glob("*.h5"))
        needed = 3 * self._session.checkpoint_size - there
        free = shutil.disk_usage(self._out).free
        if free < needed:
            raise config.InputError(
                f"no space for checkpoints in {self._out}: {needed / 2**20:.0f} MiB "
                f"are needed, {free / 2**20:.0f} MiB are free"
            )


def _best(validations):
    """The validation of the highest top-1 accuracy, then of the lowest loss."""
    return max(validations, key=lambda row: (row["top1"], -row["loss"]), default=None)


def _evaluate(settings, found, out):
    """Runs the 25 x 10 test with the last weights, as the original does."""
    data = settings.data
    if found.validation is None:
        raise config.InputError("--evaluate: there are no videos to validate on")
    dataset, annotations = data.dataset, data.annotations
    if dataset in ("folders", "list"):
        # The very videos that were validated on, by their own names.
        annotations = out / "validation.txt"
        rows = zip(found.validation.videos, found.validation.counts, strict=True)
        lines = [f"{video.id} {count} {video.label}\n" for video, count in rows]
        with files.replacing(annotations) as aside:
            aside.write_text("".join(lines))
        dataset = "list"
    return evaluation.evaluate(
        evaluation.Request(
            dataset=dataset,
            split=(found.split or (1 if dataset == "demo" else None),),
            modality=(data.modality,),
            data=str(found.root),
            annotations=str(annotations) if annotations else None,
            weights=(str(out / LAST),),
            scores=str(out / "scores.h5"),
            allow_missing=data.allow_missing,
            prefixes=frames.Prefixes(
                data.rgb_prefix, data.flow_x_prefix, data.flow_y_prefix
            ),
        )
    )
