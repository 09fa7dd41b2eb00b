"""The error that every bad input becomes."""

import re


class InputError(ValueError):
    """What the user gave cannot be used; the text names it and the way out.

    The text names settings as Python does, in backquotes (`allow_missing=True`).
    Commands show it without a traceback, in their own words: see `spelled`.
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
