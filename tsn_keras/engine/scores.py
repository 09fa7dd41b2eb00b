"""Score files: raw scores by video, in HDF5, and what is done with them.

Layout:

    /            attributes `format` (this version) and `about` (a JSON object:
                 data set, split, modality, protocol, weights and their sha256)
    /video_ids   UTF-8 strings [V], in the order of the split
    /labels      int64 [V]
    /frames      int64 [V], number of files of each video
    /classes     UTF-8 strings [C]
    /failed      UTF-8 string, a JSON object {video id: reason}
    /scores/ID   float32 [snippets, crops, C], raw, before the softmax; in ID
                 "/" is written %2F and "%" is written %25
"""

import dataclasses
import json
import os
import pathlib

import h5py
import numpy as np

from tsn_keras import config
from tsn_keras.engine import files

FORMAT = "tsn_keras scores 1"
_TEXT = h5py.string_dtype("utf-8")


class ScoreFileError(config.InputError):
    """A score file cannot be used; the text names it and the reason."""


def quote(video_id):
    """Name of a video's array: HDF5 takes "/" for a path, "." for a folder."""
    quoted = video_id.replace("%", "%25").replace("/", "%2F")
    return quoted.replace(".", "%2E") if quoted.strip(".") == "" else quoted


def write(path, videos, *, classes, about, failed):
    """Writes a score file; beside, then renamed.

    Args:
        path: file to write.
        videos: iterable of (video id, label, number of files, float32
            [snippets, crops, C]); taken one by one.
        classes: names of the classes.
        about: dict of JSON values.
        failed: {video id: reason} of videos without scores.

    Raises:
        ScoreFileError: a video comes twice, or its array is not as above.
        OSError: the file cannot be written.
    """
    with files.replacing(path) as aside:
        try:
            with h5py.File(aside, "w") as file:
                _fill(file, path, videos, classes, about, failed)
        except RuntimeError as error:  # HDF5's word for a full disk
            raise ScoreFileError(f"cannot write {path}: {error}") from None
        with aside.open("rb") as written:
            os.fsync(written.fileno())


def _fill(file, path, videos, classes, about, failed):
    """Writes everything into a new score file; see `write`."""
    file.attrs["format"] = FORMAT
    file.attrs["about"] = json.dumps(about)
    group = file.create_group("scores")
    rows = {}
    for video, label, count, array in videos:
        if video in rows:
            raise ScoreFileError(f"{path}: video {video!r} comes twice")
        if array.ndim != 3 or array.shape[2] != len(classes):
            raise ScoreFileError(
                f"{path}: scores of {video!r} have shape {array.shape}, not "
                f"[snippets, crops, {len(classes)}]"
            )
        if not np.isfinite(array).all():
            raise ScoreFileError(
                f"{path}: scores of {video!r} are not finite: are the weights "
                f"damaged, or the precision too low?"
            )
        group.create_dataset(quote(video), data=array.astype(np.float32))
        rows[video] = label, count
    file["video_ids"] = np.array(list(rows), dtype=_TEXT)
    file["labels"] = np.array([label for label, _ in rows.values()], np.int64)
    file["frames"] = np.array([count for _, count in rows.values()], np.int64)
    file["classes"] = np.array(list(classes), dtype=_TEXT)
    file.create_dataset("failed", data=json.dumps(failed), dtype=_TEXT)


def open(path):
    """Opens a score file; see ScoreFile."""
    return ScoreFile(path)


class ScoreFile:
    """A score file, checked when it is opened, read video by video.

    Attributes:
        path: pathlib.Path.
        video_ids: tuple of str.
        labels: int64 [V].
        frames: int64 [V].
        classes: tuple of str.
        about: dict.
        failed: {video id: reason}.

    Raises:
        ScoreFileError: not a score file, damaged, or of inconsistent contents.
        OSError: the file is missing or cannot be read.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        with self.path.open("rb"):
            pass  # A missing file or a folder is an OSError that says so.
        try:
            self._file = h5py.File(self.path, "r")
        except OSError as error:
            raise ScoreFileError(f"{path} is not a score file: {error}") from None
        try:
            self._check(self.path.stat().st_size)
        except (KeyError, ValueError, TypeError, RuntimeError, OSError) as error:
            self._file.close()
            raise ScoreFileError(
                f"{path} is not a usable score file: {error}"
            ) from None

    def _check(self, size):
        file = self._file
        if str(file.attrs.get("format")) != FORMAT:
            raise ValueError(f"its attribute `format` is not {FORMAT!r}")
        self.about = _json_object(str(file.attrs["about"]), "about")
        self.video_ids = _texts(file, "video_ids", size)
        self.classes = _texts(file, "classes", size)
        self.labels = _integers(file, "labels", size)
        self.frames = _integers(file, "frames", size)
        failed = _plain(file, "failed", size)
        self.failed = _json_object(failed[()].decode(), "failed")
        count, classes = len(self.video_ids), len(self.classes)
        if len(set(self.video_ids)) != count or not count:
            raise ValueError("its video ids are none, or not distinct")
        if self.labels.shape != (count,) or self.frames.shape != (count,):
            raise ValueError("labels and frames are not one for each video")
        if self.labels.min() < 0 or self.labels.max() >= classes:
            raise ValueError(f"a label is outside 0 to {classes - 1}")
        group = file["scores"]
        if set(group) != {quote(video) for video in self.video_ids}:
            raise ValueError("its arrays are not those of its video ids")
        total = 0
        for name in group:
            array = _plain(group, name, size)
            if array.dtype != "<f4" or array.ndim != 3 or array.shape[2] != classes:
                raise ValueError(f"scores of {name} are {array.dtype} {array.shape}")
            if 0 in array.shape:
                raise ValueError(f"scores of {name} are empty")
            total += array.nbytes
        if total > size:
            raise ValueError(f"it declares more scores than its {size} bytes hold")

    def read(self, video_id):
        """Returns a video's raw scores, float32 [snippets, crops, C]."""
        return self._file["scores"][quote(video_id)][()]

    def __len__(self):
        return len(self.video_ids)

    def __contains__(self, video_id):
        return quote(video_id) in self._file["scores"]

    def close(self):
        """Closes the file."""
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def aggregate(scores, crops="mean"):
    """Scores of a video's crops to one score a class (eval_scores.py:33).

    Args:
        scores: [snippets, crops, C].
        crops: "mean" or "max" over the crops; then the mean over the snippets.

    Returns:
        float32 [C], not softmaxed.
    """
    if crops not in ("mean", "max"):
        raise ValueError(f'`crops` must be "mean" or "max". Received: {crops!r}')
    return getattr(scores, crops)(axis=1).mean(axis=0)


