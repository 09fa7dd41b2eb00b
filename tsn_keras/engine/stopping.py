"""Ctrl-C and SIGTERM at the next safe point, not in the middle of an update."""

import contextlib
import signal

from tsn_keras.engine import console

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Whether the work was asked to stop.

    Attributes:
        signal: name of the signal, or None.
    """

    signal = None

    def _ask(self, number, _):
        if self.signal is not None:
            raise KeyboardInterrupt(f"stopped by {self.signal}")
        self.signal = signal.Signals(number).name
        console.say(
            f"\n{self.signal}: stopping after this iteration; once more stops at once"
        )


@contextlib.contextmanager
def requests():
    """Yields a Stop that the signals set, instead of interrupting.

    A second signal interrupts at once.
    """
    stop = Stop()
    before = {number: signal.signal(number, stop._ask) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
