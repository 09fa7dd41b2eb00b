"""Some frames of a video file: only what they need is decoded.

They are those that decoding from the beginning gives, bit for bit. Where decoding does
not come out as the index says, that is what is done.
"""

import collections
import itertools

import av
import numpy as np

from tsn_keras.video import decode, index


class _Astray(Exception):
    """The file is not decoded as its index says."""


def count(path):
    """Number of frames that decoding a file gives; see `index.of`."""
    return index.of(path).frames


def frames(path, numbers):
    """Decodes some frames of a video.

    Args:
        path: the file.
        numbers: numbers of the frames from 0, increasing.

    Yields:
        (number, uint8 [height, width, 3], B, G, R) for each number. Damage where
        nothing is decoded for them is not seen.

    Raises:
        decode.VideoError: not a video, damaged, too large, or of fewer frames.
        OSError: the file cannot be read.
    """
    left = collections.deque(numbers)
    found = index.of(path)
    if left and left[-1] >= found.frames:
        raise decode.VideoError(
            f"{path} has no frame {left[-1] + 1}: did it change meanwhile?"
        )
    if left and found.packets is not None:
        try:
            for number, image in _sought(path, found.packets, tuple(left)):
                yield number, image
                left.popleft()
        except (_Astray, av.error.FFmpegError):
            # Also where it is damaged, which is told there.
            index.distrust(path)
    if left:
        yield from decode.pick(path, left)


def _sought(path, packets, numbers):
    convert = decode.converter(path)
    with decode.opened(path) as container:
        stream = decode.video_stream(container, path, 1)
        decoder = _Decoder(container, stream, packets)
        for number in numbers:
            yield number, convert(decoder.frame(number))


class _Decoder:
    """Decodes forward, and seeks where key frames lie between.

    Args:
        container: the opened file.
        stream: its video.
        packets: index.Packets.
    """

    def __init__(self, container, stream, packets):
        self._container, self._stream, self._packets = container, stream, packets
        self._demuxed = container.demux(stream)
        self._next = 0  # packet that is read next
        self._out = collections.deque()  # decoded frames
        self._from = self._expected = 0  # frames
        # Some encoders name themselves in their first packet only, and the decoder
        # goes by that.
        self._feed()

    def frame(self, number):
        """The av.VideoFrame of a number above the last one.

        Raises:
            _Astray: the decoder gives another one.
        """
        place = self._packets.entry_before(number)
        if self._packets.entries[place] > self._next:
            self._enter(place)
        while True:
            while not self._out:
                self._feed()
            frame = self._out.popleft()
            if frame.pts < self._from:
                continue  # It needs what lies before the entry, and is not asked for.
            if frame.pts != self._expected or frame.is_corrupt:
                raise _Astray
            self._expected += 1
            if frame.pts == number:
                return frame

    def _enter(self, place):
        """Goes to an entry."""
        entry, time = self._packets.entries[place], self._packets.times[place]
        self._container.seek(time, stream=self._stream, backward=True)
        self._demuxed = self._container.demux(self._stream)
        packet = next(self._demuxed, None)
        (found,) = np.nonzero(self._packets.position == (packet and packet.pos))
        if not len(found) or found[0] > entry:
            raise _Astray
        self._demuxed = itertools.chain([packet], self._demuxed)
        self._next = int(found[0])
        while self._next < entry:
            self._taken()
        self._stream.codec_context.flush_buffers()
        self._out.clear()
        self._from = self._expected = self._packets.firsts[place]

    def _taken(self):
        """The next packet, or None at the end."""
        packet = next(self._demuxed, None)
        if self._next == len(self._packets.number):
            return None
        if packet is None or packet.pos != self._packets.position[self._next]:
            raise _Astray
        # The number travels with the frame, whatever the time stamps are.
        packet.pts = int(self._packets.number[self._next])
        self._next += 1
        return packet

    def _feed(self):
        packet = self._taken()
        if packet is None and self._next > len(self._packets.number):
            raise _Astray
        if packet is None:
            self._next += 1  # The decoder is emptied once.
        self._out.extend(self._stream.codec_context.decode(packet))
