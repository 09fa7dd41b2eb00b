"""Reads files that are made to hurt, and judges what comes of it.

Any file, however made, gives a result or one error of the command's, within
seconds and bounded memory, and nothing of it is executed.
"""

import collections
import contextlib
import dataclasses
import faulthandler
import pathlib
import random
import resource
import sys
import time
import traceback
from collections.abc import Callable

from tsn_keras.common import inspection
from tsn_keras.common.errors import InputError

SECONDS = 5.0  # for one file
MEMORY = 2**30  # bytes, beside what the process has when it begins
_AGAIN = 2  # times that a file is read once more that took longer
_STUCK = 120  # seconds, after which Python itself is ended, with a traceback
_MESSAGE = 4000  # characters that anyone would still read
MARKER = "executed-by-a-hostile-file"

# What commands end with one line and status 2; see common.console.run.
ERRORS = (InputError, OSError)

# What no reader does with a file of strangers. Other processes than the helper
# that lists HDF5 files, connections, and what a pickle would call.
_FORBIDDEN = {
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "socket.connect",
    "pickle.find_class",
}


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of file that commands read.

    Attributes:
        name: for people.
        suffix: of the files.
        good: bytes of a file as it should be.
        make: function (random.Random) to the file's bytes.
        read: function (path) that reads a file as the commands do.
    """

    name: str
    suffix: str
    good: bytes
    make: Callable[[random.Random], bytes]
    read: Callable[[pathlib.Path], object]


@dataclasses.dataclass
class Report:
    """What came of many files of one kind.

    Attributes:
        kind: its name.
        outcomes: {"result" or "error": number of files}.
        slowest: seconds of the slowest file.
        memory: bytes by which the process grew for a file, at most.
        faults: texts, each of which names the file to try again.
    """

    kind: str
    outcomes: collections.Counter = dataclasses.field(
        default_factory=collections.Counter
    )
    slowest: float = 0.0
    memory: int = 0
    faults: list[str] = dataclasses.field(default_factory=list)

    @property
    def files(self):
        return sum(self.outcomes.values())

    def as_json(self):
        faults = collections.Counter(text.split(":")[0] for text in self.faults)
        return {
            "kind": self.kind,
            "files": self.files,
            "results": self.outcomes["result"],
            "errors": self.outcomes["error"],
            "slowest": round(self.slowest, 3),
            "MiB": self.memory >> 20,
            **{name: faults[name] for name in ("hang", "memory", "traceback")},
            "executed": faults["executed"],
        }


class _Watch:
    """Notes what Python does while a file is read.

    There is no way to take an audit hook away again, so there is one.
    """

    def __init__(self):
        self.on, self.seen, self._added = False, [], False

    @contextlib.contextmanager
    def watching(self):
        if not self._added:
            sys.addaudithook(self._heard)
            self._added = True
        self.seen, self.on = [], True
        try:
            yield
        finally:
            self.on = False

    def _heard(self, event, values):
        if not self.on:
            return
        if event == "subprocess.Popen":
            argv = [str(part) for part in values[1] or ()]
            if argv[:1] == [sys.executable] and inspection._SERVE in argv:
                return
            self.seen.append(f"{event} {argv}"[:300])
        elif event in _FORBIDDEN or (event == "open" and MARKER in str(values[0])):
            self.seen.append(f"{event} {values}"[:300])


_WATCH = _Watch()


def _resident():
    """Bytes that this process has now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _peak():
    """Most bytes that this process had at once since it began."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextlib.contextmanager
def _ending():
    """Ends Python where a reading has no end."""
    faulthandler.dump_traceback_later(_STUCK, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


class Trial:
    """Files of one kind, judged one by one.

    Args:
        kind: Kind.
        folder: where they are written; those with faults are kept there.
    """

    def __init__(self, kind, folder):
        self._kind, self._folder = kind, pathlib.Path(folder)
        self.report = Report(kind.name)

    def judge(self, data, name):
        """Reads one file; what is wrong is in the report.

        Args:
            data: its bytes.
            name: number of the file, or another name for it.
        """
        path = self._folder / f"{name}{self._kind.suffix}"
        path.write_bytes(data)
        faults, before = [], (_resident(), _peak())
        begin = time.perf_counter()
        try:
            with _ending(), _WATCH.watching():
                self._kind.read(path)
            outcome = "result"
        except ERRORS as error:
            outcome = "error"
            if not 0 < len(str(error)) <= _MESSAGE:
                faults.append(f"traceback: message of {len(str(error))} characters")
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            outcome = "error"
            lines = "".join(traceback.format_exception(error)[-3:])
            faults.append(f"traceback: {lines[-1000:]}")
        seconds = time.perf_counter() - begin
        # A busy machine takes seconds from anyone; what hangs does so every time.
        for _ in range(_AGAIN):
            if seconds > SECONDS:
                seconds = min(seconds, self._seconds(path))
        self.report.outcomes[outcome] += 1
        self.report.slowest = max(self.report.slowest, seconds)
        if seconds > SECONDS:
            faults.append(f"hang: {seconds:.1f} s")
        # A peak that was reached before cannot be seen again.
        if (peak := _peak()) > before[1]:
            taken = peak - before[0]
            self.report.memory = max(self.report.memory, taken)
            if taken > MEMORY:
                faults.append(f"memory: {taken >> 20} MiB")
        faults += [f"executed: {event}" for event in _WATCH.seen]
        if list(self._folder.glob(f"*{MARKER}*")):
            faults.append("executed: it made its marker")
        self.report.faults += [f"{text}\n    file {path}" for text in faults]
        if not faults:
            path.unlink()

    def _seconds(self, path):
        """How long it takes to read a file once more."""
        begin = time.perf_counter()
        with contextlib.suppress(Exception), _ending():
            self._kind.read(path)
        return time.perf_counter() - begin


def run(kind, count, seed, folder):
    """Makes and judges many files.

    Args:
        kind: Kind.
        count: number of files.
        seed: any text; file k of a seed is always the same.
        folder: where files with faults are kept.

    Returns:
        Report.
    """
    trial = Trial(kind, folder)
    trial.judge(kind.good, "good")  # Also loads what is loaded when first needed.
    for number in range(count):
        name = f"{seed}-{number}"
        trial.judge(kind.make(random.Random(f"{kind.name} {name}")), name)
        if len(trial.report.faults) > 20:
            break
    return trial.report
