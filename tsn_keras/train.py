"""Trains a segment network as the original Caffe does, from a training file.

python -m tsn_keras.train --config configs/demo_rgb.toml
python -m tsn_keras.train --config configs/hmdb51_rgb.toml --out runs/hmdb51_rgb
python -m tsn_keras.train --config configs/hmdb51_rgb.toml --out runs/slow \\
    --set train.base_lr=0.0005 --set data.root=/data/hmdb51

The folder of the run gets last.weights.h5 and best.weights.h5 for eval and
predict, checkpoint.h5, log.csv, validation.csv, and tensorboard/. The same
command resumes where a run stopped. All GPUs are used; TF_CONFIG joins several
machines, which share the folder. Exit status: 0, or 1 if videos failed in the
evaluation, 2 if something is missing or wrong, 130 if interrupted.
"""

import pathlib

from tsn_keras.common import console

WORDS = {
    "out": "--out",
    "evaluate": "--evaluate",
    "data": "data.root",
    "annotations": "data.annotations",
    "validation": "data.validation",
    "classes": "data.classes",
    "holdout": "data.holdout",
    "split": "data.split",
    'dataset="list"': 'data.dataset = "list"',
    "allow_missing=True": "data.allow_missing = true",
    "sound=True": "python -m tsn_keras.extract --sound",
    "backward=True": "python -m tsn_keras.extract --backward",
    "rgb_prefix": "data.rgb_prefix",
    "flow_x_prefix": "data.flow_x_prefix",
    "flow_y_prefix": "data.flow_y_prefix",
}


def parse_args(argv=None):
    parser = console.parser("train", __doc__)
    add = parser.add_argument
    add(
        "--config",
        required=True,
        metavar="FILE",
        help="training file (TOML); those of the published runs are in configs/",
    )
    add(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="a value other than the file's, as train.base_lr=0.002; may be repeated",
    )
    add(
        "--out",
        metavar="DIR",
        help="folder of the run (default: runs/ and the name of the training file)",
    )
    add(
        "--precision",
        choices=("float32", "bfloat16", "float16"),
        help="same as --set train.precision=...: the network computes in it, weights "
        "stay float32, and float16 scales the loss",
    )
    add(
        "--evaluate",
        action="store_true",
        help="at the end, score the validation videos with 25 snippets x 10 crops",
    )
    return parser.parse_args(argv)


@console.command(WORDS)
def main(argv=None):
    args = parse_args(argv)
    # Imported after parsing, so that --help answers at once.
    from tsn_keras import config
    from tsn_keras.common import progress
    from tsn_keras.training import run

    overrides = list(args.set)
    if args.precision:
        overrides.append(f"train.precision={args.precision}")
    settings = config.read_training(args.config, overrides)
    out = args.out or pathlib.Path("runs", pathlib.Path(args.config).stem)
    request = run.Request(settings, str(out), args.evaluate)
    trained = run.train(request, progress.Terminal(WORDS))
    status = console.EXIT_OK
    if trained.evaluation is not None:
        console.show(trained.evaluation)
        console.say_failed(trained.evaluation.failed, WORDS)
        status = console.EXIT_SOME_FAILED if trained.evaluation.failed else status
    return trained.as_json(), status


if __name__ == "__main__":
    console.run(main)
