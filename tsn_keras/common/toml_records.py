"""TOML files and dicts to frozen records of settings, with checked names and types."""

import dataclasses
import difflib
import math
import os
import pathlib
import sys
import typing
from collections.abc import Mapping

from tsn_keras.common import text
from tsn_keras.common.errors import InputError, short

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Our training files have 2,000 bytes. The reader's time grows with the square of the
# length of a line.
_MAX_BYTES = 64 * 1024
_MAX_LINE = 1000  # characters
_MAX_OVERRIDE = 16 * 1024  # characters, enough for the longest list
_MAX_SHOWN = 80  # characters of a wrong value
_MAX_TEXT = 4096  # characters: a path has no more


def read(path):
    """Reads a file of settings.

    Returns:
        dict of plain values.

    Raises:
        InputError: it is not TOML, or larger than such a file is.
        OSError: it cannot be read.
    """
    try:
        content = text.read(pathlib.Path(path), _MAX_BYTES)
    except text.TextFileError as error:
        raise InputError(f"{path} is not TOML: {error}") from None
    return _parsed(content, path)


def override(values, told, example):
    """Sets a value of a dict that was read.

    Args:
        values: {section: {key: value}}, changed in place.
        told: "section.key=value", the value as in TOML; a bare word is a string.
        example: such a text, for the message.

    Raises:
        InputError: it is none.
    """
    key, equals, value = told.partition("=")
    section, dot, name = key.strip().partition(".")
    if not (equals and dot):
        raise InputError(f"{told[:_MAX_SHOWN]!r}: must be like {example}")
    part = values.setdefault(section, {})
    if isinstance(part, dict):
        part[name] = _toml_value(value.strip(), told)


def plain(value):
    """A value of Python with lists in the place of tuples, as TOML has."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def record(kind, values, where):
    """Makes a record of a dict, checking names and types.

    Args:
        kind: a dataclass whose fields are of int, float, str, bool, a dataclass, a
            tuple of int or of a dataclass, or a dict of texts to one of these; to
            `object`, of which nothing is checked.
        values: dict of plain values.
        where: what they are, for messages.

    Raises:
        InputError: an unknown name, with the nearest one, or a value of another type.
    """
    if not isinstance(values, dict):
        raise InputError(
            f"{where}: expected keys and values. Received: {received(values)}"
        )
    fields = {field.name: field for field in dataclasses.fields(kind)}
    made = {}
    for name, value in values.items():
        if name not in fields:
            nearest = difflib.get_close_matches(
                name[:_MAX_SHOWN], fields, n=1, cutoff=0
            )
            raise InputError(
                f"{where}: there is no {name[:_MAX_SHOWN]!r}; did you mean "
                f"{nearest[0]!r}?"
            )
        made[name] = _typed(fields[name].type, value, f"{where}: {name}")
    return kind(**made)


def received(value):
    """A wrong value, as far as a message has room for it."""
    try:
        shown = repr(value)
    except (RecursionError, ValueError):
        # Keys with many dots are nested as deeply; hexadecimal numbers have no limit.
        return f"a {type(value).__name__} that is too large to show"
    return short(shown, _MAX_SHOWN)


def _typed(kind, value, where):
    """Checks a value against the type of its field."""
    if dataclasses.is_dataclass(kind):
        return record(kind, value, where)
    exact = type(value)  # A bool is an int, but no number here.
    if kind is float and exact is int:
        # No float is larger; the range of the setting refuses it.
        if abs(value) >= 10**300:
            return math.inf if value > 0 else -math.inf
        return float(value)
    if typing.get_origin(kind) is tuple:
        return _items(typing.get_args(kind)[0], value, where)
    if typing.get_origin(kind) is dict:
        return _table(typing.get_args(kind)[1], value, where)
    if exact is not kind:
        raise InputError(
            f"{where} must be {kind.__name__}. Received: {received(value)}"
        )
    if exact is str:
        if len(value) > _MAX_TEXT:
            raise InputError(f"{where} has {len(value)} characters, which is too long")
        if reason := text.unusable(value):
            raise InputError(f"{where} {reason}")
    return value


def _items(kind, values, where):
    """Checks a list whose items are of a kind; returns a tuple."""
    is_table = dataclasses.is_dataclass(kind)
    if not isinstance(values, list) or not (
        is_table or all(type(value) is kind for value in values)
    ):
        raise InputError(
            f"{where} must be list of {'tables' if is_table else kind.__name__}. "
            f"Received: {received(values)}"
        )
    named = ((value, f"{where}[{number}]") for number, value in enumerate(values))
    return tuple(record(kind, *one) if is_table else one[0] for one in named)


def _table(kind, values, where):
    """Checks a table whose values are of a kind; returns a dict."""
    if not isinstance(values, dict):
        raise InputError(f"{where} must be a table. Received: {received(values)}")
    if kind is object:
        return dict(values)
    return {
        key: _typed(kind, value, f"{where}: {key[:_MAX_SHOWN]}")
        for key, value in values.items()
    }


def _parsed(content, where):
    """Parses TOML; whatever is wrong with it is an InputError."""
    for number, line in enumerate(content.split("\n"), 1):
        if len(line) > _MAX_LINE:
            raise InputError(
                f"{where} is not TOML: line {number} has {len(line)} characters; a "
                f"line has at most {_MAX_LINE}"
            )
    try:
        return tomllib.loads(content)
    except RecursionError:
        raise InputError(f"{where} is not TOML: it is nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where} is not TOML: {error!s:.300}") from None
    except ValueError:
        # Python does not convert integers of more than some thousand digits.
        raise InputError(
            f"{where} is not TOML: it holds a number of too many digits"
        ) from None


def _toml_value(value, override):
    """The value of an override: as in TOML, or a text as it stands."""
    where = f"{override[:_MAX_SHOWN]!r}"
    if len(value) > _MAX_OVERRIDE or "\n" in value:
        raise InputError(f"{where}: the value is too long, or of several lines")
    try:
        return tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        return value
    except (RecursionError, ValueError):
        raise InputError(
            f"{where}: the value is nested too deeply, or a number of too many digits"
        ) from None
