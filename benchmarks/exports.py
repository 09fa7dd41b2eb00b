"""What exports in fewer bits lose on the demo: accuracy of each format and precision.

python benchmarks/exports.py

Needs `pip install "tsn-keras[onnx,openvino]"`. The demo's networks are exported as
whole views of one crop; the demo's 48 test videos run through both, 25 snippets each.
int8 is calibrated on eight of them. The first row is Keras.
"""

import argparse
import pathlib
import tempfile

import machine
import numpy as np

import tsn_keras
from tsn_keras.common import console, progress
from tsn_keras.runtimes.catalogue import FORMATS
from tsn_keras.scores import joining

STREAMS = {"demo_rgb": 1.0, "demo_flow": 1.5}


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", default="benchmarks/results/exports.csv")
    return parser.parse_args()


def videos_of(weights):
    """([1, 25, height, width, planes] of each test video, their labels)."""
    from tsn_keras.datasets import selection
    from tsn_keras.datasets.records import Choice
    from tsn_keras.exporting import clips

    videos = selection.find_test_set(Choice("demo", split=1), progress.Terminal())
    prefixes = weights.stream.modality.all_prefixes
    found = selection.select(videos, prefixes).under(weights.stream).folders
    arrays = [clips.of_folder(folder, weights.stream, 25)[None] for folder in found]
    return arrays, [folder.label for folder in found]


def scored(run, arrays):
    return np.concatenate([run(array)["scores"] for array in arrays])


def row(what, size, found, given, labels):
    """A row of the result file.

    Args:
        what: (format, precision).
        size: bytes of both files.
        found: scores [videos, 16] of each stream.
        given: those of Keras.
        labels: of the videos.
    """
    fused = joining.fuse(found, STREAMS.values())
    correct = fused.argmax(1) == np.array(labels)
    differences = [
        np.abs(own - keras).max() / np.abs(keras).max()
        for own, keras in zip(found, given, strict=True)
    ]
    return {
        **machine.facts(),
        **dict(zip(("format", "precision"), what, strict=True)),
        "megabytes": round(size / 1e6, 2),
        "largest_difference": float(f"{max(differences):.2g}"),
        "videos": len(labels),
        "fusion_accuracy": round(100 * correct.mean(), 2),
    }


def main():
    args = parse_args()
    with console.quiet_frameworks():
        from tsn_keras.checkpoints import loading, overriding
        from tsn_keras.exporting import functions
        from tsn_keras.protocols.overrides import Override

    given = {}
    for name in STREAMS:
        weights = overriding.overridden(loading.find(name), Override(crops=1))
        arrays, labels = videos_of(weights)
        function = functions.whole(weights).traced
        scores = [function(array)["scores"].numpy() for array in arrays]
        given[name] = arrays, np.concatenate(scores)
    own = [scores for _, scores in given.values()]
    rows = [row(("keras", "float32"), 0, own, own, labels)]
    for form in FORMATS.values():
        for precision in form.tolerances:
            found, size = [], 0
            for name, (arrays, _) in given.items():
                with tempfile.TemporaryDirectory() as folder:
                    path = pathlib.Path(folder, f"it{form.suffix}")
                    told = tsn_keras.export(
                        *(name, path, form.name),
                        whole=True,
                        crops=1,
                        precision=precision,
                    )
                    size += told.size
                    found.append(scored(form.read(path)[0], arrays))
            rows.append(row((form.name, precision), size, found, own, labels))
            print({key: rows[-1][key] for key in list(rows[-1])[6:]}, flush=True)
    machine.append(args.out, rows)


if __name__ == "__main__":
    main()
