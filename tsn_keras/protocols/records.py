"""The record of a protocol: how a video becomes network input and a score."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from tsn_keras.common.errors import InputError
from tsn_keras.protocols import sampling, train_sampling
from tsn_keras.protocols.augmentations import Augmentation
from tsn_keras.protocols.crops import CENTRE, Crops
from tsn_keras.protocols.modalities import Modality
from tsn_keras.protocols.sizes import STORED_SIZE, Clamped, ShorterSide
from tsn_keras.protocols.strides import Stride


@dataclasses.dataclass(frozen=True)
class View:
    """How one look at a video is taken.

    Attributes:
        snippets: number of snippets.
        rule: function (files, length of a snippet, snippets) to the first file
            of each snippet, counted from 1.
        crops: what is cut out of every snippet.
        side: of the crops and so of the network's input, pixels; None: the
            protocol's `crop_size`.
        stride: how far apart the snippets of untrimmed videos are; their number and
            rule mean nothing then. None: they are as many for all videos.
        together: whether a network sees all snippets of a video at once, as the steps
            of one clip. It has one row of scores then, and not one for each snippet.

    Example:
        >>> from tsn_keras.protocols import crops, sampling
        >>> str(View(25, sampling.eval_ticks, crops.TEN))
        '25 snippets x 10 crops'
    """

    snippets: int
    rule: Callable[[int, int, int], list[int]]
    crops: Crops
    side: int | None = None
    stride: Stride | None = None
    together: bool = False

    def __str__(self) -> str:
        return f"{self.stride or f'{self.snippets} snippets'} x {self.crops.name}"

    @property
    def steps(self) -> int:
        """Snippets that a row of scores is of."""
        return self.snippets if self.together else 1

    def ticks(self, files: int, length: int, rate: float | None = None) -> list[int]:
        """First file of each snippet; a short video repeats them.

        Args:
            files: number of files of the modality.
            length: files in a snippet.
            rate: files a second, where it is known.
        """
        if self.stride is not None:
            return self.stride.ticks(files, length, rate)
        return self.rule(files, length, self.snippets)

    def distinct(
        self, files: int, length: int, rate: float | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Distinct ticks of a video, and which of them each snippet takes.

        Args:
            files, length, rate: see `ticks`.

        Returns:
            (int array of ticks, increasing; int array [snippets] of indices
            into it). Of snippets that are seen together the first stands for all.
        """
        if self.together:
            first = self.ticks(files, length, rate)[:1]
            return np.array(first), np.zeros(1, int)
        return np.unique(self.ticks(files, length, rate), return_inverse=True)

    def clip(self, tick: int, files: int, length: int) -> list[int]:
        """First files of the snippets that the row of scores at `tick` is of."""
        return self.ticks(files, length) if self.together else [tick]

    def with_snippets(self, snippets: int) -> "View":
        """The same look at another number of snippets."""
        return dataclasses.replace(self, snippets=snippets)


