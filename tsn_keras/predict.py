"""Predicts what a video shows.

python -m tsn_keras.predict VIDEO
python -m tsn_keras.predict VIDEO --weights RGB.caffemodel FLOW.caffemodel
python -m tsn_keras.predict VIDEO --fast --plot out.html
python -m tsn_keras.predict MATCH.mp4 --every 1s --along scores.jsonl --plot out.html
python -m tsn_keras.predict FOLDER > predictions.jsonl
python -m tsn_keras.predict camera:0 --weights ucf101_rgb_split1
python -m tsn_keras.predict live:VIDEO --weights ucf101_rgbdiff_split1

VIDEO is a video file, a folder (with all below it) or a list (.txt) of paths,
of which each becomes a JSON line. camera:N is a webcam, live:VIDEO a file that
is looked at as if it were filmed now: each look is at the newest frames, and
frames that came meanwhile are late and counted. Frames and flow are
made in memory, with the pixels that tsn_keras.extract writes: the scores are
those of tsn_keras.eval. Exit status: 0, or 1 if videos failed, 2 if something
is missing or wrong, 130 if interrupted.
"""

import dataclasses
import pathlib
import sys

from tsn_keras.common import console
from tsn_keras.common.cores import cores
from tsn_keras.common.errors import InputError, spelled
from tsn_keras.runtimes.catalogue import RUNTIMES

# Kinetics-400, ResNet-50, 8 segments: 74.1 % top-1, and it can be downloaded.
DEFAULT = "tsn_imagenet-pretrained-r50_8xb32-1x1x8-100e_kinetics400-rgb"
CAMERA, LIVE = "camera:", "live:"
PICTURES = (".png", ".html")
LINES = (".jsonl",)
WORDS = {
    **console.TEST_WORDS,
    "fast": "--fast",
    "parameters": "--flow-parameters",
    "device": "--flow-device",
    "keep_damaged=True": "--damaged keep",
    "precision": "--precision",
    "runtime": "--runtime",
}


def parse_args(argv=None):
    parser = console.parser("predict", __doc__)
    add = parser.add_argument
    add(
        "video",
        metavar="VIDEO",
        help="file, folder, list, camera:N, or live:FILE",
    )
    add_weights(parser)
    add(
        "--top",
        type=console.positive,
        default=5,
        metavar="N",
        help="classes to print (default: 5)",
    )
    add(
        "--plot",
        metavar="FILE",
        help="draw key frames, scores along the video and the result: .png, or .html "
        "in one file",
    )
    add(
        "--along",
        metavar="FILE",
        help="write what each snippet shows as soon as it is scored, a JSON line each "
        "(.jsonl); they stay when the command is stopped",
    )
    add_look(parser)
    console.add_runtime(parser, RUNTIMES)
    add(
        "--precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="bfloat16 is faster where the processor has it, and less exact "
        "(default: float32)",
    )
    add(
        "--window",
        type=console.positive,
        metavar="N",
        help="camera:N and live:FILE only: looks of which each line is the mean "
        "(default: 5)",
    )
    return parser.parse_args(argv)


def add_weights(made):
    """Adds the option that names weights."""
    made.add_argument(
        "--weights",
        nargs="+",
        default=[DEFAULT],
        metavar="W",
        help="preset names or files, one for each modality; several are fused as "
        f"tsn_keras.eval does (default: {DEFAULT}, 400 classes of Kinetics; "
        "tsn_keras.presets lists all)",
    )


