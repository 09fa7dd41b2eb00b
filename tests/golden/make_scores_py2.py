"""Makes scores_py2.npz, as the original writes it: Python 2, NumPy 1.16.

python2.7 make_scores_py2.py

Three videos of 4 snippets, 10 crops, 5 classes; every number can be computed
(see tests/engine/test_npz.py). tools/eval_net.py:135-136 passes a list of
(array, label) tuples, which NumPy turns into an object array.
"""

import sys

import numpy as np

scores = [
    (np.arange(200, dtype=np.float32).reshape(4, 10, 5) + 1000 * index, label)
    for index, label in enumerate([3, 0, 4])
]
np.savez("scores_py2.npz", scores=scores, labels=[label for _, label in scores])
print("Python " + sys.version.split()[0] + ", NumPy " + np.__version__)
