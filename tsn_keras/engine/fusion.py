"""Score files to the accuracy of each and of their weighted sum."""

import contextlib
import math

from tsn_keras.engine import console, metrics, npz, report, scores


def fuse(
    paths, *, weights=None, crops="mean", allow_missing=False, per_class, confusion
):
    """Fuses score files and prints the accuracies.

    Args:
        paths: score files, .h5 or .npz.
        weights: one number for each, or None for 1 each.
        crops: "mean" or "max"; see scores.aggregate.
        allow_missing: use the videos that all files have.
        per_class: whether to print the table of the classes.
        confusion: where to write the confusion matrix (.png, .csv), or None.

    Returns:
        (dict for the last line of output, exit status).

    Raises:
        config.InputError: the files cannot be used, or not together.
    """
    weights = weights or [1.0] * len(paths)
    if len(weights) != len(paths):
        raise console.UsageError(
            f"--weights gives {len(weights)} numbers for {len(paths)} files"
        )
    if not all(map(math.isfinite, weights)) or not any(weights):
        raise console.UsageError(f"--weights {weights}: not finite, or all 0")
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(_open(path)) for path in paths]
        _check_alike(opened)
        joined = scores.join(opened, allow_missing)
        aggregated = [
            scores.aggregate_file(file, crops)[index]
            for file, index in zip(opened, joined.indices, strict=True)
        ]
        failed = {video: why for file in opened for video, why in file.failed.items()}
        classes = opened[0].classes
    results = [
        {"file": str(path), "weight": weight, **figures(part, joined.labels)}
        for path, weight, part in zip(paths, weights, aggregated, strict=True)
    ]
    fused = scores.fuse(aggregated, weights)
    results.append({"file": "fusion", **figures(fused, joined.labels)})
    keys = ("mean_class_accuracy", "top1", "top5")
    rows = [
        (r["file"], f"{r.get('weight', '')}", *(f"{r[key]:.2f}" for key in keys))
        for r in results
    ]
    print(report.table(rows, ("scores", "weight", "mean class acc.", "top-1", "top-5")))
    print(f"{len(joined.video_ids)} videos")
    if joined.left_out:
        console.say(f"{joined.left_out} videos are not in all files and are left out")
    if failed:
        console.say(f"{len(failed)} videos failed and are in no figure")
    _details(fused, joined.labels, classes, per_class, confusion)
    result = {
        "results": results,
        "videos": len(joined.video_ids),
        "left_out": joined.left_out,
        "failed": failed,
    }
    return result, console.EXIT_SOME_FAILED if failed else console.EXIT_OK


def figures(aggregated, labels):
    """Accuracies in percent of scores [V, C]."""
    accuracy = metrics.mean_class_accuracy(
        aggregated.argmax(axis=1), labels, aggregated.shape[1]
    )
    return {
        "mean_class_accuracy": 100 * accuracy,
        "top1": 100 * metrics.top_k_accuracy(aggregated, labels, 1),
        "top5": 100 * metrics.top_k_accuracy(aggregated, labels, 5),
    }


def _open(path):
    return npz.NpzScores(path) if str(path).endswith(".npz") else scores.open(path)


def _check_alike(opened):
    """Refuses files that cannot be of the same videos."""
    if len({isinstance(file, npz.NpzScores) for file in opened}) > 1:
        raise console.UsageError(
            "an .npz names no videos and cannot be joined with a score file that "
            "does: convert it with `python -m tsn_keras.convert A.npz A.h5 --ids IDS`"
        )
    if isinstance(opened[0], npz.NpzScores):
        console.say(".npz files name no videos: joined by position, labels compared")
    first = opened[0]
    for file in opened[1:]:
        for key in ("dataset", "split"):
            values = first.about.get(key), file.about.get(key)
            if values[0] != values[1]:
                raise console.UsageError(
                    f"{first.path} is of {key} {values[0]}, {file.path} of {values[1]}"
                )


def _details(fused, labels, classes, per_class, confusion):
    matrix = metrics.confusion_matrix(fused.argmax(axis=1), labels, len(classes))
    if per_class:
        print(report.per_class_table(matrix, classes))
    if confusion:
        report.confusion_csv(matrix, classes, f"{confusion}.csv")
        report.confusion_png(matrix, classes, f"{confusion}.png", "confusion matrix")
        print(f"{confusion}.png and {confusion}.csv written")
