"""Scores as they are computed, safe against interruption and crashes.

An SQLite file beside the score file: every batch is one transaction, so that
whatever ends the process, at most the batch at hand is lost. The score file
is made from it when the run is over.
"""

import contextlib
import json
import math
import pathlib
import sqlite3

import numpy as np

from tsn_keras.common import files, json_text
from tsn_keras.common.errors import InputError

SUFFIX = ".partial"
_ROLLBACK = "-journal"
# What SQLite keeps of the commands, so that a schema can be compared with ours.
_TABLES = {
    "about": "CREATE TABLE about (text TEXT NOT NULL)",
    "scores": (
        "CREATE TABLE scores (video TEXT, files INTEGER, tick INTEGER, scores BLOB, "
        "PRIMARY KEY (video, tick))"
    ),
}
_INDEX = "sqlite_autoindex_scores_1"  # of the primary key
_MAX_TEXT = 2**20  # bytes of what it is about, and of a video's id
# Ends a rollback file that names a further file, which SQLite may then delete.
_NAMES_ANOTHER = bytes.fromhex("d9d505f920a163d7")


class JournalError(InputError):
    """A journal cannot be used; the text names it and the way out."""


def differing(there, now):
    """Keys whose values differ, of two dicts of JSON values."""
    return [key for key in now | there if there.get(key) != now.get(key)]


def place(path) -> pathlib.Path:
    """Where the journal of a score file lies."""
    return pathlib.Path(f"{path}{SUFFIX}")


