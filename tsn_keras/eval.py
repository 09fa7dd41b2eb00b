"""Evaluates two-stream TSN with 25 snippets x 10 crops a video.

python -m tsn_keras.eval --dataset demo
python -m tsn_keras.eval --dataset hmdb51 --split 1
python -m tsn_keras.eval --dataset ucf101 --split 1 2 3 --data DIR --weights DIR
python -m tsn_keras.eval --dataset list --annotations LIST --weights FILE \\
    --modality rgb
python -m tsn_keras.eval --dataset hmdb51 --report page

Prints, for each stream and their fusion (RGB : flow : RGB difference weigh
1 : 1.5 : 1), this run's accuracy beside the published one. The same command
resumes where it stopped. Several machines share the videos of a split with
--shard, or --backend dask. Exit status: 0, or 1 if videos failed, 2 if something
is missing or wrong, 130 if interrupted.
"""

from tsn_keras.common import console
from tsn_keras.common.errors import InputError
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.runtimes.catalogue import RUNTIMES

# Prefixes of the file names, and the flags for them.
PREFIXES = {"img_": "rgb", "flow_x_": "flow-x", "flow_y_": "flow-y"}
SPLITS = sorted({split for dataset in DATASETS.values() for split in dataset.splits})
WORDS = {
    **console.TEST_WORDS,
    "data": "--data",
    "annotations": "--annotations",
    "weights": "--weights",
    "modality": "--modality",
    "split": "--split",
    "scores": "--scores",
    "batch": "--batch",
    "precision": "--precision",
    "runtime": "--runtime",
    'dataset="list"': "--dataset list",
    "shard": "--shard",
    "report": "--report",
    "allow_missing=True": "--allow-missing",
    "sound=True": "python -m tsn_keras.extract --sound",
    "backward=True": "python -m tsn_keras.extract --backward",
    "rgb_prefix": "--rgb-prefix",
    "flow_x_prefix": "--flow-x-prefix",
    "flow_y_prefix": "--flow-y-prefix",
}


def parse_args(argv=None):
    parser = console.parser("eval", __doc__)
    add = parser.add_argument
    add(
        "--dataset",
        required=True,
        choices=[d.name for d in DATASETS.values() if d.scored],
        help="demo: generated on the spot; list: a list file `path frames label`, "
        "others of MMAction2: list_offset, list_multilabel",
    )
    add(
        "--split",
        type=int,
        nargs="+",
        choices=SPLITS,
        help="official splits, of a data set that has them (default: 1)",
    )
    add(
        "--modality",
        nargs="+",
        choices=list(MODALITIES),
        default=["rgb", "flow"],
        help="streams to score; several are fused. rgbdiff: differences of RGB frames, "
        "for weights of your own (default: rgb flow)",
    )
    add(
        "--data",
        metavar="DIR",
        help="folder of the frame folders, flat, in class folders or in frames/; or, "
        "not for flow, of the video files, flat or in class folders (default: "
        "$TSN_KERAS_DATA/DATASET; for list the working folder)",
    )
    add(
        "--annotations",
        metavar="PATH",
        help="folder of the official annotation files (default: in the data folder), "
        "or the list file",
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
    console.add_runtime(parser, RUNTIMES)
    add(
        "--allow-missing",
        action="store_true",
        help="score what is there when videos of the split are not on disk",
    )
    console.add_test(parser, "files")
    add(
        "--shard",
        metavar="I/N",
        help="score the I-th of N shares of the videos only, from 1 to N, into a score "
        "file of its own; when all are there, the same command without it joins them",
    )
    console.add_cluster(parser, "the frames and the weights")
    console.add_report(parser)
    for default, name in PREFIXES.items():
        add(
            f"--{name}-prefix",
            dest=default,
            default=default,
            metavar="TEXT",
            help=f"what stands before the number in {name} files (default: {default})",
        )
    return parser.parse_args(argv)


@console.command(WORDS)
def main(argv=None):
    args = parse_args(argv)
    # Imported after parsing, so that --help answers at once.
    from tsn_keras.common import progress
    from tsn_keras.evaluation import run
    from tsn_keras.evaluation.shards import Shard
    from tsn_keras.protocols.overrides import Override
    from tsn_keras.reports import run as reports

    if args.report:
        reports.check(args.report)
    dataset = DATASETS[args.dataset]
    splits = tuple(sorted(set(args.split or [dataset.default_split])))
    if args.split and len(dataset.splits) < 2:
        raise InputError(f"--split is not for --dataset {args.dataset}")
    request = run.Request(
        dataset=args.dataset,
        split=splits,
        modality=tuple(dict.fromkeys(args.modality)),
        data=args.data,
        annotations=args.annotations,
        weights=tuple(args.weights),
        scores=args.scores,
        batch=args.batch,
        precision=args.precision,
        runtime=args.runtime,
        allow_missing=args.allow_missing,
        prefixes={name: getattr(args, name) for name in PREFIXES},
        override=Override(*console.test_of(args)),
        shard=None if args.shard is None else Shard.read(args.shard),
        scheduler=console.scheduler_of(args),
    )
    found = run.evaluate(request, progress.Terminal(WORDS))
    console.show(found)
    console.say_failed(found.failed, WORDS)
    if args.report:
        console.show(f"{reports.write(found, args.report)} written")
    status = console.EXIT_SOME_FAILED if found.failed else console.EXIT_OK
    return found.as_json(), status


if __name__ == "__main__":
    console.run(main)
