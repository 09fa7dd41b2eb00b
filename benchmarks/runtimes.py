"""Speed of the whole evaluation by each runtime, beside programs without tsn_keras.

python benchmarks/runtimes.py
python benchmarks/runtimes.py --network resnet50 --modality rgb --source videos

Needs `pip install "tsn-keras[benchmark]"`. Ours run the pipeline of `tsn_keras.eval
--runtime NAME` over the same videos, from files to scores, in each precision that the
runtime has. Beside them, of BN-Inception on RGB frames, stand the programs that one
would write by hand: OpenCV reads, NumPy cuts crops and takes the mean off, and PyTorch,
ONNX Runtime or OpenVINO runs the network. All have the same random weights and take
turns; their scores are compared before the clock starts.
"""

import argparse
import pathlib
import statistics
import tempfile
import time

import evaluation
import machine
import numpy as np
import turns

from tsn_keras.common.cores import cores
from tsn_keras.runtimes.catalogue import RUNTIMES

# What runs the network of a program without tsn_keras, and in which precisions.
PLAIN = {
    "pytorch": ("float32", "bfloat16"),
    "onnxruntime": ("float32",),
    "openvino": ("float32", "bfloat16"),
}
# Of the largest score: float32 sums in other orders; bfloat16 has eight bits.
TOLERANCES = {"float32": 1e-3, "bfloat16": 5e-2}


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--runtimes", nargs="+", choices=list(RUNTIMES), default=list(RUNTIMES))
    add("--precision", nargs="+", choices=TOLERANCES, default=list(TOLERANCES))
    add("--rounds", type=int, default=6, help="default: 6")
    add("--batch", type=int, default=5, help="snippets (default: 5)")
    add("--videos", type=int, default=2, help="a round (default: 2)")
    add("--modality", default="rgb", choices=("rgb", "flow"), help="default: rgb")
    add("--source", choices=("frames", "videos"), default="frames")
    add("--clips", type=pathlib.Path, help="folder of video files")
    add("--network", choices=evaluation.NETWORKS, default="bn_inception")
    add("--out", default="benchmarks/results/runtimes.csv")
    args = parser.parse_args()
    if args.source == "videos" and args.modality != "rgb":
        parser.error("--source videos is for --modality rgb")
    if args.source == "frames" and (args.clips or args.network != "bn_inception"):
        parser.error("--clips and --network are for --source videos")
    return args


def plain(name, folders, batch, precision):
    """A program without tsn_keras: files to scores, as evaluation.evaluation."""
    import cv2
    import peers

    from tsn_keras.pipeline import snippets

    stream, model, record = evaluation.prepare("bn_inception", "rgb")
    view, side = stream.protocol.test, stream.protocol.crop_size
    numbers = snippets.plan(folders, stream, view)
    # A program of one's own would find the same frames; only their names are ours.
    files = [
        [f"{folder.path}/img_{n:05d}.jpg" for (n,) in numbers.of(index)]
        for index, folder in enumerate(folders)
    ]
    run = peers.peer(name, model, record.fold, cores(), precision)
    mean = np.array([104, 117, 123], np.float32)

    def crops(path):
        image = cv2.imread(path) - mean
        down, right = image.shape[0] - side, image.shape[1] - side
        places = [(y, x) for y in (0, down) for x in (0, right)]
        places.append((down // 2, right // 2))
        cut = [image[y : y + side, x : x + side] for y, x in places]
        return cut + [crop[:, ::-1] for crop in cut]

    def scored(paths):
        parts = [paths[k : k + batch] for k in range(0, len(paths), batch)]
        return np.concatenate(
            [run(np.stack([c for path in part for c in crops(path)])) for part in parts]
        )

    def measure():
        start = time.perf_counter()
        done = sum(len(scored(paths)) for paths in files)
        return evaluation.speed_since(start, done)

    return measure, scored(files[0]).mean(0)


def contenders(args, folders, precision):
    """{program: turns.Contender} of a precision."""
    what = args.network, args.modality, folders, args.batch
    found = {
        f"tsn_keras {name}": turns.Contender(
            evaluation.evaluation, *what, name, precision
        )
        for name in args.runtimes
        if precision in RUNTIMES.find(name).precisions
    }
    if args.source == "frames" and args.modality == "rgb":
        for name, precisions in PLAIN.items():
            if precision in precisions:
                found[name] = turns.Contender(
                    plain, name, folders, args.batch, precision
                )
    return found


def rows_of(found, **about):
    """Rows of the result file.

    Args:
        found: {program: [(images a second, peak memory)]}.
        about: columns that they share.
    """
    speeds = {name: [speed for speed, _ in each] for name, each in found.items()}
    middles = {name: statistics.median(speed) for name, speed in speeds.items()}
    peer = max((name for name in found if name in PLAIN), key=middles.get, default=None)
    for name, speed in speeds.items():
        yield {
            **machine.facts(),
            **about,
            "program": name,
            "images_per_s": round(middles[name], 2),
            "min": round(min(speed), 2),
            "max": round(max(speed), 2),
            "over_best_plain": peer and round(turns.ratio(speed, speeds[peer]), 3),
            "peak_memory_gib": round(max(peak for _, peak in found[name]), 3),
        }


def main():
    args = parse_args()
    about = {
        key: getattr(args, key)
        for key in ("network", "modality", "source", "batch", "rounds")
    }
    with tempfile.TemporaryDirectory() as folder:
        folders = evaluation.prepared(args, folder)(args.modality)
        for precision in args.precision:
            # Not all precisions at once: each contender takes its gigabyte.
            competing = contenders(args, folders, precision)
            print(precision, flush=True)
            turns.check(competing, TOLERANCES[precision])
            found = turns.rounds(competing, args.rounds)
            for one in competing.values():
                one.stop()
            rows = list(rows_of(found, **about, precision=precision))
            for row in rows:
                print({key: row[key] for key in list(row)[10:]}, flush=True)
            machine.append(args.out, rows)


if __name__ == "__main__":
    main()
