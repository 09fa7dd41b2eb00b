"""Converts weights, and score files, from and to the original's formats.

python -m tsn_keras.convert MODEL OUT.weights.h5
python -m tsn_keras.convert SCORES.h5 SCORES.npz
python -m tsn_keras.convert SCORES.npz SCORES.h5 --ids IDS.txt --dataset ucf101 \\
    --split 1 --modality rgb

MODEL is a preset, a .caffemodel, a PyTorch file (.pth, .pt, .pth.tar), .safetensors, a
model.json of TensorFlow.js with its shards beside it, or an .h5 of Keras Applications.
What is in it is told, and what it leaves in doubt.

An .npz says nothing of itself: which videos, data set and classes it is of is taken
from the options. Without --dataset, `fuse` compares ids and labels only.
"""

import pathlib

from tsn_keras.common import console
from tsn_keras.common.errors import InputError
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.datasets.records import Choice
from tsn_keras.protocols.modalities import MODALITIES

WORDS = {
    "ids": "--ids",
    "classes": "--classes",
    "annotations": "--annotations",
    "backbone": "--backbone",
    'dataset="list"': "--dataset list",
}
# What an .npz does not say of itself.
OF_NPZ = ("ids", "dataset", "split", "modality", "annotations")
SPLITS = sorted({split for dataset in DATASETS.values() for split in dataset.splits})


def parse_args(argv=None):
    parser = console.parser("convert", __doc__)
    add = parser.add_argument
    add("source", help="weight file or preset, or score file .h5 or .npz")
    add("target", help=".weights.h5, or score file .npz or .h5")
    add(
        "--inverse-std",
        action="store_true",
        help="the caffemodel is older than April 2016: its batch norms hold the "
        "inverse of the standard deviation",
    )
    add(
        "--backbone",
        metavar="NAME",
        help="the network, of a weight file that fits several and does not say of "
        "which it is, as cnn_m_spatial or cnn_m_temporal",
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
        "UCF101's classInd.txt (default: those of --dataset, else numbers; those of "
        "published models)",
    )
    add(
        "--dataset",
        choices=[d.name for d in DATASETS.values() if d.scored],
        help="data set that an .npz is of: `fuse` compares it",
    )
    add("--split", type=int, choices=SPLITS, help="split of --dataset")
    add("--modality", choices=list(MODALITIES), help="modality of an .npz")
    add(
        "--annotations",
        metavar="PATH",
        help="in the place of --ids: folder of the official split files, or the list "
        "file, of --dataset, if the .npz is in their order; its labels are compared",
    )
    return parser.parse_args(argv)


@console.command(WORDS)
def main(argv=None):
    args = parse_args(argv)
    kinds = pathlib.Path(args.source).suffix, pathlib.Path(args.target).suffix
    if args.target.endswith(".weights.h5"):
        _refuse(args, OF_NPZ, "score files .npz")
        result = _weights(args)
    elif kinds == (".h5", ".npz"):
        _refuse(args, ("inverse_std",), "caffemodels")
        _refuse(args, ("backbone",), "weight files")
        _refuse(args, (*OF_NPZ, "classes"), "an .npz, which has none of its own")
        result = _export(args)
    elif kinds == (".npz", ".h5"):
        _refuse(args, ("inverse_std",), "caffemodels")
        _refuse(args, ("backbone",), "weight files")
        result = _import(args)
    else:
        raise InputError(
            f"cannot convert {args.source} to {args.target}: give a weight file "
            f"and OUT.weights.h5, or score files .h5 and .npz"
        )
    return result, console.EXIT_OK


def _refuse(args, names, what):
    """Refuses options that would do nothing."""
    for name in names:
        if getattr(args, name) not in (None, False):
            raise InputError(f"--{name.replace('_', '-')} is for {what}")


def _weights(args):
    # Imported after parsing: Keras takes seconds.
    with console.quiet_frameworks():
        from tsn_keras.checkpoints import conversion
        from tsn_keras.common import storage, text

    names = text.names(storage.path(args.classes)) if args.classes else None
    found = conversion.convert(
        *(args.source, args.target, args.inverse_std, names, args.backbone)
    )
    console.show(found)
    return found.as_json()


def _export(args):
    from tsn_keras.scores import conversion

    return _written(args, conversion.to_npz(args.source, args.target))


def _import(args):
    from tsn_keras.common import storage, text
    from tsn_keras.scores import conversion

    dataset = _dataset(args)
    if args.ids is not None:
        _refuse(args, ("annotations",), "ids that --ids does not give")
    classes, classes_from = dataset and dataset.classes, args.dataset
    if args.classes is not None:
        if classes is not None:
            raise InputError(f"--classes is not for {args.dataset}: its own are known")
        classes, classes_from = text.names(storage.path(args.classes)), args.classes
    labels, assumed = None, []
    if args.ids is not None:
        ids_from = storage.path(args.ids)
        ids = [line for _, line in text.lines(ids_from)]
    else:
        videos = _videos(args, dataset)
        ids, labels = zip(*((v.id, v.label) for v in videos), strict=True)
        ids_from = args.annotations or f"--dataset {args.dataset}"
        assumed.append(
            f"videos of a class are taken to be in the order of {ids_from}: the labels "
            f"agree, and {args.source} says no more"
        )
    about = {
        "dataset": args.dataset,
        "split": args.split or (dataset and dataset.default_split),
        "modality": args.modality,
    }
    about = {key: value for key, value in about.items() if value is not None}
    told = conversion.Told(ids, ids_from, labels, classes, classes_from, about)
    count = conversion.from_npz(args.source, args.target, told)
    for line in assumed:
        console.say(line)
    return {**_written(args, count), **about, "assumed": assumed}


def _dataset(args):
    """The record of the data set that the scores are of, or None."""
    if args.dataset is None:
        _refuse(args, ("split", "annotations"), "a data set: name it with --dataset")
        return None
    dataset = DATASETS[args.dataset]
    if args.annotations and "annotations" not in dataset.settings:
        raise InputError(f"--annotations is not for --dataset {args.dataset}")
    if dataset.multi_label:
        raise InputError(
            f"--dataset {args.dataset}: its videos have several labels, an .npz has "
            f"one for each"
        )
    several = len(dataset.splits) > 1
    if args.split is not None and not several:
        raise InputError(f"--split is not for --dataset {args.dataset}")
    if several and args.split is None:
        raise InputError(
            f"--dataset {args.dataset} has splits: say with --split of which one "
            f"{args.source} is"
        )
    return dataset


def _videos(args, dataset):
    """The videos of a data set's test, whose order and labels its files say."""
    named = dataset is not None and (
        args.annotations or "annotations" not in dataset.settings
    )
    if not named:
        raise InputError(
            f"{args.source} names no videos: give their ids with --ids FILE, one a "
            f"line, in its order; or --dataset and its official split files with "
            f"--annotations, if it is in their order"
        )
    split = args.split or dataset.default_split
    choice = Choice(args.dataset, split=split, annotations=args.annotations)
    return getattr(dataset.read(choice, None), dataset.scored)


def _written(args, count):
    console.show(f"{args.target}: {count} videos written")
    return {"source": args.source, "target": args.target, "videos": count}


if __name__ == "__main__":
    console.run(main)
