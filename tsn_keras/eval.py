"""Evaluates two-stream TSN with 25 snippets x 10 crops a video.

python -m tsn_keras.eval --dataset demo
python -m tsn_keras.eval --dataset hmdb51 --split 1
python -m tsn_keras.eval --dataset ucf101 --split 1 2 3 --data DIR --weights DIR
python -m tsn_keras.eval --dataset list --annotations LIST --weights FILE \\
    --modality rgb

Prints, for each stream and their fusion (RGB : flow : RGB difference weigh
1 : 1.5 : 1), this run's accuracy beside the published one. The same command
goes on where it stopped. Exit status: 0, or 1 if videos failed, 2 if something
is missing or wrong, 130 if interrupted.
"""

import argparse

from tsn_keras.engine import console


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m tsn_keras.eval",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--dataset",
        required=True,
        choices=("demo", "hmdb51", "ucf101", "list"),
        help="demo: generated on the spot; list: a list file `path frames label`",
    )
    add(
        "--split",
        type=int,
        nargs="+",
        choices=(1, 2, 3),
        help="official splits of hmdb51 and ucf101 (default: 1)",
    )
    add(
        "--modality",
        nargs="+",
        choices=("rgb", "flow", "rgbdiff"),
        default=["rgb", "flow"],
        help="streams to score; several are fused. rgbdiff: differences of RGB frames, "
        "for weights of your own (default: rgb flow)",
    )
    add(
        "--data",
        metavar="DIR",
        help="folder of the frame folders, flat, in class folders or in frames/ "
        "(default: $TSN_KERAS_DATA/DATASET; for list the working folder)",
    )
    add(
        "--annotations",
        metavar="PATH",
        help="folder of the official split files (default: in the data folder), or "
        "the list file",
    )
    add(
        "--weights",
        nargs="+",
        default=[],
        metavar="PATH",
        help="folder of the reference models (default: $TSN_KERAS_WEIGHTS, weights/, "
        "the user's cache, else download), or one file for each modality",
    )
    add(
        "--scores",
        metavar="FILE",
        help="score file to write; several streams add _MODALITY_splitN to its name "
        "(default: scores/DATASET_MODALITY_splitN.h5)",
    )
    add(
        "--batch",
        type=console.positive,
        default=5,
        metavar="N",
        help="snippets in a batch, ten crops each (default: 5)",
    )
    add(
        "--precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="bfloat16 is faster where the processor has it, and less exact "
        "(default: float32)",
    )
    add(
        "--allow-missing",
        action="store_true",
        help="score what is there when videos of the split are not on disk",
    )
    for name, default in (
        ("rgb", "img_"),
        ("flow-x", "flow_x_"),
        ("flow-y", "flow_y_"),
    ):
        add(
            f"--{name}-prefix",
            default=default,
            metavar="TEXT",
            help=f"what stands before the number in {name} files (default: {default})",
        )
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    # Imported after parsing, so that --help answers at once.
    from tsn_keras.data import frames
    from tsn_keras.engine import evaluation

    request = evaluation.Request(
        dataset=args.dataset,
        split=_splits(args),
        modality=tuple(dict.fromkeys(args.modality)),
        data=args.data,
        annotations=args.annotations,
        weights=tuple(args.weights),
        scores=args.scores,
        batch=args.batch,
        precision=args.precision,
        allow_missing=args.allow_missing,
        prefixes=frames.Prefixes(
            args.rgb_prefix, args.flow_x_prefix, args.flow_y_prefix
        ),
    )
    return evaluation.evaluate(request)


def _splits(args):
    """Splits to evaluate; neither the demo nor a list has official ones."""
    if args.dataset in ("hmdb51", "ucf101"):
        return tuple(sorted(set(args.split or [1])))
    if args.split:
        raise console.UsageError(f"--split is not for --dataset {args.dataset}")
    if args.dataset == "demo" and args.annotations:
        raise console.UsageError("--annotations is not for --dataset demo")
    return (1,) if args.dataset == "demo" else (None,)


if __name__ == "__main__":
    console.run(main)
