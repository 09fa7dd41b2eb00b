"""Bits of the headers of compressed video, and what readers of them say."""

import dataclasses


class Untold(Exception):
    """A file does not say for certain where its frames are; the text says why."""


class Bits:
    """Reads numbers of some bits from bytes, the first bit first.

    Raises:
        Untold: by every method, past the end.
    """

    def __init__(self, data):
        self._value, self.left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count):
        """The next `count` bits as an int."""
        self.left -= count
        if self.left < 0:
            raise Untold("a header that ends early")
        return self._value >> self.left & ((1 << count) - 1)

    def take_bytes(self, count):
        return self.take(8 * count).to_bytes(count, "big")

    def golomb(self):
        """An unsigned Exp-Golomb code: ISO 14496-10, 9.1."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise Untold("a header that makes no sense")
        return (1 << zeros) - 1 + self.take(zeros)

    def sum_of_bytes(self):
        """A number in bytes that are added while they are 255: 7.3.2.3.1."""
        total = byte = self.take(8)
        while byte == 255:
            byte = self.take(8)
            total += byte
        return total


def unescaped(unit):
    """A unit of H.264 without its emulation prevention bytes."""
    return unit.replace(b"\0\0\3", b"\0\0")


@dataclasses.dataclass(frozen=True)
class Picture:
    """The one picture of a packet.

    Attributes:
        is_entry: whether a decoder that begins here gives this frame and all that
            are shown later as one that began with the first packet.
        is_between: whether it is shown before the picture that came before it;
            told where time stamps are not relied upon.
    """

    is_entry: bool
    is_between: bool = False


class Reader:
    """Reads packets of one codec.

    Args:
        extradata: what the container holds for the decoder, or None.

    Attributes:
        by_time: whether frames are shown in the order of their time stamps; else in
            that of the packets, but for those that are `is_between`.
    """

    by_time = False

    def __init__(self, extradata):
        self._extradata = bytes(extradata or b"")

    def picture(self, data):
        """The Picture of a packet, bytes."""
        raise NotImplementedError
