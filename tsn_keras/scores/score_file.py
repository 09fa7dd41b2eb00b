"""Score files: raw scores by video, in HDF5.

Layout:

    /            attributes `format` (version 1; 2 with several labels a video) and
                 `about` (a JSON object: data set, split, modality, protocol, weights
                 and their sha256)
    /video_ids   UTF-8 strings [V], in the order of the split
    /labels      int64 [V], of several the first; -1 where a video has none
    /frames      int64 [V], number of files of each video
    /classes     UTF-8 strings [C]
    /failed      UTF-8 string, a JSON object {video id: reason}
    /without     UTF-8 string, a JSON array of ids of videos that have no scores since
                 they have nothing of the modality, as no sound; only if there are any
    /scores/ID   float32 [snippets, crops, C], raw, before the softmax; in ID
                 "/" is written %2F and "%" is written %25

Where the weights were trained with an attention consensus that the test asked for:

    /attention/ID  float32 [snippets, crops], of each snippet, before its softmax

Of version 2 only:

    /label_counts  int64 [V], how many labels each video has, perhaps none
    /label_values  int64, the labels of all videos, one after the other, increasing
"""

import functools
import json
import os
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import h5py
import numpy as np

from tsn_keras.common import files, hdf5, json_text
from tsn_keras.common.errors import InputError

FORMAT = "tsn_keras scores 1"
SEVERAL = "tsn_keras scores 2"  # Version 0.1 would take their first label for all.
ATTENTION = "attention"
_TEXT = h5py.string_dtype("utf-8")


class ScoreFileError(InputError):
    """A score file cannot be used; the text names it and the reason."""


class NotFiniteError(ScoreFileError):
    """Scores are NaN or infinite: they have no accuracy.

    Args:
        path: the file.
        videos: ids of the videos.
    """

    def __init__(self, path, videos):
        more = f" and {len(videos) - 3} more" if len(videos) > 3 else ""
        super().__init__(
            f"{path}: the scores of {', '.join(videos[:3])}{more} are not finite: "
            f"score the videos again"
        )


class VideoScores(NamedTuple):
    """What a score file holds of a video.

    Attributes:
        id: the video's.
        label: class index; -1 where the video has none, and others have several.
        files: number of its files.
        scores: float32 [snippets, crops, C], raw.
        labels: all class indices, increasing, where videos have several; else ().
        attention: float32 [snippets, crops], where the test has it; else None.
    """

    id: str
    label: int
    files: int
    scores: np.ndarray
    labels: tuple[int, ...] = ()
    attention: np.ndarray | None = None


def quote(video_id):
    """Name of a video's array: HDF5 takes "/" for a path, "." for a folder."""
    quoted = video_id.replace("%", "%25").replace("/", "%2F")
    return quoted.replace(".", "%2E") if quoted.strip(".") == "" else quoted


def write(path, videos, *, classes, about, failed, without=()):
    """Writes a score file; beside, then renamed.

    Args:
        path: file to write.
        videos: iterable of VideoScores; taken one by one.
        classes: names of the classes.
        about: dict of JSON values.
        failed: {video id: reason} of videos without scores.
        without: ids of videos that have nothing to be scored.

    Raises:
        ScoreFileError: a video comes twice, or its array is not as above.
        files.DiskFullError: the disk is full.
        OSError: the file cannot be written.
    """
    with files.replacing(path) as aside, files.enduring(aside, reads=True) as written:
        with h5py.File(written, "w", userblock_size=hdf5.BLOCK) as file:
            _fill(file, path, _while_fine(videos, written), classes, about, failed)
            if without:
                told = json.dumps(sorted(without))
                file.create_dataset("without", data=told, dtype=_TEXT)
        written.check()
        hdf5.seal(written)
        os.fsync(written.fileno())


def _while_fine(videos, written):
    """Yields the videos until one could not be written."""
    for video in videos:
        written.check()
        yield video


