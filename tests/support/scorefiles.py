"""Random scores of videos with awkward names."""

import numpy as np

IDS = ["v_1", "a/b%c", "#1 [x] ~&;@+!(é)", "..", "a%2Fb"]


def array(index, classes=3):
    return np.random.default_rng(index).normal(size=(25, 10, classes)).astype("f4")
