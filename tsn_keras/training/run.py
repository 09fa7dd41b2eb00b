"""A training run: from its settings to weights, and on from where it stopped."""

import contextlib
import dataclasses
import os

from tsn_keras import config
from tsn_keras.checkpoints import folders
from tsn_keras.common import console, files, locks, progress, storage
from tsn_keras.common.errors import InputError
from tsn_keras.datasets import selection, training_sets
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.datasets.lists import LIST
from tsn_keras.datasets.records import Choice
from tsn_keras.evaluation import run as evaluating
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.overrides import UNCHANGED, Override
from tsn_keras.protocols.records import Stream
from tsn_keras.training.loop import LAST, Loop, Trained

SCORES = "scores.h5"
MACHINES = "TF_CONFIG"


@dataclasses.dataclass(frozen=True)
class Test:
    """What the trained network is tested on.

    Attributes:
        dataset: name of a data set in the same folders, such as the whole videos of
            which clips are trained on; "": the videos that the run validates on.
        override: another test than that of the protocol.
        scores: name of the score file in the folder of the run.
    """

    dataset: str = ""
    override: Override = UNCHANGED
    scores: str = SCORES


OWN_TEST = Test()


@dataclasses.dataclass(frozen=True)
class Request:
    """What to train.

    Attributes:
        settings: config.Training.
        out: folder of the run.
        evaluate: whether to run the protocol's test at the end.
        test: what that test is.
    """

    settings: config.Training
    out: str
    evaluate: bool = False
    test: Test = OWN_TEST


def train(request: Request, listener: progress.Silent = progress.SILENT) -> Trained:
    """Trains, or resumes the training in the folder of the run.

    Args:
        request: Request.
        listener: is shown how far it has come.

    Returns:
        Trained.

    Raises:
        InputError: something is missing or wrong; the text gives the next step.
        OSError: a file cannot be read or written.
        KeyboardInterrupt: with a text that says what was kept.
    """
    settings = request.settings
    out = _out_folder(request.out)
    if request.evaluate and os.environ.get(MACHINES):
        raise InputError(
            f"`evaluate` is for one machine, but {MACHINES} names several: evaluate "
            f"the weights with python -m tsn_keras.eval"
        )
    # Several machines must be connected before TensorFlow reads a file.
    devices = _devices() if os.environ.get(MACHINES) else None
    _prepare_places(settings)
    stream = _stream(settings.data)
    found = _find_data(settings.data, stream, listener)
    _check_loss(settings.train, found)
    _check_power(settings.data, found)
    if request.evaluate and found.validation is None:
        raise InputError(
            "`evaluate` needs videos to validate on: set data.holdout for folders, "
            "data.validation for lists"
        )
    settings = _in_iterations(settings, found.train.of_a_pass, listener)
    out.mkdir(parents=True, exist_ok=True)
    # Imported when all videos are in place: TensorFlow takes seconds.
    devices = devices or _devices()
    from tsn_keras.pipeline.distribution import is_chief
    from tsn_keras.training.session import Session, explained

    # Of several machines one writes the files.
    own = locks.held(out, "name another folder with `out`")
    with own if is_chief() else contextlib.nullcontext(), explained():
        session = Session(settings, found, stream, devices, listener)
        loop = Loop(session, settings, found, out, listener)
        trained = loop.go()
    if not request.evaluate:
        return trained
    if loop.stopped:
        raise KeyboardInterrupt(
            f"stopped by {loop.stopped}: the training is complete; the same command "
            f"resumes with the evaluation"
        )
    tested = _tested(settings.data, request.test, found, out)
    scored = evaluating.evaluate(tested, listener)
    return dataclasses.replace(trained, evaluation=scored)


def _in_iterations(settings, videos, listener):
    """The settings with all lengths in iterations; says what came of epochs."""
    train = settings.train.in_iterations(videos)
    if train.epochs:
        drops = ", ".join(map(str, train.drops))
        listener.say(
            f"{train.epochs} epochs of {train.epoch(videos)} iterations ({videos} "
            f"videos, {train.batch} a batch): {train.iterations} iterations"
            + (f", the rate drops at {drops}" if drops else "")
        )
    if train.rate != train.base_lr:
        listener.say(
            f"learning rate {train.rate:g}: {train.base_lr:g} is that of "
            f"{train.base_batch} videos, a batch has {train.batch}"
        )
    return dataclasses.replace(settings, train=train)


def _out_folder(name):
    path = storage.path(name)
    if storage.is_remote(path):
        raise InputError(f"`out` is {name}: must be a folder of this machine")
    return path


