"""Converts weights, and score files, from and to the original's formats.

python -m tsn_keras.convert MODEL.caffemodel OUT.weights.h5
python -m tsn_keras.convert SCORES.h5 SCORES.npz
python -m tsn_keras.convert SCORES.npz SCORES.h5 --ids IDS.txt
"""

import argparse

from tsn_keras.engine import console


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m tsn_keras.convert",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", help=".caffemodel, or score file .h5 or .npz")
    parser.add_argument("target", help=".weights.h5, or score file .npz or .h5")
    parser.add_argument(
        "--inverse-std",
        action="store_true",
        help="the caffemodel is older than April 2016: its batch norms hold the "
        "inverse of the standard deviation",
    )
    parser.add_argument(
        "--ids",
        metavar="FILE",
        help="video ids of an .npz, one a line, in its order (.npz files have none)",
    )
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    # Imported after parsing: Keras takes seconds.
    if args.target.endswith(".weights.h5"):
        with console.quiet_frameworks():
            from tsn_keras.engine import weight_conversion

        result = weight_conversion.convert(
            args.source, args.target, inverse_std=args.inverse_std
        )
    else:
        from tsn_keras.engine import score_conversion

        result = score_conversion.convert(args.source, args.target, args.ids)
    return result, console.EXIT_OK


if __name__ == "__main__":
    console.run(main)
