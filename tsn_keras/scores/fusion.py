"""Score files to the accuracy of each and of their weighted sum."""

import contextlib
import dataclasses
import math
import pathlib
from collections.abc import Sequence

import numpy as np

from tsn_keras.common import progress
from tsn_keras.common.errors import InputError
from tsn_keras.scores import (
    confusion,
    joining,
    metrics,
    npz,
    score_file,
    submission,
    svm,
    tables,
    weight_search,
)

NPZ = ".npz"
FUSION = "fusion"
AS_GIVEN = "fusion, as given"
AS_PUBLISHED = "fusion, as published"
AVERAGED = "fusion, probabilities averaged"


@dataclasses.dataclass(frozen=True)
class Part:
    """One score file of a fusion, or the fusion itself.

    Attributes:
        file: path of the score file, "fusion", or after a search "fusion, as given"
            for that by the weights of the request, and "fusion, as published 1 : 0.5"
            where the files say what was published for their data set. With an SVM
            "fusion, probabilities averaged" and "fusion, SVM, C = 1".
        weight: what its scores are multiplied by; None of a fusion.
        accuracy: metrics.Accuracy, or Precision where videos have several labels.
    """

    file: str
    weight: float | None
    accuracy: metrics.Figures


@dataclasses.dataclass(frozen=True)
class Fusion:
    """What score files give together. `print` shows the table.

    Attributes:
        parts: a Part for each file; after a search one for their sum by the weights
            of the request, and by published ones; and the last one for their weighted
            sum. With an SVM one for the average of their probabilities, and the last
            one for the SVM.
        video_ids: videos that all files have.
        labels: int64 [V].
        scores: [V, C], the weighted sum, or those of the SVM.
        classes: names of the classes.
        left_out: number of videos that some file lacks.
        failed: {video id: reason} of videos that failed when they were scored.
        assumed: what the files do not say and was taken for granted, for people.
        label_sets: for each video all its labels, or None where it has one.
        incomplete: number of videos of which a file says that there is nothing to be
            scored, as no sound: they are fused without it.
        way: joining.Way of the scores, which says what their probabilities are; None:
            they have none, as those of an SVM.
        joined: joining.Joined, the scores of each file.
        about: what each file says of itself.
    """

    parts: tuple[Part, ...]
    video_ids: tuple[str, ...]
    labels: np.ndarray
    scores: np.ndarray
    classes: tuple[str, ...]
    left_out: int
    failed: dict[str, str]
    assumed: tuple[str, ...] = ()
    label_sets: tuple[tuple[int, ...], ...] | None = None
    incomplete: int = 0
    way: joining.Way | None = joining.Way()
    joined: joining.Joined | None = None
    about: tuple[dict, ...] = ()

    @property
    def accuracy(self) -> metrics.Figures:
        """That of the weighted sum, or of the SVM."""
        return self.parts[-1].accuracy

    @property
    def confusion_matrix(self) -> np.ndarray:
        """int64 [C, C], rows the true class, columns the predicted one.

        Raises:
            InputError: the videos have several labels.
        """
        if self.label_sets is not None:
            raise InputError(
                "the videos have several labels each: there is no confusion of one "
                "class with another"
            )
        predicted = self.scores.argmax(axis=1)
        return metrics.confusion_matrix(predicted, self.labels, len(self.classes))

    def __str__(self) -> str:
        rows = [
            (
                part.file,
                "" if part.weight is None else f"{part.weight}",
                *(f"{value:.2f}" for value in dataclasses.astuple(part.accuracy)),
            )
            for part in self.parts
        ]
        headers = ("scores", "weight", *self.accuracy.HEADINGS)
        return f"{tables.table(rows, headers)}\n{len(self.video_ids)} videos"

    def per_class(self) -> str:
        """Table of each class's videos, accuracy and most frequent error."""
        return tables.per_class_table(self.confusion_matrix, self.classes)

    def write_confusion(self, prefix: str) -> tuple[str, str]:
        """Writes the confusion matrix; returns the paths of the PNG and the CSV."""
        png, csv = f"{prefix}.png", f"{prefix}.csv"
        matrix, title = self.confusion_matrix, "confusion matrix"
        confusion.write(matrix, self.classes, png, csv, title)
        return png, csv

    def write_submission(self, path: str) -> None:
        """Writes the probabilities as ActivityNet's server takes them.

        Raises:
            InputError: the scores are those of an SVM.
        """
        if self.way is None:
            raise InputError("the scores of an SVM are no probabilities: leave it out")
        known = self.video_ids, self.way.probabilities(self.scores), self.classes
        submission.write(pathlib.Path(path), *known)

    def as_json(self) -> dict:
        """As a dict of JSON values."""
        results = []
        for part in self.parts:
            weight = {} if part.weight is None else {"weight": part.weight}
            results.append(
                {"file": part.file, **weight, **dataclasses.asdict(part.accuracy)}
            )
        return {
            "results": results,
            "videos": len(self.video_ids),
            "left_out": self.left_out,
            "incomplete": self.incomplete,
            "failed": self.failed,
            "assumed": list(self.assumed),
        }


