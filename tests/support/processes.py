"""Processes that can be interrupted, and that need not import the frameworks.

To import TensorFlow takes some seconds of processor time, more than most commands that
are tested. So one process imports it once, and `Popen` and `run` fork off it what they
would start afresh: a process with its own number, streams, environment and signals,
and a child of this one. What happens while the frameworks are imported is not seen
then; tests of that start a process with `subprocess`.
"""

import ctypes
import functools
import json
import os
import pathlib
import pickle
import signal
import socket
import subprocess
import sys
import tempfile

# A process that differs in these imports the frameworks for itself.
_MATTER_ON_IMPORT = ("KERAS_", "TF_", "CUDA_", "OMP_", "PYTHON")
_DEFAULTS = {"KERAS_BACKEND": "tensorflow", "PYTHONPATH": ""}
_SET_CHILD_SUBREAPER = 36  # of Linux' <linux/prctl.h>


def interruptible():
    """For `preexec_fn`: SIGINT interrupts, also below a shell that ignores it.

    A shell script's background jobs inherit that SIGINT is ignored.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def apart(function, *args):
    """Calls a function of a module in a new process; returns or raises what it does.

    For libraries that abort the process at its end.
    """
    paths = os.pathsep.join(filter(None, sys.path))
    with tempfile.NamedTemporaryFile(suffix=".pickle") as file:
        pickle.dump((function.__module__, function.__qualname__, args), file)
        file.flush()
        done = run(
            [sys.executable, "-c", _APART, file.name],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
        file.seek(0)
        outcome = pickle.load(file)  # noqa: S301 - written by ourselves
    assert len(outcome) == 2, done.stderr
    result, error = outcome
    if error is not None:
        raise error
    return result


_APART = """
import importlib, pickle, sys
with open(sys.argv[1], "rb") as file:
    module, name, args = pickle.load(file)
result = error = None
try:
    result = getattr(importlib.import_module(module), name)(*args)
except Exception as raised:
    error = raised
with open(sys.argv[1], "wb") as file:
    pickle.dump((result, error), file)
"""


@functools.cache
def _server():
    """Socket to the process that has imported the frameworks (forking.py)."""
    ours, theirs = socket.socketpair()
    script = pathlib.Path(__file__).with_name("forking.py")
    with theirs:
        subprocess.Popen(
            [sys.executable, str(script), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
    return ours


def _adopting(wanted):
    """Whether processes that lose their parent become children of this one."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _can_fork(environment):
    def matters(variables):
        return {k: v for k, v in variables.items() if k.startswith(_MATTER_ON_IMPORT)}

    own = {**_DEFAULTS, **os.environ, "PYTHONPATH": environment.get("PYTHONPATH", "")}
    wanted = {**_DEFAULTS, **environment}
    return sys.platform == "linux" and matters(own) == matters(wanted)


class Popen(subprocess.Popen):
    """As subprocess.Popen, of `[sys.executable, FILE | -c CODE | -m MODULE, ...]`.

    What the class waits for, reads and kills is a child of this process, as always;
    only how it begins is another. It can be interrupted; see `interruptible`.
    """

    def __init__(self, args, *, env=None, start_new_session=False, **options):
        assert args[0] == sys.executable
        self._environment = dict(os.environ if env is None else env)
        self._session = start_new_session
        super().__init__(
            args,
            env=env,
            start_new_session=start_new_session,
            preexec_fn=interruptible,
            **options,
        )

    def _execute_child(self, args, *rest):
        """Python's own would fork and execute; the numbers are of its arguments."""
        if not _can_fork(self._environment):
            super()._execute_child(args, *rest)
            return
        cwd = rest[4]
        ends = rest[9:15]  # read and write ends: of input, of output, of errors
        streams = [ends[0], ends[3], ends[5]]
        given = [number if number >= 0 else k for k, number in enumerate(streams)]
        request = {
            "argv": list(map(os.fspath, args[1:])),
            "cwd": os.path.abspath(cwd or "."),
            "environment": self._environment,
            "session": self._session,
        }
        message = json.dumps(request).encode()
        server = _server()
        _adopting(True)
        try:
            header = len(message).to_bytes(8, "big")
            socket.send_fds(server, [header], given)
            server.sendall(message)
            answer = server.recv(8, socket.MSG_WAITALL)
        finally:
            _adopting(False)
        assert answer, "the process that imports the frameworks has ended"
        self.pid = int.from_bytes(answer, "big")
        self._child_created = True
        self._close_pipe_fds(*ends)


def run(args, *, timeout=None, capture_output=False, **options):
    """As subprocess.run, by `Popen`; a failure is told by the result only."""
    assert options.pop("check", False) is False
    if capture_output:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with Popen(args, **options) as process:
        try:
            output, errors = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(args, process.returncode, output, errors)
