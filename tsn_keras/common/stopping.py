"""Ctrl-C and SIGTERM at the next safe point, not in the middle of an update."""

import contextlib
import signal
import threading

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Whether the work was asked to stop.

    Attributes:
        signal: name of the signal, or None.
    """

    signal = None

    def __init__(self, listener):
        self._listener = listener

    def ask(self, number, _):
        """Handles a signal; the second one interrupts at once."""
        if self.signal is not None:
            raise KeyboardInterrupt(f"stopped by {self.signal}")
        self.signal = signal.Signals(number).name
        self._listener.say(
            f"{self.signal}: stopping after this iteration; once more stops at once"
        )


@contextlib.contextmanager
def requests(listener):
    """Yields a Stop that the signals set, instead of interrupting.

    Python gives signals to the main thread only; in another one nothing changes.

    Args:
        listener: progress.Silent that is told of the first signal.
    """
    stop = Stop(listener)
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, stop.ask) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
