"""How far TV-L1 with other parameters is from the original's, in grey levels.

python benchmarks/flow_parameters.py VIDEOS --pairs 300

Pairs are spread over the videos, at 340 x 256; flow of `original` and
`opencv4` is quantised as it is stored, and the levels are compared.
"""

import argparse
import pathlib

import frame_pairs
import joblib
import machine
import numpy as np

from tsn_keras.flow.opencv import tvl1
from tsn_keras.flow.settings import PARAMETERS


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", type=pathlib.Path)
    parser.add_argument("--pairs", type=int, default=300, help="default: 300")
    parser.add_argument("--workers", type=int, default=2, help="default: 2")
    parser.add_argument("--out", default="benchmarks/results/flow_parameters.csv")
    return parser.parse_args()


def compare(source, seed):
    """Histograms of the levels of a pair: their differences, and the motion."""
    greys = frame_pairs.greys(source, seed)
    original, other = (
        tvl1(PARAMETERS[name])(*greys) for name in ("original", "opencv4")
    )
    return (
        frame_pairs.level_differences(original, other),
        frame_pairs.level_differences(original, np.zeros_like(original)),
    )


def main():
    args = parse_args()
    chosen = frame_pairs.sources(args.videos, args.pairs)
    found = joblib.Parallel(args.workers)(joblib.delayed(compare)(*c) for c in chosen)
    difference, motion = (sum(part) for part in zip(*found, strict=True))
    (mean, high), (motion_mean, motion_high) = map(
        frame_pairs.describe, (difference, motion)
    )
    shares = np.cumsum(difference) / difference.sum()
    row = {
        **machine.facts(),
        "pairs": len(found),
        "videos": len({source.id for source, _ in chosen}),
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
