"""One video and the weights of one stream or several, to probabilities of classes."""

import dataclasses

import numpy as np

from tsn_keras import config
from tsn_keras.checkpoints import loading
from tsn_keras.data import clip, sampling
from tsn_keras.engine import class_names, console, inference, metrics, scores
from tsn_keras.models import presets

# Key frames in pictures.
_THUMBNAIL = (170, 128)  # pixels, half of 340 x 256


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How a video is looked at.

    Attributes:
        snippets: number of snippets.
        crops: 10, or 1 for the centre.
    """

    snippets: int
    crops: int

    def ticks(self, files, depth):
        """First files of the snippets, which repeat if the video is short."""
        if self.crops == 1:
            return sampling.validation_ticks(files, depth, self.snippets)
        return sampling.eval_ticks(files, depth, self.snippets)

    def __str__(self):
        crops = "the centre crop" if self.crops == 1 else f"{self.crops} crops"
        return f"{self.snippets} snippets x {crops}"


TEST = Protocol(25, inference.CROPS)
# As the original looks at videos while it trains.
FAST = Protocol(3, 1)


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a video shows.

    Attributes:
        files: images that `extract` would make of the video; decoded frames
            less 1.
        damage: what is wrong with the file after those, or None.
        probabilities: float [classes], of the fused scores.
        streams: {modality: float [classes]}, of each stream.
        along: float [snippets, classes], fused, snippet by snippet.
        ticks: int [snippets], images at which the snippets begin.
        key_frames: list of uint8 [h, w, 3], R, G, B, of the distinct ticks; or
            empty if they were not asked for.
    """

    files: int
    damage: str | None
    probabilities: np.ndarray
    streams: dict[str, np.ndarray]
    along: np.ndarray
    ticks: np.ndarray
    key_frames: list


