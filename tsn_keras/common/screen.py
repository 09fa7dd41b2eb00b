"""Text in a terminal that is drawn again in its place."""

import shutil
import sys

from tsn_keras.common import console
from tsn_keras.common.errors import printable

_UP, _CLEAR = "\x1b[{}F", "\x1b[J"


class Screen:
    """Lines on standard output of which only the newest are seen."""

    def __init__(self):
        self._lines = 0

    def draw(self, text: str) -> None:
        """Draws lines in the place of those that it drew before.

        Args:
            text: of one line or several; what does not fit in a line is cut off.
        """
        columns = shutil.get_terminal_size().columns - 1
        lines = [printable(line)[:columns] for line in text.splitlines()]
        if self._lines:
            sys.stdout.write(_UP.format(self._lines) + _CLEAR)
        self._lines = len(lines)
        console.show("\n".join(lines))


def block() -> str:
    """Of what bars are made that standard output can show."""
    try:
        "█".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "#"
    return "█"
