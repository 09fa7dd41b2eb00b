"""What packets of a video say of their pictures, without decoding them.

FFmpeg's number of frames is a matter of the bitstream: packets may hold several
pictures, hidden ones, none, or half of one. A reader of a codec takes packets in the
order of the file. It returns a Picture for a packet that is decoded to exactly one
frame, and raises Untold for everything else: such a file is decoded from its
beginning instead.
"""

import collections

from tsn_keras.video import h264
from tsn_keras.video.bits import Bits, Picture, Reader, Untold

_I, _B = 0, 2  # vop_coding_type: ISO 14496-2, table 6-20


class _Mpeg4(Reader):
    """MPEG-4 Visual (DivX, Xvid), one picture in a packet; ISO 14496-2, 6.2."""

    def __init__(self, extradata):
        super().__init__(extradata)
        self._resolution = None  # ticks of a second
        self._seconds = self._seconds_before = 0
        self._anchors = collections.deque(maxlen=2)  # times of the last ones
        self._read_layer(self._extradata)

    def picture(self, data):
        if data.count(b"\0\0\1\xb6") != 1:
            raise Untold("not one picture in a packet")
        place = data.index(b"\0\0\1\xb6")
        self._read_layer(data[:place])
        if self._resolution is None:
            raise Untold("a picture before its layer")
        bits = Bits(data[place + 4 :][:64])
        kind, seconds = bits.take(2), 0
        while bits.take(1):
            seconds += 1
        bits.take(1)
        ticks = bits.take(_width_of_ticks(self._resolution))
        bits.take(1)
        if not bits.take(1):
            raise Untold("a picture that is not coded")
        if kind != _B:
            self._seconds_before = self._seconds
            self._seconds += seconds
            self._anchors.append(self._seconds * self._resolution + ticks)
            return Picture(kind == _I)
        # A decoder leaves out what is not shown between the last two others.
        time = (self._seconds_before + seconds) * self._resolution + ticks
        if len(self._anchors) < 2 or not self._anchors[0] < time < self._anchors[1]:
            raise Untold("pictures that are left out")
        return Picture(False, is_between=True)

    def _read_layer(self, data):
        """Reads what stands before a picture: times, and that it has no fields."""
        for number in range(0x20, 0x30):
            place = data.find(bytes((0, 0, 1, number)))
            if place >= 0:
                self._resolution = _resolution(Bits(data[place + 4 :][:64]))
        place = data.find(b"\0\0\1\xb3")
        if place >= 0:
            bits = Bits(data[place + 4 :][:64])
            hours, minutes = bits.take(5), bits.take(6)
            bits.take(1)
            self._seconds = 3600 * hours + 60 * minutes + bits.take(6)


def _width_of_ticks(resolution):
    """Bits of a number of ticks."""
    return max(1, (resolution - 1).bit_length())


def _resolution(bits):
    """Ticks of a second, of a layer without fields and sprites: 6.2.3."""
    bits.take(9)
    version = 1
    if bits.take(1):
        version = bits.take(4)
        bits.take(3)
    if bits.take(4) == 15:
        bits.take(16)
    if bits.take(1):  # control parameters
        bits.take(3)
        if bits.take(1):
            bits.take(79)
    if bits.take(2):
        raise Untold("pictures of other shapes")
    bits.take(1)
    resolution = bits.take(16)
    bits.take(1)
    if bits.take(1):
        bits.take(_width_of_ticks(resolution))
    bits.take(29)
    # A decoder keeps a time of its first fields for the whole stream.
    if bits.take(1):
        raise Untold("fields")
    bits.take(1)
    if bits.take(1 if version == 1 else 2):
        raise Untold("sprites")
    return resolution


class _Vp9(Reader):
    """VP9; its bitstream specification 0.6, 6.2 and annex B."""

    def picture(self, data):
        kinds = [self._kind(Bits(frame[:2])) for frame in _frames_of_vp9(data)]
        if sum(is_shown for is_shown, _ in kinds) != 1:
            raise Untold("not one visible picture in a packet")
        return Picture(kinds[0][1])

    @staticmethod
    def _kind(bits):
        """(whether it is shown, whether it is a key frame)"""
        if bits.take(2) != 2:
            raise Untold("no picture")
        if bits.take(2) == 3:
            bits.take(1)
        if bits.take(1):
            return True, False  # One that was hidden before.
        is_key = not bits.take(1)
        return bool(bits.take(1)), is_key


def _frames_of_vp9(data):
    marker = data[-1]
    number, width = 1 + (marker & 7), 1 + (marker >> 3 & 3)
    index = data[-(2 + width * number) :]
    if marker >> 5 != 6 or len(index) != 2 + width * number or index[0] != marker:
        return [data]
    frames, start = [], 0
    for k in range(number):
        size = int.from_bytes(index[1 + k * width :][:width], "little")
        frames.append(data[start : start + size])
        start += size
    if start > len(data) or not all(frames):
        raise Untold("units of wrong lengths")
    return frames


# By FFmpeg's names of the decoders. H.265 is not among them: its decoder leaves out
# damaged pictures without a word, so that packets do not tell the number of frames. Nor
# is VP8: what its decoder keeps of one picture for another outlives key frames.
READERS = {
    "h264": h264.H264,
    "mpeg4": _Mpeg4,
    "vp9": _Vp9,
    "libvpx-vp9": _Vp9,
}
