"""The original's score files (.npz), written and read without running them.

tools/eval_net.py:135-136 saves `scores`, an object array [V, 2] of (float32
[snippets, crops, C], label), and `labels`, int [V]. NumPy stores an object
array as a pickle, which can name any function to be called. So it is read as data,
see common.pickle_reader: what builds arrays, lists and numbers is known, nothing is
called, and the rest is refused.
"""

import io
import pathlib
import zipfile

import numpy as np

from tsn_keras.common import files, npy, pickle_reader, pickled_arrays
from tsn_keras.common.errors import InputError, Refused
from tsn_keras.common.pickled_arrays import Array
from tsn_keras.common.zip_reader import Archive, Form

_NUMBERS = {"f4", "f8", "i4", "i8", "u4", "u8"}
# NumPy writes some 25 instructions a video; each takes about 2 microseconds.
_MAX_INSTRUCTIONS, _INSTRUCTIONS_A_VIDEO = 2_000_000, 100
# The directory of two members has some 100 bytes.
_FORM = Form("NumPy", (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED), directory=2**17)


class NpzError(InputError):
    """A score file of the original cannot be used; the text says why."""


class NpzScores:
    """A score file of the original, with the interface of score_file.ScoreFile.

    It names no videos: `video_ids` are positions, "0", "1", ...

    Raises:
        NpzError: not such a file, or damaged.
        OSError: the file is missing or cannot be read.
    """

    names_videos = False
    label_sets = None  # The layout has one label a video.
    without = frozenset()  # And scores of all.

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.labels, self._arrays = read(path)
        self.video_ids = tuple(map(str, range(len(self._arrays))))
        self.classes = tuple(map(str, range(self._arrays[0].shape[2])))
        self.about, self.failed = {}, {}

    def read(self, video_id):
        """Returns a video's raw scores, float32 [snippets, crops, C]."""
        return self._arrays[int(video_id)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def write(file, path):
    """Exports a score file to the original's layout.

    Args:
        file: score_file.ScoreFile.
        path: .npz file to write; beside, then renamed.

    Raises:
        files.DiskFullError: the disk is full.
    """
    pairs = np.empty((len(file), 2), dtype=object)
    for index, video in enumerate(file.video_ids):
        pairs[index] = file.read(video), int(file.labels[index])
    with files.replacing(path) as aside, files.enduring(aside) as target:
        np.savez(target, scores=pairs, labels=file.labels)


def read(path):
    """Reads a score file of the original.

    Returns:
        (labels int64 [V], list of V float32 [snippets, crops, C])
    """
    with open(path, "rb") as file:
        try:
            archive = Archive(file, _FORM)
            labels = _member(archive, "labels.npy")
            header, body = _member(archive, "scores.npy")
            labels = _plain_array(*labels)
            if header[2] != np.dtype(object):
                raise Refused(f"`scores` is of type {header[2]}, not of objects")
            limit = _INSTRUCTIONS_A_VIDEO * (len(labels) + 10)
            most = min(limit, _MAX_INSTRUCTIONS)
            pairs = pickle_reader.Machine(_OnlyArrays(), most).run(body)
            arrays = _pairs(pairs, labels, len(body))
        except Refused as error:
            raise NpzError(
                f"{path} is not a score file of the original: {str(error)[:300]}"
            ) from None
    return labels.astype(np.int64), arrays


class _OnlyArrays(pickle_reader.Policy):
    """Refuses what no score file needs."""

    steps = pickle_reader.BASIC

    def __init__(self):
        self._arrays = pickled_arrays.Arrays()

    def named(self, name):
        if name not in pickled_arrays.NAMES:
            raise Refused(f"its pickle names {name!r}, which no score file needs")
        return pickle_reader.Name(name)

    def called(self, function, arguments):
        known = isinstance(function, pickle_reader.Name)
        if not known or not isinstance(arguments, tuple):
            raise Refused("its pickle calls something that is no name")
        return self._arrays.called(function.name, arguments)

    def built(self, target, state):
        pickled_arrays.fill(target, state)


def _member(archive, name):
    """((shape, Fortran order, dtype), bytes after the header) of an array."""
    file = io.BytesIO(archive.read(name))
    try:
        return npy.head(file), file.read()
    except Refused as error:
        raise Refused(f"{name} is damaged: {error}") from None


def _plain_array(header, body):
    shape, _, dtype = header
    if dtype.kind not in "iu" or len(shape) != 1:
        raise Refused(f"`labels` is of type {dtype} and shape {shape}")
    if shape[0] * dtype.itemsize != len(body):
        raise Refused(f"`labels` has {len(body)} bytes for {shape[0]} numbers")
    return np.frombuffer(body, dtype)


def _pairs(outer, labels, size):
    """Checks what the pickle of `size` bytes built; returns its score arrays."""
    if not isinstance(outer, Array) or not isinstance(outer.data, list):
        raise Refused("`scores` is not an array of objects")
    count = len(labels)
    if outer.shape != (count, 2) or not count:
        # A tuple may hold tuples that hold tuples: endless text.
        shape = outer.shape if pickled_arrays.is_shape(outer.shape) else "none"
        raise Refused(f"`scores` has shape {shape}, not ({count}, 2)")
    if len(outer.data) != 2 * count:
        raise Refused(f"`scores` has {len(outer.data)} objects, not 2 * {count}")
    arrays, left = [], size
    # NumPy lists an array's objects row by row, whatever their order in memory.
    rows = zip(outer.data[::2], outer.data[1::2], strict=True)
    for index, (array, label) in enumerate(rows):
        if not isinstance(array, Array):
            raise Refused(f"video {index} has no array of scores")
        numbers = array.numbers(_NUMBERS)
        left -= numbers.nbytes
        if left < 0:
            # Many arrays may share their bytes; as float32 each has its own.
            raise Refused("its arrays are larger than the file")
        arrays.append(numbers.astype(np.float32))
        if isinstance(label, Array):
            label = label.numbers(_NUMBERS).tolist() if label.shape == () else None
        # Other types may be nested endlessly, and comparing them never ends.
        if type(label) is not int or label != labels[index]:
            known = label if type(label) is int and abs(label) < 2**63 else "none"
            raise Refused(f"video {index} has label {known}, `labels` {labels[index]}")
    first = arrays[0].shape
    for index, array in enumerate(arrays):
        if array.ndim != 3 or 0 in array.shape or array.shape[2] != first[2]:
            raise Refused(f"scores of video {index} have shape {array.shape}")
        if not np.isfinite(array).all():
            raise Refused(f"scores of video {index} are not finite")
    if labels.min() < 0 or labels.max() >= first[2]:
        raise Refused(f"a label is outside 0 to {first[2] - 1}")
    return arrays
