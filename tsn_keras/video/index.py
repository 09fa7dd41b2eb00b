"""Where the frames of a video file are, found without decoding it.

All packets are read, which takes a hundredth of the time of decoding. A file of which
they do not say for certain what its frames are is decoded from its beginning.
"""

import array
import bisect
import collections
import dataclasses
import os
import threading

import av
import numpy as np

from tsn_keras.video import bitstreams, containers, decode
from tsn_keras.video.bits import Untold

# Containers whose packets lie where an index says, so that what is cut off shows.
_CONTAINERS = frozenset(("avi", "matroska", "webm", "mov", "mp4"))
_MEMORY = 2**28  # bytes of all indices that are kept


@dataclasses.dataclass(frozen=True)
class Packets:
    """The packets of a video in the order of the file, P in all.

    Attributes:
        number: int32 [P], which frame each of them is, counted from 0 in the order in
            which they are shown; -1 of those that are not shown.
        position: int64 [P], its place in the file.
        entries: packets at which decoding can begin, increasing.
        firsts: for each entry the first frame that is decoded from there as from the
            beginning, increasing.
        times: for each entry a time stamp of the container that is not after it.
    """

    number: np.ndarray
    position: np.ndarray
    entries: tuple[int, ...]
    firsts: tuple[int, ...]
    times: tuple[int, ...]

    @property
    def size(self):
        """Bytes that it takes in memory, roughly."""
        return 12 * len(self.number) + 120 * len(self.entries) + 1000

    def entry_before(self, number):
        """Place among the entries of the last one that will do for a frame."""
        return bisect.bisect_right(self.firsts, number) - 1


@dataclasses.dataclass(frozen=True)
class Index:
    """What is known of a file.

    Attributes:
        frames: number of its frames, as decoding it from its beginning gives.
        packets: Packets, or None where only that tells.
        reason: why, for people; "" otherwise.
    """

    frames: int
    packets: Packets | None
    reason: str = ""


def of(path):
    """Finds the frames of a file; kept until the file changes.

    Args:
        path: the file.

    Returns:
        Index.

    Raises:
        decode.VideoError: not a video, damaged, or too large. Damage that does not
            show in the headers of packets is found when frames are decoded.
        OSError: the file cannot be read.
    """
    key = _key(path)
    found = _KEPT.get(key)
    if found is None:
        found = _found(path, key[1])
        _KEPT.add(key, found)
    return found


def distrust(path):
    """Forgets where the frames of a file are: it is not decoded as its index says."""
    key = _key(path)
    if (found := _KEPT.get(key)) is not None:
        _KEPT.add(key, Index(found.frames, None, "it is decoded otherwise"))


def _key(path):
    status = decode.status_of(path)
    return os.fspath(path), status.st_size, status.st_mtime_ns


def _found(path, size):
    try:
        if truncated := containers.truncation(path):
            raise Untold(truncated)
        packets = _packets(path, size)
    except (Untold, av.error.FFmpegError) as error:
        # Damage is told as ever.
        return Index(decode.count(path), None, str(error))
    return Index(int(packets.number.max()) + 1, packets)


def _packets(path, size):
    with decode.opened(path) as container:
        stream = decode.video_stream(container, path, 1)
        if not _CONTAINERS.intersection(container.format.name.split(",")):
            raise Untold(f"{container.format.name} is no container with an index")
        context = stream.codec_context
        reader = bitstreams.READERS.get(context.name)
        if reader is None:
            raise Untold(f"packets of {context.name} are not read")
        depth = context.reorder_depth  # frames that the decoder holds back
        if reader.by_time and depth and container.format.name == "avi":
            raise Untold("time stamps of AVI do not tell the order of frames")
        rows = _Rows(reader(context.extradata), size)
        for packet in container.demux(stream):
            rows.add(packet)
        return rows.packets(depth)


