"""The 25 x 10 test of both streams and their fusion, beside what was published."""

import dataclasses
import os
import pathlib

import numpy as np
import tqdm

from tsn_keras import config
from tsn_keras.checkpoints import folders
from tsn_keras.data import annotations, datasets, frames, storage
from tsn_keras.engine import console, fusion, report, scores
from tsn_keras.models import presets

# Environment variables that name folders, here or elsewhere.
PLACES = (datasets.DATA_VARIABLE, folders.VARIABLE)


@dataclasses.dataclass(frozen=True)
class Request:
    """What to evaluate; see `python -m tsn_keras.eval --help`."""

    dataset: str
    split: tuple[int, ...]
    modality: tuple[str, ...]
    data: str | None = None
    annotations: str | None = None
    weights: tuple[str, ...] = ()
    scores: str | None = None
    batch: int = 5
    precision: str = "float32"
    allow_missing: bool = False
    prefixes: frames.Prefixes = dataclasses.field(default_factory=frames.Prefixes)


def evaluate(request):
    """Scores every stream of every split, fuses, and prints the table.

    Args:
        request: Request.

    Returns:
        (dict for the last line of output, exit status).

    Raises:
        console.UsageError: something is missing; the text gives the next step.
    """
    places = (request.data, request.annotations, *request.weights)
    with console.quiet_frameworks():
        storage.prepare((*places, *map(os.environ.get, PLACES)))
    jobs = _find_data(request)
    names = _name_weights(request)
    # Imported when all files are in place: TensorFlow takes seconds.
    with console.quiet_frameworks():
        from tsn_keras.engine import streams
    settings = streams.Settings(request.batch, request.precision, request.prefixes)
    weights = streams.open_weights(names, jobs)
    outcomes = {}
    for (split, modality), (test, selection) in jobs.items():
        outcomes[split, modality] = streams.score(
            test,
            selection,
            weights[split, modality],
            _score_path(request, split, modality),
            settings,
        )
    return _report(request, outcomes)


def _find_data(request):
    """Returns {(split, modality): (VideoSet, Selection)}."""
    jobs = {}
    for split in request.split:
        test = _test_set(request, split)
        for modality in request.modality:
            selection = datasets.select(
                test, modality, request.prefixes, request.allow_missing
            )
            for video, reason in selection.failed.items():
                console.say(f"{video} failed: {reason}")
            jobs[split, modality] = test, selection
    return jobs


def _test_set(request, split):
    if request.dataset != "demo":
        return datasets.find_test_set(
            request.dataset, split, request.data, request.annotations
        )
    from tsn_keras.data import demo

    root = pathlib.Path(request.data or config.cache_folder() / demo.FOLDER)
    found = demo.split()
    bar = tqdm.tqdm(desc="making demo videos", unit="video", total=len(found.test))
    with bar:
        demo.prepare(root, found.test, progress=bar.update)
    return datasets.VideoSet("demo", split, root, found.test, found.classes)


def _name_weights(request):
    """Names the weight files, before anything slow is begun.

    Returns:
        {(split, modality): path} of presets that were found or fetched, or a
        list of the files that the user named, in any order.
    """
    named = list(request.weights)
    folder = None
    if len(named) == 1 and storage.path(named[0]).is_dir():
        folder = named.pop()
    if named or request.dataset == "list":
        if len(request.split) > 1:
            raise console.UsageError(
                "--weights with files is for one split; for several splits name the "
                "folder that holds the reference models"
            )
        if len(named) != len(request.modality):
            raise console.UsageError(
                f"--weights names {len(named)} files for the modalities "
                f"{' '.join(request.modality)}: give one file for each, and those "
                f"modalities with --modality"
            )
        return named
    return {
        (split, modality): folders.obtain(_preset(request, modality, split), folder)
        for split in request.split
        for modality in request.modality
    }


def _preset(request, modality, split):
    suffix = "" if request.dataset == "demo" else f"_split{split}"
    name = f"{request.dataset}_{modality}{suffix}"
    if name not in presets.PRESETS:
        raise console.UsageError(
            f"no weights for {modality} were published for {request.dataset}: name "
            f"files of your own with --weights, one for each modality"
        )
    return presets.PRESETS[name]