@dataclasses.dataclass(frozen=True)
class Normalisation:
    """What is subtracted from 8-bit pixels, and by what the rest is divided.

    Attributes:
        mean: one value for each plane of a step, or for each plane of a snippet, or
            one for all.
        deviation: likewise.
        scale: by what pixels are divided before that: 255 where the rest is stated
            for values from 0 to 1.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...] = (1.0,)
    scale: float = 1.0

    @property
    def grey(self) -> "Normalisation":
        """That of grey pictures: the means over the colours."""
        mean, deviation = (
            (sum(values) / len(values),) for values in (self.mean, self.deviation)
        )
        return Normalisation(mean, deviation, self.scale)


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How a video becomes network input and a score.

    Attributes:
        name: what weight files and presets call it.
        test: the published test.
        quick: a rougher look: validation while training (with its own number
            of segments) and quick predictions.
        frame_size: (height, width) to which files are resized for the test, as
            cv2.resize does: bilinear, uint8; or ShorterSide, or Clamped.
        crop_size: side of the crops and so of the network's input, pixels; that of
            training, and of a View that names no other.
        red_first: whether an image's planes are R, G, B; else B, G, R, as OpenCV
            has them.
        normalisation: by the kind of a modality; one that differs from others of
            its kind is there by its name.
        augmentation: how a video is cut in training, unless the run says otherwise.
        train_rule: which snippets training reads, one of protocols.train_sampling.
        draws_together: whether the first number that the rule gets is drawn once for
            all videos of a sub-batch.
        other_crops: (crops, their side as in a View) that a test may have on
            request instead of its own, told apart by their number.
        average: what is averaged over crops and snippets: raw "scores", or
            "probabilities", after the softmax.
        fused: what is added up over streams: their "scores", as `average` leaves
            them, or "probabilities", after a softmax of each.
        fusion_weights: published weights of streams in a fusion, keyed as
            `normalisation`; those that it lacks have that of their modality.
        over_time: how the snippets' scores become the video's, one of
            scores.windows.OVER_TIME; "mean" but for untrimmed videos.
        loops: whether a snippet that reaches past the end of a video goes on with
            its first file; else the last file is repeated.
        direct: how a video is seen whose frames were not extracted. False: its
            images are those that an extraction stores, without the first frame and
            through JPEG. True: its images are all frames as they are decoded. Flow
            is always as an extraction stores it.
    """

    name: str
    test: View
    quick: View
    frame_size: tuple[int, int] | ShorterSide | Clamped
    crop_size: int
    red_first: bool
    normalisation: Mapping[str, Normalisation]
    augmentation: Augmentation
    train_rule: Callable = train_sampling.in_segments
    draws_together: bool = False
    other_crops: tuple[tuple[Crops, int | None], ...] = ()
    average: str = "scores"
    fused: str = "scores"
    fusion_weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    over_time: str = "mean"
    loops: bool = False
    direct: bool = False

    def with_test(
        self,
        snippets: int | None = None,
        crops: int | None = None,
        every: str | None = None,
        over_time: str | None = None,
    ) -> "Protocol":
        """This protocol with another test.

        Args:
            snippets: their number; None: that of the test.
            crops: their number; None: those of the test.
            every: how far apart they are, see Stride.read, instead of their number.
            over_time: see above; None: "windows" with `every`, else that of the
                protocol.

        Raises:
            InputError: it has no such test.
        """
        view = self.test
        if crops not in (None, view.crops.count):
            there = {found.count: (found, side) for found, side in self.other_crops}
            if crops not in there:
                known = sorted({view.crops.count, *there})
                raise InputError(
                    f"`crops` is {crops}; the protocol {self.name} has "
                    f"{' or '.join(map(str, known))}"
                )
            found, side = there[crops]
            view = dataclasses.replace(view, crops=found, side=side)
        if snippets is not None:
            view = view.with_snippets(snippets)
            try:
                view.ticks(files=1, length=1)
            except ValueError as error:
                raise InputError(
                    f"the protocol {self.name} cannot take {snippets} snippets: {error}"
                ) from None
        if every is not None:
            if view.together:
                raise InputError(
                    f"`every` is for snippets that are scored one by one; the protocol "
                    f"{self.name} sees those of a video together: give their number "
                    f"with `snippets`"
                )
            if snippets is not None:
                raise InputError(
                    "`snippets` is their number and `every` how far apart they are: "
                    "give one of them"
                )
            view = dataclasses.replace(view, stride=Stride.read(every))
        if over_time is None:
            # Untrimmed videos show their class in a part of them.
            over_time = "windows" if every is not None else self.over_time
        return dataclasses.replace(self, test=view, over_time=over_time)

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """(height, width) of all frames, or None where they keep their ratio."""
        return self.frame_size if isinstance(self.frame_size, tuple) else None

    @property
    def stored_size(self) -> tuple[int, int]:
        """(height, width) of files as they are extracted for it."""
        return self.fixed_size or STORED_SIZE


@dataclasses.dataclass(frozen=True)
class Stream:
    """A modality under a protocol: the contract between data and a model.

    It travels with the weights: every preset and weight file names both parts.
    """

    modality: Modality
    protocol: Protocol

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the network's input."""
        side = self.protocol.crop_size
        return side, side, self.modality.channels

    @property
    def parts(self) -> tuple["Stream", ...]:
        """The streams of what a snippet is made of; mostly this one alone."""
        return tuple(
            dataclasses.replace(self, modality=part)
            for part, _ in self.modality.parts or ((self.modality, 0),)
        )

    @property
    def normalisation(self) -> Normalisation:
        """That of the modality, or of its kind, or as a grey picture of another."""
        rules, modality = self.protocol.normalisation, self.modality
        found = rules.get(modality.name) or rules.get(modality.kind)
        return found or rules[modality.grey_of].grey

    @property
    def published_weight(self) -> float | None:
        """The weight of its scores in a fusion that the protocol names, or None."""
        weights = self.protocol.fusion_weights
        return weights.get(self.modality.name, weights.get(self.modality.kind))

    @property
    def fusion_weight(self) -> float:
        """What its scores are multiplied by in a fusion."""
        named = self.published_weight
        return self.modality.fusion_weight if named is None else named

    @property
    def is_normalised(self) -> bool:
        """Whether the protocol is for the modality."""
        modality = self.modality
        if modality.parts:
            return all(part.is_normalised for part in self.parts)
        kinds = {modality.name, modality.kind, modality.grey_of}
        return bool(kinds & self.protocol.normalisation.keys())

    def seen(self, view: View) -> View:
        """A view, in the crops that the modality has: or its pictures as a whole."""
        if self.modality.cropped:
            return view
        return dataclasses.replace(view, crops=CENTRE, side=None)

    @property
    def test(self) -> View:
        """The published test."""
        return self.seen(self.protocol.test)

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """(height, width) of all frames, or None where they keep their ratio."""
        if self.modality.cropped:
            return self.protocol.fixed_size
        return self.protocol.crop_size, self.protocol.crop_size

    def side_of(self, view: View) -> int:
        """Side of the network's input under a view, pixels."""
        return self.seen(view).side or self.protocol.crop_size

    def numbers(self, tick: int, files: int) -> list[int]:
        """Numbers of the files of the snippet at `tick` of a video of `files`."""
        offsets = self.modality.offsets
        return sampling.files_around(tick, files, offsets, self.protocol.loops)

    def images(self, frames: int) -> int:
        """Files, or images in memory, of a video of so many decoded frames."""
        is_whole = self.protocol.direct and not self.modality.has_flow
        return frames if is_whole else frames - 1

    def with_prefixes(self, renamed: Mapping[str, str]) -> "Stream":
        """The same stream for files of other names; see Modality."""
        return dataclasses.replace(self, modality=self.modality.with_prefixes(renamed))