class _Rows:
    """Collects what packets say.

    Args:
        reader: bitstreams.Reader.
        size: bytes of the file.
    """

    def __init__(self, reader, size):
        self._reader, self._left = reader, size
        self._has_ended = False
        self._position, self._time = array.array("q"), array.array("q")
        self._is_shown, self._is_between = array.array("b"), array.array("b")
        self._entries = []  # (packet, time)

    def add(self, packet):
        """Reads a packet.

        Raises:
            Untold: it does not say where its frame is.
        """
        # An empty packet ends the stream; a decoder takes one before as an end too.
        if self._has_ended:
            raise Untold("an empty packet")
        if not packet.size:
            self._has_ended = True
            return
        if packet.is_corrupt:
            raise Untold("a packet is cut off")
        self._left -= packet.size
        if self._left < 0:
            raise Untold("packets that overlap")
        picture = self._reader.picture(bytes(packet))
        times = [time for time in (packet.pts, packet.dts) if time is not None]
        if not times or packet.pos is None or packet.pos < 0:
            raise Untold("a packet without a time or a place")
        if self._reader.by_time and packet.pts is None:
            raise Untold("a packet without a time")
        if packet.is_discard and not self._reader.by_time:
            raise Untold("frames that are not shown")
        if picture.is_entry:
            self._entries.append((len(self._position), min(times)))
        self._position.append(packet.pos)
        self._time.append(times[0])
        self._is_shown.append(not packet.is_discard)
        self._is_between.append(picture.is_between)

    def packets(self, depth):
        """Packets of what was added.

        Args:
            depth: frames that the decoder holds back to bring them into order.
        """
        if not self._position:
            raise Untold("no packets")
        position = np.array(self._position)
        if len(np.unique(position)) != len(position):
            raise Untold("packets at the same place")
        order = np.arange(len(position))
        if self._reader.by_time:
            time = np.array(self._time)
            if len(np.unique(time)) != len(time):
                raise Untold("frames of the same time")
            order = np.argsort(np.argsort(time))
            if (np.arange(len(order)) - order).max() > depth:
                raise Untold("a decoder that would put frames out of order")
        else:
            order = _order(np.array(self._is_between, bool))
        return self._numbered(position, order)

    def _numbered(self, position, order):
        """Packets of which the k-th is shown at place `order[k]` among all."""
        is_shown = np.array(self._is_shown, bool)
        if not is_shown.any():
            raise Untold("no frames")
        there = np.zeros(len(order), np.int64)
        there[order] = is_shown
        before = (np.cumsum(there) - there)[order]  # frames shown before each packet
        # What lies before an entry in the file must be shown before it.
        highest = np.maximum.accumulate(order)
        entries = [
            (packet, int(before[packet]), time)
            for packet, time in self._entries
            if highest[packet] == order[packet]
        ]
        if not entries or entries[0][:2] != (0, 0):
            raise Untold("the first packet is no key frame that is shown first")
        return Packets(
            np.where(is_shown, before, -1).astype(np.int32),
            position,
            *map(tuple, zip(*entries, strict=True)),
        )


def _order(is_between):
    """Places at which pictures are shown, by those shown before the one before."""
    # An anchor is shown where the next one comes, less those in between.
    order = np.empty(len(is_between), np.int64)
    shown, held = 0, None
    for packet, between in enumerate(is_between):
        if between:
            order[packet] = shown
            shown += 1
            continue
        if held is not None:
            order[held] = shown
            shown += 1
        held = packet
    order[held] = shown
    return order


class _Kept:
    """Indices of the files that were asked for last, in limited memory."""

    def __init__(self, limit):
        self._limit, self._size = limit, 0
        self._found = collections.OrderedDict()
        self._lock = threading.Lock()

    def get(self, key):
        with self._lock:
            if key not in self._found:
                return None
            self._found.move_to_end(key)
            return self._found[key]

    def add(self, key, index):
        with self._lock:
            if key in self._found:
                self._size -= _size(self._found.pop(key))
            self._found[key] = index
            self._size += _size(index)
            while self._size > self._limit and len(self._found) > 1:
                self._size -= _size(self._found.popitem(last=False)[1])


def _size(index):
    return index.packets.size if index.packets else 1000


_KEPT = _Kept(_MEMORY)
