"""Processes that can be interrupted, and functions in processes of their own."""

import concurrent.futures
import multiprocessing
import signal


def interruptible():
    """For `preexec_fn`: SIGINT interrupts, also below a shell that ignores it.

    A shell script's background jobs inherit that SIGINT is ignored.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def apart(function, *args):
    """Calls a function in a new process; returns or raises what it does.

    For libraries that abort the process at its end.
    """
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *args).result()
