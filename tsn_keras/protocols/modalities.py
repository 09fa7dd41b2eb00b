"""Modalities: what a snippet of a video is made of, one record each."""

import dataclasses
from collections.abc import Mapping

from tsn_keras.common.catalogue import Catalogue
from tsn_keras.protocols.spectrograms import Spectrogram
from tsn_keras.protocols.stackings import Stacking

_IMAGE, _FLOW, _SOUND, _JOINT = "image", "flow", "sound", "joint"


@dataclasses.dataclass(frozen=True)
class Modality:
    """What a snippet is made of.

    A snippet is `length` consecutive steps; a step is one file of each prefix.

    Attributes:
        name: what users, weight files and presets call it.
        kind: what the files hold, "image" or "flow", or "sound"; protocols normalise
            by it. "joint" of a snippet of several parts.
        prefixes: what stands before the number in the names of a step's files; of
            sound, those of the images whose times its snippets have.
        step_planes: planes of a step, over all its files: 3 for B, G, R, 2 for x
            and y.
        length: steps of a snippet; of a joint one, those of all parts together.
        inverted: for each plane of a step, whether mirroring turns v into
            255 - v: horizontal motion changes its sign.
        differences: whether the network sees what changes from step to step.
        crop_ratios: sides of training crops over the shorter side of the frame.
        first_rate: factor on the learning rate of the first convolution.
        fusion_weight: weight of its scores in a fusion.
        begins_others: whether a network of another modality may begin with its
            weights (cross-modality initialisation).
        spectrogram: of sound, what its pictures are; else None.
        cropped: whether the network sees crops of its pictures, and their mirror
            images; else each as a whole, resized to the network's input.
        grey_of: the kind whose normalisation it has, as a grey picture, under
            protocols that have none for it; or None.
        backward: what stands before the number in the names of the files of the first
            half of its steps, where these are of backward flow; else ().
        stacking: what is computed from the displacements of its flow fields; None:
            a snippet has the grey levels of its files.
        parts: of a snippet that is made of snippets of other modalities, these in
            their order, and how many files after its tick each begins; see `joined`.

    Example:
        >>> MODALITIES["flow"].channels
        10
    """

    name: str
    kind: str
    prefixes: tuple[str, ...]
    step_planes: int
    length: int
    inverted: tuple[bool, ...]
    differences: bool = False
    crop_ratios: tuple[float, ...] = (1.0, 0.875, 0.75)
    first_rate: float = 1.0
    fusion_weight: float = 1.0
    begins_others: bool = False
    spectrogram: Spectrogram | None = None
    cropped: bool = True
    grey_of: str | None = None
    backward: tuple[str, ...] = ()
    stacking: Stacking | None = None
    parts: tuple[tuple["Modality", int], ...] = ()

    def __post_init__(self):
        if self.backward and self.stacking and self.stacking.follows:
            # A path begins at its first field, and these are of two directions.
            raise ValueError("paths are followed in one direction")

    @property
    def step_prefixes(self) -> tuple[tuple[str, ...], ...]:
        """The prefixes of each step; of a joint one those of all parts' steps."""
        if self.parts:
            return sum((part.step_prefixes for part, _ in self.parts), ())
        first = self.length // 2 if self.backward else 0
        return (self.backward,) * first + (self.prefixes,) * (self.length - first)

    @property
    def all_prefixes(self) -> tuple[str, ...]:
        """The prefixes of all its files."""
        if self.parts:
            every = (prefix for part, _ in self.parts for prefix in part.all_prefixes)
            return tuple(dict.fromkeys(every))
        return (*self.prefixes, *self.backward)

    @property
    def stacks(self) -> bool:
        """Whether its pixels are computed from displacements, of any part."""
        return self.stacking is not None or any(part.stacks for part, _ in self.parts)

    @property
    def pixel_type(self) -> str:
        """Of what type its pixels are: "uint8", or "float32" where it stacks."""
        return "float32" if self.stacks else "uint8"

    @property
    def file_planes(self) -> int:
        """Planes of one file."""
        return self.step_planes // len(self.prefixes)

    @property
    def planes(self) -> int:
        """Planes that are read for a snippet."""
        return self.step_planes * (1 if self.parts else self.length)

    @property
    def channels(self) -> int:
        """Planes that the network sees."""
        if self.parts:
            return sum(part.channels for part, _ in self.parts)
        return self.planes - (self.step_planes if self.differences else 0)

    @property
    def is_flow(self) -> bool:
        """Whether its files hold motion, x and y."""
        return self.kind == _FLOW

    @property
    def has_flow(self) -> bool:
        """Whether files of a snippet hold motion: they must be extracted."""
        return self.is_flow or any(part.has_flow for part, _ in self.parts)

    @property
    def offsets(self) -> tuple[int, ...]:
        """Which files a snippet has, counted from its tick, part by part."""
        if not self.parts:
            return tuple(range(self.length))
        return tuple(
            first + offset for part, first in self.parts for offset in part.offsets
        )

    def split(self, numbers) -> list[tuple["Modality", list]]:
        """Numbers of files by the part of a snippet that they are of.

        Args:
            numbers: sequence of `length` numbers, or of as many of each snippet.

        Returns:
            list of (part, its numbers); a snippet of one part is its own.

        Example:
            >>> [(part.name, n) for part, n in RGB_FLOW.split(range(11))]
            [('rgb', [0]), ('flow10', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])]
        """
        if not self.parts:
            return [(self, list(numbers))]
        found, first = [], 0
        for part, _ in self.parts:
            last = first + part.length
            starts = range(0, len(numbers), self.length)
            own = [n for k in starts for n in numbers[k + first : k + last]]
            found.append((part, own))
            first = last
        return found

    @property
    def is_image(self) -> bool:
        """Whether its files are pictures in colour."""
        return self.kind == _IMAGE

    @property
    def is_sound(self) -> bool:
        """Whether its snippets are made of a video's sound."""
        return self.spectrogram is not None

    def with_prefixes(self, renamed: Mapping[str, str]) -> "Modality":
        """This modality for files of other names.

        Args:
            renamed: {prefix: what stands there instead}.
        """
        own, backward = (
            tuple(renamed.get(prefix, prefix) for prefix in prefixes)
            for prefixes in (self.prefixes, self.backward)
        )
        parts = tuple((p.with_prefixes(renamed), first) for p, first in self.parts)
        return dataclasses.replace(self, prefixes=own, backward=backward, parts=parts)


