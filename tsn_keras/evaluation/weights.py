"""Which weights are for which stream, and whether they fit."""

import pathlib

from tsn_keras.checkpoints import loading, overriding, presets
from tsn_keras.common.errors import InputError
from tsn_keras.evaluation import ways
from tsn_keras.evaluation.scoring import Test


def match(request, parts, located):
    """Opens the weight file of each stream, and checks that it fits.

    Args:
        request: evaluation.run.Request.
        parts: streams of splits, with `split`, `modality`, `videos`, `selected`.
        located: a checkpoints.folders.Located for each part, in any order: they
            are told apart by modality, presets also by split.

    Returns:
        list of scoring.Test, in the order of the parts.

    Raises:
        InputError: a file cannot be used, or is not for its stream.
    """
    opened = [loading.read(one) for one in located]
    # A user's own files are for one split.
    one_split = len(request.split) == 1
    by_stream = {
        (None if one_split else w.preset.split, w.modality.name): w
        for w in opened
        if w.modality is not None
    }
    tests = []
    for part in parts:
        name = part.modality.name
        weights = by_stream.get((None if one_split else part.split, name))
        if weights is None:
            given = {str(w.path): w.modality and w.modality.name for w in opened}
            raise InputError(f"no weights for {name}; the files given are for {given}")
        _check_classes(weights, part.videos)
        tested = overriding.overridden(weights, request.override)
        ways.check(tested, tested.protocol.test)
        path = _score_path(request, part)
        tests.append(
            Test(
                part.videos,
                part.selected.under(tested.stream),
                tested,
                tested.stream.with_prefixes(request.prefixes),
                path if request.shard is None else request.shard.place(path),
                _class_order(weights, part.videos),
                request.shard,
                None if tested.protocol == weights.protocol else weights.protocol,
            )
        )
    return tests


def _check_classes(weights, videos):
    classes = weights.architecture.classes
    needed = videos.class_count
    if (videos.classes and classes != needed) or (classes or 0) < needed:
        raise InputError(
            f"{weights.path} has {classes} classes; {videos.name} needs {needed}"
        )


def _class_order(weights, videos):
    """Which output is which class of the data set, or None if they are in its order.

    MMAction2 sorts the classes of HMDB51, its authors do not.
    """
    preset = weights.preset or presets.of_file(weights.path.name)
    names = weights.class_names or (preset and preset.class_names)
    if not (names and videos.classes) or set(names) != set(videos.classes):
        return None
    order = tuple(map(names.index, videos.classes))
    return None if order == tuple(range(len(order))) else order


def _score_path(request, part):
    """The score file of a stream; several streams get names of their own."""
    stream = part.modality.name
    if part.split is not None:
        stream = f"{stream}_split{part.split}"
    if request.scores is None:
        return pathlib.Path("scores", f"{request.dataset}_{stream}.h5")
    path = pathlib.Path(request.scores)
    if len(request.split) * len(request.modality) == 1:
        return path
    return path.with_name(f"{path.stem}_{stream}{path.suffix}")
