"""Weights to a file of another program, compared with Keras before it is kept."""

import contextlib
import dataclasses
import os
import pathlib
import shutil

import tsn_keras
from tsn_keras.checkpoints import folders
from tsn_keras.common import console, files, progress, storage
from tsn_keras.common.errors import InputError
from tsn_keras.protocols.overrides import UNCHANGED, Override
from tsn_keras.runtimes.catalogue import FORMATS
from tsn_keras.runtimes.records import Form

ENDING = ".weights.h5"  # of the names of Keras' files


@dataclasses.dataclass(frozen=True)
class Request:
    """What to export.

    Attributes:
        weights: name of a preset, path or address of a weight file.
        to: name of the format, one of runtimes.catalogue.FORMATS.
        out: what to write; None: in the working folder, named after the weights.
        whole: the whole view of frames instead of the network alone.
        precision: of the file's numbers, one of the format's.
        frames: a video file, a folder of them or a list, on which the file is compared
            with Keras and its int8 calibrated; None: see clips.find.
        override: another test than that of the weights.
    """

    weights: str
    to: str
    out: str | None = None
    whole: bool = False
    precision: str = "float32"
    frames: str | None = None
    override: Override = UNCHANGED


@dataclasses.dataclass(frozen=True)
class Exported:
    """What was written. `print` shows it.

    Attributes:
        path: pathlib.Path of the file or folder.
        about: what it says of itself, a dict of JSON values.
        checked: checking.Checked.
        size: bytes of all its files.
    """

    path: pathlib.Path
    about: dict
    checked: object
    size: int

    def __str__(self) -> str:
        given = self.about["input"]
        shape = ", ".join("any" if n is None else str(n) for n in given["shape"])
        return (
            f"{self.path}: {self.about['format']} of {self.about['precision']}, "
            f"{self.size / 1e6:.1f} MB; {given['name']} {given['dtype']} [{shape}]\n"
            f"{self.checked}"
        )

    def as_json(self) -> dict:
        """As a dict of JSON values."""
        return {
            "target": str(self.path),
            "bytes": self.size,
            **self.about,
            "checked": self.checked.as_json(),
        }


def export(request: Request, listener=progress.SILENT) -> Exported:
    """Writes a file for another program, if it computes what Keras does.

    Args:
        request: Request.
        listener: progress.Silent.

    Returns:
        Exported.

    Raises:
        InputError: the weights cannot be used, the format cannot be written here, or
            the file computes something else; then it is not left there.
        OSError: a file cannot be read or written.
    """
    form = FORMATS.find(request.to)
    form.check(request.precision)
    if request.override and not request.whole:
        raise InputError(
            "`protocol` and `crops` are of a whole view, `whole=True`; the network "
            "alone has none"
        )
    if request.out is not None:
        _check_target(pathlib.Path(request.out), form)
    # Imported when the request is known to be good: TensorFlow takes seconds.
    with console.quiet_frameworks():
        storage.prepare((request.weights,))
        from tsn_keras.checkpoints import loading, overriding
    located = folders.locate(request.weights, listener=listener)
    weights = overriding.overridden(loading.read(located), request.override)
    target = pathlib.Path(request.out or _usual(weights, request, form))
    _check_target(target, form)
    return _write(weights, request, target, listener)


def _usual(weights, request, form):
    """The name of a file that the user did not name."""
    parts = [
        weights.name.removesuffix(ENDING),
        "whole" if request.whole else "",
        "" if request.precision == "float32" else request.precision,
    ]
    return f"{'_'.join(filter(None, parts))}{form.suffix}"


def _check_target(path, form):
    """Refuses a name that cannot be written, before anything slow starts."""
    if not form.is_folder and path.suffix != form.suffix:
        raise InputError(
            f"`out` is {path}: a file of {form.name} ends in {form.suffix}"
        )
    if not path.parent.is_dir():
        raise InputError(f"`out` is {path}: there is no folder {path.parent}")
    is_empty = path.is_dir() and not any(path.iterdir())
    if form.is_folder and path.exists() and not is_empty:
        raise InputError(f"`out` is {path}, which is there already and not empty")
    if not form.is_folder and path.is_dir():
        raise InputError(f"`out` is {path}, which is a folder")


def _write(weights, request, target, listener):
    """Writes and compares what was asked for."""
    with console.quiet_frameworks():
        from tsn_keras.evaluation import ways
        from tsn_keras.exporting import checking, clips, description, functions
    stream, form = weights.stream, FORMATS[request.to]
    found = clips.find(weights, request.frames, listener)
    if request.whole:
        function, inputs = functions.whole(weights), found.frames(stream.test.together)
    else:
        function, inputs = functions.network(weights), found.images(stream)
    about = {
        "tsn_keras": tsn_keras.__version__,
        "format": form.name,
        "precision": request.precision,
        "whole": request.whole,
        **description.of(weights, function),
    }
    way = ways.of(weights, stream.test)
    with _beside(target) as aside:
        listener.say(f"writing {target}")
        form.write(function, aside, Form(about, request.precision, inputs.samples))
        listener.say(f"comparing it with Keras, in {form.title}")
        run, _ = form.read(aside)
        tolerance = form.tolerances[request.precision]
        batches = inputs.batches, found.origin
        checked = checking.check(run, function, batches, tolerance, way)
        size = sum(p.stat().st_size for p in aside.parent.rglob("*") if p.is_file())
    return Exported(target, about, checked, size)


@contextlib.contextmanager
def _beside(target):
    """Yields where to write `target`; all that lies there is then put in its place."""
    folder = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with files.writing(target):
            folder.mkdir()
            yield folder / target.name
            # What the named file refers to, as OpenVINO's .bin, first.
            for path in sorted(folder.iterdir(), key=lambda p: p.name == target.name):
                os.replace(path, target.parent / path.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
