"""What long work tells while it runs: nothing, or bars and lines in a terminal."""

import contextlib
import sys

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
