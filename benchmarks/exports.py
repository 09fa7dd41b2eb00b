"""What exports in fewer bits lose: accuracy of each format and precision.

python benchmarks/exports.py
python benchmarks/exports.py --dataset jhmdb --data FRAMES --annotations SPLITS \
    --streams RUN/best.weights.h5 --snippets 3

Needs `pip install "tsn-keras[onnx,openvino]"`. Networks are exported as whole views of
one crop; the test videos run through each file, and the scores of several streams are
fused. int8 is calibrated on eight videos of --frames, else as `tsn_keras.export` does.
The first row is Keras.
"""

import argparse
import functools
import pathlib
import tempfile

import machine
import numpy as np

import tsn_keras
from tsn_keras.common import console, progress
from tsn_keras.runtimes.catalogue import FORMATS
from tsn_keras.scores import joining


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--dataset", default="demo", help="default: demo")
    add("--split", type=int, default=1, help="default: 1")
    add("--data", type=pathlib.Path, help="frame folders")
    add("--annotations", type=pathlib.Path, help="split files")
    add("--streams", nargs="+", default=["demo_rgb", "demo_flow"])
    add("--formats", nargs="+", choices=list(FORMATS), default=list(FORMATS))
    add("--frames", help="video files that int8 is calibrated on")
    add("--snippets", type=int, default=25, help="of a video (default: 25)")
    add("--out", default="benchmarks/results/exports.csv")
    return parser.parse_args()


def videos_of(args, stream):
    """(datasets.records.FrameFolder of each test video, their labels)."""
    from tsn_keras.datasets import selection
    from tsn_keras.datasets.records import Choice

    choice = Choice(args.dataset, args.split, args.data, args.annotations)
    videos = selection.find_test_set(choice, progress.Terminal())
    found = selection.select(videos, stream.modality.all_prefixes).under(stream)
    return found.folders, np.array([folder.label for folder in found.folders])


def scored(run, folders, stream, snippets):
    """Scores [videos, classes] by a function of arrays to {name: array}."""
    from tsn_keras.exporting import clips

    # One by one: the frames of a data set may not fit in memory.
    return np.concatenate(
        [
            np.asarray(run(clips.of_folder(one, stream, snippets)[None])["scores"])
            for one in folders
        ]
    )


def row(what, size, found, given):
    """A row of the result file.

    Args:
        what: columns that it begins with.
        size: bytes of all files.
        found: {stream: scores [videos, classes]}.
        given: {stream: (scores of Keras, labels, weight of the fusion)}.
    """
    weights = [weight for *_, weight in given.values()]
    fused = joining.fuse(list(found.values()), weights)
    own = joining.fuse([scores for scores, *_ in given.values()], weights)
    (_, labels, _), *_ = given.values()
    differences = [
        np.abs(found[name] - scores).max() / np.abs(scores).max()
        for name, (scores, *_) in given.items()
    ]
    return {
        **machine.facts(),
        **what,
        "megabytes": round(size / 1e6, 2),
        "largest_difference": float(f"{max(differences):.2g}"),
        "videos": len(labels),
        "same_class": round(100 * (fused.argmax(1) == own.argmax(1)).mean(), 2),
        "top1": round(100 * (fused.argmax(1) == labels).mean(), 2),
    }


def exported(name, form, precision, frames, run):
    """What `run` makes of an export's function, and the file's bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, f"it{form.suffix}")
        options = {"whole": True, "crops": 1, "precision": precision, "frames": frames}
        told = tsn_keras.export(name, path, form.name, **options)
        return run(form.read(path)[0]), told.size


def main():
    args = parse_args()
    with console.quiet_frameworks():
        from tsn_keras.checkpoints import loading, overriding
        from tsn_keras.exporting import functions
        from tsn_keras.protocols.overrides import Override

    given, runners = {}, {}
    for name in args.streams:
        weights = overriding.overridden(loading.find(name), Override(crops=1))
        stream = weights.stream
        folders, labels = videos_of(args, stream)
        runners[name] = functools.partial(
            scored, folders=folders, stream=stream, snippets=args.snippets
        )
        own = runners[name](functions.whole(weights).traced)
        given[name] = own, labels, stream.fusion_weight
    what = {
        "dataset": args.dataset,
        "streams": len(args.streams),
        "snippets": args.snippets,
    }
    own = {name: scores for name, (scores, *_) in given.items()}
    keras = row({**what, "format": "keras", "precision": "float32"}, 0, own, given)
    machine.append(args.out, [keras])
    for form in map(FORMATS.find, args.formats):
        for precision in form.tolerances:
            found = {
                name: exported(name, form, precision, args.frames, run)
                for name, run in runners.items()
            }
            found = row(
                {**what, "format": form.name, "precision": precision},
                sum(size for _, size in found.values()),
                {name: scores for name, (scores, _) in found.items()},
                given,
            )
            print({key: found[key] for key in list(found)[6:]}, flush=True)
            machine.append(args.out, [found])


if __name__ == "__main__":
    main()
