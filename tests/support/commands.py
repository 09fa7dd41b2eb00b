"""The files of the commands whose names the package gives to functions, and commands.

`call` runs a command in this process: importing TensorFlow takes as long as many a
command. Where a process of its own is what is tested (signals, kills, the terminal,
what frameworks print), tests start one.
"""

import contextlib
import importlib
import io
import os
import pathlib
import subprocess
import sys
import warnings

from tsn_keras.common import console

NAMES = ("explain", "export", "extract", "fuse", "presets", "study", "train")
explain, export, extract, fuse, presets, study, train = (
    importlib.import_module(f"tsn_keras.{n}") for n in NAMES
)


# What Python does not show by default of libraries.
_UNSEEN = (
    DeprecationWarning,
    PendingDeprecationWarning,
    ImportWarning,
    ResourceWarning,
)


def call(name, *argv):
    """Runs a command as `python -m tsn_keras.NAME ARGV` would.

    Returns:
        subprocess.CompletedProcess with exit status, standard output and error.
    """
    module = importlib.import_module(f"tsn_keras.{name}")
    argv = [str(one) for one in argv]
    output, errors = (
        io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace")
        for _ in range(2)
    )
    with (
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
        warnings.catch_warnings(),
    ):
        warnings.showwarning = console._show_warning
        # As outside of pytest, which shows more of them.
        warnings.resetwarnings()
        for category in _UNSEEN:
            warnings.simplefilter("ignore", category)
        try:
            result, status = console._outcome(module.main, argv)
        except SystemExit as stop:  # argparse's
            result, status = None, stop.code
        if result is not None:
            console.show_json(result)
    texts = []
    for stream in (output, errors):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    return subprocess.CompletedProcess(argv, status, *texts)


def help_without_frameworks(name):
    """What `--help` of a command prints where no framework can be imported."""
    code = "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None; "
    # By its file: the package gives some of these names to functions.
    code += f"import importlib; module = importlib.import_module('tsn_keras.{name}'); "
    code += "module.main(['--help'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=pathlib.Path(__file__).parents[2],
        env={**os.environ, "COLUMNS": "80"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
