"""Messages name settings as Python does; commands put their own words there."""

import json
import os
import subprocess
import sys

import pytest

from tsn_keras.common import console
from tsn_keras.common.errors import InputError, printable, reason_of, spelled

WORDS = {"data": "--data", "allow_missing=True": "--allow-missing", "split": "--split"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name it with `data`", "name it with --data"),
        ("or `allow_missing=True`: go", "or --allow-missing: go"),
        ("`split` is 4 of `data`", "--split is 4 of --data"),
        # The setting's word where its value has none.
        ('`data="x y"`', "--data"),
        ("`unknown`, `data.root`, data, ``", "`unknown`, `data.root`, data, ``"),
    ],
)
def test_spelled(text, expected):
    assert spelled(text, WORDS) == expected


def test_a_command_spells_errors_and_results():
    class Missing(InputError):
        pass

    @console.command(WORDS)
    def main(argv=None):
        if argv:
            raise Missing("where is `data`?")
        return {"failed": {"v": ["add `allow_missing=True`"]}, "count": 3}, 1

    with pytest.raises(Missing, match="^where is --data\\?$"):
        main(["x"])
    assert main() == ({"failed": {"v": ["add --allow-missing"]}, "count": 3}, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("é 日本 a'b\"\\", "é 日本 a'b\"\\"),
        ("a\nb\x1b[31m\0", r"a\nb\x1b[31m\x00"),
        ("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066"),
        ("\x9b\x7f\u2028\ufeff\U000e0001", r"\x9b\x7f\u2028\ufeff\U000e0001"),
        ("bytes \udcff", r"bytes \udcff"),
    ],
)
def test_printable(text, expected):
    assert printable(text) == expected
    assert printable(text, keep="\n") == expected.replace(r"\n", "\n")


EVIL = "a\n\x1b]0;x\x07\u202e\x9b\udcff"
SHOWN = r"a\n\x1b]0;x\x07\u202e\x9b\udcff"
PROGRAM = """
import sys, warnings
from tsn_keras.common import console, progress
from tsn_keras.common.errors import InputError
from tsn_keras.scores import tables

EVIL = {evil}

def main(argv):
    console.say(EVIL)
    console.say_failed({{EVIL: EVIL}}, {{}})
    warnings.warn(EVIL)
    listener = progress.Terminal()
    listener.say(EVIL)
    with listener.bar(EVIL, 1) as bar:
        bar.note(EVIL)
        bar.update()
    console.show(tables.table([[EVIL, 1], ["b", 2]], ["name", "n"]))
    console.show_json({{EVIL: EVIL}})
    if argv:
        raise InputError(EVIL)
    return {{"é": EVIL}}, 0

console.run(main, {argv})
"""


@pytest.mark.parametrize("fails", [False, True])
def test_a_command_shows_no_control_character(fails):
    program = PROGRAM.format(evil=ascii(EVIL), argv=[1] if fails else [])
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=False,
        timeout=100,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == (2 if fails else 0), err
    for text in (out, err.replace("\r", "")):
        assert all(c.isprintable() or c == "\n" for c in text)
    # The bar shows it too.
    assert err.count(SHOWN) >= 6
    table, first, last = out.splitlines()[:-2], *out.splitlines()[-2:]
    assert [line.split()[-1] for line in table] == ["n", "-", "1", "2"]
    assert table[2].startswith(SHOWN)
    assert json.loads(first) == {EVIL: EVIL}
    assert json.loads(last) == ({"error": EVIL} if fails else {"é": EVIL})
    assert fails or "é" in last


def test_json_for_terminals_of_few_letters():
    program = "from tsn_keras.common import console; console.show_json({'é': '日'})"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        timeout=100,
        env={**os.environ, "PYTHONIOENCODING": "latin-1:backslashreplace"},
    )
    assert json.loads(done.stdout) == {"é": "日"}


# What TensorFlow 2.16 says, shortened in the middle.
READ = (
    "{{function_node __wrapped__ReadFile_device_/job:localhost/replica:0/task:0/"
    "device:CPU:0}} /d/x.jpg; No such file or directory [Op:ReadFile]"
)
GRAPH = """Graph execution error:

Detected at node DecodeJpeg defined at (most recent call last):
  File "/a/b.py", line 3, in read

  File "/a/c.py", line 9, in decode

Invalid JPEG data or crop window, data size 4
\t [[{{node DecodeJpeg}}]]
\t [[IteratorGetNext]] [Op:__inference_step_12]"""
ROOTS = """2 root error(s) found.
  (0) RESOURCE_EXHAUSTED:  OOM when allocating tensor with shape[9]
\t [[{{node x}}{{node y}}]]
Hint: If you want to see a list of allocated tensors
  (1) RESOURCE_EXHAUSTED:  the same
"""


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (READ, "/d/x.jpg; No such file or directory"),
        (GRAPH, "Invalid JPEG data or crop window, data size 4"),
        (ROOTS, "OOM when allocating tensor with shape[9]"),
        ("external/tsl/a_b.cc:12] it broke", "it broke"),
        ("jpeg::Uncompress failed. Invalid JPEG data.", "Invalid JPEG data."),
        ("plain words: [1, 2]", "plain words: [1, 2]"),
        ("{{node x}}\n", "ValueError"),
        ("", "ValueError"),
        ("x" * 10**6, "x" * 300),
    ],
)
def test_reason_of(message, expected):
    assert reason_of(ValueError(message)) == expected
