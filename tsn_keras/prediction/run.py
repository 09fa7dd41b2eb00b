"""What videos show: one, or many."""

import dataclasses
import json
import pathlib
from collections.abc import Iterator

import cv2

from tsn_keras.common import console, files, progress, storage
from tsn_keras.common.errors import InputError
from tsn_keras.flow.settings import DeviceError
from tsn_keras.prediction.settings import Settings
from tsn_keras.protocols.overrides import UNCHANGED, Override
from tsn_keras.video import sources


@dataclasses.dataclass(frozen=True)
class Looked:
    """What became of a video.

    Attributes:
        source: video.sources.Source.
        prediction: results.Prediction, or None if it failed.
        error: why it failed, or None.
    """

    source: sources.Source
    prediction: object | None = None
    error: str | None = None


class Lines:
    """A file of what snippets show, a JSON line each, whole as soon as it is known.

    Args:
        path: the file, which is made anew.
        top: classes of a line.

    Attributes:
        count: lines that are there.

    Raises:
        files.DiskFullError: the disk is full.
        OSError: the file cannot be written.
    """

    def __init__(self, path, top):
        self._path, self._top, self.count = pathlib.Path(path), top, 0
        with files.writing(path):
            self._path.write_bytes(b"")

    def __call__(self, snippet):
        """Adds a results.Snippet."""
        with files.appending(self._path) as file:
            file.write(f"{json.dumps(snippet.as_json(self._top))}\n")
        self.count += 1


def predictor(weights, settings: Settings, listener=progress.SILENT):
    """Opens weights by name and makes them ready to score; see `open_weights`."""
    settings.check()
    return ready(open_weights(weights, listener, settings.override), settings)


def ready(opened, settings: Settings):
    """Makes opened weights ready to score.

    Args:
        opened: what `open_weights` returned.
        settings: Settings.

    Returns:
        predictor.Predictor.
    """
    from tsn_keras.prediction.predictor import Predictor

    return Predictor(opened.values(), settings)


def open_weights(names, listener=progress.SILENT, override: Override = UNCHANGED):
    """Opens weights that go together; see predictor.open_weights."""
    # Imported when the videos are found: TensorFlow takes seconds.
    with console.quiet_frameworks():
        storage.prepare(names)
        from tsn_keras.prediction import predictor as opening
    return opening.open_weights(names, listener, override)


def look_at(
    source, scorer, key_frames=False, listener=progress.SILENT, on_snippet=None
):
    """Predicts what one video shows.

    Args:
        source: video.sources.Source.
        scorer: predictor.Predictor.
        key_frames: whether to keep the snippets' first images.
        listener: is shown how far it has come.
        on_snippet: is told each snippet as it comes, see predictor.Predictor.predict.

    Returns:
        results.Prediction; the raw scores are not kept.

    Raises:
        InputError: the video cannot be used.
        OSError: it cannot be read.
    """
    with listener.bar(source.path.name, unit="snippet", leave=False) as bar:
        return scorer.predict(source.path, key_frames, bar, on_snippet, False)


def look_at_many(videos, scorer, listener=progress.SILENT) -> Iterator[Looked]:
    """Predicts what many videos show; those that fail say why.

    Args:
        videos: video.sources.Source of each.
        scorer: predictor.Predictor.
        listener: is shown how far it has come.

    Yields:
        Looked, as each is ready.

    Raises:
        flow.settings.DeviceError: every other video would fail as well.
    """
    with listener.bar("predict", len(videos)) as bar:
        for source in videos:
            try:
                found = Looked(source, scorer.predict(source.path, keep_scores=False))
            except DeviceError:
                raise
            except (InputError, OSError, cv2.error, MemoryError) as error:
                listener.say(f"{source.id} failed: {error}")
                found = Looked(source, error=str(error))
            bar.update()
            yield found


def find(video) -> tuple[tuple[sources.Source, ...], bool]:
    """Finds the videos that a user names.

    Returns:
        (video.sources.Source of each, whether one video file was named)
    """
    path = pathlib.Path(video)
    found = sources.find(path)
    is_list = path.suffix.lower() in sources.LIST_SUFFIXES
    return found, len(found) == 1 and path.is_file() and not is_list
