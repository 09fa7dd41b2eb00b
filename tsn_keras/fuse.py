"""Fuses score files: the weighted sum of their raw scores, and its accuracy.

python -m tsn_keras.fuse RGB.h5 FLOW.h5 --weights 1 1.5
python -m tsn_keras.fuse RGB.h5 FLOW.h5 --weights 1 1.5 --per-class \\
    --confusion out/hmdb51
python -m tsn_keras.fuse RGB.h5 FLOW.h5 --weights 1 1.5 \\
    --search RGB_HELD_OUT.h5 FLOW_HELD_OUT.h5
python -m tsn_keras.fuse RGB.h5 FLOW.h5 --svm RGB_TRAIN.h5 FLOW_TRAIN.h5
python -m tsn_keras.fuse RGB.h5 FLOW.h5 --weights 1 1.5 --report page --data frames

Files are those of tsn_keras.eval, joined by video id, or the original's .npz,
which have no ids and are joined with one another by position. Exit status: 0,
or 1 if the files leave out videos that failed, 2 if something is wrong.
"""

from tsn_keras.common import console
from tsn_keras.common.errors import InputError

WORDS = {
    "weights": "--weights",
    "search": "--search",
    "svm": "--svm",
    "svm_c": "--svm-c",
    "over_time": "--over-time",
    "snippets": "--snippets of eval",
    "classes": "--classes",
    "allow_missing=True": "--allow-missing",
    "report": "--report",
    "data": "--data",
}


def parse_args(argv=None):
    parser = console.parser("fuse", __doc__)
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
        "--search",
        nargs="+",
        default=(),
        metavar="SCORES",
        help="score files of held-out videos, in the order of the files: choose the "
        "weights on them, beginning at --weights, which are reported too",
    )
    add(
        "--svm",
        nargs="+",
        default=(),
        metavar="SCORES",
        help="score files of training videos, in the order of the files: instead of a "
        "weighted sum, a linear SVM over the probabilities of all streams, beside "
        "their average (needs scikit-learn)",
    )
    add(
        "--svm-c",
        type=float,
        metavar="C",
        help="C of the SVM; no published one is known (default: 1)",
    )
    add(
        "--crop-agg",
        choices=("mean", "max"),
        default="mean",
        help="how the crops of a snippet become one score (default: mean)",
    )
    add(
        "--over-time",
        metavar="WAY",
        help="how the snippets of a video become one score: mean, windows (multi-scale "
        "temporal windows), windows_paper, top3, or consensus, as the weights were "
        "trained (default: as the files say)",
    )
    add(
        "--allow-missing",
        action="store_true",
        help="use the videos that all files have",
    )
    add(
        "--classes",
        metavar="FILE",
        help="names of the classes, one a line or as UCF101's classInd.txt, for .npz "
        "files, which have none (default: those of the first file)",
    )
    add("--per-class", action="store_true", help="print a table of the classes")
    add(
        "--confusion",
        metavar="PREFIX",
        help="write the confusion matrix to PREFIX.png and PREFIX.csv",
    )
    add(
        "--submission",
        metavar="FILE",
        help="write the probabilities as ActivityNet's server takes them (JSON)",
    )
    console.add_report(parser)
    add(
        "--data",
        metavar="DIR",
        help="for the pictures of --report, the folder of the frame folders or video "
        "files (default: a page without pictures)",
    )
    return parser.parse_args(argv)


@console.command(WORDS)
def main(argv=None):
    args = parse_args(argv)
    # Imported after parsing, so that --help answers at once.
    from tsn_keras.common import progress, storage, text
    from tsn_keras.reports import run as reports
    from tsn_keras.scores import fusion

    if args.report:
        reports.check(args.report)
    elif args.data:
        raise InputError("--data is for the pictures of --report")
    request = fusion.Request(
        paths=args.files,
        weights=args.weights,
        crops=args.crop_agg,
        allow_missing=args.allow_missing,
        classes=text.names(storage.path(args.classes)) if args.classes else None,
        over_time=args.over_time,
        search=args.search,
        svm=args.svm,
        svm_c=args.svm_c,
    )
    found = fusion.fuse(request, progress.Terminal(WORDS))
    console.show(found)
    if found.left_out:
        console.say(f"{found.left_out} videos are not in all files and are left out")
    if found.incomplete:
        console.say(
            f"{found.incomplete} videos have nothing of a stream, as no sound, and are "
            f"fused without it"
        )
    if found.failed:
        console.say(f"{len(found.failed)} videos failed and are in no figure")
    if args.per_class:
        console.show(found.per_class())
    if args.confusion:
        written = found.write_confusion(args.confusion)
        console.show("{} and {} written".format(*written))
    if args.submission:
        found.write_submission(args.submission)
        console.show(f"{args.submission} written")
    if args.report:
        console.show(f"{reports.write(found, args.report, args.data)} written")
    status = console.EXIT_SOME_FAILED if found.failed else console.EXIT_OK
    return found.as_json(), status


if __name__ == "__main__":
    console.run(main)
