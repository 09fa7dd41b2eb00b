"""Zip archives of strangers: directories may lie, members unpack to anything."""

import dataclasses
import io
import zipfile

from tsn_keras.common.errors import Refused

_MAX_RATIO = 10  # of compression; arrays of measured numbers hardly compress
_ALLOWANCE = 2**16  # bytes that may compress better
_PIECE = 2**20  # bytes read at once


class Bounded:
    """A file whose reads take no more memory than it has bytes.

    Args:
        file: opened for reading, in binary.
        most: bytes of a single read, at most; None: as many as there are.
    """

    def __init__(self, file, most=None):
        self._file, self.most = file, most
        self.size = file.seek(0, io.SEEK_END)
        file.seek(0)
        self.seek, self.tell = file.seek, file.tell
        self.seekable, self.close = file.seekable, lambda: None

    def read(self, count=-1):
        left = max(self.size - self.tell(), 0)
        if count is None or count < 0:
            count = left
        if self.most is not None and count > self.most:
            raise ValueError("its directory is too large")
        return self._file.read(min(count, left))


@dataclasses.dataclass(frozen=True)
class Form:
    """What archives of a program are like.

    Attributes:
        program: its name.
        methods: those of zipfile by which it packs members.
        directory: bytes of the directory, at most. zipfile takes half a kilobyte for
            each of the members, which take 50 bytes or more.
        zero_is_no_checksum: it may leave checksums out, and then writes 0.
    """

    program: str
    methods: tuple[int, ...]
    directory: int
    zero_is_no_checksum: bool = False


class Archive:
    """A zip archive.

    Args:
        file: opened for reading, in binary.
        form: Form.

    Attributes:
        names: names of the members, in order.
        size: bytes of the file.

    Raises:
        Refused: it is no archive, damaged, or its directory is too large.
    """

    def __init__(self, file, form):
        self._form = form
        bounded = Bounded(file, most=form.directory)
        self.size = bounded.size
        try:
            self._zip = zipfile.ZipFile(bounded)
        except Exception as error:  # zipfile has no type of its own for all
            raise Refused(str(error)) from None
        bounded.most = None
        self.names = tuple(self._zip.namelist())

    def bytes_of(self, name):
        """Number of bytes of a member, unpacked.

        Raises:
            Refused: it is not there, or cannot be unpacked safely.
        """
        return self._checked(name).file_size

    def read(self, name):
        """Returns the bytes of a member, or raises Refused."""
        info = self._checked(name)
        try:
            with self._zip.open(info) as member:
                return member.read(info.file_size)
        except Exception as error:  # zlib and zipfile each have their own
            raise Refused(f"{name} is damaged: {error}") from None

    def read_into(self, name, buffer):
        """Fills a buffer with the first bytes of a member, or raises Refused.

        A member's checksum is tested where the buffer takes all of it.

        Args:
            name: of the member.
            buffer: uint8 [bytes].
        """
        info, filled = self._checked(name), 0
        buffer = memoryview(buffer)
        try:
            with self._zip.open(info) as member:
                while filled < len(buffer):
                    piece = member.read(min(_PIECE, len(buffer) - filled))
                    if not piece:
                        raise EOFError("its end is missing")
                    buffer[filled : filled + len(piece)] = piece
                    filled += len(piece)
        except Exception as error:
            raise Refused(f"{name} is damaged: {error}") from None

    def _checked(self, name):
        try:
            info = self._zip.getinfo(name)
        except KeyError:
            raise Refused(f"it has no {name}") from None
        # The directory may lie about how many bytes a member takes, the file's size
        # does not.
        packed = min(info.compress_size, self.size)
        if info.file_size > _MAX_RATIO * packed + _ALLOWANCE:
            raise Refused(f"{name} would unpack to {info.file_size} bytes")
        if info.compress_type not in self._form.methods:
            # With other methods a small piece can unpack to any size before it is
            # counted.
            raise Refused(
                f"{name} is compressed in a way that {self._form.program} does not use"
            )
        if self._form.zero_is_no_checksum and getattr(info, "CRC", None) == 0:
            del info.CRC  # zipfile tests it where there is one.
        return info
