"""JSON files of annotations and results, which others made."""

import reprlib

from tsn_keras.common import json_text, text
from tsn_keras.common.text import TextFileError

# The largest official JSON files have some 60 MB. Python's objects take much more than
# their text: with these limits at most some 1 GB.
MAX_JSON = 96 * 2**20
_MAX_VALUES, _MAX_OBJECTS = 16_000_000, 3_000_000


def read(path, kind):
    """Reads a JSON file.

    Args:
        path: path or address of the file.
        kind: dict or list, what it must hold.

    Raises:
        TextFileError: it cannot be read, is too large, or holds something else.
    """
    try:
        content = text.read(path, MAX_JSON)
    except OSError as error:
        raise TextFileError(f"cannot read {path}: {error.strerror or error}") from None
    values = sum(map(content.count, ",[{"))
    if values > _MAX_VALUES or content.count("{") > _MAX_OBJECTS:
        raise TextFileError(f"{path} holds more values than any annotation file")
    try:
        return json_text.parse(content, str(path), kind)
    except ValueError as error:
        raise TextFileError(str(error)) from None


def field(path, item, key, kind):
    """A value of an object of a JSON file, of a kind.

    Args:
        path: of the file, for the message.
        item: the object.
        key: of the value.
        kind: str, int, float (or an int), list or dict. A text has to be one that can
            name a class or video.

    Raises:
        TextFileError: there is none, or it is of another kind.
    """
    value = item.get(key) if isinstance(item, dict) else None
    kinds = (int, float) if kind is float else kind
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise TextFileError(
            f"{path}: expected objects with {key!r}, of type {kind.__name__}. "
            f"Received: {reprlib.repr(item)}"
        )
    if kind is str and (reason := text.fault(value) or (not value and "is empty")):
        raise TextFileError(f"{path}: {key} {value[:80]!r} {reason}")
    return value
