"""Modalities: what a snippet of a video is made of, one record each."""

import dataclasses
from collections.abc import Mapping

from tsn_keras.common.catalogue import Catalogue

_IMAGE, _FLOW = "image", "flow"


@dataclasses.dataclass(frozen=True)
class Modality:
    """What a snippet is made of.

    A snippet is `length` consecutive steps; a step is one file of each prefix.

    Attributes:
        name: what users, weight files and presets call it.
        kind: what the files hold, "image" or "flow"; protocols normalise by it.
        prefixes: what stands before the number in the names of a step's files.
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

    def with_prefixes(self, renamed: Mapping[str, str]) -> "Modality":
        """This modality for files of other names.

        Args:
            renamed: {prefix: what stands there instead}.
        """
        own = tuple(renamed.get(prefix, prefix) for prefix in self.prefixes)
        return dataclasses.replace(self, prefixes=own)


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

MODALITIES = Catalogue("modality", (RGB, FLOW, RGB_DIFFERENCE))


def by_channels(channels: int) -> Modality | None:
    """The modality of a network that reads so many channels, or None.

    For weight files that say nothing of themselves.
    """
    found = [m for m in MODALITIES.values() if m.channels == channels]
    return found[0] if found else None
