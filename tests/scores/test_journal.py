"""The journal: what was added stays, whatever ends the process."""

import contextlib
import multiprocessing
import os
import signal
import sqlite3

import numpy as np
import pytest

from tsn_keras.common import files
from tsn_keras.scores.journal import Journal, JournalError

ABOUT = {"dataset": "demo", "weights_sha256": "ab"}


def value(seed):
    return np.random.default_rng(seed).normal(size=(10, 4)).astype("f4")


def test_rows_stay_and_come_back_in_order(tmp_path):
    path = tmp_path / "s.h5"
    journal = Journal(path, ABOUT, (10, 4))
    journal.add([("b/c", 30, 1, value(1)), ("b/c", 30, 0, value(0))])
    journal.close()
    journal = Journal(path, ABOUT, (10, 4))
    journal.add([("#a", 12, 0, value(2))])
    assert journal.ticks() == {("b/c", 30): {0, 1}, ("#a", 12): {0}}
    np.testing.assert_array_equal(journal.read("b/c", 2), [value(0), value(1)])
    journal.forget("b/c")
    assert journal.ticks() == {("#a", 12): {0}}
    journal.delete()
    assert list(tmp_path.iterdir()) == []


def _add_and_die(path):
    journal = Journal(path, ABOUT, (10, 4))
    for tick in range(5):
        journal.add([("v", 30, tick, value(tick))])
    journal._database.execute("INSERT INTO scores VALUES ('v', 30, 9, x'00')")
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_loses_only_the_open_batch(tmp_path):
    path = tmp_path / "s.h5"
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_add_and_die, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    journal = Journal(path, ABOUT, (10, 4))
    assert journal.ticks() == {("v", 30): set(range(5))}
    np.testing.assert_array_equal(journal.read("v", 5), [value(i) for i in range(5)])
    journal.close()


def test_a_journal_of_something_else_is_refused(tmp_path):
    Journal(tmp_path / "s.h5", ABOUT, (10, 4)).close()
    with pytest.raises(
        JournalError, match=r"weights_sha256: there ab, now cd.*`scores`"
    ) as caught:
        Journal(tmp_path / "s.h5", {**ABOUT, "weights_sha256": "cd"}, (10, 4))
    assert "s.h5.partial" in str(caught.value)


def test_a_damaged_journal_is_named(tmp_path):
    (tmp_path / "s.h5.partial").write_bytes(b"not a database" * 100)
    with pytest.raises(JournalError, match=r"s\.h5\.partial.*delete it"):
        Journal(tmp_path / "s.h5", ABOUT, (10, 4))


def test_a_full_disk(small_disk):
    """It is no reason to delete a journal; one without scores does not stay."""
    path = small_disk.path / "s.h5"
    small_disk.leave(4)
    with pytest.raises(files.DiskFullError, match=r"cannot write .*\.partial: no sp"):
        Journal(path, ABOUT, (10, 4))
    assert small_disk.names() == []
    small_disk.leave(40)
    journal = Journal(path, ABOUT, (10, 4))
    small_disk.leave(0)
    with pytest.raises(files.DiskFullError, match=r"cannot write .*\.partial: no sp"):
        journal.add([("v", 30, tick, value(tick)) for tick in range(99)])
    journal.close()
    small_disk.leave(40)
    journal = Journal(path, ABOUT, (10, 4))
    assert journal.ticks() == {}
    journal.delete()
    assert small_disk.names() == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("disk I/O error", "disk I/O error: is a quota exceeded"),
        ("database is locked", "database is locked$"),
    ],
)
def test_what_is_around_it_is_not_blamed_on_it(tmp_path, words, told):
    journal = Journal(tmp_path / "s.h5", ABOUT, (10, 4))

    def rows():
        raise sqlite3.OperationalError(words)
        yield

    with pytest.raises(JournalError, match=told) as caught:
        journal.add(rows())
    assert "delete" not in str(caught.value)
    journal.close()


@pytest.mark.parametrize(
    "text",
    ["[" * 60_000, "[1]", '{"split": NaN}', '{"split": ' + "1" * 5000 + "}", "3"],
)
def test_what_it_is_about_is_no_object(tmp_path, text):
    path = tmp_path / "s.h5"
    Journal(path, ABOUT, (10, 4)).close()
    with sqlite3.connect(f"{path}.partial") as database:
        database.execute("UPDATE about SET text = ?", (text,))
    with pytest.raises(JournalError, match="is not the journal of a run: delete it"):
        Journal(path, ABOUT, (10, 4))