class Journal:
    """Scores of snippets by video.

    Args:
        path: the score file; the journal lies beside it, with `.partial`.
        about: dict that says what the scores are of; a journal about anything
            else is refused.
        shape: (crops of a snippet, number of classes).
        differences: function (about there, about now) to the keys in which they
            are of other scores.

    Raises:
        JournalError: it is damaged, of something else, or cannot be used.
        files.DiskFullError: the disk is full; `add` and `forget` raise it as well.
    """

    def __init__(self, path, about, shape, differences=differing):
        self.path = place(path)
        self._shape, self._differences = shape, differences
        self._refuse_another()
        is_new = not self.path.exists()
        with self._named_errors():
            self._database = sqlite3.connect(self.path)
        try:
            with self._named_errors():
                self._guard()
                self._demand_our_tables()
            self._compare(about)
            with self._named_errors():
                self._demand_our_types()
        except BaseException:
            self.close()
            if is_new:
                self.delete()
            raise

    @contextlib.contextmanager
    def _named_errors(self):
        """Turns errors of the database (disk full, locked, damaged) into ours."""
        try:
            with files.writing(self.path):
                yield
        except sqlite3.OperationalError as error:
            # Of what is around the file, which is good. SQLite's "disk I/O error"
            # is that of a quota as well.
            at_fault = ": is a quota exceeded?" if "disk I/O" in str(error) else ""
            raise JournalError(f"cannot use {self.path}: {error}{at_fault}") from None
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise JournalError(
                f"cannot use {self.path}: {error}; if it is damaged, delete it: its "
                f"run then starts again"
            ) from None

    def _not_ours(self):
        return JournalError(
            f"{self.path} is not the journal of a run: delete it, or name another "
            f"file with `scores`"
        )

    def _refuse_another(self):
        """Refuses a rollback file that names a further file; ours is one file."""
        rollback = self.path.with_name(f"{self.path.name}{_ROLLBACK}")
        for path in (self.path, rollback):
            # Reading a pipe would wait.
            if path.exists() and not path.is_file():
                raise self._not_ours()
        if rollback.exists():
            with rollback.open("rb") as file:
                file.seek(max(0, rollback.stat().st_size - len(_NAMES_ANOTHER)))
                if file.read() == _NAMES_ANOTHER:
                    raise self._not_ours()

    def _guard(self):
        """A file of strangers is read by SQLite's own rules for such."""
        # No video has an id in another encoding.
        self._database.text_factory = lambda text: text.decode("utf-8", "replace")
        self._database.execute("PRAGMA trusted_schema = OFF")
        self._database.execute("PRAGMA cell_size_check = ON")
        if hasattr(self._database, "setlimit"):  # Python 3.11
            longest = max(_MAX_TEXT, 8 * math.prod(self._shape))
            self._database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)

    def _demand_our_tables(self):
        """Makes the tables, or compares those that are there: no view, no trigger."""
        with self._database as database:
            database.execute("BEGIN")  # Both tables or none.
            found = database.execute("SELECT name, sql FROM sqlite_master").fetchall()
            if not found:
                for command in _TABLES.values():
                    database.execute(command)
            elif dict(found) != {**_TABLES, _INDEX: None} or len(found) != 3:
                raise self._not_ours()

    def _compare(self, about):
        """Refuses the journal of something else; signs one that is new."""
        with self._named_errors(), self._database as database:
            found = database.execute("SELECT text FROM about LIMIT 1").fetchone()
            if found is None:
                text = json.dumps(about, sort_keys=True)
                database.execute("INSERT INTO about VALUES (?)", (text,))
                return
        try:
            there = json_text.parse(found[0], "what it is about")
            keys = self._differences(there, about)
        except (ValueError, TypeError, AttributeError):
            raise self._not_ours() from None
        if keys:
            told = "; ".join(
                f"{key}: there {there.get(key)!s:.100}, now {about.get(key)}"
                for key in keys
            )
            raise JournalError(
                f"{self.path} holds the unfinished run of something else ({told}): "
                f"delete it, or name another file with `scores`"
            )

    def _demand_our_types(self):
        """Refuses rows that `add` cannot have written; it looks at no scores."""
        bad = self._database.execute(
            "SELECT 1 FROM scores WHERE typeof(video) != 'text' OR typeof(files) != "
            "'integer' OR typeof(tick) != 'integer' OR typeof(scores) != 'blob' OR "
            "length(scores) != ? LIMIT 1",
            (4 * math.prod(self._shape),),
        ).fetchone()
        if bad:
            raise self._not_ours()

    def add(self, rows):
        """Adds scores in one transaction.

        Args:
            rows: iterable of (video id, its number of files, tick index,
                float32 [crops, classes]).
        """
        with self._named_errors(), self._database as database:
            database.executemany(
                "INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?)",
                [
                    (video, files, tick, np.ascontiguousarray(scores, "<f4").tobytes())
                    for video, files, tick, scores in rows
                ],
            )

    def ticks(self):
        """Returns {(video id, number of files): set of tick indices}."""
        found = {}
        with self._named_errors():
            for video, count, tick in self._database.execute(
                "SELECT video, files, tick FROM scores"
            ):
                found.setdefault((video, count), set()).add(tick)
        return found

    def read(self, video, ticks):
        """Reads a video's scores.

        Args:
            video: its id.
            ticks: how many it has.

        Returns:
            float32 [ticks, crops, classes].

        Raises:
            JournalError: they are not all there, though `ticks` listed them.
        """
        with self._named_errors():
            rows = self._database.execute(
                "SELECT tick, scores FROM scores WHERE video = ? ORDER BY tick",
                (video,),
            ).fetchall()
        # The file holds the list of ticks and the index of the rows separately.
        if [tick for tick, _ in rows] != list(range(ticks)):
            raise self._not_ours()
        return np.stack([np.frombuffer(b, "<f4").reshape(self._shape) for _, b in rows])

    def forget(self, video):
        """Drops a video's scores."""
        with self._named_errors(), self._database as database:
            database.execute("DELETE FROM scores WHERE video = ?", (video,))

    def close(self):
        """Closes the file; what was added stays for the next run."""
        self._database.close()

    def delete(self):
        """Closes and removes the file."""
        self.close()
        for suffix in ("", _ROLLBACK):
            with contextlib.suppress(FileNotFoundError):
                self.path.with_name(self.path.name + suffix).unlink()
