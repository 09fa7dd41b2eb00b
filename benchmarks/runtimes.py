"""Speed of the whole evaluation by each runtime, from files to scores.

python benchmarks/runtimes.py
python benchmarks/runtimes.py --network resnet50 --modality rgb --source videos

Needs `pip install "tsn-keras[onnx,openvino]"`. Each contender runs the pipeline of
`tsn_keras.eval --runtime NAME` over the same videos, with the same random weights; they
take turns. What is measured is that of benchmarks/evaluation.py.
"""

import argparse
import pathlib
import statistics
import tempfile

import evaluation
import machine
import turns

from tsn_keras.runtimes.catalogue import RUNTIMES


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--runtimes", nargs="+", choices=list(RUNTIMES), default=list(RUNTIMES))
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


def main():
    args = parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folders = evaluation.prepared(args, folder)(args.modality)
        what = args.network, args.modality, folders, args.batch
        contenders = {
            name: turns.Contender(evaluation.evaluation, *what, name)
            for name in args.runtimes
        }
        found = turns.rounds(contenders, args.rounds)
    speeds = {name: [speed for speed, _ in each] for name, each in found.items()}
    first = args.runtimes[0]
    rows = [
        {
            **machine.facts(),
            "network": args.network,
            "modality": args.modality,
            "source": args.source,
            "runtime": name,
            "batch": args.batch,
            "rounds": args.rounds,
            "images_per_s": round(statistics.median(speeds[name]), 2),
            "min": round(min(speeds[name]), 2),
            "max": round(max(speeds[name]), 2),
            "it_over_first": round(turns.ratio(speeds[name], speeds[first]), 3),
            "peak_memory_gib": round(max(peak for _, peak in found[name]), 3),
        }
        for name in args.runtimes
    ]
    for row in rows:
        print({key: row[key] for key in list(row)[6:]}, flush=True)
    machine.append(args.out, rows)


if __name__ == "__main__":
    main()