def _fill(file, path, videos, classes, about, failed):
    """Writes everything into a new score file; see `write`."""
    file.attrs["about"] = json.dumps(about)
    file.create_group("scores")
    rows = {}
    for row in videos:
        video, label, count, array, labels, attention = VideoScores(*row)
        if video in rows:
            raise ScoreFileError(f"{path}: video {video!r} comes twice")
        if array.ndim != 3 or array.shape[2] != len(classes):
            raise ScoreFileError(
                f"{path}: scores of {video!r} have shape {array.shape}, not "
                f"[snippets, crops, {len(classes)}]"
            )
        parts = (array,) if attention is None else (array, attention)
        if not all(np.isfinite(part).all() for part in parts):
            raise ScoreFileError(
                f"{path}: scores of {video!r} are not finite: are the weights "
                f"damaged, or the precision too low?"
            )
        for group, part in zip(("scores", ATTENTION), parts, strict=False):
            file[f"{group}/{quote(video)}"] = part.astype(np.float32)
        rows[video] = label, count, labels
    file["video_ids"] = np.array(list(rows), dtype=_TEXT)
    file["labels"] = np.array([label for label, *_ in rows.values()], np.int64)
    file["frames"] = np.array([count for _, count, _ in rows.values()], np.int64)
    sets = [labels for *_, labels in rows.values()]
    if several := any(sets) or file["labels"][:].min(initial=0) < 0:
        file["label_counts"] = np.array(list(map(len, sets)), np.int64)
        file["label_values"] = np.array(
            [k for labels in sets for k in labels], np.int64
        )
    file.attrs["format"] = SEVERAL if several else FORMAT
    file["classes"] = np.array(list(classes), dtype=_TEXT)
    file.create_dataset("failed", data=json.dumps(failed), dtype=_TEXT)


