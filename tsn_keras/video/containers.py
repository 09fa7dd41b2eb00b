"""Whether a video file is shorter than its container says.

FFmpeg reads a file that was cut off between two packets as if it ended there.
AVI, Matroska and MP4 say how long they are, so that the cut shows.
"""

import os

# Boxes and elements are read one after another; no good file has more at its top
# level.
_MAX_BOXES = 100_000
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"


def truncation(path):
    """Says what is missing at the end of a video file.

    Args:
        path: the file.

    Returns:
        str, or None if the file is whole or its container does not tell.

    Raises:
        OSError: the file cannot be read.
    """
    size = os.stat(path).st_size
    with open(path, "rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF":
            end = 8 + int.from_bytes(head[4:8], "little")
        elif head[:4] == _EBML:
            end = _matroska_end(file)
        elif head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            end = _mp4_end(file, size)
        else:
            return None
    if end is None or end <= size:
        return None
    return f"{size} bytes are there, its container says {end}"


def _matroska_end(file):
    """End of the segment, or None where its size is left open (as in streams)."""
    file.seek(len(_EBML))
    length = _vint(file)
    if length is None:
        return None
    file.seek(length, os.SEEK_CUR)
    if file.read(4) != _SEGMENT:
        return None
    length = _vint(file)
    return None if length is None else file.tell() + length


def _vint(file):
    """Reads an EBML size: the first byte's leading zeros tell its length."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    width = 9 - first[0].bit_length()
    value = int.from_bytes(first + file.read(width - 1), "big")
    ones = (1 << (7 * width)) - 1
    value &= ones
    return None if value == ones else value


def _mp4_end(file, size):
    """End of the last box that begins in the file."""
    start = 0
    for _ in range(_MAX_BOXES):
        file.seek(start)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if len(head) < 8 or length < 8:  # 0: up to the end of the file
            return None
        start += length
        if start >= size:
            return start
    return None
