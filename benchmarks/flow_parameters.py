"""How far TV-L1 with other parameters is from the original's, in grey levels.

python benchmarks/flow_parameters.py VIDEOS --pairs 300

Pairs are spread over the videos, at 340 x 256; flow of `original` and
`opencv4` is quantised as it is stored, and the levels are compared.
"""

import argparse
import pathlib
import random

import cv2
import joblib
import machine
import numpy as np

from tsn_keras.data import flow, video, videos

SIZE = (340, 256)


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", type=pathlib.Path)
    parser.add_argument("--pairs", type=int, default=300, help="default: 300")
    parser.add_argument("--workers", type=int, default=2, help="default: 2")
    parser.add_argument("--out", default="benchmarks/results/flow_parameters.csv")
    return parser.parse_args()


def compare(path, seed):
    """Levels of a pair of a video: histogram of differences, and saturation."""
    cv2.setNumThreads(1)
    frames = list(video.frames(path))
    at = random.Random(seed).randrange(len(frames) - 1)
    greys = [
        cv2.cvtColor(cv2.resize(frame, SIZE), cv2.COLOR_BGR2GRAY)
        for frame in frames[at : at + 2]
    ]
    original, other = (
        flow.quantise(flow.tvl1(flow.PARAMETERS[name])(*greys)).astype(int)
        for name in ("original", "opencv4")
    )
    difference = np.bincount(np.abs(original - other).ravel(), minlength=256)
    motion = np.bincount(np.abs(original - 128).ravel(), minlength=256)
    return difference, motion


def describe(histogram):
    """Mean and 99th percentile of a histogram of levels."""
    share = np.cumsum(histogram) / histogram.sum()
    mean = (histogram * np.arange(len(histogram))).sum() / histogram.sum()
    return round(float(mean), 3), int(np.searchsorted(share, 0.99))


def main():
    args = parse_args()
    sources = videos.find(args.videos)
    chosen = [sources[k % len(sources)] for k in range(args.pairs)]
    found = joblib.Parallel(args.workers)(
        joblib.delayed(compare)(source.path, seed) for seed, source in enumerate(chosen)
    )
    difference, motion = (sum(part) for part in zip(*found, strict=True))
    (mean, high), (motion_mean, motion_high) = map(describe, (difference, motion))
    shares = np.cumsum(difference) / difference.sum()
    row = {
        **machine.facts(),
        "pairs": len(found),
        "videos": len({source.id for source in chosen}),
        "mean_difference_levels": mean,
        "p99_difference_levels": high,
        "share_equal": round(float(shares[0]), 4),
        "share_within_1": round(float(shares[1]), 4),
        "mean_motion_levels": motion_mean,
        "p99_motion_levels": motion_high,
    }
    machine.append(args.out, [row])
    print({key: row[key] for key in list(row)[6:]})


if __name__ == "__main__":
    main()
