"""Changes of JSON values, and of their texts, that no program writes."""

import copy
import json

import makers

NAMES = (
    *("", ".", "..", "../../etc/passwd", "/etc/passwd", "C:\\x", "a/b", "__class__"),
    *("\x1b[2J\x1b[31m", "a\nb", "\r", "\0", "\x85", "\u2028", "\u202e", "\ud800"),
    *("%s{0}", "x" * 300, "x" * 10**5, "e\u0301\U0010ffff", "__metadata__"),
)
NUMBERS = (
    *(-1, 0, 1, 3, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**30),
    *(1e308, 2.5, -0.0, float("nan"), float("inf")),
)
SHAPES = ([], [0], [-1], [2**62, 4], [0, 2**63], [2**31] * 9, [1] * 40, [2.0], [[3]])
# What stands in the place of a value, as text.
_RAW = (*makers.TEXTS, "9" * 5000, "-" + "9" * 400, "[" * 10**5, '{"a":' * 10**4)


def edited(random, value):
    """Changes some places of a JSON value; returns its text, as bytes."""
    value = copy.deepcopy(value)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        places = list(_places(value))
        if not places:
            break
        _edit(random, *random.choice(places), places)
    text = json.dumps(value)
    if random.random() < 0.25:  # Anywhere: mostly no JSON any more.
        at = random.choice([k for k, c in enumerate(text) if c in ":,[{"] or [0]) + 1
        text = text[:at] + random.choice(_RAW) + text[at + random.choice((0, 1, 9)) :]
    if random.random() < 0.1:  # Every key twice.
        text = text.replace("{", "{" + text[1:-1] + ",", random.choice((1, 3)))[: 10**6]
    return text.encode("utf-8", "surrogatepass")


def _places(value):
    """All (dict or list, key) of a JSON value."""
    inner = [value]
    while inner:
        one = inner.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one))
        for key in keys:
            yield one, key
            if isinstance(one[key], (dict, list)):
                inner.append(one[key])


def _edit(random, holder, key, places):
    how = random.randrange(6)
    if how == 0:
        del holder[key]
    elif how <= 2:
        edges = (*NAMES, *NUMBERS, *SHAPES, None, True, {}, [{}], {"a": [None]})
        # A copy: what is edited next may be inside of it.
        holder[key] = copy.deepcopy(random.choice(edges))
    elif how == 3:  # What stands elsewhere.
        other, place = random.choice(places)
        holder[key] = copy.deepcopy(other[place])
    elif isinstance(holder, dict):
        holder[random.choice(NAMES)] = holder[key] if how == 4 else holder.pop(key)
    else:
        holder.insert(key, copy.deepcopy(random.choice(holder)))
        if how == 5:
            random.shuffle(holder)
