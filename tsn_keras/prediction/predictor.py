"""One video and the weights of one stream or several, to probabilities of classes."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tsn_keras.checkpoints import loading, overriding
from tsn_keras.common import console, progress
from tsn_keras.common.errors import InputError
from tsn_keras.evaluation import inference
from tsn_keras.pipeline import transforms
from tsn_keras.prediction import along, class_names
from tsn_keras.prediction.settings import Settings
from tsn_keras.protocols.overrides import UNCHANGED, Override
from tsn_keras.protocols.records import Stream
from tsn_keras.scores import joining, tables, windows

# Key frames in pictures.
_THUMBNAIL = (170, 128)  # pixels, half of 340 x 256
_MOST_KEY_FRAMES = 45  # of an untrimmed video


@dataclasses.dataclass(frozen=True)
class Class:
    """A class and how probable it is.

    Attributes:
        name: of the class.
        label: its index.
        probability: from 0 to 1.
    """

    name: str
    label: int
    probability: float

    def as_json(self) -> dict:
        """As a dict of JSON values."""
        return {
            "class": self.name,
            "label": self.label,
            "probability": round(self.probability, 6),
        }


@dataclasses.dataclass(frozen=True)
class Fused:
    """Probabilities of classes, of several streams and of all together.

    `print` shows the five best as a table.

    Attributes:
        classes: names of the classes.
        probabilities: float [classes], of the fused scores.
        streams: {modality: float [classes]}, of each stream.
        along: float [snippets, classes], fused, snippet by snippet.
    """

    classes: tuple[str, ...]
    probabilities: np.ndarray
    streams: dict[str, np.ndarray]
    along: np.ndarray

    def __str__(self) -> str:
        rows = [(row.name, f"{100 * row.probability:.1f}") for row in self.top()]
        return tables.table(rows, ("class", "probability, %"))

    def top(
        self, count: int = 5, probabilities: np.ndarray | None = None
    ) -> list[Class]:
        """The classes of the highest probabilities, the best first.

        Args:
            count: number of them.
            probabilities: of a stream; None for the fused ones.
        """
        values = self.probabilities if probabilities is None else probabilities
        order = np.argsort(-values, kind="stable")[:count]
        return [Class(self.classes[k], int(k), float(values[k])) for k in order]


@dataclasses.dataclass(frozen=True)
class Prediction(Fused):
    """What a video shows.

    Attributes:
        files: images that the snippets are chosen from: those that an extraction
            would make of the video, decoded frames less 1; or all frames, see
            protocols.records.Protocol.
        damage: what is wrong with the file after those, or None.
        ticks: int [snippets], images at which the snippets begin.
        scores: {modality: float32 [snippets, crops, classes]}, raw.
        key_frames: list of uint8 [h, w, 3], R, G, B, of the distinct ticks, of an
            untrimmed video of some of them; or empty if they were not asked for.
        key_ticks: int, ticks of the key frames.
        windows: of an untrimmed video, where the best class scores highest.
        without: modalities of which the video has nothing, as no sound: the others are
            fused without them.
    """

    files: int = 0
    damage: str | None = None
    ticks: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, int))
    scores: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    key_frames: list = dataclasses.field(default_factory=list)
    key_ticks: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, int))
    windows: tuple[along.Window, ...] = ()
    without: tuple[str, ...] = ()


class Predictor:
    """Weights of one stream or several, ready to score.

    Args:
        names: preset names, paths or opened weights, one for each modality.
        settings: Settings.

    Attributes:
        decoding: that of the settings, with a batch of what is looked at.
        classes: names of the classes.
        weights: {modality: float}, how the streams are added; their sum is 1.
        streams: {modality: protocols.records.Stream}.
        protocol: the protocols.records.Protocol of them all.
        view: protocols.records.View.

    Raises:
        InputError: the weights cannot be used, or not together.
    """

    def __init__(self, names: Sequence[str], settings: Settings):
        self._batch, self.decoding = settings.batch, settings.decoding
        opened = open_weights(names, override=settings.override)
        self.streams: dict[str, Stream] = {m: w.stream for m, w in opened.items()}
        self.protocol = next(iter(self.streams.values())).protocol
        self.view = settings.view(self.protocol)
        over_time = windows.OVER_TIME[self.protocol.over_time]
        stride = self.view.stride
        self._way = joining.Way(
            average=self.protocol.average,
            over_time=windows.MEAN if settings.quick else over_time,
            a_second=stride.a_second if stride else 1,
        )
        self.classes = class_names.of(next(iter(opened.values())), settings.classes)
        shares = {m: s.modality.fusion_weight for m, s in self.streams.items()}
        total = sum(shares.values())
        self.weights = {m: weight / total for m, weight in shares.items()}
        self._score = {
            modality: inference.compiled(
                inference.scorer(
                    weights, weights.stream.seen(self.view), settings.precision
                )
            )
            for modality, weights in opened.items()
        }
        if self.decoding.flow.on_device:
            self._prepare_device()

    def _prepare_device(self):
        """Compiles for flow, which takes seconds."""
        of_flow = [s for s in self.streams.values() if s.modality.is_flow]
        if not of_flow:
            raise InputError("`device` is for weights of flow")
        with console.quiet_frameworks():
            from tsn_keras.flow import devices
            from tsn_keras.flow import engine as flow_engine

            kind = devices.kind(self.decoding.flow.device)
            batch = flow_engine.BATCHES[kind]
            if self.view.stride is None:
                wanted = max(self.view.snippets * s.modality.length for s in of_flow)
                # A GPU computes a whole batch for few pairs too.
                batch = min(wanted, batch)
            flow = dataclasses.replace(self.decoding.flow, batch=batch)
            self.decoding = dataclasses.replace(self.decoding, flow=flow)
            engine = flow_engine.of(flow, self.decoding.threads)
            for stream in of_flow:
                engine.warm_up(*stream.protocol.stored_size)

    def predict(self, path, key_frames=False, bar=None) -> Prediction:
        """Scores a video.

        Args:
            path: the video file, or its frames: uint8 [frames, height, width, 3],
                R, G, B.
            key_frames: whether to keep the snippets' first images.
            bar: common.progress.Bar that counts the snippets of all streams.

        Returns:
            Prediction.

        Raises:
            InputError: the video cannot be used.
            OSError: it cannot be read.
        """
        bar = bar or progress.Bar()
        of_array = isinstance(path, np.ndarray)
        video = (self.decoding.of_array if of_array else self.decoding.opened)(path)
        streams = self._streams_of(video)
        plan = self._plan(video, streams)
        bar.expect(sum(len(ticks) for ticks, _ in plan.values()))
        values = {}
        for modality, (ticks, order) in plan.items():
            found = []
            for batch in self._batches(video, modality, ticks.tolist()):
                found.append(self.score(modality, batch))
                bar.update(len(batch))
            # Snippets of a short video repeat: each was scored once.
            values[modality] = np.concatenate(found)[order]
        first, (ticks, order) = next(iter(plan.items()))
        stream = self.streams[first]
        fused = self.fuse(values)
        shown = ticks
        if self.view.stride and len(ticks) > _MOST_KEY_FRAMES:
            places = np.linspace(0, len(ticks) - 1, _MOST_KEY_FRAMES)
            shown = ticks[places.round().astype(int)]
        return Prediction(
            fused.classes,
            fused.probabilities,
            fused.streams,
            fused.along,
            files=video.images(stream),
            damage=video.damage or next(iter(video.heard), None),
            ticks=ticks[order],
            scores=values,
            key_frames=video.key_frames(shown.tolist(), _THUMBNAIL, stream)
            if key_frames
            else [],
            key_ticks=shown,
            windows=self._windows(fused, values, ticks[order], video.rate),
            without=tuple(m for m in self.streams if m not in streams),
        )

    def _streams_of(self, video):
        """{modality: Stream} of those that a video has."""
        found = {m: s for m, s in self.streams.items() if not video.lacks(s)}
        if not found:
            name = video.path or "an array of frames"
            raise InputError(f"{name} has no {' and no '.join(self.streams)}")
        return found

    def _plan(self, video, streams):
        """{modality: (distinct ticks, which of them each snippet takes)}."""
        found = {}
        for modality, stream in streams.items():
            images, length = video.images(stream), stream.modality.length
            found[modality] = self.view.distinct(images, length, video.rate)
        # Longer snippets may find no room at the end of an untrimmed video.
        fewest = min(len(order) for _, order in found.values())
        return {
            modality: (ticks[: order[:fewest].max() + 1], order[:fewest])
            for modality, (ticks, order) in found.items()
        }

    def _windows(self, fused, values, ticks, rate):
        """along.Windows of the best class of an untrimmed video."""
        if self.view.stride is None:
            return ()
        (best,) = fused.top(1)
        snippets = self._weighted(self._of_snippets(values))
        return tuple(
            along.Window(
                best.name,
                best.label,
                int(ticks[first]),
                int(ticks[end - 1]),
                (ticks[first] / rate, ticks[end - 1] / rate) if rate else None,
                float(fused.along[first:end, best.label].max()),
            )
            for first, end in along.strongest(snippets, best.label, self.view.stride)
        )

    def _of_snippets(self, values):
        return {
            m: joining.of_snippets(v, average=self._way.average)
            for m, v in values.items()
        }

    def _batches(self, video, modality, ticks):
        """Yields uint8 [n, H, W, planes], n up to the size of a batch."""
        found = []
        for _, snippet in video.snippets(ticks, self.streams[modality]):
            found.append(snippet)
            if len(found) == self._batch:
                yield np.stack(found)
                found = []
        if found:
            yield np.stack(found)

    def score(self, modality, snippets):
        """Scores snippets.

        Args:
            modality: one of those of the weights.
            snippets: uint8 [n, H, W, planes], n up to the size of a batch.

        Returns:
            float32 [n, crops, classes], raw.
        """
        stream = self.streams[modality]
        if stream.fixed_size is None:
            # The size of the crops does not depend on that of the video.
            snippets = transforms.cut(snippets, self.view, stream).numpy()
        # One shape for all batches: one trace.
        most = self._batch
        if self.view.stride is None:
            most = min(most, self.view.snippets)
        missing = max(0, most - len(snippets))
        padded = np.pad(snippets, [(0, missing), *[(0, 0)] * (snippets.ndim - 1)])
        return self._score[modality](padded)[: len(snippets)]

    def fuse(self, values) -> Fused:
        """Fuses the streams' raw scores.

        They are averaged over crops and snippets as the protocol does it, then
        over streams by their weights; softmax comes last.

        Args:
            values: {modality: float32 [snippets, crops, classes]}.

        Returns:
            Fused.

        Raises:
            InputError: they are not finite.
        """
        if not all(np.isfinite(v).all() for v in values.values()):
            raise InputError(
                "the scores are not finite: are the weights damaged, or the precision "
                "too low?"
            )
        average = self._way.average
        snippets = self._of_snippets(values)
        streams = {m: self._way(v) for m, v in values.items()}
        return Fused(
            self.classes,
            joining.probabilities(self._weighted(streams), average),
            {m: joining.probabilities(v, average) for m, v in streams.items()},
            joining.probabilities(self._weighted(snippets), average),
        )

    def _weighted(self, values):
        weights = self.weights_of(values)
        return sum(weights[m] * v for m, v in values.items())

    def weights_of(self, modalities):
        """The weights of those streams that a video has; their sum is 1."""
        if len(modalities) == len(self.weights):
            return self.weights
        total = sum(self.weights[m] for m in modalities)
        return {m: self.weights[m] / total for m in modalities}

    @property
    def shares(self) -> str:
        """How the streams are added, for people: "rgb 40%, flow 60%"."""
        return ", ".join(f"{m} {weight:.0%}" for m, weight in self.weights.items())


def open_weights(
    names, listener=progress.SILENT, override: Override = UNCHANGED
) -> dict[str, loading.Weights]:
    """Opens weights that go together.

    Args:
        names: preset names, paths or loading.Weights, one for each modality.
        listener: is shown how far a download has come.
        override: another test than that of the weights.

    Returns:
        {name of the modality: loading.Weights}.

    Raises:
        InputError: they cannot be used, or not together.
        OSError: a file cannot be read.
    """
    opened = {}
    for named in names:
        is_open = isinstance(named, loading.Weights)
        weights = named if is_open else loading.find(named, listener=listener)
        weights = overriding.overridden(weights, override)
        modality = weights.stream.modality.name
        if modality in opened:
            raise InputError(
                f"{opened[modality].path} and {weights.path} are both for "
                f"{modality}: name one file for each modality"
            )
        opened[modality] = weights
    counts = {str(w.path): w.architecture.classes for w in opened.values()}
    if len(set(counts.values())) > 1 or None in counts.values():
        raise InputError(
            f"the weights must tell the same classes apart; they have {counts}"
        )
    protocols = {str(w.path): w.protocol.name for w in opened.values()}
    if len(set(protocols.values())) > 1:
        raise InputError(
            f"the weights must be of one protocol; they are of {protocols}"
        )
    return opened
