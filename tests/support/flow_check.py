"""Computes flow of known pairs under the backend that KERAS_BACKEND names.

python tests/support/flow_check.py OUT.npz
"""

import pathlib
import sys

import keras
import numpy as np

from tsn_keras.flow import devices, tvl1
from tsn_keras.flow.settings import PARAMETERS

sys.path.append(str(pathlib.Path(__file__).parents[2] / "benchmarks"))

import motion

# Two scales: each is compiled by itself, which takes seconds.
SETS = {
    name: parameters.keywords() | {"scales": 2, "warps": 2}
    for name, parameters in PARAMETERS.items()
}
# Rounding errors stay what they are where positions are exact and no warp follows
# another.
SETS["one warp"] = {"subpixels": None, "scales": 2, "warps": 1, "iterations": 30}


def images():
    """Two batches, uint8 [3, 64, 80]."""
    labels = ("translation 3.7, 1.6 px", "rotation 3 degrees", "occlusion, 2.5 px")
    pairs = [motion.MOTIONS[label]((80, 64), 1) for label in labels]
    return [np.stack([getattr(p, a) for p in pairs]) for a in ("previous", "following")]


def main(out):
    batches = [keras.ops.convert_to_tensor(batch) for batch in images()]
    found = {
        name: keras.ops.convert_to_numpy(
            devices.compiled(lambda a, b, k=keywords: tvl1.tvl1(a, b, **k))(*batches)
        )
        for name, keywords in SETS.items()
    }
    np.savez(out, backend=keras.backend.backend(), **found)


if __name__ == "__main__":
    main(sys.argv[1])