def add_look(made):
    """Adds the options that say how videos are looked at."""
    add = made.add_argument
    add(
        "--fast",
        action="store_true",
        help="3 snippets in the centre crop instead of 25 in ten crops",
    )
    console.add_test(made, "frames")
    add(
        "--classes",
        metavar="NAMES",
        help="names of the classes: hmdb51, ucf101, kinetics400, imagenet, or a file "
        "with one a line "
        "(default: those of published weights)",
    )
    add(
        "--flow-parameters",
        choices=("original", "opencv4"),
        default="original",
        help="TV-L1 as the original runs it, or with the defaults of OpenCV 3 and 4 "
        "(default: original)",
    )
    add(
        "--flow-device",
        choices=("opencv", "auto", "cpu", "gpu"),
        default="opencv",
        help="what computes flow: OpenCV, or Keras, faster from a few seconds of video "
        "on: on GPUs, the processor, or auto (default: opencv)",
    )
    add(
        "--damaged",
        choices=("fail", "keep"),
        default="fail",
        help="what to do with a damaged video: fail, or use its frames before the "
        "damage (default: fail)",
    )
    add(
        "--workers",
        type=console.positive,
        metavar="N",
        help="cores that compute flow (default: all)",
    )


@console.command(WORDS)
def main(argv=None):
    args = parse_args(argv)
    # Imported after parsing, so that --help answers at once.
    from tsn_keras.common import progress
    from tsn_keras.prediction import run

    settings = settings_of(args, precision=args.precision, runtime=args.runtime)
    if args.video.startswith((CAMERA, LIVE)):
        return _live(args, settings)
    if args.window is not None:
        raise InputError("--window is for a webcam or live:FILE")
    videos, is_one = run.find(args.video)
    for name, suffixes in (("plot", PICTURES), ("along", LINES)):
        _check_output(name, getattr(args, name), suffixes, is_one)
    scorer = run.predictor(args.weights, settings, progress.Terminal(WORDS))
    return (_one if is_one else _many)(videos, scorer, args)


def settings_of(args, **more):
    """The prediction.settings.Settings of the arguments of `add_look`, and of more."""
    from tsn_keras.flow.settings import FlowSettings
    from tsn_keras.pipeline.from_video import Decoding
    from tsn_keras.prediction.settings import Settings
    from tsn_keras.protocols.overrides import Override

    return Settings(
        quick=args.fast,
        classes=args.classes,
        **more,
        decoding=Decoding(
            flow=FlowSettings(args.flow_parameters, args.flow_device),
            keep_damaged=args.damaged == "keep",
            threads=args.workers or cores(),
        ),
        override=Override(*console.test_of(args)),
    )


def _check_output(name, named, suffixes, is_one):
    """Refuses a file that cannot be written, before anything slow starts."""
    if named is None:
        return
    if not is_one:
        raise InputError(f"--{name} is for one video")
    path = pathlib.Path(named)
    if path.suffix.lower() not in suffixes:
        raise InputError(f"--{name} {named}: must end in {' or '.join(suffixes)}")
    if not path.parent.is_dir():
        raise InputError(f"--{name} {named}: there is no folder {path.parent}")


def _one(videos, scorer, args):
    from tsn_keras.common import progress
    from tsn_keras.prediction import run
    from tsn_keras.scores import tables

    (source,) = videos
    listener = progress.Terminal(WORDS)
    lines = run.Lines(args.along, args.top) if args.along else None
    try:
        found = run.look_at(source, scorer, bool(args.plot), listener, lines)
    except KeyboardInterrupt as stop:
        if lines is None:
            raise
        kept = f"{lines.count} snippets are in {args.along}"
        raise KeyboardInterrupt(f"{str(stop) or 'stopped'}: {kept}") from None
    rows = [(row.name, f"{100 * row.probability:.1f}") for row in found.top(args.top)]
    console.show(tables.table(rows, ("class", "probability, %")))
    console.show(f"{scorer.view}, {found.files} frames; {scorer.shares}")
    if args.fast:
        published = scorer.protocol.test
        console.show(f"fast: a rougher look than the published test of {published}")
    for window in found.windows:
        console.show(f"{window.name}: {window}, {window.probability:.0%}")
    for name in found.without:
        console.say(f"the video has no {name}, and is scored without it")
    if found.damage:
        console.say(f"the video is damaged: {found.damage}; this is what is before")
    result = _described(source, found, scorer, args.top)
    if args.along:
        console.show(f"{args.along} written: {lines.count} snippets")
        result["along"] = args.along
    if args.plot:
        from tsn_keras.prediction import picture

        picture.draw(args.plot, source.path.name, found, scorer, args.top)
        console.show(f"{args.plot} written")
        result["plot"] = args.plot
    return result, console.EXIT_OK


