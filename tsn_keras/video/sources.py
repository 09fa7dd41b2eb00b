"""The video files that a user names: one, a folder of them, or a list."""

import collections
import dataclasses
import os
import pathlib

from tsn_keras.common import text
from tsn_keras.common.errors import InputError

SUFFIXES = frozenset(
    ".3gp .asf .avi .divx .flv .gif .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf "
    ".ogg .ogv .rm .ts .vob .webm .wmv".split()
)
LIST_SUFFIXES = frozenset((".txt", ".lst", ".list"))


class VideosError(InputError):
    """What was named holds no videos, or not such as can be told apart."""


@dataclasses.dataclass(frozen=True)
class Source:
    """A video file.

    Attributes:
        path: the file.
        id: name of its frame folder, with its class folder if that is kept.
    """

    path: pathlib.Path
    id: str


def find(named, flat=False):
    """Finds video files.

    Args:
        named: a video file; a folder, which is searched with all below it for
            files with a suffix of videos; or a list (.txt, .lst, .list) with
            one path a line, relative to the list's folder.
        flat: leave out the class folders, as the original does.

    Returns:
        tuple of Source, sorted by id (a list: in its order).

    Raises:
        VideosError: there are none, or two would get the same folder.
        OSError: it cannot be read.
    """
    named = pathlib.Path(named)
    if named.is_dir():
        found = [
            Source(path, _id(path, path.parent.relative_to(named), flat))
            for path in _walk(named)
        ]
        found.sort(key=lambda source: source.id)
        if not found:
            raise VideosError(
                f"there is no video in {named}: no file in it ends in one of "
                f"{', '.join(sorted(SUFFIXES))}"
            )
    elif named.suffix.lower() in LIST_SUFFIXES:
        found = _read_list(named, flat)
    elif named.exists():
        found = [Source(named, _id(named, "", flat))]
    else:
        raise VideosError(f"there is no file or folder {named}")
    _check_distinct(found)
    return tuple(found)


def _id(path, folder, flat):
    """Name of a video's frame folder: cut at the first dot (build_of.py:39)."""
    # A name that begins with a dot must not become empty.
    name = path.name.lstrip(".").split(".")[0] or path.name
    return name if flat else pathlib.PurePath(folder, name).as_posix()


def _walk(root):
    """Yields the video files below a folder; links are followed once."""
    seen = set()
    for folder, folders, files in os.walk(root, followlinks=True, onerror=_fail):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        # Hidden folders belong to tools. A folder with a video's name is yielded, so
        # that it is reported as unreadable.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in [n for n in folders if pathlib.Path(n).suffix.lower() in SUFFIXES]:
            folders.remove(name)
            files.append(name)
        for name in files:
            if pathlib.Path(name).suffix.lower() in SUFFIXES and name[0] != ".":
                yield pathlib.Path(folder, name)


def _fail(error):
    raise error


def _read_list(path, flat):
    try:
        named = [pathlib.Path(line) for _, line in text.lines(path)]
    except text.TextFileError as error:
        raise VideosError(f"{error}") from None
    if not named:
        raise VideosError(f"{path} lists no video")
    for line in named:
        if line.name in ("", ".."):
            raise VideosError(f"{path} lists {str(line)!r}, which is no file")
    # The folder that a video lies in is its class. No more of the path: it may
    # be absolute, or lead upwards.
    return [
        Source(path.parent / p, _id(p, p.parent.name.replace("..", ""), flat))
        for p in named
    ]


def _check_distinct(sources):
    """Two videos of the same folder would overwrite each other."""
    groups = collections.defaultdict(list)
    for source in sources:
        groups[source.id].append(source.path)
    twice = {name: paths for name, paths in groups.items() if len(paths) > 1}
    if twice:
        name, paths = next(iter(twice.items()))
        raise VideosError(
            f"{len(twice)} names are those of several videos, as {name} of {paths[0]} "
            f"and {paths[1]} (names end at their first dot, as the original's do): "
            f"rename them, or keep class folders apart"
        )
    for name, paths in groups.items():
        for above in map(str, pathlib.PurePosixPath(name).parents):
            if above in groups:
                raise VideosError(
                    f"{paths[0]} would get a folder inside that of {groups[above][0]}: "
                    f"rename one of them"
                )
