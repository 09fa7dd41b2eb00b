"""An evaluation, or a fusion of score files, to what a page shows."""

import pathlib

from tsn_keras.common import storage, text
from tsn_keras.common.errors import InputError
from tsn_keras.datasets import selection
from tsn_keras.datasets.records import DatasetError, Video
from tsn_keras.evaluation.results import METRICS, Evaluation, Row
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.reports import examples, published
from tsn_keras.reports.records import Page, Pictures, Stream, Tested
from tsn_keras.scores import fusion

MOST_PICTURES = 24  # videos of each kind on a page


def of_evaluation(found: Evaluation) -> Page:
    """What an evaluation found.

    Raises:
        InputError: its score files cannot be used any more.
    """
    outcomes = [row.outcome for row in found.rows if row.outcome is not None]
    splits = dict.fromkeys(outcome.test.videos.split for outcome in outcomes)
    tests = [
        _of_outcomes(
            [o for o in outcomes if o.test.videos.split == split], found, split
        )
        for split in splits
    ]
    notes = [o.test.note for o in outcomes if o.test.note]
    notes += [f"{video} failed: {why}" for video, why in found.failed.items()]
    return Page(found.dataset, tuple(tests), found.rows, tuple(dict.fromkeys(notes)))


def _of_outcomes(outcomes, found, split):
    """The Tested of a split."""
    several = len(outcomes) > 1
    request = fusion.Request(
        paths=[str(outcome.test.path) for outcome in outcomes],
        # Of a stream alone a factor would change the probabilities.
        weights=[o.test.fusion_weight for o in outcomes] if several else None,
        allow_missing=True,
    )
    fused = fusion.fuse(request)
    streams, pictures = [], {}
    for outcome, about in zip(outcomes, fused.about, strict=True):
        test = outcome.test
        folders = {folder.id: folder for folder in test.selection.folders}
        for prefixes, is_flow in _kinds(test.stream.modality):
            pictures.setdefault(prefixes, Pictures(prefixes, is_flow, folders))
        weights = pathlib.Path(str(test.weights.path)).parent
        runs = (weights, pathlib.Path(test.path).parent)
        streams.append(Stream(test.stream.modality.name, about, runs))
    title = found.dataset if split is None else f"{found.dataset}, split {split}"
    rows = tuple(row for row in found.rows if row.split == split)
    return Tested(title, fused, tuple(streams), rows, tuple(pictures.values()))


def _kinds(modality):
    """(prefixes, whether they are of flow) of each kind of files of a modality."""
    parts = [part for part, _ in modality.parts] or [modality]
    return [(part.prefixes, part.is_flow) for part in parts]


def of_fusion(found: fusion.Fusion, data=None) -> Page:
    """What a fusion of score files found.

    Args:
        found: Fusion.
        data: folder of the frame folders or video files, for pictures; or None.

    Raises:
        InputError: there is no such folder, or none of the videos is in it.
    """
    paths = [part.file for part in found.parts[: len(found.about)]]
    names = _names(found.about, paths)
    streams = tuple(
        Stream(name, about, (pathlib.Path(path).parent,))
        for name, about, path in zip(names, found.about, paths, strict=True)
    )
    dataset, split = (_told(found.about, key) for key in ("dataset", "split"))
    title = " + ".join(names) if dataset is None else dataset
    test = Tested(
        title if split is None else f"{title}, split {split}",
        *(found, streams, tuple(_rows(found, names, split))),
    )
    if data is not None:
        test = with_pictures(test, storage.path(data))
    notes = [*found.assumed]
    if found.left_out:
        notes.append(f"{found.left_out} videos are not in all files and are left out")
    if found.incomplete:
        notes.append(
            f"{found.incomplete} videos have nothing of a stream, and are fused without"
            f" it"
        )
    notes += [f"{video} failed: {why}" for video, why in found.failed.items()]
    return Page(title, (test,), test.rows, tuple(notes))


def _told(abouts, key):
    """What the first file says that says it, as text; or None."""
    found = (about.get(key) for about in abouts)
    return next((str(one) for one in found if one is not None), None)


def _names(abouts, paths):
    """What the streams are called: by modality, or by file where that is not clear."""
    modalities = [about.get("modality") for about in abouts]
    are_told = all(isinstance(modality, str) for modality in modalities)
    if are_told and len(set(modalities)) == len(modalities):
        return modalities
    stems = [pathlib.Path(path).stem for path in paths]
    return stems if len(set(stems)) == len(stems) else paths


def _rows(found, names, split):
    """A Row for each part of a fusion."""
    videos = len(found.video_ids)
    of = videos + found.left_out + len(found.failed)
    weights = [part.weight for part in found.parts[: len(names)]]
    weights = None if None in weights else tuple(weights)
    for place, part in enumerate(found.parts):
        if place < len(names):
            name, known = names[place], published.of_stream(found.about[place])
        else:
            name, is_given = part.file, part.file == fusion.FUSION
            known = published.of_fusion(found.about, weights) if is_given else None
        figure, metric = known or (None, None)
        if videos < of or metric not in METRICS[type(part.accuracy)]:
            figure, metric = None, METRICS[type(part.accuracy)][0]
        yield Row(name, split, part.accuracy, videos, of, figure, metric=metric)


def with_pictures(test: Tested, root) -> Tested:
    """The same with the files of the videos that are shown.

    Args:
        test: Tested.
        root: folder of the frame folders or video files.

    Raises:
        InputError: there is no such folder, or it has none of the videos.
    """
    if not root.is_dir():
        raise DatasetError(f"there is no folder {root}: `data` holds the frame folders")
    videos = selection.VideoSet(
        *(test.title, None, root, tuple(_shown(test)), test.fusion.classes)
    )
    found, failed = {}, None
    for stream in test.streams:
        named = stream.about.get("modality")
        known = isinstance(named, str) and named in MODALITIES
        for prefixes, is_flow in _kinds(MODALITIES[named]) if known else ():
            if prefixes in found:
                continue
            try:
                there = selection.select(videos, prefixes, True, images=not is_flow)
            except InputError as error:
                failed = error
                continue
            folders = {folder.id: folder for folder in there.folders}
            found[prefixes] = Pictures(prefixes, is_flow, folders)
    if failed is not None and not found:
        raise failed
    return Tested(
        *(test.title, test.fusion, test.streams, test.rows, tuple(found.values()))
    )


def _shown(test):
    """The Video of each that is shown with pictures."""
    fused = test.fusion
    known = examples.verdicts(test.values(), fused.labels, fused.label_sets)
    chosen = (
        pick(known, MOST_PICTURES) for pick in (examples.worst, examples.confident)
    )
    for place in dict.fromkeys(index for part in chosen for index in part.tolist()):
        label = int(fused.labels[place])
        folder = fused.classes[label] if label >= 0 else ""
        if _is_below(fused.video_ids[place]):
            yield Video(
                fused.video_ids[place], label, folder if _is_below(folder) else ""
            )


def _is_below(name):
    """Whether a name of a score file, which may be a stranger's, leads nowhere else."""
    path = pathlib.PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and not text.fault(name)
