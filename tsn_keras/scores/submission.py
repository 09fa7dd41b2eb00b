"""ActivityNet's server: files of predictions, and the figures that it gives for them.

Of the classification task (activitynet/ActivityNet Evaluation/
eval_classification.py:70-249): average precisions are interpolated, and a hit is a
video of which any label is among its best predictions.
"""

import collections
import dataclasses
import json
import re

import numpy as np

from tsn_keras.common import files, json_file
from tsn_keras.common.errors import InputError, short

VERSION = "VERSION 1.3"
# Of every video the server reads what it gets; 200 classes of 5,044 videos have a
# million.
_MAX_PREDICTIONS = 2_000_000


@dataclasses.dataclass(frozen=True)
class Figures:
    """What the server says of a submission.

    Attributes:
        average_precision: {class: AP}, of the classes that the truth has.
        top1, top3: share of the videos of which a label is the best prediction,
            or among the three best.
        share3: mean share of a video's labels that are among the three best.
    """

    average_precision: dict[str, float]
    top1: float
    top3: float
    share3: float

    @property
    def mean_average_precision(self) -> float:
        """Mean over the classes."""
        return float(np.mean(list(self.average_precision.values())))


def write(path, names, probabilities, classes, external=None):
    """Writes a file that the server takes.

    Args:
        path: of the file.
        names: videos, with or without "v_" before their identity.
        probabilities: [V, C], finite; of each video all classes are written, the
            best first.
        classes: C names.
        external: {"used": bool, "details": str}: other data that was used.

    Raises:
        InputError: the probabilities are not finite, or not of that shape.
        OSError: the file cannot be written.
    """
    probabilities = np.asarray(probabilities, np.float64)
    expected = (len(names), len(classes))
    if probabilities.shape != expected or not np.isfinite(probabilities).all():
        raise InputError(
            f"`probabilities` must be finite, of shape {expected}. Received: shape "
            f"{probabilities.shape}"
        )
    results = {}
    for name, row in zip(names, probabilities, strict=True):
        order = np.argsort(-row, kind="stable")
        results[identity(name)] = [
            {"label": classes[at], "score": float(row[at])} for at in order
        ]
    if len(results) != len(names):
        raise InputError("two of the `names` are of one video")
    content = {
        "version": VERSION,
        "results": results,
        "external_data": external or {"used": False, "details": ""},
    }
    with files.writing(path), files.replacing(path) as beside:
        beside.write_text(json.dumps(content), encoding="utf-8")


def identity(name):
    """The identity of a video of this name, as the server has it.

    Example:
        >>> identity("v_--1DO2V4K74"), identity("--1DO2V4K74")
        ('--1DO2V4K74', '--1DO2V4K74')
    """
    # Eleven characters are an identity, which may itself begin with "v_".
    return name[2:] if re.fullmatch(r"v_.{11}", name) else name


def read(path):
    """Reads a file of predictions, as the server does.

    Returns:
        {video: [(class, score), ...]}.

    Raises:
        TextFileError: it cannot be read, or the server would refuse it; the text
            says why.
    """
    content = json_file.read(path, dict)
    for key, kind in (("version", str), ("external_data", dict), ("results", dict)):
        json_file.field(path, content, key, kind)
    found = {}
    for name, predictions in content["results"].items():
        if not isinstance(predictions, list):
            raise json_file.TextFileError(
                f"{path}: the results of video {short(name)!r} are not a list"
            )
        found[name] = [
            (
                json_file.field(path, one, "label", str),
                float(json_file.field(path, one, "score", float)),
            )
            for one in predictions
        ]
    if sum(map(len, found.values())) > _MAX_PREDICTIONS:
        raise json_file.TextFileError(
            f"{path} holds more than {_MAX_PREDICTIONS} predictions"
        )
    return found


def faults(predictions, names, classes):
    """What would cost a submission accuracy, or have it refused.

    Args:
        predictions: see `read`.
        names: videos that the server asks for.
        classes: names of all classes.

    Returns:
        list of str, empty where nothing is wrong.

    Example:
        >>> faults({"a": [("run", 0.5), ("run", 0.2)]}, ["a"], ["run", "sit"])
        ['1 of 1 videos have a class twice: each repeat counts as wrong, as a']
    """
    known, asked = set(classes), {identity(name) for name in names}
    labels = {
        name: [label for label, _ in found] for name, found in predictions.items()
    }
    kinds = {
        "are not in the test: their predictions count as wrong": set(labels) - asked,
        "are missing: they count as wrong": asked - set(labels),
        "have no prediction": {name for name, found in labels.items() if not found},
        "have a class that is unknown: the server refuses the file": {
            name for name, found in labels.items() if set(found) - known
        },
        "have a class twice: each repeat counts as wrong": {
            name for name, found in labels.items() if len(set(found)) < len(found)
        },
    }
    told = []
    for words, which in kinds.items():
        if which:
            told.append(
                f"{len(which)} of {len(asked | set(labels))} videos {words}, as "
                f"{short(min(which))}"
            )
    return told


def figures(predictions, truth):
    """The server's figures.

    Args:
        predictions: see `read`.
        truth: {video: its classes}; classes that no video has do not count.

    Raises:
        InputError: a predicted class is in no video of the truth, which the server
            refuses too, or the truth is empty, or of a video.
    """
    positives = collections.Counter(c for found in truth.values() for c in set(found))
    ranked = collections.defaultdict(list)
    for name, found in predictions.items():
        for label, score in found:
            if label not in positives:
                raise InputError(
                    f"predicted class {short(label)!r} of video {short(name)!r} is in "
                    f"no video of the truth"
                )
            ranked[label].append((score, name))
    if not positives or not all(truth.values()):
        raise InputError("the truth must hold videos, each with a class")
    precisions = {
        label: _average_precision(ranked[label], truth, label, count)
        for label, count in positives.items()
    }
    best, best3 = (_shares(predictions, truth, k) for k in (1, 3))
    tops = (float(np.mean(np.ceil(found))) for found in (best, best3))
    return Figures(precisions, *tops, float(np.mean(best3)))


def _average_precision(ranked, truth, label, count):
    """Of (score, video) pairs: a repeated video, or one without the class, is wrong."""
    order = np.argsort([score for score, _ in ranked], kind="stable")[::-1]
    seen, right = set(), np.zeros(len(ranked))
    for place, at in enumerate(order):
        name = ranked[at][1]
        right[place] = name not in seen and label in truth.get(name, ())
        seen.add(name)
    return interpolated(right, count)


def interpolated(right, positives):
    """Average precision below the monotone curve of precision over recall.

    utils.py:14-23: each precision is the best at this or a greater recall.

    Args:
        right: [N], 1 where a prediction is right, the best prediction first.
        positives: number of videos that have the class.

    Returns:
        float in [0, 1]; 0 without predictions.

    Example:
        >>> interpolated(np.array([0, 1, 1]), 2)
        0.6666666666666666
    """
    if not len(right):
        return 0.0
    found = np.cumsum(right)
    precision = found / np.arange(1, len(right) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float((best * right).sum() / positives)


def _shares(predictions, truth, k):
    """Share of each video's labels that are among its k best predictions."""
    shares = []
    for name, labels in truth.items():
        found = sorted(predictions.get(name, ()), key=lambda one: -one[1])[:k]
        best = {label for label, _ in found}
        shares.append(len(best & set(labels)) / len(set(labels)))
    return np.array(shares)
