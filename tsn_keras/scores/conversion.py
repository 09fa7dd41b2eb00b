"""Score files from and to the original's .npz layout."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

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
        if file.label_sets is not None:
            raise InputError(
                f"{source}: its videos have several labels; the original's layout has "
                f"room for one"
            )
        npz.write(file, target)
        return len(file)


@dataclasses.dataclass(frozen=True)
class Told:
    """What a user says of an .npz, which says nothing of itself.

    Attributes:
        ids: id of each video, in the file's order.
        ids_from: where they are from, for messages.
        labels: the label of each of these videos, to be compared; or None.
        classes: names of the classes, or None, and they are "0", "1", ...
        classes_from: where they are from, for messages.
        about: {"dataset", "split", "modality": what is known of the scores}.
    """

    ids: Sequence[str]
    ids_from: str
    labels: Sequence[int] | None = None
    classes: Sequence[str] | None = None
    classes_from: str = ""
    about: Mapping[str, object] = dataclasses.field(default_factory=dict)


def from_npz(source, target, told):
    """Imports a score file of the original.

    Args:
        source: score file, .npz.
        target: .h5 to write.
        told: Told.

    Returns:
        number of videos.

    Raises:
        InputError: the files cannot be used, or not together.
    """
    with npz.NpzScores(source) as file:
        _check_fits(file, told)
        rows = (
            # The layout does not say how many files a video had.
            VideoScores(name, int(label), 0, file.read(index))
            for name, label, index in zip(
                told.ids, file.labels, file.video_ids, strict=True
            )
        )
        score_file.write(
            target,
            rows,
            classes=told.classes or file.classes,
            about={"source": pathlib.Path(source).name, **told.about},
            failed={},
        )
    return len(told.ids)


def _check_fits(file, told):
    """Refuses what a user says if the file contradicts it."""
    if len(told.ids) != len(file.video_ids):
        raise InputError(
            f"{told.ids_from} has {len(told.ids)} ids, {file.path} "
            f"{len(file.video_ids)} videos"
        )
    if told.classes is not None and len(told.classes) != len(file.classes):
        raise InputError(
            f"{told.classes_from} has {len(told.classes)} names, {file.path} is of "
            f"{len(file.classes)} classes"
        )
    if told.labels is None:
        return
    differ = [k for k, label in enumerate(told.labels) if label != file.labels[k]]
    if differ:
        k = differ[0]
        raise InputError(
            f"{file.path} is not in the order of {told.ids_from}: {len(differ)} of "
            f"{len(told.ids)} labels differ; that of video {k + 1}, {told.ids[k]}, is "
            f"{told.labels[k]} there and {file.labels[k]} in the scores. Give the ids "
            f"in the scores' order with `ids`"
        )
