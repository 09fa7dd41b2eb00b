"""Runs of the command `extract`, and what they make."""

import json
import pathlib
import subprocess
import sys
import time

import processes
from commands import call

ROOT = pathlib.Path(__file__).parents[2]
SMALL = ("--size", "96x64")


def _arguments(argv):
    # The tests of OpenCV's flow name it; see test_extract_device.py for the default.
    if not {"--flow-device", "--flow"} & set(argv):
        argv += ("--flow-device", "opencv")
    return list(map(str, argv))


def command(*argv):
    argv = [sys.executable, "-m", "tsn_keras.extract", *_arguments(argv)]
    return {"args": argv, "cwd": ROOT, "text": True}


def run(*argv, **options):
    """Runs the command: in this process, or with options in one of its own."""
    if options:
        done = subprocess.run(
            **command(*argv), capture_output=True, check=False, timeout=300, **options
        )
    else:
        done = call("extract", *_arguments(argv))
    return done, json.loads(done.stdout.splitlines()[-1])


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def start(*argv, popen=subprocess.Popen):
    """A run in a process group of its own, as a terminal starts it.

    With `popen=processes.Popen` it need not import the frameworks.
    """
    own = popen is subprocess.Popen
    options = {"preexec_fn": processes.interruptible} if own else {}
    return popen(
        **command(*argv),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        **options,
    )


def wait_for(count, out, process):
    """Waits until so many videos are there."""
    end = time.monotonic() + 120
    while len(list(out.rglob("extract.json"))) < count:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)


def finished(out):
    """Videos whose folders are in place; the others lie in .extract."""
    return [p for p in out.glob("*/*/extract.json") if ".extract" not in p.parts]
