"""Scores as they are computed, safe against interruption and crashes.

An SQLite file beside the score file: every batch is one transaction, so that
whatever ends the process, at most the batch at hand is lost. The score file
is made from it when the run is over.
"""

import contextlib
import json
import pathlib
import sqlite3

import numpy as np

from tsn_keras.common import json_text
from tsn_keras.common.errors import InputError

SUFFIX = ".partial"


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
    """

    def __init__(self, path, about, shape, differences=differing):
        self.path = place(path)
        self._shape, self._differences = shape, differences
        with self._named_errors(
            "; if it is damaged, delete it: its run then starts again"
        ):
            self._database = sqlite3.connect(self.path)
            self._open(about)

    @contextlib.contextmanager
    def _named_errors(self, way_out=""):
        """Turns errors of the database (disk full, locked) into ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise JournalError(f"cannot use {self.path}: {error}{way_out}") from None

    def _open(self, about):
        with self._database as database:
            database.execute("CREATE TABLE IF NOT EXISTS about (text TEXT NOT NULL)")
            database.execute(
                "CREATE TABLE IF NOT EXISTS scores (video TEXT, files INTEGER, "
                "tick INTEGER, scores BLOB, PRIMARY KEY (video, tick))"
            )
            found = database.execute("SELECT text FROM about").fetchone()
            if found is None:
                text = json.dumps(about, sort_keys=True)
                database.execute("INSERT INTO about VALUES (?)", (text,))
                return
        try:
            there = json_text.parse(found[0], "what it is about")
            keys = self._differences(there, about)
        except (ValueError, TypeError, AttributeError):
            raise JournalError(
                f"{self.path} is not the journal of a run: delete it, or name another "
                f"file with `scores`"
            ) from None
        if keys:
            told = "; ".join(
                f"{key}: there {there.get(key)}, now {about.get(key)}" for key in keys
            )
            raise JournalError(
                f"{self.path} holds the unfinished run of something else ({told}): "
                f"delete it, or name another file with `scores`"
            )

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
            for video, files, tick in self._database.execute(
                "SELECT video, files, tick FROM scores"
            ):
                found.setdefault((video, files), set()).add(tick)
        return found

    def read(self, video):
        """Returns a video's scores, float32 [ticks, crops, classes]."""
        rows = self._database.execute(
            "SELECT scores FROM scores WHERE video = ? ORDER BY tick", (video,)
        )
        arrays = [np.frombuffer(blob, "<f4").reshape(self._shape) for (blob,) in rows]
        return np.stack(arrays)

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
        for suffix in ("", "-journal"):
            with contextlib.suppress(FileNotFoundError):
                self.path.with_name(self.path.name + suffix).unlink()
