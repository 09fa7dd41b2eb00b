"""Text files that users make: lists, annotations, names of classes."""

import collections
import re
import stat

from tsn_keras.common import storage
from tsn_keras.common.errors import InputError

# Larger files are mistakes: lists of large public data sets have a million lines of
# about ten characters.
MAX_BYTES = 128 * 2**20
MAX_LINES = 3_000_000
MAX_LINE = 8192  # characters; a path has up to 4096 bytes
MAX_CLASSES = 100_000

# Control characters, separators of lines, byte-order marks, and halves of
# characters, as which Python gives the bytes of a file's name that are no text.
_UNUSABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_HALVES = re.compile("[\ud800-\udfff]")


class TextFileError(InputError):
    """A text file is missing, or not what it should be; the text says where."""


def unusable(name):
    """Names the first character that no class or video name may have, or None."""
    found = _UNUSABLE.search(name)
    return found and f"has the character {found[0]!r} in its name"


def fault(name):
    """Says why a text cannot name a class or video, or None.

    Lists and tables hold a name a line: what breaks lines, or is cut off where
    they are read, would make other names of it.
    """
    if name != name.strip(" "):
        return "has a name that begins or ends with a space"
    return unusable(name)


def halves(path):
    """Says why a path is no text, which TensorFlow asks for, or None."""
    if _HALVES.search(path):
        return "has bytes in its name that are not UTF-8"
    return None


def read(path, limit=MAX_BYTES):
    """Reads a small file as a whole, whatever it contains.

    Args:
        path: pathlib.Path or storage.Address.
        limit: bytes that it may have.

    Returns:
        str; a byte-order mark is no part of it, line ends are "\\n".

    Raises:
        TextFileError: it is larger, no regular file, or not UTF-8.
        OSError: it cannot be read.
    """
    try:
        content = read_bytes(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextFileError(f"{path} is not a text file: {error}") from None
    return content.replace("\r\n", "\n").replace("\r", "\n")


def read_bytes(path, limit):
    """Reads a small file of any kind as a whole, if it is not too large.

    Args:
        path: pathlib.Path or storage.Address.
        limit: bytes that it may have.

    Raises:
        TextFileError: it is larger, or no regular file.
        OSError: it cannot be read.
    """
    if isinstance(path, storage.Address):
        size = path.size()
    else:
        status = path.stat()
        # Reading a pipe would wait, and a device never ends.
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            raise TextFileError(f"{path} is no regular file")
        size = status.st_size
    if size > limit:
        raise TextFileError(f"{path} has {size} bytes; such a file has at most {limit}")
    return path.read_bytes()


def lines(path, limit=MAX_BYTES):
    """Yields (number, stripped line) of the lines that are not empty.

    A byte-order mark and Windows line ends are no part of them.

    Args:
        path: path or address of a UTF-8 file.
        limit: bytes that it may have.

    Raises:
        TextFileError: it cannot be read, or is not text.
    """
    try:
        content = read(path, limit)
    except OSError as error:
        raise TextFileError(f"cannot read {path}: {error.strerror or error}") from None
    # Not splitlines: it also splits at characters that names may hold.
    for number, line in enumerate(_split(content), 1):
        if number > MAX_LINES:
            raise TextFileError(f"{path} has more than {MAX_LINES} lines")
        if len(line) > MAX_LINE:
            raise TextFileError(
                f"{path}:{number} has {len(line)} characters; a line has at most "
                f"{MAX_LINE}"
            )
        # Tabs separate words; spaces at the ends mean nothing.
        line = line.strip(" \t")
        if reason := unusable(line.replace("\t", " ")):
            raise TextFileError(f"{path}:{number}: {line[:80]!r} {reason}")
        if line.strip():
            yield number, line


def _split(content):
    """Yields the lines of a text, one at a time: a list of all takes much more."""
    start = 0
    while start < len(content):
        end = content.find("\n", start)
        end = len(content) if end < 0 else end
        yield content[start:end]
        start = end + 1


def words(line, count):
    """Cuts words off the end of a line; what is before them may hold spaces.

    Args:
        line: as `lines` gives it.
        count: words to cut off.

    Returns:
        list of count + 1 str, or fewer if the line has no more.
    """
    found = []
    while line and len(found) < count:
        cut = max(line.rfind(" "), line.rfind("\t"))
        if cut < 0:
            break
        found.append(line[cut + 1 :])
        line = line[:cut].rstrip(" \t")
    return [line, *reversed(found)]


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
    found = []
    for number, line in lines(path):
        if len(found) == MAX_CLASSES:
            raise TextFileError(f"{path} names more than {MAX_CLASSES} classes")
        found.append((number, line))
    if not found:
        raise TextFileError(f"{path} names no class")
    numbered = [re.fullmatch(r"(\d{1,9})[ \t]+(\S.*)", line) for _, line in found]
    if all(m and int(m[1]) == k for k, m in enumerate(numbered, 1)):
        found = [(n, match[2]) for (n, _), match in zip(found, numbered, strict=True)]
    for number, name in found:
        if reason := fault(name):
            raise TextFileError(f"{path}:{number}: {name[:80]!r} {reason}")
    counts = collections.Counter(name for _, name in found)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise TextFileError(f"{path} names {twice[0]} twice")
    return tuple(counts)
