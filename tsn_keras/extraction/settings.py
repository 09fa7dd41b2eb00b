"""What to make of a video."""

import dataclasses

from tsn_keras.common.errors import InputError
from tsn_keras.flow.settings import FlowSettings
from tsn_keras.video import sound

FLOWS = ("tvl1", "warped", "none")
IMAGES = "img_"  # before the number in names of files (dense_flow common.cpp:52-57)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to make of a video.

    Attributes:
        flow: flow.settings.FlowSettings, or None for images only.
        size: (width, height) of the files, in pixels.
        keep_damaged: whether the frames before the damage of a damaged video are
            used; else it fails. So with its sound.
        sound: whether its sound is stored too.
    """

    flow: FlowSettings | None = dataclasses.field(default_factory=FlowSettings)
    size: tuple[int, int] = (340, 256)
    keep_damaged: bool = False
    sound: bool = False

    @property
    def on_device(self) -> bool:
        """Whether Keras computes flow."""
        return self.flow is not None and self.flow.on_device

    @property
    def has_ranges(self) -> bool:
        """Whether the ranges of the flow fields are stored beside them."""
        return self.flow is not None and self.flow.bound is None

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What stands before the number in the names of the files."""
        return IMAGES, *(self.flow.prefixes if self.flow else ())

    def check(self):
        """Refuses settings out of range; the text names the value.

        Raises:
            InputError.
        """
        width, height = self.size
        if not (16 <= width <= 8192 and 16 <= height <= 8192):
            raise InputError(
                f"`size` is {width}x{height}: sides must be from 16 to 8192 pixels"
            )
        if self.sound:
            sound.check_writable()
        if self.flow is not None:
            self.flow.check()