def joined(name: str, *parts: tuple[Modality, int], **more) -> Modality:
    """A modality whose snippets are made of those of others, one after the other.

    Args:
        name: see Modality.
        *parts: see Modality; those of a part have no parts of their own.
        **more: of the other attributes of Modality.

    Example:
        >>> RGB_FLOW.prefixes, RGB_FLOW.planes, RGB_FLOW.offsets[:3]
        (('img_', 'flow_x_', 'flow_y_'), 23, (-1, -5, -4))
    """
    every = [part for part, _ in parts]
    return Modality(
        name=name,
        kind=_JOINT,
        prefixes=tuple(dict.fromkeys(p for part in every for p in part.prefixes)),
        step_planes=sum(part.planes for part in every),
        length=sum(part.length for part in every),
        inverted=tuple(i for part in every for i in part.inverted * part.length),
        parts=parts,
        **more,
    )


# The names of files are those of dense_flow (src/common.cpp:52-57). Crop ratios
# and the first convolution's rate are those of the original's train_val files;
# scores of RGB and flow are added 1 : 1.5 (README.md:175-178).
RGB = Modality(
    name="rgb",
    kind=_IMAGE,
    prefixes=("img_",),
    step_planes=3,
    length=1,
    inverted=(False, False, False),
    crop_ratios=(1.0, 0.875, 0.75, 0.66),
    begins_others=True,
)
FLOW = Modality(
    name="flow",
    kind=_FLOW,
    prefixes=("flow_x_", "flow_y_"),
    step_planes=2,
    length=5,
    inverted=(True, False),
    first_rate=5.0,
    fusion_weight=1.5,
)
# The original has no such network; differences are tsn-pytorch's
# (models.py:193-224). No fusion weight was published for it: 1, as for RGB.
RGB_DIFFERENCE = Modality(
    name="rgbdiff",
    kind=_IMAGE,
    prefixes=("img_",),
    step_planes=3,
    length=6,
    inverted=(False, False, False),
    differences=True,
)

# Sound in the spirit of the ActivityNet entry of 2016, of which no number was published
# (see spectrograms): its first convolution is made as that of flow, and learns as fast.
# A crop would drop bands, a mirror image is sound played backwards. Its weight in a
# fusion is to be chosen on held-out videos; until then 1, as for RGB.
_SPECTROGRAM = Spectrogram()
SOUND = Modality(
    name="sound",
    kind=_SOUND,
    prefixes=("img_",),
    step_planes=len(_SPECTROGRAM.windows),
    length=1,
    inverted=(False,) * len(_SPECTROGRAM.windows),
    first_rate=FLOW.first_rate,
    spectrogram=_SPECTROGRAM,
    cropped=False,
    grey_of=_IMAGE,
)

# Two-stream networks of 2015 have ten fields, otherwise as TSN, which is of the same
# authors.
FLOW10 = dataclasses.replace(FLOW, name="flow10", length=10)

# The inputs of two-stream networks of 2014 (section 3.1, table 1b). The one of flow is
# trained from scratch, all its layers at one rate, and the scores of both are averaged.
_2014 = dataclasses.replace(FLOW, first_rate=1.0, fusion_weight=1.0)
_CENTRED = Stacking(centred=True)
# Fields of the one direction and of the other from the frame in the middle on: those to
# the frames before it, then those to the frames after it. A snippet's fields are in the
# order of time; in which order the paper has them it does not say.
_BOTH = {"length": 10, "backward": ("flow_bx_", "flow_by_")}
TWO_STREAM = tuple(
    dataclasses.replace(_2014, name=name, **fields)
    for name, fields in {
        "flow1": {"length": 1},
        "flow1_mean": {"length": 1, "stacking": _CENTRED},
        "flow5_mean": {"length": 5, "stacking": _CENTRED},
        "flow10_mean": {"length": 10, "stacking": _CENTRED},
        "trajectory10": {"length": 10, "stacking": Stacking(follows=True)},
        "trajectory10_mean": {"length": 10, "stacking": Stacking(True, centred=True)},
        "bidirectional10_mean": {**_BOTH, "stacking": _CENTRED},
    }.items()
)

# ST-ResNet's (cnn_get_im_flow_batch.m:65-152): the frame t, and the flow from each of
# the frames t - 5 ... t + 4 to the next. The flow of these begins five files before the
# tick t; the frame is the image t - 1, since an extraction leaves out the first frame.
RGB_FLOW = joined("rgb_flow10", (RGB, -1), (FLOW10, -5))

# Of modalities of as many channels the first is that of files that say nothing.
MODALITIES = Catalogue(
    "modality", (RGB, FLOW, RGB_DIFFERENCE, SOUND, FLOW10, *TWO_STREAM, RGB_FLOW)
)


def by_channels(channels: int) -> Modality | None:
    """The modality of a network that reads so many channels, or None.

    For weight files that say nothing of themselves.
    """
    found = [m for m in MODALITIES.values() if m.channels == channels]
    return found[0] if found else None
