"""The published test of every stream and of their fusion, beside what was published."""

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Mapping

from tsn_keras.checkpoints import folders, presets
from tsn_keras.checkpoints.records import MEAN_CLASS
from tsn_keras.common import console, progress, storage
from tsn_keras.common.errors import InputError
from tsn_keras.datasets import selection
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.datasets.records import Choice
from tsn_keras.evaluation.results import METRICS, Evaluation, Row
from tsn_keras.evaluation.settings import Settings
from tsn_keras.evaluation.shards import Shard
from tsn_keras.protocols.modalities import MODALITIES, Modality
from tsn_keras.protocols.overrides import UNCHANGED, Override
from tsn_keras.runtimes.catalogue import RUNTIMES
from tsn_keras.scores import fusion, joining, metrics, score_file, windows

# Environment variables that name folders, on this machine or elsewhere.
PLACES = (selection.DATA_VARIABLE, folders.VARIABLE)


@dataclasses.dataclass(frozen=True)
class Request:
    """What to evaluate.

    Attributes:
        dataset: name of the data set.
        split: numbers of the splits; (None,) where there are none.
        modality: names of the modalities; several are fused.
        data: folder of the frame folders or video files, or None for the usual one.
        annotations: folder of the split files, or a list file; or None.
        weights: one file or preset for each modality; or a folder of published
            weights; or none, and they are found or fetched.
        scores: score file to write, or None for scores/ in the working folder.
        batch: snippets in a batch.
        precision: "float32" or "bfloat16".
        runtime: name of what runs the network, one of runtimes.catalogue.RUNTIMES.
        allow_missing: score what is there when videos are not on disk.
        prefixes: {prefix: what the user's files have instead}.
        override: another test than that of the weights.
        shard: the share of each split that is scored, or None for all.
        scheduler: address of a Dask cluster's scheduler, or None for this machine.
    """

    dataset: str
    split: tuple[int | None, ...] = (1,)
    modality: tuple[str, ...] = ("rgb", "flow")
    data: str | None = None
    annotations: str | None = None
    weights: tuple[str, ...] = ()
    scores: str | None = None
    batch: int = 5
    precision: str = "float32"
    runtime: str = "keras"
    allow_missing: bool = False
    prefixes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    override: Override = UNCHANGED
    shard: Shard | None = None
    scheduler: str | None = None


@dataclasses.dataclass(frozen=True)
class _Part:
    """One stream of one split, before its weights are opened."""

    split: int | None
    modality: Modality
    videos: selection.VideoSet
    selected: selection.Selection


def evaluate(
    request: Request, listener: progress.Silent = progress.SILENT
) -> Evaluation:
    """Scores every stream of every split, and fuses them.

    Args:
        request: Request.
        listener: is shown how far it has come.

    Returns:
        Evaluation.

    Raises:
        InputError: something is missing; the text gives the next step.
        KeyboardInterrupt: with a text that says what was kept.
    """
    if request.override.over_time is not None:
        windows.OVER_TIME.find(request.override.over_time, "`over_time`")
    RUNTIMES.find(request.runtime).check(request.precision)
    places = (request.data, request.annotations, *request.weights)
    with console.quiet_frameworks():
        storage.prepare((*places, *map(os.environ.get, PLACES)))
    parts = [
        part for split in request.split for part in _find_data(request, split, listener)
    ]
    located = _locate_weights(request, parts, listener)
    # Imported when all files are in place: TensorFlow takes seconds.
    with console.quiet_frameworks():
        from tsn_keras.evaluation import scoring, weights
    tests = weights.match(request, parts, located)
    settings = Settings(
        request.batch, request.precision, request.runtime, request.scheduler
    )
    outcomes = [scoring.score(test, settings, listener) for test in tests]
    rows = []
    for split in request.split:
        rows += _rows([o for o in outcomes if o.test.videos.split == split])
    rows += _means(request, rows)
    return Evaluation(
        request.dataset, tuple(_beside_published(request, rows, outcomes))
    )


def default_split(dataset: str) -> int | None:
    """The split of a data set that is evaluated unless another is named."""
    return DATASETS.find(dataset).default_split


def _find_data(request, split, listener):
    """The _Part of each modality of a split."""
    choice = Choice(
        request.dataset,
        split=split,
        root=request.data,
        annotations=request.annotations,
    )
    videos = selection.find_test_set(choice, listener)
    if request.shard is not None:
        videos = dataclasses.replace(videos, videos=request.shard.of(videos.videos))
    parts = []
    for name in request.modality:
        modality = MODALITIES.find(name).with_prefixes(request.prefixes)
        selected = selection.select(
            videos,
            modality.all_prefixes,
            request.allow_missing,
            images=not modality.has_flow,
            listener=listener,
        )
        for video, reason in selected.failed.items():
            listener.say(f"{video} failed: {reason}")
        parts.append(_Part(split, modality, videos, selected))
    return parts


