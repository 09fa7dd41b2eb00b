"""Frame and flow files on disk, as the original tools name them.

A video is a folder with `img_%05d.jpg`, `flow_x_%05d.jpg`, `flow_y_%05d.jpg`,
numbered from 1 (dense_flow src/common.cpp:52-57), or from 0 as OpenMMLab's denseflow
does.
"""

from tsn_keras.common import storage
from tsn_keras.common.errors import InputError
from tsn_keras.flow.settings import BACKWARD

RECORD = "extract.json"  # beside the files: how an extraction made them
MAX_RECORD = 64 * 1024  # bytes


class FrameError(InputError):
    """A video's files cannot be used; the text names the file and the reason."""


def locate(root, video):
    """Finds a video's frame folder: flat, in its class folder, in `frames/`.

    MMAction2 says `rawframes/` for the last.

    Args:
        root: the data folder, a path or an address (common.storage).
        video: records.Video.

    Returns:
        pathlib.Path or storage.Address, or None if there is no such folder.
    """
    for base in (root, root / "frames", root / "rawframes"):
        # The base itself is the one that "" names: no class folder.
        places = dict.fromkeys(("", video.folder, *video.folders))
        for name in (video.id, *video.aliases):
            for place in places:
                folder = base / place / name if place else base / name
                if folder.is_dir():
                    return folder
    return None


def count(folder, prefixes):
    """Counts a video's files, as the original does (benchmark_db.py:16-35).

    Args:
        folder: the video's folder.
        prefixes: those of the modality; each must have as many files.

    Returns:
        int, the number of files of each prefix; 0 if there are none.

    Raises:
        FrameError: prefixes differ in their number of files, or a number
            between 1 and the last is missing.
    """
    first, files = numbering(folder, prefixes)
    if files and first != 1:
        raise FrameError(f"{folder}: files count from {first}, not from 1")
    return files


def numbering(folder, prefixes):
    """Counts a video's files, which may also be numbered from 0.

    Args:
        folder, prefixes: see `count`.

    Returns:
        (number of the first file, number of files of each prefix).

    Raises:
        FrameError: see `count`.
    """
    numbers = {prefix: set() for prefix in prefixes}
    for name in storage.names(folder):
        for prefix in prefixes:
            stem = name.removesuffix(".jpg")
            digits = stem.removeprefix(prefix)
            # Files of Something-Something V1 have no prefix.
            if stem != name and stem.startswith(prefix) and digits.isdecimal():
                numbers[prefix].add(int(digits))
    first = 0 if all(0 in found for found in numbers.values()) else 1
    for prefix, found in numbers.items():
        absent = set(range(first, first + len(found))) - found
        if absent:
            raise FrameError(
                f"{folder}: {prefix}{min(absent):05d}.jpg is missing; there are "
                f"{len(found)} files, up to number {max(found)}"
            )
    counts = {prefix: len(found) for prefix, found in numbers.items()}
    if any(counts.values()) and not all(counts[p] for p in counts if p in BACKWARD):
        raise FrameError(
            f"{folder}: no backward flow ({', '.join(BACKWARD)}): extract the videos "
            f"into another folder (`backward=True`)"
        )
    if len(set(counts.values())) > 1:
        raise FrameError(f"{folder}: numbers of files differ: {counts}")
    return first, next(iter(counts.values()))
