"""A video and its weights to an explanation of its score of a class."""

import dataclasses

import numpy as np

from tsn_keras.common import progress
from tsn_keras.explanation import grad_cam, naming, shares
from tsn_keras.explanation.results import Explained, Explanation
from tsn_keras.scores import joining

# Snippets of an untrimmed video whose heat is computed.
_MOST = 25


class Explainer:
    """Weights of one stream or several, ready to explain.

    Args:
        predictor: prediction.predictor.Predictor.
        method: name of one of grad_cam.METHODS.

    Raises:
        InputError: there is no such method, or a network has no maps.
    """

    def __init__(self, predictor, method):
        self._method = grad_cam.METHODS.find(method, "`method`")
        self._predictor = predictor
        self._networks = {
            modality: grad_cam.Network(weights, predictor.view)
            for modality, weights in predictor.opened.items()
        }

    def explain(self, source, name=None, listener=progress.SILENT):
        """Explains the score of a video.

        Args:
            source: see prediction.predictor.Predictor.predict.
            name: of the class; None: the best one.
            listener: is shown how far it has come: snippets are scored, then explained.

        Returns:
            results.Explanation.

        Raises:
            InputError: the video cannot be used, or there is no such class.
            OSError: it cannot be read.
        """
        predictor = self._predictor
        label = naming.label(name, predictor.classes)
        video = predictor.open_video(source)
        with listener.bar("scores", unit="snippet", leave=False) as bar:
            prediction = predictor.predict(video, bar=bar)
        first, second = (2 * [row.label for row in prediction.top(2)])[:2]
        label = first if label is None else label
        other = second if label == first else first
        streams = predictor.streams_of(video)
        plan = predictor.plan(video, streams)
        with listener.bar("heat", unit="snippet", leave=False) as bar:
            bar.expect(sum(min(_MOST, len(ticks)) for ticks, _ in plan.values()))
            found = {
                modality: self._of_stream(
                    _Reading(predictor, video, stream, bar),
                    prediction,
                    plan[modality],
                    (label, other),
                )
                for modality, stream in streams.items()
            }
        classes = predictor.classes
        return Explanation(
            classes[label], label, classes[other], self._method, prediction, found
        )

    def _of_stream(self, read, prediction, planned, labels):
        """Explained of a stream, see _Snippets."""
        modality, (ticks, order) = read.stream.modality.name, planned
        kind = _Clip if self._predictor.view.together else _Snippets
        looked = kind(
            self._networks[modality],
            self._predictor.ways[modality],
            prediction.scores[modality],
            prediction.attention.get(modality),
            order,
        )
        found = looked.explained(read, ticks, labels, self._method)
        weight = self._predictor.weights_of(prediction.scores)[modality]
        return dataclasses.replace(found, weight=weight)


@dataclasses.dataclass(frozen=True)
class _Reading:
    """A stream of an opened video.

    Attributes:
        predictor: prediction.predictor.Predictor.
        video: pipeline.from_video.OpenedVideo.
        stream: protocols.records.Stream.
        bar: common.progress.Bar.
    """

    predictor: object
    video: object
    stream: object
    bar: object

    def snippets(self, ticks):
        """Yields [H, W, planes] of increasing ticks."""
        for _, snippet in self.video.snippets(ticks.tolist(), self.stream):
            yield snippet
            self.bar.update()

    def clip(self):
        """The snippets that are seen together: (their ticks, [T, H, W, planes])."""
        images, length = self.video.images(self.stream), self.stream.modality.length
        ticks = np.array(self.predictor.view.ticks(images, length))
        return ticks, self.predictor.clip(self.video, self.stream)

    def frames(self, ticks, size):
        """The first frames of snippets, uint8 [n, H, W, 3]; None of sound."""
        if self.stream.modality.is_sound:
            return None
        distinct, order = np.unique(ticks, return_inverse=True)
        shape = size[::-1]
        found = self.video.key_frames(distinct.tolist(), shape, self.stream)
        return np.stack(found)[order]