def _many(videos, scorer, args):
    """Prints a JSON line for each video; also for those that fail."""
    from tsn_keras.common import progress
    from tsn_keras.prediction import run

    failed = {}
    for looked in run.look_at_many(videos, scorer, progress.Terminal(WORDS)):
        if looked.error is None:
            found = looked.prediction
            line = _described(looked.source, found, scorer, args.top)
        else:
            error = spelled(looked.error, WORDS)
            failed[looked.source.id] = error
            line = {"video": str(looked.source.path), "error": error}
        console.show_json(line)
    console.say(f"{len(videos) - len(failed)} of {len(videos)} videos predicted")
    # Every line on standard output belongs to a video.
    return None, console.EXIT_SOME_FAILED if failed else console.EXIT_OK


def _described(source, found, scorer, top):
    """A prediction as a dict of JSON values."""
    weights = scorer.weights_of(found.streams)
    return {
        "video": str(source.path),
        "frames": found.files,
        "protocol": str(scorer.view),
        "streams": {
            modality: {
                "weight": round(weights[modality], 4),
                "top": [row.as_json() for row in found.top(top, values)],
            }
            for modality, values in found.streams.items()
        },
        "top": [row.as_json() for row in found.top(top)],
        **(
            {"windows": [window.as_json() for window in found.windows]}
            if found.windows
            else {}
        ),
        "damage": found.damage,
        **({"without": list(found.without)} if found.without else {}),
    }


def _live(args, settings):
    """Shows each look at a live source, until it ends or Ctrl-C.

    In a terminal in place; else, or with --json, as a JSON line each.
    """
    _check_live(args)
    from tsn_keras.common import progress, screen
    from tsn_keras.prediction import live, run

    with _opened(args, settings) as source:
        settings = dataclasses.replace(settings, quick=True, snippets=1, batch=1)
        scorer = run.predictor(args.weights, settings, progress.Terminal(WORDS))
        console.say("Ctrl-C stops")
        is_seen = sys.stdout.isatty() and not args.json
        drawn = screen.Screen()
        pace = None
        try:
            for glance in live.watch(source, scorer, args.window or live.WINDOW):
                pace = glance.pace
                if is_seen:
                    drawn.draw(glance.drawn(args.top, screen.block()))
                else:
                    console.show_json(glance.as_json(args.top))
            console.say("the source has ended")
            if source.damage:
                console.say(f"it is damaged: {source.damage}; this is what is before")
        except KeyboardInterrupt:
            console.say("")
        if pace is not None:
            console.say(str(pace))
    return None, console.EXIT_OK


def _check_live(args):
    """Refuses what a live source has not."""
    if args.plot or args.along:
        name = "--plot" if args.plot else "--along"
        raise InputError(f"{name} is for a video, not for a live source")
    if args.fast:
        raise InputError(
            "--fast is for a video; a live source is always looked at in the centre "
            "crop"
        )
    if args.snippets or args.crops or args.every or args.over_time:
        raise InputError(
            "--snippets, --crops, --every and --over-time are for a video; a look at a "
            "live source is one snippet in the centre crop"
        )


def _opened(args, settings):
    """The video.live.Live that is named."""
    from tsn_keras.video import live, webcam

    if args.video.startswith(LIVE):
        path = pathlib.Path(args.video.removeprefix(LIVE))
        if not path.is_file():
            raise InputError(f"{args.video}: there is no file {path}")
        decoding = settings.decoding
        return live.Playing(path, decoding.keep_damaged, decoding.threads)
    number = args.video.removeprefix(CAMERA)
    if not number.isdecimal():
        raise InputError(f"{args.video}: must be like camera:0")
    return webcam.Webcam(int(number))


if __name__ == "__main__":
    console.run(main)
