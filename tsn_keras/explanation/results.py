"""What an explanation holds: where and when a video's score comes from."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

import numpy as np

from tsn_keras.prediction.results import Prediction
from tsn_keras.protocols.crops import Window
from tsn_keras.protocols.records import Stream
from tsn_keras.scores import tables

if TYPE_CHECKING:
    from tsn_keras.explanation.grad_cam import Method


@dataclasses.dataclass(frozen=True, eq=False)
class Explained:
    """What one stream saw.

    Snippets that a short video repeats are one here, with their contributions added.

    Attributes:
        stream: protocols.records.Stream.
        weight: of its scores in the fusion; those of all streams add up to 1.
        score: that of the class: raw, or its probability where the protocol averages
            these.
        ticks: int [snippets], images at which they begin, counted from 1.
        contributions: float64 [snippets, crops]; their sum is `score`.
        lead: the same of what the class is ahead of the second, or, of another class
            than the best, of the best.
        windows: of the crops, in the order of `contributions`.
        shown: int [shown], the snippets of the following: all, or those of a long
            video that contribute most.
        maps: float32 [shown, maps, crops, h, w], the heat in the cells of the network's
            last maps; not negative, of no unit.
        heat: float32 [shown, maps, height, width], the same in the frame.
        snippets: [shown, height, width, planes], what the network was shown, before
            its crops.
        frames: uint8 [shown, height, width, 3], R, G, B, the first frames of these;
            None of sound.
    """

    stream: Stream
    weight: float
    score: float
    ticks: np.ndarray
    contributions: np.ndarray
    lead: np.ndarray
    windows: tuple[Window, ...]
    shown: np.ndarray
    maps: np.ndarray
    heat: np.ndarray
    snippets: np.ndarray
    frames: np.ndarray | None

    @property
    def decisive(self) -> tuple[int, int]:
        """(snippet, crop) of the largest contribution, counted from 0."""
        snippet, crop = np.unravel_index(
            self.contributions.argmax(), self.contributions.shape
        )
        return int(snippet), int(crop)

    def as_json(self) -> dict:
        """As a dict of JSON values."""
        snippet, crop = self.decisive
        window = self.windows[crop]
        return {
            "weight": round(self.weight, 4),
            "score": round(self.score, 6),
            "decisive": {
                "snippet": snippet + 1,
                "frame": int(self.ticks[snippet]),
                "crop": crop + 1,
                "top": window.top,
                "left": window.left,
                "mirrored": window.mirrored,
                "contribution": round(float(self.contributions[snippet, crop]), 6),
            },
            "frames": self.ticks.tolist(),
            "contributions": self.contributions.sum(axis=1).round(6).tolist(),
            "crops": self.contributions.sum(axis=0).round(6).tolist(),
        }


@dataclasses.dataclass(frozen=True, eq=False)
class Explanation:
    """Why a video has the score of a class that it has.

    `print` shows a table.

    Attributes:
        name: of the class.
        label: its index.
        other: name of the class with which `lead` compares.
        method: grad_cam.Method.
        prediction: what the video shows.
        streams: {modality: Explained}.
        video: name of the video.
    """

    name: str
    label: int
    other: str
    method: Method
    prediction: Prediction
    streams: dict[str, Explained]
    video: str = ""

    @property
    def probability(self) -> float:
        """Of the class, from 0 to 1."""
        return float(self.prediction.probabilities[self.label])

    def save(self, path: str | os.PathLike) -> None:
        """Writes a picture.

        Args:
            path: .png: heat of the snippets that contribute most, contributions over
                time and by crop; .gif, .mp4: the heat of all snippets in turn.

        Raises:
            ValueError: it ends otherwise.
            OSError: it cannot be written.
        """
        from tsn_keras.explanation import drawing

        drawing.draw(path, self)

    def as_json(self) -> dict:
        """As a dict of JSON values."""
        return {
            "class": self.name,
            "label": self.label,
            "probability": round(self.probability, 6),
            "compared_with": self.other,
            "method": self.method.name,
            "streams": {m: one.as_json() for m, one in self.streams.items()},
        }

    def __str__(self) -> str:
        rows = []
        for modality, one in self.streams.items():
            snippet, crop = one.decisive
            rows.append(
                (
                    modality,
                    f"{one.weight:.0%}",
                    f"{one.score:.3f}",
                    f"{one.ticks[snippet]}",
                    f"{crop + 1}",
                    f"{one.contributions[snippet, crop]:.4f}",
                )
            )
        names = ("stream", "weight", "score", "frame", "crop", "contribution")
        return tables.table(rows, names)
