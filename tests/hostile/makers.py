"""What the makers of several kinds of files share."""

import pathlib
import tempfile

# Texts that are, or are not, JSON.
TEXTS = (
    *("null", "3", '""', "[]", "{}", "NaN", "1e999", "[" * 3000, '{"a":' * 400),
    *('{"classes": 0}', '"\\ud800"', "9" * 5000, '{"width": 1e308}', "\x00", "{"),
)


def bytes_of(write, suffix):
    """The bytes of a file that a function writes to a path."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, f"good{suffix}")
        write(path)
        return path.read_bytes()


def near_the_names(random, length):
    """What the library parses comes first, and again after the numbers."""
    share = random.random() ** 2
    return int(share * length)


def at_the_end(random, length):
    """Where a zip has its directory."""
    return max(0, length - 1 - int(random.expovariate(1 / 60)))
