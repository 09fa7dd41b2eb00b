"""What a notebook holds: weights that predict videos and evaluate data sets."""

from __future__ import annotations

import functools
import os
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tsn_keras.common import console
from tsn_keras.common.cores import cores
from tsn_keras.common.errors import InputError
from tsn_keras.common.progress import Reporting, listener_of
from tsn_keras.evaluation import run as evaluating
from tsn_keras.evaluation.results import Evaluation
from tsn_keras.evaluation.shards import Shard
from tsn_keras.flow.settings import FlowSettings
from tsn_keras.pipeline.from_video import Decoding
from tsn_keras.prediction import run
from tsn_keras.prediction.settings import Settings
from tsn_keras.protocols.overrides import Override

if TYPE_CHECKING:
    # They load TensorFlow, which takes seconds.
    from tsn_keras.checkpoints.loading import Weights
    from tsn_keras.prediction.results import Prediction, Snippet


class Recognizer:
    """Weights of one modality or several, ready to recognise actions.

    Made by `Recognizer.from_preset`.

    Args:
        weights: {name of the modality: checkpoints.loading.Weights}.
        settings: prediction.settings.Settings.

    Attributes:
        modalities: names of the modalities, in the order of the weights.
    """

    def __init__(self, weights: dict[str, Weights], settings: Settings) -> None:
        self._opened, self._settings = weights, settings
        self.modalities: tuple[str, ...] = tuple(weights)

    @classmethod
    def from_preset(
        cls,
        *names: str | os.PathLike,
        fast: bool = False,
        protocol: str | None = None,
        snippets: int | None = None,
        crops: int | None = None,
        every: str | None = None,
        over_time: str | None = None,
        classes: str | None = None,
        precision: str = "float32",
        runtime: str = "keras",
        batch: int = 5,
        parameters: str = "original",
        device: str = "opencv",
        keep_damaged: bool = False,
        workers: int | None = None,
    ) -> Recognizer:
        """Opens weights, by preset name or by path.

        Args:
            *names: names of presets (`tsn_keras.presets`) or weight files, one for
                each modality; several are fused, RGB : flow as 1 : 1.5.
            fast: look at 3 snippets in the centre crop instead of 25 in ten crops.
            protocol: name of another protocol than that of the weights; None: theirs.
            snippets: their number; None: as the test of the protocol.
            crops: 1, 3 or 10 crops of a snippet; None: as the test of the protocol.
            every: for untrimmed videos: a snippet every so many frames, "30", or
                seconds, "1s", instead of `snippets`.
            over_time: how the snippets' scores become the video's: "mean", "windows"
                (multi-scale temporal windows; the default with `every`),
                "windows_paper", "top3", or "consensus": as the weights were trained.
            classes: data set, or file with a name a line, that names the classes;
                None: as the weights do.
            precision: "float32", or "bfloat16": faster where the processor has it,
                and less exact.
            runtime: what runs the networks: "keras"; or on the processor, with scores
                that differ by some 1e-6, "onnxruntime" or "openvino", which are
                extras of the installation.
            batch: snippets in a batch.
            parameters: of TV-L1, "original" or "opencv4".
            device: what computes flow of videos: "opencv", or Keras on "cpu",
                "gpu", or "auto": on a GPU where there is one.
            keep_damaged: whether the frames before the damage of a damaged video
                are used; else it is an error.
            workers: cores that decode and compute flow; None for all.

        Raises:
            ValueError: a name is no preset and no file, a file cannot be used, or
                the weights do not go together.
            OSError: a file cannot be read.

        Example:
            >>> import tsn_keras as tsn
            >>> recognizer = tsn.Recognizer.from_preset("demo_rgb")
            >>> recognizer.modalities
            ('rgb',)
        """
        if not names:
            raise InputError(
                "name a preset or weight file for each modality, as "
                'Recognizer.from_preset("hmdb51_rgb_split1", "hmdb51_flow_split1")'
            )
        _check_number("batch", batch)
        if workers is not None:
            _check_number("workers", workers)
        override = _override(protocol, snippets, crops, every, over_time)
        flow = FlowSettings(parameters, device)
        flow.check()
        settings = Settings(
            quick=fast,
            classes=classes,
            precision=precision,
            runtime=runtime,
            batch=batch,
            decoding=Decoding(flow, keep_damaged, workers or cores()),
            override=override,
        )
        settings.check()
        return cls(run.open_weights(names, override=override), settings)

    @functools.cached_property
    def predictor(self) -> Any:
        """The prediction.predictor.Predictor of the weights."""
        # It compiles, which takes seconds: only when it is needed.
        with console.quiet_frameworks():
            return run.ready(self._opened, self._settings)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.predictor.classes

    def predict(
        self,
        video: str | os.PathLike | np.ndarray,
        *,
        key_frames: bool = False,
        on_snippet: Callable[[Snippet], object] | None = None,
        keep_scores: bool = True,
        progress: Reporting = None,
    ) -> Prediction:
        """Says what a video shows, by the published test of its frames.

        Frames and flow are made in memory, with the pixels that `tsn_keras.extract`
        writes.

        Args:
            video: path of a video file; or its frames, uint8 [frames, height,
                width, 3], R, G, B, 0 to 255, two or more.
            key_frames: whether to keep the snippets' first images.
            on_snippet: function that is told each snippet as soon as it is scored: a
                record with `number`, `frame`, `seconds`, `probabilities`, `top(k)`.
            keep_scores: whether `scores` are kept: of hours of video they are large.
            progress: see `tsn_keras.extract`.

        Returns:
            Prediction: `print` shows the five best classes, `.top(k)` are records
            with `name`, `label` and `probability`, `.probabilities` float [classes]
            of all streams together, `.streams` {modality: the same of one},
            `.along` [snippets, classes] along the video, and `.scores` {modality:
            float32 [snippets, crops, classes]} the raw scores.

        Raises:
            ValueError: the video cannot be used, or is damaged.
            OSError: it cannot be read.

        Example:
            >>> import numpy as np
            >>> import tsn_keras as tsn
            >>> recognizer = tsn.Recognizer.from_preset("demo_rgb", fast=True)
            >>> video = np.full((10, 64, 64, 3), 128, "uint8")
            >>> found = recognizer.predict(video)
            >>> len(found.top(3)), found.scores["rgb"].shape
            (3, (3, 1, 16))
        """
        if not isinstance(video, (str, os.PathLike, np.ndarray)):
            raise TypeError(
                f"`video` must be a path, or uint8 [frames, height, width, 3] in R, G, "
                f"B. Received: {type(video).__name__}"
            )
        listener = listener_of(progress)
        name = "frames" if isinstance(video, np.ndarray) else pathlib.Path(video).name
        with listener.bar(name, unit="snippet", leave=False) as bar:
            return self.predictor.predict(
                video, key_frames, bar, on_snippet, keep_scores
            )

    def evaluate(
        self,
        dataset: str,
        *,
        split: int | None = None,
        data: str | os.PathLike | None = None,
        annotations: str | os.PathLike | None = None,
        scores: str | os.PathLike | None = None,
        protocol: str | None = None,
        snippets: int | None = None,
        crops: int | None = None,
        every: str | None = None,
        over_time: str | None = None,
        shard: str | None = None,
        scheduler: str | None = None,
        allow_missing: bool = False,
        rgb_prefix: str = "img_",
        flow_x_prefix: str = "flow_x_",
        flow_y_prefix: str = "flow_y_",
        progress: Reporting = None,
    ) -> Evaluation:
        """Runs the published test over a data set: 25 snippets x 10 crops a video.

        Args:
            dataset: "hmdb51", "ucf101", "demo", or "list" for a list file.
            split: number of the official split; None: the first.
            data: folder of the frame folders; None: TSN_KERAS_DATA/DATASET.
            annotations: folder of the official split files (None: in the data
                folder), or the list file.
            scores: score file to write; None: in scores/ of the working folder.
                What it holds already is not computed again.
            protocol, snippets, crops, every, over_time: another test; None: as
                `from_preset` was told.
            shard: "2/8" scores the second of eight shares of the videos, into a score
                file of its own. When all are there, the call without it joins them.
            scheduler: address of a Dask cluster's scheduler, whose workers see frames
                and weights at the same paths; None: this machine.
            allow_missing: score what is there when videos are not on disk.
            rgb_prefix, flow_x_prefix, flow_y_prefix: what stands before the number
                in the names of the files.
            progress: see `tsn_keras.extract`.

        Returns:
            Evaluation: `print` shows the table, `.fusion.mean_class_accuracy` is in
            percent, `.streams["rgb"]` is one stream, `.scores["rgb"][video]`
            float32 [25, 10, classes], raw.

        Raises:
            ValueError: something is missing or wrong; the text gives the next step.
            OSError: a file cannot be read or written.
        """
        request = evaluating.Request(
            dataset=dataset,
            split=(evaluating.default_split(dataset) if split is None else split,),
            modality=self.modalities,
            data=_text(data),
            annotations=_text(annotations),
            weights=tuple(
                weights.preset.name if weights.preset else str(weights.path)
                for weights in self._opened.values()
            ),
            scores=_text(scores),
            batch=self._settings.batch,
            precision=self._settings.precision,
            runtime=self._settings.runtime,
            allow_missing=allow_missing,
            prefixes={
                "img_": rgb_prefix,
                "flow_x_": flow_x_prefix,
                "flow_y_": flow_y_prefix,
            },
            override=self._settings.override.but(
                _override(protocol, snippets, crops, every, over_time)
            ),
            shard=None if shard is None else Shard.read(shard),
            scheduler=scheduler,
        )
        return evaluating.evaluate(request, listener_of(progress))

    def save_preset(
        self, folder: str | os.PathLike, *, licence: str | None = None
    ) -> tuple[pathlib.Path, ...]:
        """Writes the weights into folders to be shared; see `tsn_keras.save_preset`.

        Args:
            folder: a new folder; of several modalities each has one in it, by its name.
            licence: see `tsn_keras.save_preset`.

        Returns:
            The folders, in the order of `modalities`; `from_preset` takes them.

        Raises:
            ValueError, OSError: as `tsn_keras.save_preset`.
        """
        with console.quiet_frameworks():
            from tsn_keras.checkpoints import conversion
            from tsn_keras.prediction import class_names
        parent, named = pathlib.Path(folder), self._settings.classes
        several = len(self._opened) > 1
        return tuple(
            conversion.share(
                weights,
                parent / modality if several else parent,
                class_names.of(weights, named) if named else class_names.known(weights),
                licence,
            )
            for modality, weights in self._opened.items()
        )

    def __repr__(self) -> str:
        named = (weights.name for weights in self._opened.values())
        return f"Recognizer({', '.join(named)})"


def _override(
    protocol: str | None,
    snippets: int | None,
    crops: int | None,
    every: str | None,
    over_time: str | None,
) -> Override:
    for name, number in (("snippets", snippets), ("crops", crops)):
        if number is not None:
            _check_number(name, number)
    for name, text in (("every", every), ("over_time", over_time)):
        if text is not None and not isinstance(text, str):
            raise InputError(f"`{name}` must be a text, not {text!r}")
    return Override(protocol, snippets, crops, every, over_time)


def _check_number(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"`{name}` must be an integer of at least 1, not {value!r}")


def _text(path: str | os.PathLike | None) -> str | None:
    return None if path is None else os.fspath(path)
