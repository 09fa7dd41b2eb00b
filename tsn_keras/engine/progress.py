"""Progress bars of long work."""

import sys

import tqdm


def videos(name, total, done):
    """Makes a bar with a rate and the time left, on standard error.

    Args:
        name: what stands before it.
        total: number of videos.
        done: those that need no work any more.

    Returns:
        tqdm.tqdm.
    """
    return _bar(name, total, done, "video")


def iterations(name, total, done, shown=True):
    """Makes a bar of training iterations, on standard error.

    Args:
        name: what stands before it.
        total: number of iterations.
        done: those that were made before.
        shown: whether this process shows it.

    Returns:
        tqdm.tqdm.
    """
    return _bar(name, total, done, "it", disable=not shown)


def _bar(name, total, done, unit, **options):
    return tqdm.tqdm(
        total=total,
        initial=done,
        desc=name,
        unit=unit,
        # A log file is not a terminal: a line now and then is enough.
        mininterval=0.5 if sys.stderr.isatty() else 30,
        dynamic_ncols=True,
        **options,
    )


def say(text):
    """Writes a line for people, above the bar if one is shown."""
    tqdm.tqdm.write(text, file=sys.stderr)
