"""What earlier runs have left of a stream: scores, and why videos failed."""

import contextlib
import dataclasses
import pathlib

from tsn_keras.common.errors import InputError
from tsn_keras.evaluation import shards
from tsn_keras.runtimes.catalogue import KERAS
from tsn_keras.scores import score_file
from tsn_keras.scores.journal import differing

# What score files say of the weights' training.
TRAINED = ("loss", "consensus")


def differences(there, now):
    """Keys in which scores are of something else.

    The digest tells the weights, whatever they are called, and how they were trained;
    score files of version 0.1 do not say what is averaged, which their protocol does,
    have the mean over time of as many snippets of each video, and are by Keras.
    """
    first = {"average": now["average"], "over_time": "mean", "every": None}
    first["runtime"] = KERAS.name
    there = {**first, "a_second": 1, **there}
    told = {"weights", *TRAINED}
    return [key for key in differing(there, now) if key in now and key not in told]


@dataclasses.dataclass(frozen=True)
class Kept:
    """What is in the score file; or, where there is none, in those of its shards.

    Attributes:
        path: the score file.
        parts: the score files that hold something: that one, or those of the shards.
        files: {video id: number of files} of the videos that were scored.
        places: {video id: the score file that holds it}.
        failed: {video id: reason}.
    """

    path: pathlib.Path
    parts: tuple[pathlib.Path, ...] = ()
    files: dict[str, int] = dataclasses.field(default_factory=dict)
    places: dict[str, pathlib.Path] = dataclasses.field(default_factory=dict)
    failed: dict[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def read(cls, path, about):
        """Reads what is there.

        Args:
            path: the score file.
            about: what its scores should be of.

        Raises:
            InputError: a file is of something else, or cannot be used; or a shard
                is missing.
        """
        parts = (path,) if path.exists() else shards.find(path)
        found = cls(path, parts)
        for part in parts:
            found._add(part, about)
        return found

    def _add(self, path, about):
        try:
            with score_file.ScoreFile(path) as file:
                keys, there = differences(file.about, about), file.about
                counts = dict(zip(file.video_ids, map(int, file.frames), strict=True))
                failed = file.failed
        except (score_file.ScoreFileError, OSError) as error:
            raise InputError(
                f"{error}; delete it, or name another file with `scores`"
            ) from None
        for key in keys:
            raise InputError(
                f"{path} holds other scores: its {key} is {there.get(key)}, now it is "
                f"{about[key]}; delete it, or name another file with `scores`"
            )
        self.files.update(counts)
        self.places.update(dict.fromkeys(counts, path))
        self.failed.update(failed)

    @property
    def is_whole(self):
        """Whether the score file itself is there."""
        return self.parts == (self.path,)

    def __str__(self):
        if self.is_whole or not self.parts:
            return str(self.path)
        return f"{len(self.parts)} shards, as {self.parts[0]}"

    def check_that_none_is_gone(self, known):
        """Refuses to go on without videos that were scored.

        Args:
            known: ids of the videos that are there now.
        """
        gone = set(self.files) - known
        if gone:
            raise InputError(
                f"{self.places[min(gone)]} holds scores of {len(gone)} videos that are "
                f"not on disk now, as {min(gone)}: to keep them name another file with "
                f"`scores`"
            )

    @contextlib.contextmanager
    def opened(self):
        """Yields a function of a video's id to its scores and attention, or None."""
        with contextlib.ExitStack() as stack:
            opened = {}

            def read(video):
                place = self.places[video]
                if place not in opened:
                    file = score_file.ScoreFile(place)
                    opened[place] = stack.enter_context(file)
                file = opened[place]
                has_it = file.has_attention
                return file.read(video), file.attention(video) if has_it else None

            yield read