def _score_path(request, split, modality):
    """The score file of a stream; several streams get names of their own."""
    stream = modality if split is None else f"{modality}_split{split}"
    if request.scores is None:
        return pathlib.Path("scores", f"{request.dataset}_{stream}.h5")
    path = pathlib.Path(request.scores)
    if len(request.split) * len(request.modality) == 1:
        return path
    return path.with_name(f"{path.stem}_{stream}{path.suffix}")


def _report(request, outcomes):
    """Prints the table; returns (result, exit status)."""
    rows, results = [], []
    for split in request.split:
        files = [(modality, outcomes[split, modality]) for modality in request.modality]
        opened = [scores.open(outcome.path) for _, outcome in files]
        for (modality, outcome), file in zip(files, opened, strict=True):
            figures = fusion.figures(scores.aggregate_file(file), file.labels)
            figures |= {
                "stream": modality,
                "split": split,
                "videos": outcome.scored,
                "of": outcome.total,
                "missing": outcome.missing,
                "failed": outcome.failed,
                "scores": str(outcome.path),
            }
            results.append(figures)
        if len(files) > 1:
            results.append(_fuse(split, request, opened, files))
        for file in opened:
            file.close()
    results += _averages(request, results)
    for figures in results:
        name = figures["stream"], figures["split"]
        # Published are the streams, and the fusion of those two.
        two = name[0] != "fusion" or set(request.modality) == {"rgb", "flow"}
        figures["published"] = (
            presets.published(request.dataset, *name) if two else None
        )
        rows.append(_row(figures))
    headers = ("split", "stream", "videos", "mean class acc.", "published")
    print(report.table(rows, (*headers, "difference", "top-1", "top-5")))
    failed = {
        video: reason
        for outcome in outcomes.values()
        for video, reason in outcome.failed.items()
    }
    if failed:
        console.say(f"{len(failed)} videos failed and are not in these figures:")
        for video, reason in failed.items():
            console.say(f"  {video}: {reason}")
    status = console.EXIT_SOME_FAILED if failed else console.EXIT_OK
    return {"dataset": request.dataset, "results": results}, status


def _fuse(split, request, opened, files):
    """Figures of the weighted sum of a split's streams.

    A video that one stream lacks is left out, and is counted.
    """
    joined = scores.join(opened, allow_missing=True)
    aggregated = [scores.aggregate_file(file) for file in opened]
    parts = [a[index] for a, index in zip(aggregated, joined.indices, strict=True)]
    weights = [presets.FUSION_WEIGHTS[modality] for modality in request.modality]
    return {
        **fusion.figures(scores.fuse(parts, weights), joined.labels),
        "stream": "fusion",
        "split": split,
        "weights": weights,
        "videos": len(joined.video_ids),
        "of": files[0][1].total,
    }


def _averages(request, results):
    """Means over the splits, when all three are there."""
    if len(request.split) != len(annotations.SPLITS):
        return []
    averages = []
    for stream in dict.fromkeys(figures["stream"] for figures in results):
        parts = [figures for figures in results if figures["stream"] == stream]
        keys = ("mean_class_accuracy", "top1", "top5")
        averages.append(
            {
                **{k: float(np.mean([part[k] for part in parts])) for k in keys},
                "stream": stream,
                "split": None,
                "videos": sum(part["videos"] for part in parts),
                "of": sum(part["of"] for part in parts),
            }
        )
    return averages


def _row(figures):
    accuracy, published = figures["mean_class_accuracy"], figures["published"]
    return (
        "" if figures["split"] is None else str(figures["split"]),
        figures["stream"],
        f"{figures['videos']} of {figures['of']}",
        f"{accuracy:.2f}",
        "" if published is None else f"{published:.2f}",
        # Plus 0, so that a rounding error below it does not read -0.00.
        "" if published is None else f"{round(accuracy - published, 2) + 0.0:+.2f}",
        f"{figures['top1']:.2f}",
        f"{figures['top5']:.2f}",
    )
