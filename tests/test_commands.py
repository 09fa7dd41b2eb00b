"""What all commands do alike: the overview, versions, where JSON goes."""

import json
import os
import pathlib
import pty
import subprocess
import sys

import pytest

import tsn_keras
from tsn_keras.__main__ import COMMANDS

ROOT = pathlib.Path(__file__).parents[1]


def run(*argv, **options):
    return subprocess.run(
        [sys.executable, "-m", *argv],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        **options,
    )


def in_terminal(*argv):
    """Runs a command whose standard output is a terminal; returns (status, text)."""
    ours, its = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", *argv], cwd=ROOT, stdout=its, stderr=subprocess.PIPE
    ) as process:
        os.close(its)
        text = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # The last writer is gone.
                break
            if not part:
                break
            text += part
        told = process.stderr.read()
    os.close(ours)
    return process.returncode, text.decode(), told.decode()


@pytest.mark.parametrize("argv", [(), ("--help",), ("-h",), ("help",)])
def test_overview_names_every_command(argv):
    done = run("tsn_keras", *argv)
    assert done.returncode == 0
    named = [line.split()[0] for line in done.stdout.splitlines() if line[:2] == "  "]
    assert set(COMMANDS) <= set(named)
    assert {path.stem for path in (ROOT / "tsn_keras").glob("[!_]*.py")} == {
        *COMMANDS,
        "config",
    }


def test_overview_passes_arguments_on():
    direct, passed = run("tsn_keras.fuse", "no.h5"), run("tsn_keras", "fuse", "no.h5")
    assert (direct.returncode, passed.returncode) == (2, 2)
    assert direct.stdout == passed.stdout
    assert json.loads(direct.stdout)["error"] in passed.stderr


def test_unknown_command_is_named():
    done = run("tsn_keras", "evaluate")
    assert done.returncode == 2
    assert (
        "there is no command 'evaluate'; the commands are extract, eval" in done.stderr
    )


@pytest.mark.parametrize("name", ["tsn_keras", "tsn_keras.fuse"])
def test_version(name):
    done = run(name, "--version")
    assert done.returncode == 0
    assert done.stdout.startswith(f"tsn_keras {tsn_keras.__version__} (keras 3.")


def test_errors_come_once_in_a_terminal():
    status, shown, told = in_terminal("tsn_keras.fuse", "no.h5")
    assert (status, shown) == (2, "")
    assert told.count("no.h5") == 1
    status, shown, told = in_terminal("tsn_keras.fuse", "no.h5", "--json")
    assert status == 2
    assert json.loads(shown)["error"] in told


def test_json_is_asked_for_by_its_whole_name():
    done = run("tsn_keras.fuse", "no.h5", "--js")
    assert done.returncode == 2
    assert "unrecognized arguments: --js" in done.stderr
