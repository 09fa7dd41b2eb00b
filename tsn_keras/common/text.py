"""Text files that users make: lists, annotations, names of classes."""

import collections
import re

from tsn_keras.common.errors import InputError

# All but the tabulator, which parts columns.
_CONTROL = re.compile("[\0-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


class TextFileError(InputError):
    """A text file is missing, or not what it should be; the text says where."""


def lines(path):
    """Yields (number, stripped line) of the lines that are not empty.

    A byte-order mark and Windows line ends are no part of them.

    Args:
        path: path or address of a UTF-8 file.

    Raises:
        TextFileError: it cannot be read, is not text, or has a control character.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextFileError(f"{path} is not a text file: {error}") from None
    except OSError as error:
        raise TextFileError(f"cannot read {path}: {error.strerror or error}") from None
    # Not str.splitlines, which ends lines at characters that a name may have.
    for number, line in enumerate(re.split("\r\n|\n|\r", content), 1):
        if _CONTROL.search(line):
            raise TextFileError(
                f"{path}:{number}: there is a control character in {line[:80]!a}"
            )
        if line.strip():
            yield number, line.strip()


def malformed(path, number, line, form):
    """The error for a line that is not of a form."""
    return TextFileError(f"{path}:{number}: expected `{form}`. Received: {line[:80]!r}")


def names(path):
    """Reads names of classes, in the order of the labels.

    Args:
        path: path or address of a file with a name a line; or, as UCF101's
            classInd.txt, with a number that counts from 1 before each name.

    Returns:
        tuple of str.

    Raises:
        TextFileError: the file is missing, empty, no text, or names one twice.
    """
    found = [line for _, line in lines(path)]
    if not found:
        raise TextFileError(f"{path} names no class")
    numbered = [re.fullmatch(r"(\d+)\s+(\S.*)", line) for line in found]
    if all(m and m[1].lstrip("0") == str(k) for k, m in enumerate(numbered, 1)):
        found = [match[2] for match in numbered]
    twice = [name for name, count in collections.Counter(found).items() if count > 1]
    if twice:
        raise TextFileError(f"{path} names {twice[0]} twice")
    return tuple(found)
