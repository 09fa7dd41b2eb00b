"""End-point errors of TV-L1, ours and OpenCV's, where the motion is known.

python benchmarks/flow_ground_truth.py

Images are formulas (motion.py): translations, rotations, zooms and occlusion,
all with parts of pixels, at 340 x 256. A row each for a motion and a set of
parameters: mean end-point errors over the pixels whose motion can be seen, in
pixels, of OpenCV's class, of ours, and of ours with positions that are not
rounded to 32nds of a pixel as cv2.remap rounds them.
"""

import argparse
import functools

import cv2
import keras
import machine
import motion
import numpy as np

from tsn_keras.data import devices, flow, tvl1

SIZE = (340, 256)


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--seeds", type=int, default=5, help="textures of each motion (default: 5)")
    add("--out", default="benchmarks/results/flow_ground_truth.csv")
    return parser.parse_args()


def ours(parameters, **options):
    compute = devices.compiled(
        functools.partial(tvl1.tvl1, **parameters.keywords(), **options)
    )

    def one(pair):
        images = (pair.previous[None], pair.following[None])
        images = map(keras.ops.convert_to_tensor, images)
        return keras.ops.convert_to_numpy(compute(*images))[0]

    return one


def opencv(parameters):
    compute = flow.tvl1(parameters)
    return lambda pair: compute(pair.previous, pair.following)


def main():
    args = parse_args()
    cv2.setNumThreads(cv2.getNumberOfCPUs())
    rows = []
    for name, parameters in flow.PARAMETERS.items():
        contenders = {
            "opencv": opencv(parameters),
            "ours": ours(parameters),
            "ours_exact_positions": ours(parameters, subpixels=None),
        }
        for label, make in motion.MOTIONS.items():
            pairs = [make(SIZE, seed) for seed in range(args.seeds)]
            errors = {
                what: round(float(np.mean([p.error(compute(p)) for p in pairs])), 4)
                for what, compute in contenders.items()
            }
            of = {"parameters": name, "motion": label, "seeds": args.seeds}
            rows.append({**machine.facts(), **of, **errors})
            print({k: rows[-1][k] for k in list(rows[-1])[6:]}, flush=True)
    machine.append(args.out, rows)


if __name__ == "__main__":
    main()