def made_by(tmp_path, *commands):
    """A journal that any program may have written."""
    path = tmp_path / "s.h5"
    Journal(path, ABOUT, (10, 4)).close()
    with sqlite3.connect(f"{path}.partial") as database:
        for command in commands:
            database.execute(command)
    return path


ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT x FROM n"


@pytest.mark.parametrize(
    "commands",
    [
        ("DROP TABLE about", f"CREATE VIEW about AS SELECT x AS text FROM ({ENDLESS})"),
        ("CREATE TRIGGER t AFTER INSERT ON scores BEGIN DELETE FROM scores; END",),
        ("CREATE INDEX i ON scores (files)",),
        ("ALTER TABLE scores ADD COLUMN more AS (zeroblob(1000000000))",),
        ("INSERT INTO scores VALUES ('v', 30, 0, zeroblob(159))",),
        ("INSERT INTO scores VALUES ('v', 30, 0, 'text')",),
        ("INSERT INTO scores VALUES ('v', 30, 'a', zeroblob(160))",),
        ("INSERT INTO scores VALUES (NULL, 30, 0, zeroblob(160))",),
        ("INSERT INTO scores VALUES ('v', 1.5, 0, zeroblob(160))",),
    ],
)
def test_a_file_of_another_program_is_refused(tmp_path, commands):
    path = made_by(tmp_path, *commands)
    with pytest.raises(JournalError, match="is not the journal of a run: delete it"):
        Journal(path, ABOUT, (10, 4))


def test_texts_without_end(tmp_path):
    path = made_by(tmp_path, "UPDATE about SET text = zeroblob(100000000)")
    with pytest.raises(JournalError, match="cannot use|is not the journal"):
        Journal(path, ABOUT, (10, 4))


def test_ids_of_another_code_are_of_no_video(tmp_path):
    row = "INSERT INTO scores VALUES (CAST(x'ff41' AS TEXT), 30, 0, zeroblob(160))"
    journal = Journal(made_by(tmp_path, row), ABOUT, (10, 4))
    assert journal.ticks() == {("\ufffdA", 30): {0}}
    journal.close()


def test_damage_behind_the_first_page(tmp_path):
    path = tmp_path / "s.h5"
    journal = Journal(path, ABOUT, (10, 4))
    journal.add([(f"v{k}", 30, 0, value(k)) for k in range(300)])
    journal.close()
    partial = tmp_path / "s.h5.partial"
    data = bytearray(partial.read_bytes())
    data[3 * 4096 :] = bytes(len(data) - 3 * 4096)
    partial.write_bytes(data)
    with pytest.raises(JournalError, match="malformed; if it is damaged, delete it"):
        Journal(path, ABOUT, (10, 4)).ticks()


def test_an_index_that_leads_elsewhere(tmp_path):
    path = tmp_path / "s.h5"
    journal = Journal(path, ABOUT, (10, 4))
    journal.add([("vvvv", 30, tick, value(tick)) for tick in (0, 1)])
    journal.close()
    partial = tmp_path / "s.h5.partial"
    data = partial.read_bytes()
    place = data.rindex(b"vvvv")  # of the index, whose page comes last
    partial.write_bytes(data[:place] + b"wwww" + data[place + 4 :])
    journal = Journal(path, ABOUT, (10, 4))
    assert journal.ticks() == {("vvvv", 30): {0, 1}}
    with pytest.raises(JournalError, match="is not the journal of a run"):
        journal.read("vvvv", 2)
    journal.close()


def test_a_rollback_file_names_no_other(tmp_path):
    """SQLite would delete a file of which it thinks that it belongs to it."""
    path = made_by(tmp_path)
    end = bytes.fromhex("d9d505f920a163d7")
    (tmp_path / "s.h5.partial-journal").write_bytes(bytes(600) + b"victim" + end)
    with pytest.raises(JournalError, match="is not the journal of a run"):
        Journal(path, ABOUT, (10, 4))


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "s.h5.partial")
    with pytest.raises(JournalError, match="is not the journal of a run"):
        Journal(tmp_path / "s.h5", ABOUT, (10, 4))


def test_another_process_is_no_reason_to_delete_it(tmp_path, monkeypatch):
    path = made_by(tmp_path)
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path: connect(path, timeout=0))
    with contextlib.closing(connect(f"{path}.partial")) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(JournalError, match="is locked$"):
            Journal(path, ABOUT, (10, 4))
