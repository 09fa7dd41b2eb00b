"""Videos to raw scores: batches of snippets through the network."""

import dataclasses

import numpy as np

from tsn_keras.checkpoints.loading import Weights
from tsn_keras.evaluation import inference
from tsn_keras.evaluation.settings import Settings
from tsn_keras.pipeline import distribution, reading, snippets
from tsn_keras.protocols.records import Stream


@dataclasses.dataclass(frozen=True)
class Scored:
    """What scores: weights, and what they are fed.

    Attributes:
        weights: checkpoints.loading.Weights.
        stream: Stream, whose files may have names of their own.
        order: which output of the weights is which class of the videos, where they
            are in another order; else None.
    """

    weights: Weights
    stream: Stream
    order: tuple[int, ...] | None = None


class Engine:
    """A network that is compiled for the devices of this machine.

    Args:
        scored: Scored.
        settings: Settings.
    """

    def __init__(self, scored: Scored, settings: Settings):
        self.stream, self._order = scored.stream, scored.order
        view = self.stream.test
        if view.together or view.crops.whole:
            # One at a time, on one device: others have frames of other sizes.
            self._devices, self._batch = distribution.of_one_device(), 1
        else:
            self._devices = distribution.of_this_machine()
            replicas = self._devices.num_replicas_in_sync
            self._batch = -(-settings.batch // replicas) * replicas
        with self._devices.scope():
            how = settings.precision, settings.runtime
            scorer = inference.scorer(scored.weights, view, *how)
        self._step = inference.stepper(scorer, self._devices)

    def batches(self, folders, planned):
        """Yields (index of the video, tick, size of the files, scores) of each batch.

        Args:
            folders: list of FrameFolder.
            planned: pipeline.snippets.Snippets of them.
        """
        dataset = snippets.for_test(folders, planned, self.stream, self._batch)
        for *batch_of, values in inference.run(self._step, dataset, self._devices):
            yield *batch_of, ordered(values, self._order)


def ordered(values, order):
    """What a network told, in the order of the videos' classes.

    Args:
        values: float32 [..., outputs]; what is behind the classes stays there.
        order: see Scored.
    """
    if order is None:
        return values
    return np.concatenate([values[..., order], values[..., len(order) :]], axis=-1)


def score(engine, folders, sink, bar):
    """Scores videos.

    Args:
        engine: Engine.
        folders: list of FrameFolder of each video.
        sink: what keeps the scores: scores.journal.Journal, or another object with
            its `add` and `forget`.
        bar: progress.Bar, which counts the videos.

    Returns:
        {id: reason} of the videos that fail; the sink has no scores of them.
    """
    return _Run(engine, folders, sink).go(bar)


class _Run:
    """The videos of one call of `score`."""

    def __init__(self, engine, folders, sink):
        self._engine, self._folders, self._sink = engine, folders, sink
        self._stream = engine.stream
        self._snippets = snippets.plan(folders, self._stream, self._stream.test)
        # For each video the snippets that are not scored yet.
        counts = np.bincount(self._snippets.video, minlength=len(folders))
        self._pending = counts.tolist()
        self._sizes = {}  # {index of the video: size of its files}

    def go(self, bar):
        for batch in self._engine.batches(self._folders, self._snippets):
            self._keep(*self._of_equal_size(*batch), bar)
        return self._explained()

    def _of_equal_size(self, videos, indices, sizes, values):
        """Drops snippets of another size than the first of their video.

        Their video lacks them then, and fails.
        """
        fits = [
            self._sizes.setdefault(video, size) == size
            for video, size in zip(videos.tolist(), sizes.tolist(), strict=True)
        ]
        return videos[fits], indices[fits], values[fits]

    def _keep(self, videos, indices, values, bar):
        folders = [self._folders[video] for video in videos]
        self._sink.add(
            (folder.id, folder.files, int(tick), value)
            for folder, tick, value in zip(folders, indices, values, strict=True)
        )
        for video in videos:
            self._pending[video] -= 1
            bar.update(self._pending[video] == 0)

    def _explained(self):
        """Names and forgets the videos of which a snippet never came."""
        failed = {}
        for index in (k for k, count in enumerate(self._pending) if count):
            folder = self._folders[index]
            failed[folder.id] = (
                reading.explain_video(folder, self._snippets.of(index), self._stream)
                or f"{folder.path}: a file could not be read, but can be now: run again"
            )
            self._sink.forget(folder.id)
        return failed
