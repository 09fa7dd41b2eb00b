"""How videos are looked at."""

import dataclasses

from tsn_keras.common.errors import InputError
from tsn_keras.pipeline.from_video import Decoding
from tsn_keras.protocols.overrides import UNCHANGED, Override
from tsn_keras.protocols.records import View
from tsn_keras.runtimes.catalogue import RUNTIMES
from tsn_keras.scores import windows


@dataclasses.dataclass(frozen=True)
class Settings:
    """How videos are looked at.

    Attributes:
        quick: the protocol's rougher look instead of its test.
        snippets: their number, or None for the look's own.
        classes: data set or file that names the classes, or None.
        precision: "float32" or "bfloat16".
        runtime: name of what runs the networks, one of runtimes.catalogue.RUNTIMES.
        batch: snippets in a batch.
        decoding: pipeline.from_video.Decoding.
        override: another test than that of the weights.
    """

    quick: bool = False
    snippets: int | None = None
    classes: str | None = None
    precision: str = "float32"
    runtime: str = "keras"
    batch: int = 5
    decoding: Decoding = dataclasses.field(default_factory=Decoding)
    override: Override = UNCHANGED

    def check(self):
        """Refuses settings that would do nothing.

        Raises:
            InputError: snippets or crops of the test are named for a quick look, there
                is no such way over time, or the runtime lacks the precision or a
                package.
        """
        RUNTIMES.find(self.runtime).check(self.precision)
        asked = self.override
        if asked.over_time is not None:
            windows.OVER_TIME.find(asked.over_time, "`over_time`")
        if self.quick and (
            asked.snippets or asked.crops or asked.every or asked.over_time
        ):
            raise InputError(
                "`fast` is a look of its own, which takes no `snippets`, `crops`, "
                "`every` or `over_time`"
            )

    def view(self, protocol) -> View:
        """The look at a video under a protocol."""
        found = protocol.quick if self.quick else protocol.test
        return found if self.snippets is None else found.with_snippets(self.snippets)
