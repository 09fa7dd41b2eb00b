"""How far an extraction has come, in frames: a long video alone moves the bar."""

import os
import pathlib
import threading

from tsn_keras.extraction.settings import IMAGES
from tsn_keras.video import decode

_OPENED = 200  # videos whose headers are asked
_EVERY = 0.5  # seconds between two looks at the unfinished folders


class Frames:
    """Counts the frames that are made, and shows them on a bar.

    The workers may be on other machines; what they have made so far is seen on the
    disk that they share with this process. A context manager.

    Args:
        videos: video.sources.Source of those that are to be made.
        aside: folder of the unfinished folders.
        bar: common.progress.Bar of frames.
    """

    def __init__(self, videos, aside, bar):
        self._aside, self._bar = pathlib.Path(aside), bar
        self._expected = expected(videos)
        self._total = sum(self._expected.values())
        self._finished = self._shown = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._bar.expect(self._total)
        self._watcher.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._watcher.join()

    def finish(self, video_id, frames, note):
        """Counts a video that is finished, or has failed.

        Args:
            video_id: its id.
            frames: that were made of it.
            note: words behind the figures.
        """
        with self._lock:
            self._finished += frames
            self._total += frames - self._expected.pop(video_id)
            self._bar.expect(max(self._total, self._shown))
            self._bar.note(note)
            self._show(self._finished)

    def _watch(self):
        while not self._ended.wait(_EVERY):
            with self._lock:
                self._show(self._finished + _images(self._aside))

    def _show(self, count):
        # For a moment a renamed folder is in neither number.
        count = min(count, max(self._total, self._finished))
        self._bar.update(max(0, count - self._shown))
        self._shown = max(self._shown, count)


def expected(videos):
    """About how many frames will be made of each video.

    By the headers of some videos, and by the bytes of the others.

    Args:
        videos: video.sources.Source of each.

    Returns:
        {id: int}.
    """
    sizes = {video.id: _size(video.path) for video in videos}
    told = {
        video.id: frames
        for video in videos[:: -(-len(videos) // _OPENED)]
        if (frames := decode.told_frames(video.path))
    }
    each = sum(told.values()) / max(1, sum(sizes[name] for name in told))
    return {
        # The first frame is no file.
        name: max(1, round(told.get(name, each * size)) - 1)
        for name, size in sizes.items()
    }


def _size(path):
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _images(aside):
    """Number of images in all unfinished folders."""
    count = 0
    # Folders vanish meanwhile: `os.walk` continues.
    for _, _, names in os.walk(aside):
        count += sum(name.startswith(IMAGES) for name in names)
    return count
