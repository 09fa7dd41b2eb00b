"""Fuses score files: the weighted sum of their raw scores, and its accuracy.

python -m tsn_keras.fuse RGB.h5 FLOW.h5 --weights 1 1.5
python -m tsn_keras.fuse RGB.h5 FLOW.h5 --weights 1 1.5 --per-class \\
    --confusion out/hmdb51

Files are those of tsn_keras.eval, joined by video id, or the original's .npz,
which have no ids and are joined with one another by position. Exit status: 0,
or 1 if the files leave out videos that failed, 2 if something is wrong.
"""

import argparse

from tsn_keras.engine import console


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m tsn_keras.fuse",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("files", nargs="+", metavar="SCORES", help="score files, .h5 or .npz")
    add(
        "--weights",
        nargs="+",
        type=float,
        metavar="W",
        help="weight of each file, in their order (default: 1 each)",
    )
    add(
        "--crop-agg",
        choices=("mean", "max"),
        default="mean",
        help="how the crops of a snippet become one score (default: mean)",
    )
    add(
        "--allow-missing",
        action="store_true",
        help="use the videos that all files have",
    )
    add("--per-class", action="store_true", help="print a table of the classes")
    add(
        "--confusion",
        metavar="PREFIX",
        help="write the confusion matrix to PREFIX.png and PREFIX.csv",
    )
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    # Imported after parsing, so that --help answers at once.
    from tsn_keras.engine import fusion

    return fusion.fuse(
        args.files,
        weights=args.weights,
        crops=args.crop_agg,
        allow_missing=args.allow_missing,
        per_class=args.per_class,
        confusion=args.confusion,
    )


if __name__ == "__main__":
    console.run(main)
