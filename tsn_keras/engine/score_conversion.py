"""Score files from and to the original's .npz layout."""

import pathlib

from tsn_keras.engine import console, npz, scores


def convert(source, target, ids=None):
    """Converts .h5 to .npz, or .npz to .h5.

    Args:
        source: score file, .h5 or .npz.
        target: file to write, .npz or .h5.
        ids: for an .npz, a text file with the id of each of its videos, one a
            line, in its order.

    Returns:
        dict for the last line of output.

    Raises:
        config.InputError: the files cannot be used, or are no such pair.
    """
    kinds = pathlib.Path(source).suffix, pathlib.Path(target).suffix
    if kinds == (".h5", ".npz"):
        if ids is not None:
            raise console.UsageError("--ids is for an .npz, which has none of its own")
        with scores.open(source) as file:
            npz.write(file, target)
            count = len(file)
    elif kinds == (".npz", ".h5"):
        count = _import(source, target, ids)
    else:
        raise console.UsageError(
            f"cannot convert {source} to {target}: give MODEL.caffemodel and "
            f"OUT.weights.h5, or score files .h5 and .npz"
        )
    print(f"{target}: {count} videos written")
    return {"source": str(source), "target": str(target), "videos": count}


def _import(source, target, ids):
    with npz.NpzScores(source) as file:
        if ids is None:
            raise console.UsageError(
                f"{source} names no videos: give their ids with --ids FILE, one a "
                f"line, in its order"
            )
        try:
            names = pathlib.Path(ids).read_text(encoding="utf-8").split("\n")
        except UnicodeDecodeError:
            raise console.UsageError(f"{ids} is not a text file") from None
        names = [name.strip() for name in names if name.strip()]
        if len(names) != len(file.video_ids):
            raise console.UsageError(
                f"{ids} has {len(names)} ids, {source} {len(file.video_ids)} videos"
            )
        rows = (
            # The layout does not say how many files a video had.
            (name, int(label), 0, file.read(index))
            for name, label, index in zip(
                names, file.labels, file.video_ids, strict=True
            )
        )
        about = {"source": pathlib.Path(source).name}
        scores.write(target, rows, classes=file.classes, about=about, failed={})
    return len(names)
