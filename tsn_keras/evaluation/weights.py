"""Which weights are for which stream, and whether they fit."""

import pathlib

from tsn_keras.checkpoints import loading
from tsn_keras.common.errors import InputError
from tsn_keras.evaluation.scoring import Test


def match(request, parts, located):
    """Opens the weight file of each stream, and checks that it fits.

    Args:
        request: evaluation.run.Request.
        parts: streams of splits, with `split`, `modality`, `videos`, `selected`.
        located: a checkpoints.folders.Located for each part: in their order for
            several splits, else told apart by the modality that they hold.

    Returns:
        list of scoring.Test, in the order of the parts.

    Raises:
        InputError: a file cannot be used, or is not for its stream.
    """
    opened = [loading.read(one) for one in located]
    by_modality = {w.modality.name: w for w in opened if w.modality is not None}
    tests = []
    for part, in_order in zip(parts, opened, strict=True):
        name = part.modality.name
        weights = by_modality.get(name) if len(request.split) == 1 else in_order
        if weights is None or weights.stream.modality.name != name:
            given = {str(w.path): w.modality and w.modality.name for w in opened}
            raise InputError(f"no weights for {name}; the files given are for {given}")
        _check_classes(weights, part.videos)
        stream = weights.stream.with_prefixes(request.prefixes)
        path = _score_path(request, part)
        tests.append(Test(part.videos, part.selected, weights, stream, path))
    return tests


def _check_classes(weights, videos):
    classes = weights.architecture.classes
    needed = videos.class_count
    if (videos.classes and classes != needed) or (classes or 0) < needed:
        raise InputError(
            f"{weights.path} has {classes} classes; {videos.name} needs {needed}"
        )


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
