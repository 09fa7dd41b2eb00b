"""How long work reports progress: not at all, in a terminal, or to a function."""

import contextlib
import dataclasses
import sys
from collections.abc import Callable

import tqdm

from tsn_keras.common.errors import printable, spelled


class Silent:
    """A listener that shows nothing; what libraries use unless told otherwise."""

    def say(self, text):
        """Is told one line for people."""

    @contextlib.contextmanager
    def bar(self, title, total=None, done=0, unit="video", leave=True):
        """Shows how far work has come.

        Args:
            title: what stands before it.
            total: number of units, or None if it is not known yet.
            done: units that need no work any more.
            unit: what is counted.
            leave: whether it stays when the work is done.

        Yields:
            Bar.
        """
        yield Bar()


class Bar:
    """A bar that nobody sees."""

    def update(self, count=1):
        """Counts units that are done."""

    def expect(self, total):
        """Sets the number of units."""

    def note(self, text):
        """Shows a few words behind the figures."""


SILENT = Silent()


class Terminal(Silent):
    """A listener that writes to standard error.

    Args:
        words: what the command calls the settings; see errors.spelled.
    """

    def __init__(self, words=None):
        self._words = words or {}

    def say(self, text):
        # Above a bar if one is shown.
        tqdm.tqdm.write(printable(spelled(text, self._words)), file=sys.stderr)
        sys.stderr.flush()

    @contextlib.contextmanager
    def bar(self, title, total=None, done=0, unit="video", leave=True):
        with tqdm.tqdm(
            desc=printable(title),
            total=total,
            initial=done,
            unit=unit,
            unit_scale=unit == "B",  # kB, MB
            leave=leave,
            # A log file is not a terminal: a line now and then is enough.
            mininterval=0.5 if sys.stderr.isatty() else 30,
            dynamic_ncols=True,
        ) as shown:
            yield _Shown(shown)


class _Shown(Bar):
    def __init__(self, bar):
        self._bar = bar

    def update(self, count=1):
        self._bar.update(count)

    def expect(self, total):
        self._bar.total = total

    def note(self, text):
        self._bar.set_postfix_str(printable(text), refresh=False)


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far long work has come, as callbacks get it.

    Attributes:
        title: what is done, such as "extract clips"; "" of a message.
        done: units that are done.
        total: number of units, or None if it is not known yet.
        unit: what is counted, such as "video".
        message: a line for people, or "".
    """

    title: str = ""
    done: float = 0
    total: float | None = None
    unit: str = ""
    message: str = ""


class Calling(Silent):
    """A listener that calls a function with a Progress.

    Args:
        function: of a Progress; called in the thread that works.
    """

    def __init__(self, function: Callable[[Progress], object]):
        self._function = function

    def say(self, text):
        self._function(Progress(message=printable(text)))

    @contextlib.contextmanager
    def bar(self, title, total=None, done=0, unit="video", leave=True):
        bar = _Called(self._function, Progress(printable(title), done, total, unit))
        bar.update(0)
        yield bar


class _Called(Bar):
    def __init__(self, function, state):
        self._function, self._state = function, state

    def update(self, count=1):
        done = self._state.done + count
        self._state = dataclasses.replace(self._state, done=done)
        self._function(self._state)

    def expect(self, total):
        self._state = dataclasses.replace(self._state, total=total)


# What callers of the API give: see `listener_of`.
Reporting = bool | Callable[[Progress], object] | None


def listener_of(given: Reporting) -> Silent:
    """The listener of what a caller of the API gives.

    Args:
        given: None or False: nothing is shown; True: bars on standard error; else a
            function of a Progress.

    Raises:
        TypeError: it is something else.
    """
    if given is None or given is False:
        return SILENT
    if given is True:
        return Terminal()
    if not callable(given):
        raise TypeError(
            f"`progress` must be True, False or a function. Received: {given!r}"
        )
    return Calling(given)
