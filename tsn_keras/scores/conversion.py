"""Score files from and to the original's .npz layout."""

import pathlib

from tsn_keras.common import text
from tsn_keras.common.errors import InputError
from tsn_keras.scores import npz, score_file
from tsn_keras.scores.score_file import VideoScores


def to_npz(source, target):
    """Exports a score file to the original's layout.

    Args:
        source: score file, .h5.
        target: .npz to write.

    Returns:
        number of videos.

    Raises:
        InputError: the file cannot be used.
    """
    with score_file.ScoreFile(source) as file:
        npz.write(file, target)
        return len(file)


def from_npz(source, target, ids, classes=None, **about):
    """Imports a score file of the original.

    Args:
        source: score file, .npz.
        target: .h5 to write.
        ids: path of a text file with the id of each video, one a line, in the order of
            `source`, which names none.
        classes: path of a text file with the names of the classes, one a line or as
            UCF101's classInd.txt; or None, and they are "0", "1", ...
        about: `dataset` (its name), `split` (its number) and `modality`, as far as
            they are known; files that are fused are compared by them.

    Returns:
        number of videos.

    Raises:
        InputError: the files cannot be used, or not together.
    """
    with npz.NpzScores(source) as file:
        names = [line for _, line in text.lines(ids)]
        if len(names) != len(file.video_ids):
            raise InputError(
                f"{ids} has {len(names)} ids, {source} {len(file.video_ids)} videos"
            )
        labels = file.classes if classes is None else text.names(classes)
        if len(labels) != len(file.classes):
            raise InputError(
                f"{classes} has {len(labels)} names, {source} is of "
                f"{len(file.classes)} classes"
            )
        rows = (
            # The layout does not say how many files a video had.
            VideoScores(name, int(label), 0, file.read(index))
            for name, label, index in zip(
                names, file.labels, file.video_ids, strict=True
            )
        )
        about = {k: v for k, v in about.items() if v is not None}
        about["source"] = pathlib.Path(source).name
        score_file.write(target, rows, classes=labels, about=about, failed={})
    return len(names)
