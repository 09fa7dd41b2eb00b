"""The error that every bad input becomes."""

import re


class InputError(ValueError):
    """What the user gave cannot be used; the text names it and the way out.

    The text names settings as Python does, in backquotes (`allow_missing=True`).
    Commands show it without a traceback, in their own words: see `spelled`.
    """


class Refused(Exception):
    """A file of strangers cannot be used; the text says why, but not which file.

    For readers of parts of a file: whoever opened it raises an InputError.
    """


def spelled(text, words):
    """Puts a command's words in the place of Python's.

    Args:
        text: names settings in backquotes.
        words: {setting, or setting=value: what the command calls it}.

    Returns:
        str; settings that `words` lacks stay as they are.

    Example:
        >>> spelled("name it with `data`", {"data": "--data"})
        'name it with --data'
    """

    def word(match):
        whole, name = match.group(1), match.group(2)
        return words.get(whole, words.get(name, match.group(0)))

    return re.sub(r"`((\w+)(?:=[^`]*)?)`", word, text)


def printable(text, keep=""):
    """A text with every character that a terminal would not show escaped.

    Names of files and classes are other people's: they may hold line breaks,
    sequences that command the terminal, or turns of the direction of writing.

    Args:
        text: str.
        keep: characters that stay.

    Example:
        >>> printable("a b\\n\\x1b[31m")
        'a b\\\\n\\\\x1b[31m'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in text)


# TensorFlow's internals: nodes, operations, lines of its C++ files.
_INSIDE = re.compile(
    r"\{\{.*?\}\}|\[\[.*?\]\]|\[Op:.*|\S+\.(?:cc|cpp|h|cu):\d+[\]:)]*|\s*name:\s*$"
    r"|^\(\d+\) \w+( \w+)*:(?=\s)|^Graph execution error:?"
    r"|^(Detected at node|node:|File \"|Hint:|Original stack trace|<stack ).*"
    r"|\b\w+::\w+ failed\.|^\d+ root error\(s\) found\.?"
)
_MAX_REASON = 300  # characters


def reason_of(error):
    """What a framework's error says to people: one line without internals.

    Args:
        error: an exception of TensorFlow or another framework.

    Returns:
        str.
    """
    text = getattr(error, "message", None) or str(error)
    lines = text.splitlines()
    told = list(filter(None, map(_told, (*lines[:50], *lines[50:][-50:]))))
    if not told:
        return type(error).__name__
    # In a graph's error the message comes after the Python lines that made the node.
    return told[-1 if "Detected at node" in text else 0][:_MAX_REASON]


def _told(line):
    """What is left of a line without TensorFlow's internals."""
    line, less = None, line[:2000].strip()
    while less != line:
        line, less = less, _INSIDE.sub("", less).strip(" ;,")
    return line


def short(words, most=100):
    """A text as far as a message has room: other people's may have any length.

    Example:
        >>> short("abcdef", 6), short("abcdef", 3)
        ('abcdef', 'abc...')
    """
    return words if len(words) <= most else f"{words[:most]}..."
