"""What commands print: nothing that moves the cursor of a terminal."""

import json

import pytest

from tsn_keras.common import console


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain é 日本\nnext", "plain é 日本\nnext"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\rb\tc\x7f", r"a\rb\tc\x7f"),
        ("a\x9bb\u202ec", r"a\x9bb\u202ec"),
        ("a\udcffb", r"a\udcffb"),
    ],
)
def test_control_characters_are_shown_escaped(text, expected, capsys):
    console.say(text)
    assert capsys.readouterr().err == f"{expected}\n"


def test_the_last_line_is_json_without_control_characters():
    value = {"a\x1b": "\x9b\u202e\U000e0001 é\n", "b": "\udcff"}
    line = console._line(value)
    assert line.isprintable()
    assert "é" in line
    assert json.loads(line) == value
