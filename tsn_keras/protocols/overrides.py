"""Another test than the one that the weights, or their preset, name."""

import dataclasses

from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.records import Protocol


@dataclasses.dataclass(frozen=True)
class Override:
    """What a user wants otherwise; None: as the weights say.

    Attributes:
        protocol: name of a protocol.
        snippets: snippets of a video.
        crops: crops of a snippet.
        every: how far apart the snippets of untrimmed videos are, see strides.Stride.
        over_time: how their scores become the video's, see records.Protocol.

    Example:
        >>> from tsn_keras.protocols.caffe import CAFFE
        >>> str(Override(snippets=8, crops=1).of(CAFFE).test)
        '8 snippets x the centre crop'
    """

    protocol: str | None = None
    snippets: int | None = None
    crops: int | None = None
    every: str | None = None
    over_time: str | None = None

    def __bool__(self) -> bool:
        return self != UNCHANGED

    def but(self, other: "Override") -> "Override":
        """This where the other says nothing, else what the other says.

        Example:
            >>> both = Override("caffe", 8).but(Override(snippets=3))
            >>> both.protocol, both.snippets
            ('caffe', 3)
        """
        said = {k: v for k, v in vars(other).items() if v is not None}
        return dataclasses.replace(self, **said)

    def of(self, protocol: Protocol) -> Protocol:
        """The protocol that takes the place of the weights' own.

        Raises:
            InputError: there is no such protocol, or it has no such test.
        """
        if self.protocol is not None:
            protocol = PROTOCOLS.find(self.protocol)
        return protocol.with_test(self.snippets, self.crops, self.every, self.over_time)


UNCHANGED = Override()
