"""The script of mutants makes the changes that it says, and sees who survives."""

import json
import pathlib
import subprocess
import sys

import mutants
import pytest

SOURCE = b'''"""A text with 3 + 4."""

def f(a: int = 1, b=2.0):
    """Adds 1."""
    if a < b and not a == 0:
        raise ValueError(f"{a + 1} is wrong")
    x = -a
    return max(a // 2, x) if True else a
'''


def test_changes_are_these():
    found = [
        (change.line, mutants.Change.of(change, SOURCE).splitlines()[change.line - 1])
        for change in mutants.changes(SOURCE)
    ]
    assert sorted(found) == [
        (3, b"def f(a: int = 1, b=3.0):"),
        (3, b"def f(a: int = 2, b=2.0):"),
        (5, b"    if a < b and a == 0:"),
        (5, b"    if a < b and not a != 0:"),
        (5, b"    if a < b and not a == 1:"),
        (5, b"    if a < b or not a == 0:"),
        (5, b"    if a <= b and not a == 0:"),
        (5, b"    if not (a < b and not a == 0):"),
        (7, b"    x = a"),
        (8, b"    return max(a * 2, x) if True else a"),
        (8, b"    return max(a // 2, x) if False else a"),
        (8, b"    return max(a // 2, x) if not (True) else a"),
        (8, b"    return max(a // 3, x) if True else a"),
        (8, b"    return min(a // 2, x) if True else a"),
    ]


@pytest.mark.parametrize("noticed", [True, False])
def test_survivors_are_those_that_no_test_notices(tmp_path, noticed):
    (tmp_path / "tsn_keras").mkdir()
    (tmp_path / "tests").mkdir()
    text = b"def twice(x):\n    return 2 * x\n"
    (tmp_path / "tsn_keras" / "twice.py").write_bytes(text)
    value = 3 if noticed else 0
    (tmp_path / "tests" / "test_twice.py").write_text(
        "import pathlib\n\n\ndef test():\n    names = {}\n"
        "    exec(pathlib.Path('tsn_keras/twice.py').read_text(), names)\n"
        f"    assert names['twice']({value}) == {2 * value}\n"
    )
    # In a process of its own, which forks: this one has threads of other tests.
    code = (
        "import json, pathlib, sys, mutants\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "text = (folder / 'tsn_keras' / 'twice.py').read_bytes()\n"
        "found = [\n"
        "    mutants.survives(folder, ('twice.py', one, text), 60, ['test_twice.py'])\n"
        "    for one in mutants.changes(text)\n"
        "]\n"
        "print(json.dumps(found))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        check=True,
        text=True,
        cwd=pathlib.Path(mutants.__file__).parent,
    )
    # 2 / 0 is an error, which every test notices.
    assert json.loads(done.stdout) == [
        not noticed and change.new != b"/" for change in mutants.changes(text)
    ]
    assert (tmp_path / "tsn_keras" / "twice.py").read_bytes() == text


def test_every_module_has_its_tests():
    for name, files in mutants.MODULES.items():
        assert (mutants.ROOT / "tsn_keras" / name).is_file()
        assert all((mutants.ROOT / "tests" / file).is_file() for file in files)
    for name, line, reason in mutants.SAME:
        lines = (mutants.ROOT / "tsn_keras" / name).read_text().splitlines()
        assert line in map(str.strip, lines)
        assert reason


def test_draws_are_the_same_for_a_seed():
    one, two, other = (
        mutants.chosen(["scores/metrics.py"], 5, seed) for seed in (0, 0, 1)
    )
    assert one == two != other
