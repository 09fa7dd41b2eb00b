"""Prints what setup.cfg asks for on another Python than this one, a line each.

python tests/support/requirements_of.py 3.13 test

Python 3.13 and later take current TensorFlow; this lets an older Python try it.
"""

import configparser
import pathlib
import sys

from packaging.requirements import Requirement

SETUP = pathlib.Path(__file__).parents[2] / "setup.cfg"


def requirements(version, extras=()):
    """Requirements whose markers hold on a Python version, without the markers."""
    file = configparser.ConfigParser()
    file.read(SETUP, encoding="utf-8")
    text = file["options"]["install_requires"]
    for extra in extras:
        text += file["options.extras_require"][extra]
    environment = {"python_version": version, "python_full_version": f"{version}.0"}
    found = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        one = Requirement(line)
        if one.marker is None or one.marker.evaluate(environment):
            one.marker = None
            found.append(str(one))
    return found


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1], sys.argv[2:])))
