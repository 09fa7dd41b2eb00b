"""End-point errors of TV-L1, ours and OpenCV's, where the motion is known.

python benchmarks/flow_ground_truth.py

Images are formulas (motion.py): translations, rotations, zooms and occlusion,
all with parts of pixels, at 340 x 256. A row each for a motion and a set of
parameters: mean end-point errors over the pixels whose motion can be seen, in
pixels, of OpenCV's class, of ours, and of ours with positions that are not
rounded to 32nds of a pixel as cv2.remap rounds them.
"""

import argparse

import cv2
import keras_flow
import machine
import motion
import numpy as np

from tsn_keras.flow import opencv
from tsn_keras.flow.settings import PARAMETERS

SIZE = (340, 256)


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--seeds", type=int, default=5, help="textures of each motion (default: 5)")
    add("--out", default="benchmarks/results/flow_ground_truth.csv")
    return parser.parse_args()


def mean_error(compute, pairs):
    errors = [p.error(compute(p.previous, p.following)) for p in pairs]
    return round(float(np.mean(errors)), 4)


def main():
    args = parse_args()
    cv2.setNumThreads(cv2.getNumberOfCPUs())
    rows = []
    for name, parameters in PARAMETERS.items():
        contenders = {
            "opencv": opencv.tvl1(parameters),
            "ours": keras_flow.ours(parameters),
            "ours_exact_positions": keras_flow.ours(parameters, subpixels=None),
        }
        for label, make in motion.MOTIONS.items():
            pairs = [make(SIZE, seed) for seed in range(args.seeds)]
            errors = {
                what: mean_error(compute, pairs) for what, compute in contenders.items()
            }
            of = {"parameters": name, "motion": label, "seeds": args.seeds}
            rows.append({**machine.facts(), **of, **errors})
            print({k: rows[-1][k] for k in list(rows[-1])[6:]}, flush=True)
    machine.append(args.out, rows)


if __name__ == "__main__":
    main()