@dataclasses.dataclass(frozen=True)
class Request:
    """What to fuse.

    Attributes:
        paths: score files, .h5 or .npz.
        weights: one number for each, or None for 1 each.
        crops: "mean" or "max"; see joining.aggregate.
        allow_missing: use the videos that all files have.
        classes: names of the classes, or None for those of the first file.
        over_time: how snippets become a video, one of windows.OVER_TIME, instead of
            what the files say.
        search: score files of held-out videos, in the order of `paths`, on which the
            weights are chosen; () for the given weights.
        svm: score files of training videos, in the order of `paths`, on which a linear
            SVM over all streams is trained, see scores.svm; () for a weighted sum.
        svm_c: C of the SVM; None: svm.DEFAULT_C.
    """

    paths: Sequence[str]
    weights: Sequence[float] | None = None
    crops: str = "mean"
    allow_missing: bool = False
    classes: tuple[str, ...] | None = None
    over_time: str | None = None
    search: Sequence[str] = ()
    svm: Sequence[str] = ()
    svm_c: float | None = None


def fuse(request: Request, listener: progress.Silent = progress.SILENT) -> Fusion:
    """Fuses score files by video id.

    Args:
        request: Request.
        listener: is told what is assumed where files do not say it.

    Returns:
        Fusion.

    Raises:
        InputError: the files cannot be used, or not together.
        OSError: a file is missing.
    """
    given = weights = _weights(request)
    if request.search:
        weights = _searched(request, given, listener)
    machine = _machine(request, listener) if request.svm else None
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(read(path)) for path in request.paths]
        assumed = tuple(_assumptions(opened))
        about = tuple(dict(file.about) for file in opened)
        joined = _joined(request, opened)
        if request.search:
            _check_held_out(request.search[0], "held-out", "weights", joined)
        if request.svm:
            _check_training(request, opened, joined)
        failed = {video: why for file in opened for video, why in file.failed.items()}
        named = (joining.known_classes(file) for file in opened)
        classes = next(filter(None, named), opened[0].classes)
        ways = {FUSION: weights}
        if request.search:
            ways = {AS_GIVEN: given, **_published(opened), **ways}
    for text in assumed:
        listener.say(text)
    if request.classes is not None:
        if len(request.classes) != len(classes):
            raise InputError(
                f"`classes` has {len(request.classes)} names, the scores are of "
                f"{len(classes)} classes"
            )
        classes = tuple(request.classes)
    if machine is None:
        fused = {name: joining.fuse(joined.scores, way) for name, way in ways.items()}
    else:
        fused = {AVERAGED: svm.average(joined)}
        fused[f"fusion, SVM, C = {machine.c:g}"] = machine(joined)
        weights = [None] * len(weights)
    parts = [
        Part(str(path), weight, joined.accuracy_of_file(place))
        for place, (path, weight) in enumerate(zip(request.paths, weights, strict=True))
    ]
    parts += [Part(name, None, joined.accuracy_of(one)) for name, one in fused.items()]
    return Fusion(
        parts=tuple(parts),
        video_ids=joined.video_ids,
        labels=joined.labels,
        scores=list(fused.values())[-1],
        classes=classes,
        left_out=joined.left_out,
        failed=failed,
        assumed=assumed,
        label_sets=joined.label_sets,
        incomplete=joined.incomplete,
        way=joined.way if machine is None else None,
        joined=joined,
        about=about,
    )


def _published(opened):
    """{name of the way: the weights that were published}, if all files say theirs."""
    found = [file.about.get("published_weight") for file in opened]
    if None in found:
        return {}
    if not all(type(w) in (int, float) and math.isfinite(w) for w in found):
        raise InputError(
            f"{opened[0].path} or others say published weights that are no numbers: "
            f"{str(found)[:100]}"
        )
    return {f"{AS_PUBLISHED} {' : '.join(f'{w:g}' for w in found)}": found}


def _joined(request, opened):
    """Opened files, of the same videos, as one score a class each."""
    check_alike(opened)
    read_in = [
        joining.aggregate_file(file, request.crops, request.over_time)
        for file in opened
    ]
    return joining.join(read_in, request.allow_missing)


