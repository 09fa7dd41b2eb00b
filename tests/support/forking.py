"""A process that imports the frameworks, then forks off those that are asked for.

It is started by processes.py, which says why. Nothing is computed here, so that no
thread and no device of TensorFlow is there when it forks.
"""

import atexit
import gc
import importlib
import io
import json
import os
import pathlib
import pkgutil
import runpy
import signal
import socket
import sys
import tempfile
import threading
import traceback
import types

ROOT = pathlib.Path(__file__).parents[2]


def load():
    """Imports the frameworks and the package, but for the commands themselves."""
    sys.path.insert(0, str(ROOT))
    import tsn_keras
    from tsn_keras.__main__ import COMMANDS
    from tsn_keras.common import console

    with console.quiet_frameworks():
        import tensorflow  # noqa: F401

        for found in pkgutil.walk_packages(tsn_keras.__path__, "tsn_keras."):
            importlib.import_module(found.name)
    # Python warns where a module that it runs has been imported before.
    for name in (*COMMANDS, "__main__"):
        del sys.modules[f"tsn_keras.{name}"]
    sys.path.remove(str(ROOT))


def requests(connection):
    """Yields (request, file descriptors) until the other end is closed."""
    while True:
        header, streams, _, _ = socket.recv_fds(connection, 8, 3)
        if not header:
            return
        size = int.from_bytes(header, "big")
        message = connection.recv(size, socket.MSG_WAITALL)
        yield json.loads(message), streams


def forked(connection, streams):
    """Forks twice; returns True in the new process.

    The process in between ends at once, so that whoever asked adopts the new one.
    """
    read, write = os.pipe()
    between = os.fork()
    if not between:
        number = os.fork()
        if number:
            os.write(write, number.to_bytes(8, "big"))
            os._exit(0)
        for end in (read, write):
            os.close(end)
        return True
    os.waitpid(between, 0)
    number = os.read(read, 8)
    for end in (read, write, *streams):
        os.close(end)
    connection.sendall(number)
    return False


def become(request, streams):
    """Makes this process look like one that was started afresh."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request["session"]:
        os.setsid()
    for target, given in enumerate(streams):
        os.dup2(given, target)
        os.close(given)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    tempfile.tempdir = None  # What TMPDIR said before is kept there.
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # noqa: SIM115
    for number, name in ((1, "stdout"), (2, "stderr")):
        line_buffering = number == 2 or os.isatty(number)
        errors = "strict" if number == 1 else "backslashreplace"
        raw = open(number, "wb", closefd=False)  # noqa: SIM115
        stream = io.TextIOWrapper(raw, "utf-8", errors, line_buffering=line_buffering)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    more = request["environment"].get("PYTHONPATH", "")
    sys.path[:0] = [path for path in more.split(os.pathsep) if path]


def execute(argv):
    """Runs FILE, -c CODE or -m MODULE as Python does."""
    first, *rest = argv
    if first == "-c":
        code, *rest = rest
        sys.argv, sys.path[:0] = ["-c", *rest], [""]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(code, "<string>", "exec"), main.__dict__)
    elif first == "-m":
        name, *rest = rest
        sys.argv, sys.path[:0] = [name, *rest], [os.getcwd()]
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[:0] = [first, *rest], [str(pathlib.Path(first).parent)]
        runpy.run_path(first, run_name="__main__")


def end(status):
    """Ends the process as Python does, but for taking the frameworks apart.

    That alone would take as long as to import them.
    """
    threading._shutdown()  # Waits for threads that are no daemons.
    atexit._run_exitfuncs()
    gc.collect()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


def outcome(argv):
    """Runs what is asked for; returns the exit status."""
    try:
        execute(argv)
    except SystemExit as stop:
        if isinstance(stop.code, int) or stop.code is None:
            return stop.code or 0
        print(stop.code, file=sys.stderr)
        return 1
    except BaseException as error:
        traceback.print_exc()
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.raise_signal(signal.SIGINT)
        return 1
    return 0


def main(number):
    connection = socket.socket(fileno=number)
    load()
    # What is there now is not looked through in any process.
    gc.freeze()
    for request, streams in requests(connection):
        if forked(connection, streams):
            connection.close()
            become(request, streams)
            end(outcome(request["argv"]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