@dataclasses.dataclass(frozen=True)
class _Snippets:
    """The scores of snippets that a network saw one by one.

    Attributes:
        network: grad_cam.Network.
        way: scores.joining.Way.
        scores: raw, float32 [snippets, crops, C].
        attention: float32 [snippets], or None.
        order: int [snippets], which of the distinct ones each is.
    """

    network: grad_cam.Network
    way: joining.Way
    scores: np.ndarray
    attention: np.ndarray | None
    order: np.ndarray

    def explained(self, read, ticks, labels, method):
        """Explains the first of two classes.

        Args:
            read: _Reading.
            ticks: int, the distinct ones.
            labels: indices of the class, and of the other one.
            method: grad_cam.Method.

        Returns:
            Explained, with a weight of 1.
        """
        ours, others = (self._distinct(self._contributions(n)) for n in labels)
        shown = np.sort(np.argsort(-ours.sum(axis=1), kind="stable")[:_MOST])
        slopes = self._distinct(self._slopes(labels[0]))
        snippets, found = [], []
        for at, snippet in zip(shown, read.snippets(ticks[shown]), strict=True):
            heat = grad_cam.heat(method, self.network(snippet, slopes[at]))
            snippets.append(snippet)
            found.append([one[0] for one in heat])
        maps = [np.stack(one) for one in zip(*found, strict=True)]
        return self._result(read, (ticks, ours, ours - others), shown, maps, snippets)

    def _result(self, read, told, shown, maps, snippets):
        """Explained of what was found.

        Args:
            read: _Reading.
            told: (ticks, contributions, lead).
            shown: see Explained.
            maps: of each of the last maps, float32 [shown, crops, h, w], signed.
            snippets: [H, W, planes] of those shown.
        """
        network, (ticks, ours, lead) = self.network, told
        stream, view = network.stream, network.view
        if len(maps) != len(stream.parts):
            # The scores are means over all of them together.
            maps = [sum(maps)]
        maps = np.maximum(np.stack(maps, axis=1), 0)
        size = snippets[0].shape[:2]
        side = None if view.crops.whole else stream.side_of(view)
        windows = tuple(view.crops.windows(*size, side or size[0]))
        heat = [
            [grad_cam.in_frame(one, windows, side, size) for one in of] for of in maps
        ]
        return Explained(
            stream=stream,
            weight=1.0,
            score=float(ours.sum()),
            ticks=ticks,
            contributions=ours,
            lead=lead,
            windows=windows,
            shown=shown,
            maps=maps,
            heat=np.array(heat),
            snippets=np.stack(snippets),
            frames=read.frames(ticks[shown], size),
        )

    def _distinct(self, values):
        """Adds up what repeated snippets have."""
        found = np.zeros((self.order.max() + 1, *values.shape[1:]))
        np.add.at(found, self.order, values)
        return found

    def _contributions(self, label):
        """What snippets and crops add to the score of a class: [snippets, crops]."""
        values = self.scores
        if self.way.averaged != joining.AVERAGES[0]:
            values = joining.CHANCES[self.way.loss](values)
        values = values[..., label]
        return values * shares.of(self.way, values, self.attention)

    def _slopes(self, label):
        """How the raw score of a class grows with what the network tells.

        Heat is of scores before the softmax, whatever the protocol averages.

        Returns:
            float64 [snippets, crops, outputs].
        """
        values, crops = self.scores[..., label], self.scores.shape[1]
        way = dataclasses.replace(self.way, average=joining.AVERAGES[0])
        found = np.zeros((*values.shape, self.network.outputs))
        found[..., label] = shares.of(way, values, self.attention)
        if self.way.attends:
            grows = shares.of_attention(values.mean(axis=1), self.attention)
            found[..., -1] = grows[:, None] / crops
        return found


class _Clip(_Snippets):
    """The scores of snippets that a network saw together: one row of them.

    A step contributes the sum over its places and channels of the last maps times their
    gradients. What that leaves, the classifiers' biases, is the same for all steps.
    """

    def explained(self, read, ticks, labels, method):
        """See _Snippets; `ticks` is that of the first step only."""
        ticks, clip = read.clip()
        ours, others = [], []
        for label, found in zip(labels, (ours, others), strict=True):
            found += self.network(clip, self._slopes(label)[0])
        read.bar.update()
        maps = grad_cam.heat(method, ours)
        parts = [
            self._of_steps(found, self._contributions(label)[0])
            for label, found in zip(labels, (ours, others), strict=True)
        ]
        shown = np.arange(len(ticks))
        told = ticks, parts[0], parts[0] - parts[1]
        return self._result(read, told, shown, maps, list(clip))

    @staticmethod
    def _of_steps(found, of_crops):
        """[T, crops] of maps and gradients; their sum over T is `of_crops`, [crops]."""
        own = sum((maps * slopes).sum(axis=(2, 3, 4)) for maps, slopes in found)
        return own + (of_crops - own.sum(axis=0)) / len(own)
