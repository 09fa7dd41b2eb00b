"""The one reader of JSON: plain, finite and flat, or one error."""

import pytest

from tsn_keras.common import json_text


def test_what_is_read():
    assert json_text.parse('{"a": [1, -2.5, null, "é"]}', "x") == {
        "a": [1, -2.5, None, "é"]
    }
    assert json_text.parse(b'\xef\xbb\xbf{"a":\r\n1}', "x") == {"a": 1}
    deep = '{"a": ' + "[" * 49 + "]" * 49 + "}"
    assert json_text.parse(deep, "x")["a"] != []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 60_000, "x is nested too deeply"),
        ('{"a":' * 60_000, "x is nested too deeply"),
        ('{"a": ' + "[" * 50 + "]" * 50 + "}", "x is nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "x holds a number of 5000 digits"),
        ('{"a": NaN}', "x holds NaN, which is not a finite number"),
        ('{"a": -Infinity}', "x holds -Infinity, which"),
        ('{"a": 1e999}', "x holds 1e999, which"),
        ("[1]", "x is not a JSON object"),
        ("{", "x is not JSON: "),
        ("", "x is not JSON: "),
        (b"\xff{}", "x is not UTF-8"),
        (b"\xff\xfe{\x00}\x00", "x is not UTF-8"),
    ],
)
def test_what_is_not(text, words):
    with pytest.raises(ValueError) as error:
        json_text.parse(text, "x")
    assert str(error.value).startswith(words)
    assert len(str(error.value)) < 200