def _locate_weights(request, parts, listener):
    """Finds the weight files, before anything slow starts.

    Returns:
        list of folders.Located: a preset for each part, or the files that the
        user named, as many.
    """
    named = list(request.weights)
    folder = None
    if len(named) == 1 and folders.is_collection(named[0]):
        folder = named.pop()
    if not named:
        wanted = [_preset(part) for part in parts]
        return [folders.locate(preset.name, folder, listener) for preset in wanted]
    if len(request.split) > 1:
        raise InputError(
            "`weights` with files is for one split; for several splits name the "
            "folder that holds the reference models"
        )
    if len(named) != len(request.modality):
        raise InputError(
            f"`weights` names {len(named)} files for the modalities "
            f"{' '.join(request.modality)}: give one file for each, and those "
            f"modalities with `modality`"
        )
    return [folders.locate(name, listener=listener) for name in named]


def _preset(part):
    dataset = part.videos.name
    found = presets.trained_on(dataset, part.modality.name, part.split)
    if found is None:
        raise InputError(
            f"no weights for {part.modality.name} were published for {dataset}: name "
            f"files of your own with `weights`, one for each modality"
        )
    return found


def _rows(outcomes):
    """A Row for each stream of a split, and one for their fusion."""
    rows = []
    with contextlib.ExitStack() as stack:
        parts = []
        for outcome in outcomes:
            file = stack.enter_context(score_file.ScoreFile(outcome.test.path))
            parts.append(joining.aggregate_file(file))
            rows.append(
                Row(
                    outcome.test.stream.modality.name,
                    outcome.test.videos.split,
                    parts[-1].accuracy,
                    outcome.scored,
                    outcome.total,
                    outcome=outcome,
                )
            )
        if len(parts) > 1:
            # A video that one stream lacks is left out, and is counted.
            joined = joining.join(parts, allow_missing=True)
            weights = tuple(o.test.fusion_weight for o in outcomes)
            fused = joining.fuse(joined.scores, weights)
            rows.append(
                Row(
                    fusion.FUSION,
                    rows[0].split,
                    joined.accuracy_of(fused),
                    len(joined.video_ids),
                    rows[0].of,
                    weights=weights,
                )
            )
    return rows


def _means(request, rows):
    """Means over the splits, when all of them are there."""
    splits = DATASETS.find(request.dataset).splits
    if len(splits) < 2 or set(request.split) != set(splits):
        return []
    means = []
    for stream in dict.fromkeys(row.stream for row in rows):
        parts = [row for row in rows if row.stream == stream]
        means.append(
            Row(
                stream,
                None,
                metrics.mean(row.accuracy for row in parts),
                sum(row.videos for row in parts),
                sum(row.of for row in parts),
            )
        )
    return means


def _beside_published(request, rows, outcomes):
    """The rows with what was published of them.

    Of other weights, or of a part of the videos, it is no measure.
    """
    measured = {
        (o.test.stream.modality.name, o.test.videos.split)
        for o in outcomes
        if o.scored == o.total
        and not (o.test.shard or o.test.own)
        and _are_published(request.dataset, o.test)
    }
    for row in rows:
        of_row = request.dataset, row.stream, row.split
        published, metric = presets.published(*of_row), presets.metric_of(*of_row)
        if metric not in METRICS[type(row.accuracy)]:
            published = None  # Of something that is not measured here.
        streams = [row.stream]
        if row.stream == fusion.FUSION:
            streams = request.modality
            if set(streams) != presets.FUSED:
                published = None  # That is the fusion of other streams.
        splits = request.split if row.split is None else [row.split]
        if not measured.issuperset(itertools.product(streams, splits)):
            published = None
        yield dataclasses.replace(row, published=published, metric=metric or MEAN_CLASS)


def _are_published(dataset, test):
    """Whether a test's weights are those that its figure was published for."""
    found = presets.trained_on(dataset, test.stream.modality.name, test.videos.split)
    weights = test.weights
    if found is None or weights.preset is not None:
        return found is not None and weights.preset == found
    # For a file named by its path: where no digest was published, its name decides.
    if found.sha256 is None:
        return weights.path.name in found.files
    return weights.sha256 == found.sha256