def _searched(request, weights, listener):
    """The weights that are best on the held-out videos."""
    if len(request.search) != len(request.paths):
        raise InputError(
            f"`search` names {len(request.search)} files of held-out videos for "
            f"{len(request.paths)} files"
        )
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(read(path)) for path in request.search]
        joined = _joined(request, opened)
    found = weight_search.search(joined, weights)
    before, after = (
        joined.accuracy_of(joining.fuse(joined.scores, w)).main
        for w in (weights, found)
    )
    listener.say(
        f"{len(joined.video_ids)} held-out videos: {after:.2f} with the weights "
        f"{' '.join(map(str, found))}, {before:.2f} with {' '.join(map(str, weights))}"
    )
    return found


def _check_held_out(path, kind, what, joined):
    """Refuses a choice on the very videos that are tested."""
    with read(path) as file:
        both = set(file.video_ids) & set(joined.video_ids)
        if both and file.names_videos:
            raise InputError(
                f"{len(both)} {kind} videos of {file.path} are tested too, as "
                f"{min(both)}: {what} that are chosen on tested videos say nothing"
            )


def _machine(request, listener):
    """The SVM of the training videos."""
    if len(request.svm) != len(request.paths):
        raise InputError(
            f"`svm` names {len(request.svm)} files of training videos for "
            f"{len(request.paths)} files"
        )
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(read(path)) for path in request.svm]
        joined = _joined(request, opened)
        named = next(filter(joining.known_classes, opened), opened[0])
    machine = svm.trained(joined, named.classes, request.svm_c)
    listener.say(
        f"SVM of {len(joined.video_ids)} training videos, C = {machine.c:g}"
        + (
            ""
            if named.names_videos
            else "; .npz files name no videos: it cannot be seen "
            "whether some are tested too"
        )
    )
    return machine


def _check_training(request, opened, joined):
    """Refuses an SVM of other streams, or of the very videos that are tested."""
    _check_held_out(request.svm[0], "training", "machines", joined)
    for tested, path in zip(opened, request.svm, strict=True):
        with read(path) as file:
            svm.check_alike(tested, file)


def _weights(request):
    if request.svm_c is not None and not request.svm:
        raise InputError("`svm_c` is for an SVM: name its training videos with `svm`")
    if request.svm and (request.weights is not None or request.search):
        raise InputError(
            "`svm` takes the place of weights: leave `weights` and `search` out"
        )
    weights = list(request.weights or [1.0] * len(request.paths))
    if len(weights) != len(request.paths):
        raise InputError(
            f"`weights` gives {len(weights)} numbers for {len(request.paths)} files"
        )
    if not all(map(math.isfinite, weights)) or not any(weights):
        raise InputError(f"`weights` is {weights}: not finite, or all 0")
    return weights


def read(path) -> score_file.ScoreFile | npz.NpzScores:
    """Opens a score file of ours, or one of the original's."""
    if pathlib.Path(path).suffix == NPZ:
        return npz.NpzScores(path)
    return score_file.ScoreFile(path)


def check_alike(opened):
    """Refuses files that cannot be of the same videos, by what they say of them.

    Args:
        opened: list of what `read` gives.

    Raises:
        InputError: they cannot; the text names two of them.
    """
    if len({file.names_videos for file in opened}) > 1:
        raise InputError(
            "an .npz names no videos and cannot be joined with a score file that "
            "does: convert it with tsn_keras.convert, which takes the ids of its "
            "videos, data set, split, modality and classes"
        )
    # Two protocols are never mixed silently.
    for key in ("dataset", "split", "protocol", "measure"):
        said = [file for file in opened if file.about.get(key) is not None]
        for file in said[1:]:
            values = said[0].about[key], file.about[key]
            if values[0] != values[1]:
                raise InputError(
                    f"{said[0].path} is of {key} {values[0]}, {file.path} of "
                    f"{values[1]}"
                )


def _assumptions(opened):
    """Yields what some files do not say and is taken from others, for people."""
    if len(opened) > 1 and not opened[0].names_videos:
        yield ".npz files name no videos: joined by position, labels compared"
    for key in ("dataset", "split", "protocol"):
        said = [file for file in opened if file.about.get(key) is not None]
        for file in opened if said else ():
            if file.about.get(key) is None and not (
                # A data set without splits has none to be compared.
                key == "split" and file.about.get("dataset") is not None
            ):
                yield (
                    f"{file.path} does not say its {key}: taken to be "
                    f"{said[0].path}'s, {said[0].about[key]}"
                )
    named = [file for file in opened if joining.known_classes(file)]
    for file in opened if named else ():
        if file not in named:
            yield (
                f"{file.path} does not name its classes: taken to be "
                f"{named[0].path}'s, in this order"
            )
