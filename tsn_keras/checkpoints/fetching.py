"""Downloads that show how far they are, resume, and are checked."""

import http.client
import json
import os
import pathlib
import re
import urllib.error
import urllib.request

import tsn_keras
from tsn_keras.common import files, json_text, locks, progress
from tsn_keras.common.errors import InputError

TIMEOUT = 30  # seconds without a byte
_CHUNK = 2**16
_MAX_ABOUT = 2**16  # bytes
_SHOWN = 200  # characters of what a server says
# An entity tag or date that can be sent back in a header.
_VALIDATOR = re.compile(r"[\x20-\x7e]{1,500}")


def part_of(path):
    """Where what has come of a file lies."""
    return path.with_name(f"{path.name}.download")


class FetchError(InputError):
    """A file cannot be downloaded; the text says why."""


class _Cut(Exception):
    """The connection broke within a file."""


def fetch(url, path, sha256_start=None, listener=progress.SILENT):
    """Downloads a file, or resumes its download.

    What has come lies in `NAME.download` beside the file, which appears when it is
    whole. What it is of, `NAME.download.json` says: it is resumed if the server
    still has the same file, by its entity tag or its date, and else begun again
    (RFC 9110, sections 13.1.5 and 14).

    Args:
        url: address, http:// or https://.
        path: where the file is to be; its folder exists.
        sha256_start: what its SHA-256 begins with, or None if that is not known.
        listener: is shown how far it has come.

    Raises:
        FetchError: it cannot be had, or is not what it should be.
        locks.LockedError: another process downloads it.
        files.DiskFullError: there is no space for it.
        KeyboardInterrupt: with a text that says what was kept.
    """
    path = pathlib.Path(path)
    with locks.held(path, "download to another folder"):
        part = _Part(path, url)
        title = f"download {path.name}"
        with listener.bar(title, part.total, part.size(), unit="B") as bar:
            try:
                _receive_all(part, bar)
            except KeyboardInterrupt as stop:
                told = f"{stop}" or "stopped"
                raise KeyboardInterrupt(f"{told}; {part.kept()}") from None
        digest = files.sha256(part.path)
        if not digest.startswith(sha256_start or ""):
            part.remove()
            raise FetchError(
                f"{url} gave a file whose sha256 is {digest}, but that of "
                f"{path.name} begins with {sha256_start}: it is damaged or another "
                f"one, and was removed. Try again, or get it elsewhere"
            )
        with files.writing(path):
            os.replace(part.path, path)
        part.remove()


def _receive_all(part, bar):
    """Asks for what is missing as long as every answer brings some of it."""
    while not part.is_whole():
        before = part.size()
        try:
            _receive(part, bar)
        except _Cut as cut:
            if part.size() <= before:
                raise FetchError(
                    f"{part.url} broke off ({cut}); {part.kept()}"
                ) from None


def _receive(part, bar):
    """Takes one answer of the server to its end.

    Raises:
        _Cut: the connection broke.
        FetchError: the server does not answer, or has no such file.
    """
    before = part.size()
    with _open(part) as response:
        if not part.continues(response):
            bar.update(-before)
            part.begin(response)
        if part.total is not None:
            bar.expect(part.total)
        with files.writing(part.path), part.path.open("ab") as file:
            for chunk in _chunks(response):
                file.write(chunk)
                bar.update(len(chunk))
    if part.total is None:
        part.total = part.size()
    elif part.size() < part.total:
        raise _Cut("the connection ended")


def _open(part):
    """The server's answer to a request for what is missing."""
    while True:
        headers = part.wanted()
        request = urllib.request.Request(part.url, headers=headers)
        try:
            return urllib.request.urlopen(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            with error:
                if (
                    error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
                    and part.size()
                ):
                    # The file has become shorter.
                    part.remove()
                    continue
                raise FetchError(
                    f"cannot download {part.url}: the server says {error.code} "
                    f"{_reason(error)}"
                ) from None
        # A ValueError: the server sends on to an address that is none.
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise FetchError(f"cannot download {part.url}: {_reason(error)}") from None


def _chunks(response):
    """Yields the bytes of an answer as they come."""
    while True:
        try:
            chunk = response.read1(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise _Cut(_reason(error)) from None
        if not chunk:
            return
        yield chunk


def _reason(error):
    """What a connection's error says."""
    error = getattr(error, "reason", error)
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return words[:_SHOWN]


class _Part:
    """What has come of a file, and what it is of.

    Args:
        path: where the whole file is to be.
        url: its address.

    Attributes:
        path: what has come.
        total: bytes of the whole file, or None if that is not known.
    """

    def __init__(self, path, url):
        self.url, self.total, self._validator = url, None, None
        self.path = part_of(path)
        self._about = path.with_name(f"{self.path.name}.json")
        about = self._read()
        total, validator = about.get("bytes"), about.get("validator")
        known = isinstance(total, int) and _is_validator(validator)
        if known and about.get("url") == url and self.size() <= total:
            self.total, self._validator = total, validator
        else:
            self.remove()

    def _read(self):
        try:
            with self._about.open("rb") as file:
                return json_text.parse(file.read(_MAX_ABOUT), self._about.name)
        except (OSError, ValueError):
            return {}

    def size(self):
        """Bytes that have come."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def is_whole(self):
        """Whether all has come."""
        return self.total is not None and self.size() == self.total

    def wanted(self):
        """The headers of a request for what is missing."""
        headers = {
            "User-Agent": f"tsn_keras/{tsn_keras.__version__}",
            # A compressed answer has no ranges of the file.
            "Accept-Encoding": "identity",
        }
        if self._validator and self.size():
            headers["Range"] = f"bytes={self.size()}-"
            headers["If-Range"] = self._validator
        return headers

    def continues(self, response):
        """Whether an answer begins where what has come ends.

        Raises:
            FetchError: it is another part of the file.
        """
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            return False
        told = response.headers.get("Content-Range", "")
        missing = f"bytes {self.size()}-{(self.total or 0) - 1}/{self.total}"
        if told != missing:
            self.remove()
            told = told[:_SHOWN] or "an unnamed range"
            raise FetchError(
                f"{self.url}: the server answered with {told}; "
                f"try again, it will begin anew"
            )
        return True

    def begin(self, response):
        """Forgets what has come, and notes what the answer is of."""
        self.remove()
        length = response.headers.get("Content-Length", "")
        self.total = int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
        tag = response.headers.get("ETag", "")
        # A weak tag does not tell byte from byte.
        strong = tag if tag.startswith('"') else None
        validator = strong or response.headers.get("Last-Modified")
        self._validator = validator if _is_validator(validator) else None
        about = {"url": self.url, "bytes": self.total, "validator": self._validator}
        with files.replacing(self._about) as aside:
            aside.write_text(json.dumps(about))

    def kept(self):
        """Words for what can be resumed."""
        if None in (self.total, self._validator):
            return "nothing is kept"
        return (
            f"{_megabytes(self.size())} of {_megabytes(self.total)} MB are kept in "
            f"{self.path}, and the same again resumes"
        )

    def remove(self):
        """Removes what has come."""
        for path in (self.path, self._about):
            path.unlink(missing_ok=True)
        self.total = self._validator = None


def _is_validator(value):
    return isinstance(value, str) and bool(_VALIDATOR.fullmatch(value))


def _megabytes(count):
    return f"{count / 1e6:.1f}"
