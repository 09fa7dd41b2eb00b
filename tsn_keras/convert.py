"""Converts weights, and score files, from and to the original's formats.

python -m tsn_keras.convert MODEL.caffemodel OUT.weights.h5
python -m tsn_keras.convert SCORES.h5 SCORES.npz
python -m tsn_keras.convert SCORES.npz SCORES.h5 --ids IDS.txt --dataset ucf101 \\
    --split 1 --modality rgb --classes classInd.txt
"""

import argparse
import pathlib

from tsn_keras.common import console
from tsn_keras.common.errors import InputError

WORDS = {"ids": "--ids", "classes": "--classes"}
# What an .npz does not say of its scores.
ABOUT = ("dataset", "split", "modality")


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m tsn_keras.convert",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("source", help=".caffemodel, or score file .h5 or .npz")
    add("target", help=".weights.h5, or score file .npz or .h5")
    add(
        "--inverse-std",
        action="store_true",
        help="the caffemodel is older than April 2016: its batch norms hold the "
        "inverse of the standard deviation",
    )
    add(
        "--ids",
        metavar="FILE",
        help="video ids of an .npz, one a line, in its order (.npz files have none)",
    )
    add(
        "--classes",
        metavar="FILE",
        help="names of the classes of an .npz or a caffemodel, one a line or as "
        "UCF101's classInd.txt (default: numbers; those of published models)",
    )
    add("--dataset", metavar="NAME", help="data set of an .npz, such as ucf101")
    add("--split", type=int, metavar="N", help="its split")
    add("--modality", metavar="NAME", help="rgb, flow or another")
    return parser.parse_args(argv)


@console.command(WORDS)
def main(argv=None):
    args = parse_args(argv)
    kinds = pathlib.Path(args.source).suffix, pathlib.Path(args.target).suffix
    if args.target.endswith(".weights.h5"):
        _refuse(args, ("ids", *ABOUT), "score files .npz")
        result = _weights(args)
    elif kinds == (".h5", ".npz"):
        _refuse(args, ("ids", "classes", *ABOUT), "an .npz, which has none of its own")
        result = _scores(args)
    elif kinds == (".npz", ".h5"):
        if args.ids is None:
            raise InputError(
                f"{args.source} names no videos: give their ids with --ids FILE, one a "
                f"line, in its order"
            )
        result = _scores(args)
    else:
        raise InputError(
            f"cannot convert {args.source} to {args.target}: give MODEL.caffemodel "
            f"and OUT.weights.h5, or score files .h5 and .npz"
        )
    return result, console.EXIT_OK


def _refuse(args, names, what):
    """Refuses options that would do nothing."""
    for name in names:
        if getattr(args, name) is not None:
            raise InputError(f"--{name} is for {what}")


def _weights(args):
    # Imported after parsing: Keras takes seconds.
    with console.quiet_frameworks():
        from tsn_keras.checkpoints import conversion
        from tsn_keras.common import storage, text

    names = text.names(storage.path(args.classes)) if args.classes else None
    found = conversion.convert(
        args.source, args.target, inverse_std=args.inverse_std, class_names=names
    )
    console.show(found)
    return found.as_json()


def _scores(args):
    from tsn_keras.common import storage
    from tsn_keras.scores import conversion

    if args.ids is None:
        count = conversion.to_npz(args.source, args.target)
    else:
        classes = None if args.classes is None else storage.path(args.classes)
        ids = storage.path(args.ids)
        about = {name: getattr(args, name) for name in ABOUT}
        count = conversion.from_npz(args.source, args.target, ids, classes, **about)
    console.show(f"{args.target}: {count} videos written")
    return {"source": args.source, "target": args.target, "videos": count}


if __name__ == "__main__":
    console.run(main)