class Predictor:
    """Weights of one stream or several, ready to score.

    Args:
        names: preset names or paths of weights, one for each modality.
        settings: data.extractor.Settings of flow and damage.
        protocol: Protocol.
        classes: data set or file that names the classes, or None.
        precision: "float32" or "bfloat16".
        batch: snippets in a batch.
        threads: cores that compute flow.

    Attributes:
        settings: as given, with a batch of what `protocol` looks at.
        classes: names of the classes.
        weights: {modality: float}, how the streams are added; their sum is 1.

    Raises:
        config.InputError: the weights cannot be used, or not together.
    """

    def __init__(
        self,
        names,
        settings,
        protocol=TEST,
        *,
        classes=None,
        precision="float32",
        batch=5,
        threads=1,
    ):
        self.settings, self._threads, self.protocol = settings, threads, protocol
        self._batch = batch
        opened = {}
        for weights in map(loading.find, names):
            modality = weights.architecture.preprocess.modality
            if modality in opened:
                raise console.UsageError(
                    f"{opened[modality].path} and {weights.path} are both for "
                    f"{modality}: name one file for each modality"
                )
            opened[modality] = weights
        counts = {w.architecture.classes for w in opened.values()}
        if len(counts) > 1 or None in counts:
            found = {str(w.path): w.architecture.classes for w in opened.values()}
            raise console.UsageError(
                f"the weights must tell the same classes apart; they have {found}"
            )
        self.classes = class_names.of(next(iter(opened.values())), classes)
        total = sum(presets.FUSION_WEIGHTS[modality] for modality in opened)
        self.weights = {m: presets.FUSION_WEIGHTS[m] / total for m in opened}
        self.preprocess = {m: w.architecture.preprocess for m, w in opened.items()}
        self._score = {
            modality: inference.compiled(
                inference.scorer(
                    weights.build,
                    weights.architecture.preprocess,
                    precision,
                    protocol.crops,
                )
            )
            for modality, weights in opened.items()
        }
        if settings.on_device:
            self._prepare_device()

    def _prepare_device(self):
        """Compiles for flow, which takes seconds."""
        if "flow" not in self.weights:
            raise console.UsageError("--flow-device is for weights of flow")
        rule = self.preprocess["flow"]
        with console.quiet_frameworks():
            from tsn_keras.data import devices, flow_device

            kind = devices.kind(self.settings.device)
            wanted = self.protocol.snippets * rule.snippet_length
            # A GPU computes a whole batch for few pairs too.
            batch = min(wanted, flow_device.BATCHES[kind])
            self.settings = dataclasses.replace(self.settings, batch=batch)
            engine = flow_device.of(self.settings, self._threads)
            engine.warm_up(*rule.frame_size)

    def predict(self, path, key_frames=False, progress=None):
        """Scores a video.

        Args:
            path: the video file.
            key_frames: whether to keep the snippets' first images.
            progress: called with (done, total) snippets of all streams.

        Returns:
            Prediction.

        Raises:
            config.InputError: the video cannot be used.
            OSError: it cannot be read.
        """
        damage = []
        keep = self.settings.damaged == "keep"
        files = clip.count_files(
            path, on_damage=damage.append if keep else None, threads=self._threads
        )
        plan = {
            modality: np.unique(
                self.protocol.ticks(files, rule.snippet_length), return_inverse=True
            )
            for modality, rule in self.preprocess.items()
        }
        total, done = sum(len(ticks) for ticks, _ in plan.values()), 0
        values = {}
        for modality, (ticks, order) in plan.items():
            found = []
            for batch in self._batches(path, modality, ticks.tolist(), files):
                found.append(self.score(modality, batch))
                done += len(batch)
                if progress is not None:
                    progress(done, total)
            # Snippets of a short video repeat: each was scored once.
            values[modality] = np.concatenate(found)[order]
        first = next(iter(plan))
        ticks, order = plan[first]
        pictures = []
        if key_frames:
            pictures = clip.key_frames(path, ticks.tolist(), _THUMBNAIL, self.settings)
        return Prediction(
            files=files,
            damage=damage[0] if damage else None,
            ticks=ticks[order],
            key_frames=pictures,
            **self.fuse(values),
        )

    def _batches(self, path, modality, ticks, files):
        """Yields uint8 [n, H, W, planes], n up to the size of a batch."""
        found = []
        rule = self.preprocess[modality]
        for _, snippet in clip.snippets(
            path, ticks, files, rule, self.settings, self._threads
        ):
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
        # One shape for all batches: one trace.
        missing = min(self._batch, self.protocol.snippets) - len(snippets)
        padded = np.pad(snippets, [(0, max(0, missing)), (0, 0), (0, 0), (0, 0)])
        return self._score[modality](padded)[: len(snippets)]

    def fuse(self, values):
        """Fuses the streams' raw scores.

        Args:
            values: {modality: float32 [snippets, crops, classes]}.

        Returns:
            dict of `probabilities`, `streams` and `along`; see Prediction. The
            raw scores are averaged over crops and snippets, then over streams
            by their weights; softmax comes last.
        """
        if not all(np.isfinite(v).all() for v in values.values()):
            raise config.InputError(
                "the scores are not finite: are the weights damaged, or the precision "
                "too low?"
            )
        streams = {m: scores.aggregate(v) for m, v in values.items()}
        along = sum(self.weights[m] * v.mean(axis=1) for m, v in values.items())
        fused = sum(self.weights[m] * v for m, v in streams.items())
        return {
            "probabilities": metrics.softmax(fused),
            "streams": {m: metrics.softmax(v) for m, v in streams.items()},
            "along": metrics.softmax(along),
        }

    @property
    def shares(self):
        """How the streams are added, for people: "rgb 40%, flow 60%"."""
        return ", ".join(f"{m} {weight:.0%}" for m, weight in self.weights.items())

    def best(self, probabilities, top):
        """The classes of the highest probabilities.

        Args:
            probabilities: float [classes].
            top: number of them.

        Returns:
            list of dicts of JSON values: class, label, probability.
        """
        order = np.argsort(-probabilities, kind="stable")[:top]
        return [
            {
                "class": self.classes[label],
                "label": int(label),
                "probability": round(float(probabilities[label]), 6),
            }
            for label in order
        ]
