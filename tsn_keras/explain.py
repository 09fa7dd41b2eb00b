"""Explains why a video has its class, and draws what a class looks like.

python -m tsn_keras.explain VIDEO --out why.png
python -m tsn_keras.explain VIDEO --weights RGB FLOW --class wave --out why.mp4
python -m tsn_keras.explain VIDEO --method grad_cam++ --fast --out FOLDER
python -m tsn_keras.explain --class-visualisation wave --weights W --out wave.png

Heat (Grad-CAM, Grad-CAM++) shows which places of the frames, of the flow and of
differences the score of a class comes from; bars and a table show which
snippets and crops. .png is a sheet of the snippets that contribute most, .gif
and .mp4 show all in turn; a folder gets heat.png, heat.gif and heat.mp4.
--class-visualisation needs no video: it draws what raises a class's score most.
Exit status: 0, 2 if something is missing or wrong, 130 if interrupted.
"""

import pathlib

from tsn_keras import predict
from tsn_keras.common import console
from tsn_keras.common.errors import InputError

PICTURE = ".png"
SUFFIXES = (PICTURE, ".gif", ".mp4")
METHODS = ("grad_cam", "grad_cam++")
WORDS = {
    **predict.WORDS,
    "method": "--method",
    "class_name": "--class",
    "iterations": "--iterations",
    "seed": "--seed",
}
_DRAWING = ("iterations", "seed")


def parser():
    """The command's argument parser."""
    made = console.parser("explain", __doc__)
    add = made.add_argument
    add("video", metavar="VIDEO", nargs="?", help="video file")
    add(
        "--out",
        metavar="PATH",
        required=True,
        help="picture or animation to write, .png, .gif or .mp4; or a folder",
    )
    predict.add_weights(made)
    add(
        "--class",
        dest="class_name",
        metavar="NAME",
        default="top",
        help="name of the class whose score is explained (default: top, the best)",
    )
    add(
        "--method",
        choices=METHODS,
        default=METHODS[0],
        help=f"how heat is computed (default: {METHODS[0]})",
    )
    predict.add_look(made)
    add(
        "--class-visualisation",
        metavar="CLASS",
        help="instead of a video: draw what the network of the weights takes for this "
        "class",
    )
    add(
        "--iterations",
        nargs="+",
        type=console.positive,
        metavar="N",
        help="of --class-visualisation: steps of the first size of the image and of "
        "the one 1.2 times as large; one number leaves the second out (default: 190 "
        "450)",
    )
    add(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="of --class-visualisation: decides all that is random (default: 0)",
    )
    return made


@console.command(WORDS)
def main(argv=None):
    made = parser()
    args = made.parse_args(argv)
    given = {name for name, value in vars(args).items() if _is_given(made, name, value)}
    if args.class_visualisation is None:
        return _explain(args, given)
    return _visualise(args, given)


def _is_given(made, name, value):
    return value != made.get_default(name)


def _refuse(given, allowed, mode):
    """Refuses what would do nothing."""
    if more := sorted(given - set(allowed)):
        names = (f"--{name.replace('_', '-').removesuffix('-name')}" for name in more)
        text = ", ".join("VIDEO" if name == "--video" else name for name in names)
        raise InputError(f"{text}: not {mode} --class-visualisation")


def _explain(args, given):
    from tsn_keras.common import progress
    from tsn_keras.explanation import run
    from tsn_keras.prediction import run as prediction

    _refuse(given & set(_DRAWING), (), "without")
    if args.video is None:
        raise InputError("name a video, or a class with --class-visualisation")
    outputs = _outputs(args.out)
    settings = predict.settings_of(args)
    videos, is_one = prediction.find(args.video)
    if not is_one:
        raise InputError(
            f"{args.video} is not one video file: explain takes one; predict takes many"
        )
    listener = progress.Terminal(WORDS)
    scorer = prediction.predictor(args.weights, settings, listener)
    source = videos[0].path
    found = run.explain(scorer, source, args.class_name, args.method, listener)
    console.show(f"{found.name}: {found.probability:.1%}; {scorer.view}")
    console.show(found)
    if found.prediction.damage:
        console.say(f"the video is damaged: {found.prediction.damage}")
    for name in found.prediction.without:
        console.say(f"the video has no {name}, and is explained without it")
    for path in outputs:
        path.parent.mkdir(exist_ok=True)
        found.save(path)
        console.show(f"{path} written")
    result = {"video": str(source), **found.as_json()}
    return {**result, "written": list(map(str, outputs))}, console.EXIT_OK


def _outputs(named):
    """The files to write; refuses what cannot be, before anything slow starts."""
    path = pathlib.Path(named)
    if path.suffix and not path.is_dir():
        _check(path, SUFFIXES)
        return [path]
    if path.exists() and not path.is_dir():
        raise InputError(f"--out {path}: must be a folder, or end in one of {SUFFIXES}")
    if not path.parent.is_dir():
        raise InputError(f"--out {path}: there is no folder {path.parent}")
    return [path / f"heat{suffix}" for suffix in SUFFIXES]


def _check(path, suffixes):
    if path.suffix.lower() not in suffixes:
        raise InputError(f"--out {path}: must end in {', '.join(suffixes)}")
    if not path.parent.is_dir():
        raise InputError(f"--out {path}: there is no folder {path.parent}")


def _visualise(args, given):
    from tsn_keras.common import progress

    allowed = {"class_visualisation", "weights", "out", "classes", "json", *_DRAWING}
    _refuse(given, allowed, "with")
    _check(pathlib.Path(args.out), (PICTURE,))
    if len(args.weights) != 1:
        raise InputError("--class-visualisation is of one network: give --weights one")
    with console.quiet_frameworks():
        from tsn_keras.explanation import visualisation
    found = visualisation.visualise(
        visualisation.opened(args.weights[0], progress.Terminal(WORDS)),
        args.class_visualisation,
        visualisation.How(args.iterations, args.seed, args.classes),
        progress.Terminal(WORDS),
    )
    found.save(args.out)
    console.show(found)
    console.show(f"{args.out} written")
    return {**found.as_json(), "written": [args.out]}, console.EXIT_OK


if __name__ == "__main__":
    console.run(main)
