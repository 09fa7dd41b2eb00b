"""Video files in the place of frame folders."""

import concurrent.futures
import os
import pathlib

from tsn_keras.common.cores import cores
from tsn_keras.common.errors import InputError
from tsn_keras.datasets.records import DatasetError, VideoFile
from tsn_keras.video import decode, seeking, sources


def by_stem(names):
    """The video files among names in a folder.

    Args:
        names: str each.

    Returns:
        {name without its ending: name}; of several the first in order.

    Example:
        >>> by_stem(["b.txt", "a.webm", "a.avi", ".c.mp4"])
        {'a': 'a.avi'}
    """
    found = {}
    for name in sorted(filter(is_video, names)):
        found.setdefault(os.path.splitext(name)[0], name)
    return found


def is_video(name):
    """Whether a file's name is that of a video; hidden files are none."""
    ending = os.path.splitext(name)[1].lower()
    return ending in sources.SUFFIXES and not name.startswith(".")


class Finder:
    """Finds the files of videos: flat, in their class folders, or as listed.

    Args:
        root: the data folder, of this machine. Each folder in it is listed once.
    """

    def __init__(self, root):
        self._root, self._listed = pathlib.Path(root), {}

    def path(self, video):
        """The file of a records.Video, with its ending or without, or None."""
        for name in (video.id, *video.aliases):
            for place in (self._root / name, self._root / video.folder / name):
                files = self._files(place.parent)
                if place.name in files:
                    return place.parent / files[place.name]
        return None

    def _files(self, folder):
        if folder not in self._listed:
            try:
                names = os.listdir(folder)
            except OSError:
                names = ()
            # With the ending or without.
            files = by_stem(names)
            whole = {name: name for name in names if is_video(name)}
            self._listed[folder] = {**files, **whole}
        return self._listed[folder]


def fill(videos, found, images, listener):
    """Puts video files in the place of frame folders that are not there.

    Args:
        videos: selection.VideoSet.
        found: for each video a FrameFolder, what is wrong with it, or None.
        images, listener: see selection.select.

    Returns:
        `found`, with a VideoFile, or what is wrong, for each None with a file.

    Raises:
        DatasetError: there are files, but flow is asked for.
    """
    finder = Finder(videos.root)
    paths = {
        video: path
        for video, one in zip(videos.videos, found, strict=True)
        if one is None and (path := finder.path(video)) is not None
    }
    if paths and not images:
        raise DatasetError(
            f"{len(paths)} of {len(videos.videos)} {videos.part} videos of "
            f"{videos.name} have no frame folder, only a video file, as "
            f"{next(iter(paths.values()))}; flow is not computed while it is read: "
            f"extract it first with python -m tsn_keras.extract"
        )
    title = f"counting frames of {videos.name}"
    counts = count(list(paths.values()), title, listener)
    counted = dict(zip(paths, counts, strict=True))
    return [
        _of_file(video, paths[video], counted[video]) if video in paths else one
        for video, one in zip(videos.videos, found, strict=True)
    ]


def _of_file(video, path, frames):
    """Returns a VideoFile, or what is wrong; `frames` may say that already."""
    if isinstance(frames, str):
        return frames
    if video.clip is not None:
        return f"{path}: clips of a video are read from its frames: extract it first"
    if frames < 2:
        return f"{path} has no two frames"
    if frames < (video.listed_frames or 0):
        return f"{path}: {frames} frames, but the list says {video.listed_frames}"
    rate = frames / video.duration if video.duration else decode.rate(path)
    about = video.id, video.label, path, frames - 1
    more = {"labels": video.labels, "rate": rate, "raw": video.raw}
    return VideoFile(*about, **more, frames=frames)


def count(paths, title, listener):
    """Counts the frames of video files, on all cores.

    Args:
        paths: of the files.
        title: what is shown beside the progress.
        listener: progress.Silent.

    Returns:
        list of int, or of str where a file cannot be used: the reason.
    """
    if not paths:
        return []
    pool = concurrent.futures.ThreadPoolExecutor(cores())
    found = []
    try:
        with listener.bar(title, len(paths)) as bar:
            for one in pool.map(_counted, paths):
                found.append(one)
                bar.update()
    finally:
        # Who interrupts does not wait for the rest.
        pool.shutdown(cancel_futures=True)
    return found


def _counted(path):
    try:
        return seeking.count(path)
    except (InputError, OSError) as error:
        return str(error)
