"""What a worker of a Dask cluster loads before its first job: the small network."""

import pathlib
import sys

HERE = pathlib.Path(__file__).parent


def add():
    """Adds the network of small_network.py to the backbones of this process."""
    sys.path[:0] = [
        path for path in (str(HERE), str(HERE.parents[1])) if path not in sys.path
    ]
    import small_network

    from tsn_keras.common import console

    with console.quiet_frameworks():
        from tsn_keras.models.backbones import BACKBONES

    BACKBONES[small_network.SMALL.name] = small_network.SMALL


def dask_setup(worker):
    """Called by Dask."""
    add()
