"""The judge of hostile files: it sees what it is there to see."""

import os
import pickle
import random
import subprocess
import sys
import time

import harness
import json_edits
import mutators
import pytest
from harness import MARKER, Kind

from tsn_keras.common.errors import InputError


def judged(tmp_path, read, data=b"data"):
    trial = harness.Trial(Kind("any", ".bin", data, None, read), tmp_path)
    trial.judge(data, "a")
    return trial.report


def fail(error):
    raise error


def test_results_and_errors(tmp_path):
    assert judged(tmp_path, lambda path: path.read_bytes()).outcomes == {"result": 1}
    for error in (InputError("no such thing"), FileNotFoundError("no such file")):
        found = judged(tmp_path, lambda path, error=error: fail(error))
        assert (found.outcomes, found.faults) == ({"error": 1}, [])
    assert not list(tmp_path.iterdir())


def _sleep(path):
    time.sleep(0.2)


def _unpickle(path):
    return pickle.loads(path.read_bytes())  # noqa: S301 - its own, of a line below


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda path: fail(KeyError("x")), "traceback: "),
        (lambda path: fail(RecursionError("x")), "traceback: "),
        (lambda path: fail(SystemExit(2)), "traceback: "),
        (lambda path: fail(InputError("")), "traceback: message of 0 "),
        (lambda path: fail(InputError("x" * 5000)), "traceback: message of 5000 "),
        (_sleep, "hang: 0.2 s"),
        (_unpickle, "executed: pickle.find_class"),
        (lambda path: os.system("true"), "executed: os.system"),
        (lambda path: subprocess.run([sys.executable, "-V"]), "executed: subprocess"),
        (lambda path: (path.parent / MARKER).open("w").close(), "executed: open"),
    ],
)
def test_faults_are_seen(tmp_path, monkeypatch, read, words):
    monkeypatch.setattr(harness, "SECONDS", 0.1)
    found = judged(tmp_path, read, pickle.dumps(os.system))
    assert len(found.faults) == 1 + (words == "executed: open")
    assert found.faults[0].startswith(words), found.faults
    assert (tmp_path / "a.bin").exists()


def test_memory_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "MEMORY", 2**26)
    # A peak can be seen only where the process never had as much.
    size = harness._peak() - harness._resident() + 2**27
    (fault,) = judged(tmp_path, lambda path: len(b"\1" * size)).faults
    assert fault.startswith("memory: ")


def test_files_come_again(tmp_path):
    """The number of a file with a fault is enough to make it again."""
    seen = []
    kind = Kind(
        "any",
        ".bin",
        b"good",
        lambda r: r.randbytes(9),
        lambda p: seen.append(p.read_bytes()),
    )
    report = harness.run(kind, 5, "1", tmp_path)
    assert report.files == 6
    again, seen[:] = list(seen), []
    harness.run(kind, 5, "1", tmp_path)
    assert seen == again
    assert len(set(seen)) == 6


@pytest.mark.parametrize("mutate", [mutators.of_bytes, mutators.of_text])
def test_mutations_differ_and_are_bounded(mutate):
    good = "some words 1 2\nof a file 3\n" * 4
    good = good.encode() if mutate is mutators.of_bytes else good
    found = [mutate(random.Random(k), good) for k in range(500)]
    assert len(set(found)) > 400
    assert max(map(len, found)) < 5_000_000


def test_edits_leave_what_they_choose_from():
    """Else the files of a kind would depend on those before, and grow without end."""
    before = repr((json_edits.NAMES, json_edits.NUMBERS, json_edits.SHAPES))
    for seed in range(500):
        json_edits.edited(random.Random(seed), {"a": {"b": [1, 2]}, "c": [[1], "x"]})
    assert repr((json_edits.NAMES, json_edits.NUMBERS, json_edits.SHAPES)) == before


def test_a_machine_that_was_busy_once_is_no_hang(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "SECONDS", 0.1)
    waits = [0.3, 0.0]
    found = judged(tmp_path, lambda path: time.sleep(waits.pop(0)))
    assert (found.faults, waits) == ([], [])
    assert found.slowest < 0.1
