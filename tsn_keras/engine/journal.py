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

from tsn_keras import config

SUFFIX = ".partial"


class JournalError(config.InputError):
    """A journal cannot be used; the text names it and the way out."""


class Journal:
    """Scores of snippets by video.

    Args:
        path: the score file; the journal lies beside it, with `.partial`.
        about: dict that says what the scores are of; a journal about anything
            else is refused.
        crops: crops of a snippet.
        classes: number of classes.
    """

    def __init__(self, path, about, crops, classes):
        self.path = pathlib.Path(f"{path}{SUFFIX}")
        self._shape = (crops, classes)
        with self._named_errors(
            "; if it is damaged, delete it: its run then starts again"
        ):
            self._database = sqlite3.connect(self.path)
            self._open(json.dumps(about, sort_keys=True))

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
                database.execute("INSERT INTO about VALUES (?)", (about,))
            elif found[0] != about:
                raise JournalError(
                    f"{self.path} holds the unfinished run of something else:\n"
                    f"  there: {found[0]}\n  now:   {about}\n"
                    f"delete it, or name another file with --scores"
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
