"""Modalities: what a snippet of a video is made of, one record each."""

import dataclasses
from collections.abc import Mapping

from tsn_keras.common.catalogue import Catalogue
from tsn_keras.protocols.spectrograms import Spectrogram
from tsn_keras.protocols.stackings import Stacking

_IMAGE, _FLOW, _SOUND = "image", "flow", "sound"


@dataclasses.dataclass(frozen=True)
class Modality:
    """What a snippet is made of.

    A snippet is `length` consecutive steps; a step is one file of each prefix.

    Attributes:
        name: what users, weight files and presets call it.
        kind: what the files hold, "image" or "flow", or "sound"; protocols normalise
            by it.
        prefixes: what stands before the number in the names of a step's files; of
            sound, those of the images whose times its snippets have.
        step_planes: planes of a step, over all its files: 3 for B, G, R, 2 for x
            and y.
        length: steps of a snippet.
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

    def __post_init__(self):
        if self.backward and self.stacking and self.stacking.follows:
            # A path begins at its first field, and these are of two directions.
            raise ValueError("paths are followed in one direction")

    @property
    def step_prefixes(self) -> tuple[tuple[str, ...], ...]:
        """The prefixes of each step."""
        first = self.length // 2 if self.backward else 0
        return (self.backward,) * first + (self.prefixes,) * (self.length - first)

    @property
    def all_prefixes(self) -> tuple[str, ...]:
        """The prefixes of all its files."""
        return (*self.prefixes, *self.backward)

    @property
    def pixel_type(self) -> str:
        """Of what type its pixels are: "uint8", or "float32" where it stacks."""
        return "float32" if self.stacking else "uint8"

    @property
    def file_planes(self) -> int:
        """Planes of one file."""
        return self.step_planes // len(self.prefixes)

    @property
    def planes(self) -> int:
        """Planes that are read for a snippet."""
        return self.step_planes * self.length

    @property
    def channels(self) -> int:
        """Planes that the network sees."""
        return self.planes - (self.step_planes if self.differences else 0)

    @property
    def is_flow(self) -> bool:
        """Whether its files hold motion, x and y."""
        return self.kind == _FLOW

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
        return dataclasses.replace(self, prefixes=own, backward=backward)


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
# That of the two-stream networks of 2014 and 2015: ten fields.
FLOW10 = dataclasses.replace(FLOW, name="flow10", length=10)
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

# Of modalities of as many channels the first is that of files that say nothing.
MODALITIES = Catalogue(
    "modality", (RGB, FLOW, RGB_DIFFERENCE, SOUND, FLOW10, *TWO_STREAM)
)


def by_channels(channels: int) -> Modality | None:
    """The modality of a network that reads so many channels, or None.

    For weight files that say nothing of themselves.
    """
    found = [m for m in MODALITIES.values() if m.channels == channels]
    return found[0] if found else None
