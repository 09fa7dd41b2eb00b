"""H.264: what the units of a packet say of its picture."""

from tsn_keras.video.bits import Bits, Picture, Reader, Untold, unescaped

# Profiles whose parameter sets tell the chroma format: ISO 14496-10, 7.3.2.1.1.
_HIGH_PROFILES = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)

# Of a packet, and bytes of a message: more is no picture of a camera, and would take
# time for nothing.
_MAX_UNITS, _MAX_MESSAGE = 4096, 4096


class H264(Reader):
    """H.264 of whole frames, 4:2:0; ISO 14496-10, 7.3.

    Its units stand behind their lengths (MP4, Matroska), or behind start codes.
    """

    by_time = True

    def __init__(self, extradata):
        super().__init__(extradata)
        self._number_bits = None
        self._reference = None  # frame_num of the last picture to refer to
        self._width = 0  # of a unit's length in bytes; 0: start codes
        if self._extradata[:1] == b"\x01":
            # ISO 14496-15, 5.3.3.1.
            stored = Bits(self._extradata[4:])
            self._width = 1 + (stored.take(8) & 3)
            for _ in range(stored.take(8) & 31):
                self._read_sequence(stored.take_bytes(stored.take(16)))
        else:
            for unit in _between_start_codes(self._extradata):
                self._read_sequence(unit)

    def picture(self, data):
        firsts = entries = 0
        for unit in self._units(data):
            kind = unit[0] & 31
            if kind in (1, 5):
                # first_mb_in_slice is 0: the picture begins.
                if unit[1:2] >= b"\x80":
                    firsts += 1
                    self._check_number(unit)
                entries += kind == 5
            elif kind in (2, 3, 4):
                raise Untold("data partitions")
            elif kind == 6:
                entries += _recovers_exactly(Bits(unescaped(unit[1:_MAX_MESSAGE])))
            else:
                self._read_sequence(unit)
        if firsts != 1:
            raise Untold(f"{firsts} pictures in a packet")
        return Picture(entries > 0)

    def _check_number(self, unit):
        """Refuses a picture before which others are gone: 7.4.3, frame_num."""
        if self._number_bits is None:
            raise Untold("a picture before its sequence")
        bits = Bits(unescaped(unit[1:32]))
        for _ in range(3):
            bits.golomb()
        number = bits.take(self._number_bits)
        if unit[0] & 31 != 5 and self._reference is not None:
            step = (number - self._reference) % (1 << self._number_bits)
            if step > 1:
                raise Untold("frames are gone")
        if unit[0] >> 5 & 3:
            self._reference = number

    def _read_sequence(self, unit):
        if unit[0] & 31 == 7:
            found = _bits_of_numbers(Bits(unescaped(unit[1:_MAX_MESSAGE])))
            if found != (self._number_bits or found):
                raise Untold("sequences of several kinds")
            self._number_bits = found

    def _units(self, data):
        units = self._behind_lengths(data) if self._width else None
        units = units or _between_start_codes(data)
        for number, unit in enumerate(units):
            if number == _MAX_UNITS:
                raise Untold("too many units in a packet")
            yield unit

    def _behind_lengths(self, data):
        start = 0
        while start < len(data):
            begin = start + self._width
            end = begin + int.from_bytes(data[start:begin], "big")
            if not begin < end <= len(data):
                raise Untold("units of wrong lengths")
            yield data[begin:end]
            start = end


def _between_start_codes(data):
    place = data.find(b"\0\0\1")
    while place >= 0:
        following = data.find(b"\0\0\1", place + 3)
        unit = data[place + 3 : following if following >= 0 else len(data)]
        if unit.rstrip(b"\0"):
            yield unit
        place = following


def _bits_of_numbers(bits):
    """Length of frame_num, of a sequence parameter set without fields and gaps."""
    profile = bits.take(8)
    bits.take(16)
    bits.golomb()
    if profile in _HIGH_PROFILES:
        if bits.golomb() != 1:
            raise Untold("not 4:2:0")
        for _ in range(2):
            bits.golomb()
        if bits.take(2) & 1:
            for number in range(8):
                _skip_scaling(bits, 16 if number < 6 else 64)
    length = 4 + bits.golomb()
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.take(1)
        for _ in range(2):
            bits.golomb()
        for _ in range(min(bits.golomb(), 256)):
            bits.golomb()
    bits.golomb()
    if bits.take(1):
        raise Untold("gaps between frames")
    for _ in range(2):
        bits.golomb()
    if not bits.take(1):
        raise Untold("fields")
    return length


def _skip_scaling(bits, size):
    if not bits.take(1):
        return
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.golomb()
            delta = (code + 1) // 2 if code % 2 else -(code // 2)
            following = (last + delta) % 256
        last = following or last


def _recovers_exactly(bits):
    """Whether a message says that decoding may begin here: 7.3.2.3, D.1.8."""
    while bits.left > 16:
        kind, size = bits.sum_of_bytes(), bits.sum_of_bytes()
        if kind == 6:
            # recovery_frame_cnt is 0, exact_match_flag is set.
            return bits.golomb() == 0 and bits.take(1) == 1
        if 8 * size > bits.left:
            break
        bits.take(8 * size)
    return False
