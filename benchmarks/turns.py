"""Contenders that take turns, each in a process of its own.

Frameworks in one process disturb one another with threads that wait by
spinning; a process that waits for its turn at a pipe sleeps.
"""

import multiprocessing
import statistics
import sys

import numpy as np


def _serve(build, args, pipe):
    measure, report = build(*args)
    pipe.send(report)
    while _told(pipe):
        pipe.send(measure())


def _told(pipe):
    """Waits for a turn; false when the asking process is gone."""
    try:
        return pipe.recv()
    except EOFError:
        return False


class Contender:
    """A process that measures itself when asked.

    Args:
        build: function of `args` that returns (measure, report); it runs in
            the new process. `measure()` returns a figure.
        args: its arguments, which must be picklable.
    """

    def __init__(self, build, *args):
        context = multiprocessing.get_context("spawn")
        self._pipe, child = context.Pipe()
        options = {"args": (build, args, child), "daemon": True}
        self._process = context.Process(target=_serve, **options)
        self._process.start()
        child.close()
        try:
            self.report = self._pipe.recv()
        except EOFError:
            raise SystemExit(f"contender {args} failed: see above") from None

    def measure(self):
        """Returns one figure; no other contender runs meanwhile."""
        self._pipe.send(True)
        return self._pipe.recv()

    def stop(self):
        """Ends the process, and frees its memory."""
        self._pipe.close()
        self._process.join()


def check(contenders, tolerance):
    """Ends the program if a contender's scores are not those of the first.

    Args:
        contenders: {name: Contender that reports an array}.
        tolerance: by how much they may differ, as a share of the largest.
    """
    first = next(iter(contenders.values())).report
    for name, one in contenders.items():
        error = np.abs(one.report - first).max() / np.abs(first).max()
        print(f"{name}: largest difference of scores {error:.1e}", flush=True)
        if error > tolerance:
            sys.exit(f"{name} computes something else")


def rounds(contenders, count):
    """Measures in turns, another first each round; {name: [figures]}."""
    names = list(contenders)
    found = {name: [] for name in names}
    for number in range(count):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            found[name].append(contenders[name].measure())
    return found


def ratio(ours, theirs):
    """Median of the ratios, round by round."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
