"""The small network for other processes: workers of a Dask cluster, and `eval`.

    python tests/support/small_worker.py --dataset list ...

is `python -m tsn_keras.eval --dataset list ...` with the network of small_network.py.
"""

import os
import pathlib
import sys

HERE = pathlib.Path(__file__).parent


def add():
    """Adds the network to the backbones of this process."""
    for path in (str(HERE), str(HERE.parents[1])):
        if path not in sys.path:
            sys.path.insert(0, path)
    import small_network

    from tsn_keras.common import console

    with console.quiet_frameworks():
        from tsn_keras.models.backbones import BACKBONES

    BACKBONES[small_network.SMALL.name] = small_network.SMALL


def dask_setup(worker):
    """Called by Dask before the first job."""
    add()


def end_the_process(job):
    """A job of which every worker dies."""
    os._exit(1)


if __name__ == "__main__":
    add()
    from tsn_keras import eval
    from tsn_keras.common import console

    console.run(eval.main)
