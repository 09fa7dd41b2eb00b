"""How far TV-L1 in Keras is from OpenCV's class, on pairs of real clips.

python benchmarks/flow_agreement.py VIDEOS --pairs 300

Pairs are spread over the videos, at 340 x 256. Three rows for each set of
parameters: ours; ours with positions that are not rounded to 32nds of a pixel
as cv2.remap rounds them; and OpenCV's class itself when noise of a thousandth
of a grey level is added to the images, which tells how well the method
determines the flow at all.
"""

import argparse
import concurrent.futures
import pathlib

import cv2
import frame_pairs
import joblib
import keras_flow
import machine
import numpy as np

from tsn_keras.flow.opencv import tvl1
from tsn_keras.flow.settings import PARAMETERS

NOISE = 1e-3  # grey levels


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("videos", type=pathlib.Path)
    add("--pairs", type=int, default=300, help="default: 300")
    add("--others", type=int, default=60, help="pairs of the other rows (default: 60)")
    add("--workers", type=int, default=2, help="default: 2")
    add("--out", default="benchmarks/results/flow_agreement.csv")
    return parser.parse_args()


def opencv(parameters, greys):
    cv2.setNumThreads(1)
    return tvl1(parameters)(*greys)


def opencv_with_noise(parameters, greys, seed):
    """Its input is then float32, from 0 to 1."""
    noise = np.random.default_rng(seed).normal(scale=NOISE, size=greys.shape)
    return opencv(parameters, np.float32((greys + noise) / 255))


def ours(parameters, greys, workers, **options):
    compute = keras_flow.ours(parameters, **options)
    compute(*greys[0])
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda pair: compute(*pair), greys))


def row(found, expected):
    distances = [
        np.sqrt(((f - e) ** 2).sum(-1)) for f, e in zip(found, expected, strict=True)
    ]
    levels = sum(map(frame_pairs.level_differences, found, expected))
    shares = np.cumsum(levels) / levels.sum()
    return {
        "pairs": len(found),
        "mean_distance_px": round(float(np.mean(distances)), 4),
        "median_pair_px": round(float(np.median([d.mean() for d in distances])), 4),
        "worst_pair_px": round(float(max(d.mean() for d in distances)), 3),
        "p99_distance_px": round(float(np.percentile(distances, 99)), 3),
        "share_equal": round(float(shares[0]), 4),
        "share_within_1": round(float(shares[1]), 4),
    }


def main():
    args = parse_args()
    chosen = frame_pairs.sources(args.videos, args.pairs)
    parallel = joblib.Parallel(args.workers)
    greys = parallel(joblib.delayed(frame_pairs.greys)(*c) for c in chosen)
    rows = []
    for name, parameters in PARAMETERS.items():
        expected = parallel(joblib.delayed(opencv)(parameters, g) for g in greys)
        others = greys[: args.others]
        found = {
            "ours": ours(parameters, greys, args.workers),
            "ours, exact positions": ours(
                parameters, others, args.workers, subpixels=None
            ),
            "opencv, noise of 0.001 levels": parallel(
                joblib.delayed(opencv_with_noise)(parameters, g, k)
                for k, g in enumerate(others)
            ),
        }
        for what, flows in found.items():
            of = {"parameters": name, "what": what}
            rows.append({**machine.facts(), **of, **row(flows, expected[: len(flows)])})
            print({k: rows[-1][k] for k in list(rows[-1])[6:]}, flush=True)
    machine.append(args.out, rows)


if __name__ == "__main__":
    main()