def _devices():
    with console.quiet_frameworks():
        from tsn_keras.pipeline import distribution

        return distribution.of_all_machines()


def _prepare_places(settings):
    data = settings.data
    model = settings.model
    places = [data.root, data.annotations, data.validation]
    places += [model.initial, model.initial_motion]
    for source in (*data.sources, *data.tasks):
        places += [source.root, source.annotations]
    variables = (selection.DATA_VARIABLE, folders.VARIABLE)
    with console.quiet_frameworks():
        storage.prepare(filter(None, (*places, *map(os.environ.get, variables))))


def _stream(data):
    """The Stream to train, with the file names of the user."""
    stream = Stream(MODALITIES.find(data.modality), PROTOCOLS.find(data.protocol))
    return stream.with_prefixes(data.prefixes)


def _find_data(data, stream, listener):
    choice = _choice(
        data,
        validation=data.validation or None,
        classes=data.classes or None,
        holdout=data.holdout,
    )
    how = stream.modality.all_prefixes, listener, not stream.modality.has_flow
    found = training_sets.find(choice, *how)
    sources = tuple(
        training_sets.more(_choice(source), found, *how) for source in data.sources
    )
    tasks = tuple(
        training_sets.task(_choice(task), task.part, *how) for task in data.tasks
    )
    found = dataclasses.replace(found, sources=sources, tasks=tasks).under(stream)
    parts = [("train", found.train), ("validate", found.validation)]
    parts += [("train", source) for source in found.sources]
    parts += [("train", task.videos) for task in found.tasks]
    for verb, part in parts:
        if part is not None and part.missing:
            listener.say(
                f"{len(part.missing)} videos to {verb} on have no folder and are left "
                f"out, as {part.missing[0]}"
            )
        if part is not None and part.without:
            listener.say(
                f"{len(part.without)} videos to {verb} on have no "
                f"{stream.modality.name} and are left out, as {part.without[0]}"
            )
    if found.empty:
        listener.say(
            f"{len(found.empty)} of {found.count} classes have no training video, as "
            f"{found.empty[0]}"
        )
    return found


def _choice(data, **more):
    """The Choice of config.DataSettings, SourceSettings or TaskSettings."""
    has_splits = bool(DATASETS.find(data.dataset).splits)
    return Choice(
        dataset=data.dataset,
        # Without official splits the default means none.
        split=data.split if has_splits or data.split != 1 else None,
        root=data.root or None,
        annotations=data.annotations or None,
        allow_missing=data.allow_missing,
        **more,
    )


def _check_loss(train, found):
    """Refuses a loss that is for other labels than those of the data set."""
    wanted, number = ("sigmoid", "several") if found.multi_label else ("softmax", "one")
    if train.loss != wanted:
        labels = "labels" if found.multi_label else "label"
        raise InputError(
            f"train.loss is {train.loss}, but videos of {found.name} have {number} "
            f'{labels} each: set train.loss = "{wanted}"'
        )


def _check_power(data, found):
    """Refuses draws by class where a video is of several."""
    powers = [data.power, *(source.power for source in data.sources)]
    if found.multi_label and set(powers) != {1}:
        raise InputError(
            f"data.power draws videos by their class, but videos of {found.name} have "
            f"several labels each: leave it out"
        )


def _tested(data, test, found, out):
    """The evaluation of the last weights, as the original does it, as a Request."""
    dataset, annotations = DATASETS.find(test.dataset or data.dataset), data.annotations
    split = dataset.default_split if test.dataset else found.split
    if dataset.scored == "train":
        annotations = data.validation  # An evaluation scores a list itself.
    elif not (test.dataset or dataset.names_its_test):
        # Exactly the videos that were validated on, by their own names.
        annotations = out / "validation.txt"
        lines = [f"{f.id} {f.files} {f.label}\n" for f in found.validation.folders]
        with files.replacing(annotations) as aside:
            aside.write_text("".join(lines), encoding="utf-8")
        dataset = LIST
    for name in (test.scores, f"{test.scores}.partial"):
        path = out / name
        # Scores of earlier weights; the run was resumed since.
        if path.exists() and path.stat().st_mtime < (out / LAST).stat().st_mtime:
            path.unlink()
    return evaluating.Request(
        dataset=dataset.name,
        split=(split,),
        modality=(data.modality,),
        data=str(found.root),
        annotations=str(annotations) if annotations else None,
        weights=(str(out / LAST),),
        scores=str(out / test.scores),
        allow_missing=data.allow_missing,
        prefixes=data.prefixes,
        override=test.override,
    )
