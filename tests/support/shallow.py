"""BN-Inception without its ten blocks, for tests of whole commands.

Most of such a test's time would go into building, folding and tracing 69
convolutions, and what a command does with a network does not depend on how many
there are: three are left. Tests of the network itself, and of published files, have
all of it.

    python tests/support/shallow.py eval --dataset list ...

is `python -m tsn_keras.eval --dataset list ...` with that network.
"""

import dataclasses
import pathlib
import runpy
import sys

ROOT = pathlib.Path(__file__).parents[2]
# What stands in the place of `python -m tsn_keras.COMMAND`, before the command.
START = [sys.executable, __file__]
SIDE = 28  # of the map that the first block would get, and so of the last one
LAST = "conv2_3x3"  # The last convolution.


def settings():
    """What to set: (object, attribute, value) each, and the record of the network."""
    from tsn_keras.models import bn_inception

    own = bn_inception.base_channels()
    kept = {n: c for n, c in own.items() if not n.startswith("inception")}
    record = dataclasses.replace(bn_inception.BN_INCEPTION, channels=kept)
    places = (
        (bn_inception, "BLOCKS", {}),
        (bn_inception, "FINAL_SIZE", SIDE),
    )
    return places, record


def apply():
    """Makes it the BN-Inception of this process, for good."""
    from tsn_keras.models.backbones import BACKBONES

    places, record = settings()
    for target, name, value in places:
        setattr(target, name, value)
    BACKBONES[record.name] = record


def main():
    sys.path.insert(0, str(ROOT))
    from tsn_keras.common import console

    with console.quiet_frameworks():
        apply()
    command = f"tsn_keras.{sys.argv[1]}"
    sys.argv = [command, *sys.argv[2:]]
    runpy.run_module(command, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