def aggregate_file(file, crops="mean"):
    """`aggregate` of every video of a score file: float32 [V, C]."""
    return np.stack([aggregate(file.read(video), crops) for video in file.video_ids])


def fuse(parts, weights):
    """Weighted sum of raw scores, not divided (eval_scores.py:36-38).

    Args:
        parts: sequence of [V, C].
        weights: one number for each.

    Returns:
        [V, C].
    """
    return sum(w * part for w, part in zip(weights, parts, strict=True))


@dataclasses.dataclass(frozen=True)
class Joined:
    """Videos that several score files have in common.

    Attributes:
        video_ids: ids in the order of the first file.
        labels: int64 [n].
        indices: for each file, int [n], where those videos are in it.
        left_out: number of videos that some file lacks.
    """

    video_ids: tuple[str, ...]
    labels: np.ndarray
    indices: tuple[np.ndarray, ...]
    left_out: int


def join(opened, allow_missing=False):
    """Joins score files by video id.

    The original takes the files' order on trust (eval_scores.py:26-28).

    Args:
        opened: sequence of ScoreFile.
        allow_missing: leave out videos that a file lacks, instead of failing.

    Returns:
        Joined.

    Raises:
        ScoreFileError: videos, labels or classes differ.
    """
    first = opened[0]
    common = set(first.video_ids).intersection(*(file.video_ids for file in opened))
    everything = set().union(*(file.video_ids for file in opened))
    if common != everything and not allow_missing:
        texts = [
            f"{file.path} lacks {len(absent)} ({', '.join(sorted(absent)[:3])})"
            for file in opened
            if (absent := everything - set(file.video_ids))
        ]
        raise ScoreFileError(
            f"the files are not of the same videos: {'; '.join(texts)}; to use the "
            f"{len(common)} that all have: --allow-missing"
        )
    if not common:
        raise ScoreFileError("the files have no video in common")
    ids = tuple(video for video in first.video_ids if video in common)
    indices, labels = [], []
    for file in opened:
        if file.classes != first.classes:
            raise ScoreFileError(
                f"{first.path} and {file.path} are of other classes: "
                f"{len(first.classes)} and {len(file.classes)}"
            )
        position = {video: index for index, video in enumerate(file.video_ids)}
        indices.append(np.array([position[video] for video in ids]))
        labels.append(file.labels[indices[-1]])
        if (differ := np.flatnonzero(labels[-1] != labels[0])).size:
            index = differ[0]
            raise ScoreFileError(
                f"{first.path} and {file.path} differ in the labels of {differ.size} "
                f"videos: {ids[index]} is {labels[0][index]} and {labels[-1][index]}"
            )
    return Joined(ids, labels[0], tuple(indices), len(everything) - len(common))


def _plain(group, name, size):
    """Returns an array that is in this file and no larger than it."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is missing, or a link to another place")
    item = group[name]
    if not isinstance(item, h5py.Dataset) or item.external or item.is_virtual:
        raise ValueError(f"{name} is not a plain array")
    if item.compression or item.nbytes > size:
        raise ValueError(f"{name} declares {item.nbytes} bytes in a file of {size}")
    return item


def _texts(file, name, size):
    item = _plain(file, name, size)
    if item.ndim != 1 or h5py.check_string_dtype(item.dtype) is None:
        raise ValueError(f"{name} is not a list of strings")
    return tuple(item.asstr()[()])


def _integers(file, name, size):
    item = _plain(file, name, size)
    if item.dtype != np.int64 or item.ndim != 1:
        raise ValueError(f"{name} is not a list of integers")
    return item[()]


def _json_object(text, name):
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"{name} is not a JSON object")
    return value
