"""The one guarded reader of JSON: plain values, or one clear error."""

import json
import math

_MAX_DEPTH = 50  # What this package writes nests a few levels.
_MAX_DIGITS = 30
_KINDS = {dict: "a JSON object", list: "a JSON array"}


def parse(text, name, kind=dict):
    """Parses JSON; refuses what is infinite, huge or endless.

    Args:
        text: str, or bytes in UTF-8; a byte-order mark is no part of it. The
            caller bounds its size.
        name: what the text is, for messages.
        kind: what it must be, dict or list.

    Returns:
        dict or list of plain values, nested no deeper than 50.

    Raises:
        ValueError: it is not; the text begins with `name`.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value = json.loads(
            text.removeprefix("\ufeff"),
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_number,
        )
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not UTF-8") from None
    except RecursionError:
        raise ValueError(f"{name} is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{name} is not JSON: {error}") from None
    except ValueError as error:
        raise ValueError(f"{name} holds {error}") from None
    if not isinstance(value, kind):
        raise ValueError(f"{name} is not {_KINDS[kind]}")
    if _depth(value) > _MAX_DEPTH:
        # Showing or comparing the value would reach the recursion limit.
        raise ValueError(f"{name} is nested too deeply")
    return value


def _integer(digits):
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _number(text):
    """A float; JSON of Python also knows NaN and Infinity, and 1e999 is one."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:_MAX_DIGITS]}, which is not a finite number")
    return value


def _depth(value):
    """How deeply dicts and lists are nested, without recursion."""
    depth, level = 0, [value]
    while level:
        depth += 1
        inner = (v.values() if isinstance(v, dict) else v for v in level)
        level = [v for part in inner for v in part if isinstance(v, (dict, list))]
    return depth