class ScoreFile:
    """A score file, checked when it is opened, read video by video.

    A context manager.

    Args:
        path: the file.

    Attributes:
        path: pathlib.Path.
        video_ids: tuple of str.
        labels: int64 [V].
        label_sets: for each video a tuple of all its labels, perhaps none; or None
            where videos have one.
        frames: int64 [V].
        classes: tuple of str.
        about: dict.
        failed: {video id: reason}.
        has_attention: whether it tells the attention of snippets.
        without: frozenset of ids of videos that have nothing of the modality.
        names_videos: True; the original's files, npz.NpzScores, name none.

    Raises:
        ScoreFileError: not a score file, damaged, or of inconsistent contents.
        OSError: the file is missing or cannot be read.
    """

    names_videos = True

    def __init__(self, path):
        with open(path, "rb"):
            pass  # A missing file or a folder is an OSError that says so.
        try:
            self._file = hdf5.Reader(path)
        except hdf5.ERRORS as error:
            raise ScoreFileError(f"{path} is not a score file: {error}") from None
        self.path = self._file.path
        try:
            self._check()
        except hdf5.ERRORS as error:
            self._file.close()
            raise ScoreFileError(
                f"{path} is not a usable score file: {error}"
            ) from None

    def _check(self):
        file = self._file
        form = file.text("format")
        if form not in (FORMAT, SEVERAL):
            raise ValueError(f"its attribute `format` is not {FORMAT!r} or {SEVERAL!r}")
        self.about = file.json_object("about")
        if self.about is None:
            raise ValueError("it has no attribute `about`")
        self.video_ids = file.texts("video_ids")
        self.classes = file.texts("classes")
        self.labels = file.integers("labels")
        self.frames = file.integers("frames")
        self.failed = json_text.parse(file.one_text("failed"), "failed")
        self.without = self._lacking()
        count, classes = len(self.video_ids), len(self.classes)
        if len(set(self.video_ids)) != count or not count:
            raise ValueError("its video ids are none, or not distinct")
        if self.labels.shape != (count,) or self.frames.shape != (count,):
            raise ValueError("labels and frames are not one for each video")
        least = -1 if form == SEVERAL else 0
        if self.labels.min() < least or self.labels.max() >= classes:
            raise ValueError(f"a label is outside {least} to {classes - 1}")
        self.label_sets = self._sets() if form == SEVERAL else None
        arrays = file.names("scores")
        if set(arrays) != {quote(video) for video in self.video_ids}:
            raise ValueError("its arrays are not those of its video ids")
        for name in arrays:
            array = file.array(f"scores/{name}")
            if array.dtype != "<f4" or array.ndim != 3 or array.shape[2] != classes:
                raise ValueError(f"scores of {name} are {array.dtype} {array.shape}")
            if 0 in array.shape:
                raise ValueError(f"scores of {name} are empty")
        self.has_attention = ATTENTION in file.names("/")
        if self.has_attention:
            self._check_attention(arrays)

    def _check_attention(self, arrays):
        """Checks that there is one for each snippet and crop."""
        file = self._file
        if set(file.names(ATTENTION)) != set(arrays):
            raise ValueError("its attention is not of its video ids")
        for name in arrays:
            array = file.array(f"{ATTENTION}/{name}")
            if (
                array.dtype != "<f4"
                or array.shape != (file.array(f"scores/{name}").shape[:2])
            ):
                raise ValueError(f"attention of {name} is {array.dtype} {array.shape}")

    def _lacking(self):
        """Ids of videos that have nothing of the modality."""
        if "without" not in self._file.names("/"):
            return frozenset()
        found = json_text.parse(self._file.one_text("without"), "without", list)
        if not all(isinstance(video, str) for video in found):
            raise ValueError("its `without` is no array of ids")
        if not set(found).isdisjoint(self.video_ids):
            raise ValueError("videos without scores have scores")
        return frozenset(found)

    def _sets(self):
        """The labels of each video, where it has several."""
        counts, values = map(self._file.integers, ("label_counts", "label_values"))
        if counts.shape != self.labels.shape or (counts < 0).any():
            raise ValueError("its label counts are not one for each video")
        # None is above the number of values, so that no sum overflows.
        if counts.max() > len(values) or counts.sum() != len(values):
            raise ValueError("its label values are not as many as its label counts say")
        ends, having = np.cumsum(counts), counts > 0
        first = np.full(len(counts), -1)
        first[having] = values[(ends - counts)[having]]
        inside = np.delete(np.diff(values), ends[having][:-1] - 1)
        if (first != self.labels).any() or (inside < 1).any():
            raise ValueError("its label values do not increase from the first label")
        if values.max(initial=-1) >= len(self.classes):
            raise ValueError(f"a label is outside 0 to {len(self.classes) - 1}")
        return tuple(
            map(tuple, (part.tolist() for part in np.split(values, ends[:-1])))
        )

    def read(self, video_id):
        """Returns a video's raw scores, float32 [snippets, crops, C].

        Raises:
            NotFiniteError: they are not finite.
        """
        return self._finite("scores", video_id)

    def attention(self, video_id):
        """Returns the attention of a video's snippets, float32 [snippets, crops].

        Raises:
            ScoreFileError: the file has none.
            NotFiniteError: it is not finite.
        """
        if not self.has_attention:
            raise ScoreFileError(
                f"{self.path} has no attention of its snippets, which the consensus of "
                f"these weights needs: score the videos again by it"
            )
        return self._finite(ATTENTION, video_id)

    def _finite(self, group, video_id):
        found = self._file.array(f"{group}/{quote(video_id)}").read()
        if not np.isfinite(found).all():
            raise NotFiniteError(self.path, [video_id])
        return found

    def __len__(self):
        return len(self.video_ids)

    def __contains__(self, video_id):
        return video_id in self.video_ids

    def close(self):
        """Closes the file."""
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Scores(Mapping):
    """{video id: raw scores, float32 [snippets, crops, C]} of a score file.

    The file is opened when something is asked for; each array is read then.

    Args:
        path: the score file.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)

    @functools.cached_property
    def _file(self):
        return ScoreFile(self.path)

    def __getitem__(self, video_id):
        if video_id not in self._file:
            raise KeyError(video_id)
        return self._file.read(video_id)

    def __iter__(self):
        return iter(self._file.video_ids)

    def __len__(self):
        return len(self._file)

    def __repr__(self):
        return f"Scores({str(self.path)!r})"
