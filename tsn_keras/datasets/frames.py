"""Frame and flow files on disk, as the original tools name them.

A video is a folder with `img_%05d.jpg`, `flow_x_%05d.jpg`, `flow_y_%05d.jpg`,
numbered from 1 (dense_flow src/common.cpp:52-57).
"""

from tsn_keras.common import storage
from tsn_keras.common.errors import InputError


class FrameError(InputError):
    """A video's files cannot be used; the text names the file and the reason."""


def locate(root, video):
    """Finds a video's frame folder: flat, in its class folder, in `frames/`.

    Args:
        root: the data folder, a path or an address (common.storage).
        video: records.Video.

    Returns:
        pathlib.Path or storage.Address, or None if there is no such folder.
    """
    for base in (root, root / "frames"):
        for name in (video.id, *video.aliases):
            for folder in (base / name, base / video.folder / name):
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
            between the first and the last is missing.
    """
    numbers = {prefix: set() for prefix in prefixes}
    for name in storage.names(folder):
        for prefix in prefixes:
            stem = name.removesuffix(".jpg")
            digits = stem.removeprefix(prefix)
            if stem != name and digits != stem and digits.isdecimal():
                numbers[prefix].add(int(digits))
    for prefix, found in numbers.items():
        absent = set(range(1, len(found) + 1)) - found
        if absent:
            raise FrameError(
                f"{folder}: {prefix}{min(absent):05d}.jpg is missing; there are "
                f"{len(found)} files, up to number {max(found)}"
            )
    counts = {prefix: len(found) for prefix, found in numbers.items()}
    if len(set(counts.values())) > 1:
        raise FrameError(f"{folder}: numbers of files differ: {counts}")
    return next(iter(counts.values()))
