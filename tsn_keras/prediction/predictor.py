"""One video and the weights of one stream or several, to probabilities of classes."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tsn_keras.checkpoints import loading, overriding
from tsn_keras.common import console, progress
from tsn_keras.common.errors import InputError
from tsn_keras.evaluation import attending, inference, ways
from tsn_keras.pipeline import transforms
from tsn_keras.pipeline.from_video import OpenedVideo
from tsn_keras.prediction import along, class_names
from tsn_keras.prediction.collecting import Collected
from tsn_keras.prediction.results import Fused, Prediction, Snippet
from tsn_keras.prediction.settings import Settings
from tsn_keras.protocols.overrides import UNCHANGED, Override
from tsn_keras.protocols.records import Stream
from tsn_keras.scores import windows

# Key frames in pictures.
_THUMBNAIL = (170, 128)  # pixels, half of 340 x 256
_MOST_KEY_FRAMES = 45  # of an untrimmed video


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
        opened: {modality: checkpoints.loading.Weights}.
        ways: {modality: scores.joining.Way}, how snippets become a video.

    Raises:
        InputError: the weights cannot be used, or not together.
    """

    def __init__(self, names: Sequence[str], settings: Settings):
        self._batch, self.decoding = settings.batch, settings.decoding
        opened = open_weights(names, override=settings.override)
        self.streams: dict[str, Stream] = {m: w.stream for m, w in opened.items()}
        self.protocol = next(iter(self.streams.values())).protocol
        self.view = settings.view(self.protocol)
        over_time = windows.MEAN if settings.quick else None
        self.ways = {m: ways.of(w, self.view, over_time) for m, w in opened.items()}
        self.opened = opened
        self.classes = class_names.of(next(iter(opened.values())), settings.classes)
        shares = {m: s.fusion_weight for m, s in self.streams.items()}
        total = sum(shares.values())
        self.weights = {m: weight / total for m, weight in shares.items()}
        self._score = {
            modality: inference.compiled(
                inference.scorer(
                    weights,
                    weights.stream.seen(self.view),
                    settings.precision,
                    settings.runtime,
                )
            )
            for modality, weights in opened.items()
        }
        if self.decoding.flow.on_device:
            self._prepare_device()

    def _prepare_device(self):
        """Compiles for flow, which takes seconds."""
        of_flow = [s for s in self.streams.values() if s.modality.has_flow]
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

    def open_video(self, path) -> OpenedVideo:
        """Opens a video file or its frames; see `predict`."""
        if isinstance(path, np.ndarray):
            return self.decoding.of_array(path)
        return self.decoding.opened(path)

    def predict(
        self, path, key_frames=False, bar=None, on_snippet=None, keep_scores=True
    ) -> Prediction:
        """Scores a video.

        Args:
            path: the video file, or its frames: uint8 [frames, height, width, 3],
                R, G, B; or what `open_video` returned.
            key_frames: whether to keep the snippets' first images.
            bar: common.progress.Bar that counts the snippets of all streams.
            on_snippet: function that is told the results.Snippet of each snippet as
                soon as all streams have it, in the order of time.
            keep_scores: whether the raw scores of all crops are kept.

        Returns:
            Prediction.

        Raises:
            InputError: the video cannot be used.
            OSError: it cannot be read.
        """
        bar = bar or progress.Bar()
        video = path if isinstance(path, OpenedVideo) else self.open_video(path)
        streams = self.streams_of(video)
        plan = self.plan(video, streams)
        bar.expect(sum(len(ticks) for ticks, _ in plan.values()))
        found = {
            modality: Collected(order, self.ways[modality], keep_scores)
            for modality, (_, order) in plan.items()
        }
        first, (ticks, order) = next(iter(plan.items()))
        for number in self._scored(video, plan, found, bar):
            if on_snippet is not None:
                on_snippet(self._snippet(number, found, ticks[order], video.rate))
        fused, snippets = self._fused(found)
        stream = self.streams[first]
        shown = self._shown(ticks)
        return Prediction(
            **vars(fused),
            files=video.images(stream),
            damage=video.damage or next(iter(video.heard), None),
            ticks=ticks[order],
            scores={m: one.crops for m, one in found.items()} if keep_scores else {},
            attention={m: one.attention for m, one in found.items() if one.attends},
            key_frames=video.key_frames(shown.tolist(), _THUMBNAIL, stream)
            if key_frames
            else [],
            key_ticks=shown,
            windows=self._windows(fused, snippets, ticks[order], video.rate),
            rate=video.rate,
            without=tuple(m for m in self.streams if m not in streams),
        )

    def _scored(self, video, plan, found, bar):
        """Scores the streams side by side.

        Yields:
            the number of each snippet, from 0, as soon as all streams have it.
        """
        left = {
            modality: self._batches(video, modality, ticks.tolist())
            for modality, (ticks, _) in plan.items()
        }
        number = 0
        while left:
            modality = min(left, key=lambda m: found[m].share)
            batch = next(left[modality], None)
            if batch is None:
                del left[modality]
                continue
            scores = self.score(modality, batch)
            found[modality].add(*attending.parted(scores, self.opened[modality]))
            bar.update(len(batch))
            while all(one.has(number) for one in found.values()):
                yield number
                number += 1

    def _snippet(self, number, found, ticks, rate):
        scores = self._weighted({m: one.snippet(number) for m, one in found.items()})
        tick = int(ticks[number])
        return Snippet(
            number + 1,
            tick,
            tick / rate if rate else None,
            self.classes,
            self._way.together.probabilities(scores),
        )

    def _shown(self, ticks):
        """Ticks of the key frames: of an untrimmed video some of them."""
        if self.view.stride is None or len(ticks) <= _MOST_KEY_FRAMES:
            return ticks
        places = np.linspace(0, len(ticks) - 1, _MOST_KEY_FRAMES)
        return ticks[places.round().astype(int)]

    def streams_of(self, video):
        """{modality: Stream} of those that a video has."""
        found = {m: s for m, s in self.streams.items() if not video.lacks(s)}
        if not found:
            name = video.path or "an array of frames"
            raise InputError(f"{name} has no {' and no '.join(self.streams)}")
        return found

    def plan(self, video, streams):
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

    def _windows(self, fused, snippets, ticks, rate):
        """along.Windows of the best class of an untrimmed video."""
        if self.view.stride is None:
            return ()
        (best,) = fused.top(1)
        places = along.strongest(snippets[:, best.label], self.view.stride)
        return tuple(
            along.Window(
                best.name,
                best.label,
                int(ticks[first]),
                int(ticks[end - 1]),
                (ticks[first] / rate, ticks[end - 1] / rate) if rate else None,
                float(fused.along[first:end, best.label].max()),
            )
            for first, end in places
        )

    def _batches(self, video, modality, ticks):
        """Yields uint8 [n, H, W, planes], n up to the size of a batch.

        Of snippets that are seen together all at once, [1, steps, H, W, planes].
        """
        if self.view.together:
            yield self.clip(video, self.streams[modality])[None]
            return
        found = []
        for _, snippet in video.snippets(ticks, self.streams[modality]):
            found.append(snippet)
            if len(found) == self._batch:
                yield np.stack(found)
                found = []
        if found:
            yield np.stack(found)

    def clip(self, video, stream):
        """All snippets of a video that are seen together: [steps, H, W, planes]."""
        images, length = video.images(stream), stream.modality.length
        ticks, order = np.unique(self.view.ticks(images, length), return_inverse=True)
        found = [snippet for _, snippet in video.snippets(ticks.tolist(), stream)]
        return np.stack(found)[order]

    def score(self, modality, snippets):
        """Scores snippets.

        Args:
            modality: one of those of the weights.
            snippets: uint8 [n, H, W, planes], n up to the size of a batch; or [1,
                steps, H, W, planes] that are seen together.

        Returns:
            float32 [n, crops, classes], raw; with the attention behind the classes
            where the test needs it, see evaluation.attending.
        """
        stream = self.streams[modality]
        if self.view.together:
            return self._score[modality](snippets)
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
        found = {}
        for modality, scores in values.items():
            one = Collected(np.arange(len(scores)), self.ways[modality], False)
            one.add(scores)
            found[modality] = one
        return self._fused(found)[0]

    def _fused(self, found):
        """Fuses {modality: Collected}.

        Returns:
            (Fused, float32 [snippets, classes], the scores along the video)
        """
        streams = {m: one.video for m, one in found.items()}
        snippets = self._weighted({m: one.snippets for m, one in found.items()})
        of = self._way.together.probabilities
        fused = Fused(
            self.classes,
            of(self._weighted(streams)),
            {m: self._way.probabilities(v) for m, v in streams.items()},
            of(snippets),
        )
        return fused, snippets

    @property
    def _way(self):
        """What the ways of all streams have in common."""
        return next(iter(self.ways.values()))

    def _weighted(self, values):
        weights = self.weights_of(values)
        return sum(weights[m] * self._way.addends(v) for m, v in values.items())

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
    losses = {str(w.path): ways.loss(w) for w in opened.values()}
    if len(set(losses.values())) > 1:
        raise InputError(
            f"the weights must be trained by one loss; they are by {losses}"
        )
    return opened
