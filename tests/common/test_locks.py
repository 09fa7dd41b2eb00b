"""One run in one place: held, told of, and given back by a kill."""

import os
import signal
import subprocess
import sys

import pytest

from tsn_keras.common import locks

HOLD = """
import sys, time
sys.path[:0] = sys.argv[2:]
from tsn_keras.common import locks
with locks.held(sys.argv[1], "go"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds `tmp_path / "run"`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run"), *sys.path],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def take(place):
    with locks.held(place, "name another folder with `out`"):
        return True


def test_the_second_is_told_who_holds_it(tmp_path, holder):
    place = tmp_path / "run"
    words = (
        rf"run is in use by another run \(process {holder.pid} on .*, since 20.*\): "
        r"wait until it has ended, or name another folder with `out`$"
    )
    for _ in range(2):
        with pytest.raises(locks.LockedError, match=words):
            take(place)
    assert take(tmp_path / "other")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert take(place)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_was_writing_goes(tmp_path):
    for name in (".0a1b2c3d.run", ".0a1b2c3d..run.holder", ".0a1b2c3d.other", ".run"):
        (tmp_path / name).write_text("")
    assert not locks.is_left(tmp_path / "run")
    with locks.held(tmp_path / "run", "go"):
        assert locks.is_left(tmp_path / "run")
    assert not locks.is_left(tmp_path / "run")
    assert {path.name for path in tmp_path.iterdir()} == {".0a1b2c3d.other", ".run"}


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 60_000,
        b'{"process": "x", "host": "h", "since": ""}',
        b"\xff",
        b'{"process": NaN, "host": "h", "since": ""}',
        b"{}",
        b"3",
    ],
)
def test_a_holder_that_says_nothing(tmp_path, holder, content):
    (tmp_path / ".run.holder").write_bytes(content)
    with pytest.raises(locks.LockedError, match="in use by another run: wait"):
        take(tmp_path / "run")


def test_what_a_holder_says_is_shown_escaped(tmp_path, holder):
    text = '{"process": 3, "host": "a\\u001b[31m\\nb", "since": "now"}'
    (tmp_path / ".run.holder").write_text(text)
    with pytest.raises(locks.LockedError, match=r"3 on a\\x1b\[31m\\nb, since now"):
        take(tmp_path / "run")


def test_an_error_gives_it_back(tmp_path):
    def fail():
        with locks.held(tmp_path / "a", "go"):
            assert sorted(os.listdir(tmp_path)) == [".a.holder", ".a.lock"]
            raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        fail()
    assert os.listdir(tmp_path) == []
