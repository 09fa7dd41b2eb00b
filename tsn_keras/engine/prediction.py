"""What videos show: one, many, or what a webcam sees; printed and drawn."""

import dataclasses
import json
import pathlib
import sys

import cv2
import joblib
import tqdm

from tsn_keras import config
from tsn_keras.data import extractor, flow, storage, videos
from tsn_keras.engine import console, report

CAMERA = "camera:"
WINDOW = 5  # looks at a webcam
PICTURES = (".png", ".html")


@dataclasses.dataclass(frozen=True)
class Request:
    """What to predict; see `python -m tsn_keras.predict --help`."""

    video: str
    weights: tuple[str, ...]
    top: int
    plot: str | None
    fast: bool
    classes: str | None
    precision: str
    settings: extractor.Settings
    workers: int | None
    window: int | None


def predict(request):
    """Predicts what `request.video` names.

    Args:
        request: Request.

    Returns:
        (dict for the last line of output, exit status).

    Raises:
        config.InputError: something is missing or wrong; the text gives the
            next step.
    """
    extractor.check(request.settings)
    if request.video.startswith(CAMERA):
        return _camera(request)
    if request.window is not None:
        raise console.UsageError("--window is for a webcam")
    sources = videos.find(request.video)
    many = len(sources) > 1 or not pathlib.Path(request.video).is_file()
    many = many or pathlib.Path(request.video).suffix.lower() in videos.LIST_SUFFIXES
    _check_plot(request.plot, many)
    predictor = _predictor(request)
    if many:
        return _many(sources, predictor, request)
    return _single(sources[0], predictor, request)


def _predictor(request):
    # Imported when the videos are found: TensorFlow takes seconds.
    with console.quiet_frameworks():
        storage.prepare(request.weights)
        from tsn_keras.engine import predictor
    return predictor.Predictor(
        request.weights,
        request.settings,
        predictor.FAST if request.fast else predictor.TEST,
        classes=request.classes,
        precision=request.precision,
        threads=request.workers or joblib.cpu_count(),
    )


def _check_plot(plot, many):
    """Refuses a picture that cannot be drawn, before anything slow is begun."""
    if plot is None:
        return
    if many:
        raise console.UsageError("--plot is for one video")
    path = pathlib.Path(plot)
    if path.suffix.lower() not in PICTURES:
        raise console.UsageError(f"--plot {plot}: must end in {' or '.join(PICTURES)}")
    if not path.parent.is_dir():
        raise console.UsageError(f"--plot {plot}: there is no folder {path.parent}")


def _single(source, predictor, request):
    with tqdm.tqdm(desc=source.path.name, unit="snippet", leave=False) as bar:

        def progress(done, total):
            bar.total = total
            bar.update(done - bar.n)

        found = predictor.predict(source.path, bool(request.plot), progress)
    result = describe(source, found, predictor, request.top)
    rows = [(row["class"], f"{100 * row['probability']:.1f}") for row in result["top"]]
    print(report.table(rows, ("class", "probability, %")))
    print(f"{predictor.protocol}, {found.files} frames; {predictor.shares}")
    if request.fast:
        print("fast: a rougher look than the published test of 25 snippets x 10 crops")
    if found.damage:
        console.say(f"the video is damaged: {found.damage}; this is what is before")
    if request.plot:
        from tsn_keras.engine import picture

        picture.draw(request.plot, source.path.name, found, predictor, request.top)
        print(f"{request.plot} written")
        result["plot"] = request.plot
    return result, console.EXIT_OK


def _many(sources, predictor, request):
    """A JSON line a video on standard output; those that fail say so."""
    failed = {}
    with tqdm.tqdm(sources, desc="predict", unit="video") as bar:
        for source in bar:
            try:
                found = predictor.predict(source.path)
            except flow.DeviceError:
                raise  # every other video would fail as well
            except (config.InputError, OSError, cv2.error, MemoryError) as error:
                failed[source.id] = str(error)
                line = {"video": str(source.path), "error": str(error)}
                bar.write(f"{source.id} failed: {error}", file=sys.stderr)
            else:
                line = describe(source, found, predictor, request.top)
            print(json.dumps(line, ensure_ascii=False), flush=True)
    result = {
        "videos": len(sources),
        "predicted": len(sources) - len(failed),
        "failed": failed,
    }
    return result, console.EXIT_SOME_FAILED if failed else console.EXIT_OK


def describe(source, found, predictor, top):
    """A prediction as a dict of JSON values."""
    return {
        "video": str(source.path),
        "frames": found.files,
        "protocol": str(predictor.protocol),
        "streams": {
            modality: {
                "weight": round(predictor.weights[modality], 4),
                "top": predictor.best(values, top),
            }
            for modality, values in found.streams.items()
        },
        "top": predictor.best(found.probabilities, top),
        "damage": found.damage,
    }


def _camera(request):
    if request.plot:
        raise console.UsageError("--plot is for a video, not for a webcam")
    if request.fast:
        raise console.UsageError(
            "--fast is for a video; a webcam is always looked at in the centre crop"
        )
    number = request.video.removeprefix(CAMERA)
    if not number.isdecimal():
        raise console.UsageError(f"{request.video}: must be like camera:0")
    from tsn_keras.data import webcam

    with webcam.Webcam(int(number)) as source:
        with console.quiet_frameworks():
            from tsn_keras.engine import live
        return live.watch(source, request, request.window or WINDOW)
