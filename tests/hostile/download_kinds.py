"""Downloads: what a stopped one left, and what the server answers then."""

import hashlib
import http.client
import io
import json
import pathlib
import tempfile
import unittest.mock

import json_edits
import makers
import mutators

from tsn_keras.checkpoints import fetching

_URL = "http://server.example/weights/w.pth"
_DATA = bytes(range(256)) * 8
_DONE = 700  # bytes that have come
_TAG = '"5e0b-1"'
_ABOUT = {"url": _URL, "bytes": len(_DATA), "validator": _TAG}
_REST = (
    f"HTTP/1.1 206 Partial Content\r\nETag: {_TAG}\r\n"
    f"Content-Range: bytes {_DONE}-{len(_DATA) - 1}/{len(_DATA)}\r\n"
    f"Content-Length: {len(_DATA) - _DONE}\r\n\r\n"
)
_WHOLE = f"HTTP/1.1 200 OK\r\nETag: {_TAG}\r\nContent-Length: {len(_DATA)}\r\n\r\n"
_CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_CHUNKS = (
    b"400\r\n" + _DATA[:1024] + b"\r\n400;x=y\r\n" + _DATA[1024:] + b"\r\n0\r\n\r\n"
)
_ANSWERS = (
    _REST.encode() + _DATA[_DONE:],
    _WHOLE.encode() + _DATA,
    _CHUNKED.encode() + _CHUNKS,
    b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 404 \x1b[2J\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n",
    b"",
)
_STATUS = (
    *(b"100 Continue", b"101 x", b"200 OK", b"206 x", b"204 x", b"301 x", b"304 x"),
    *(b"308 x", b"401 x", b"407 x", b"500 x", b"999 x", b"-1 x", b"2e2 x", b""),
    b"200 " + b"x" * 60_000,
)
_PLACES = (
    *("file:///etc/passwd", "http://[::1", "http://a:b/", "http://a:99999999/", ""),
    *(
        "//",
        "http:///",
        "data:,x",
        "gopher://a",
        "http://\xe9\0/",
        "http://a b/",
        "/\r",
    ),
    *("http://server.example/" + "x" * 60_000, "http://" + "a" * 300, "?", "\x1b[2J"),
)
_HEADERS = ("Content-Length", "Content-Range", "ETag", "Last-Modified", "Location")


class _Socket:
    """A connection whose other end has said all that it will say."""

    def __init__(self, answer):
        self._answer = answer

    def sendall(self, data):
        pass

    def makefile(self, *_):
        return io.BytesIO(self._answer)

    def close(self):
        pass


def _packed(about, part, answers, digest=None):
    """One file of what is on the disk, and of what comes from the server."""
    parts = {"about": about.hex(), "part": part.hex(), "digest": digest}
    return json.dumps({**parts, "answers": [a.hex() for a in answers]}).encode()


def _read(path):
    packed = json.loads(path.read_bytes())
    answers = [bytes.fromhex(answer) for answer in packed["answers"]]

    def connect(connection):
        if not answers:
            raise ConnectionRefusedError(111, "Connection refused")
        connection.sock = _Socket(answers.pop(0))

    with tempfile.TemporaryDirectory() as folder:
        target = pathlib.Path(folder, "w.pth")
        part = fetching.part_of(target)
        part.write_bytes(bytes.fromhex(packed["part"]))
        about = part.with_name(f"{part.name}.json")
        about.write_bytes(bytes.fromhex(packed["about"]))
        with (
            unittest.mock.patch.object(http.client.HTTPConnection, "connect", connect),
            unittest.mock.patch.dict("os.environ", {"no_proxy": "*"}),
        ):
            fetching.fetch(_URL, target, packed["digest"])
        names = {one.name for one in pathlib.Path(folder).iterdir()}
        assert names == {"w.pth"}, names


def _make():
    about = json.dumps(_ABOUT).encode()
    digest = hashlib.sha256(_DATA).hexdigest()

    def make(random):
        how, record = random.randrange(6), about
        if how == 0:
            record = mutators.of_bytes(random, about)
        elif how == 1:
            record = random.choice(makers.TEXTS).encode()
        elif how == 2:
            record = json_edits.edited(random, _ABOUT)
        answers = random.choices(
            _ANSWERS, (6, 3, 3, 1, 1, 1, 1), k=random.choice((1, 3))
        )
        if how >= 3 or random.random() < 0.3:
            answers[0] = _other_answer(random, answers[0])
        part = _DATA[: random.choice((_DONE,) * 8 + (0, _DONE - 1, len(_DATA)))]
        return _packed(record, part, answers, digest if random.random() < 0.5 else None)

    return _packed(about, _DATA[:_DONE], _ANSWERS[:1], digest), make


def _other_answer(random, answer):
    head, gap, body = answer.partition(b"\r\n\r\n")
    lines, how = head.split(b"\r\n"), random.randrange(5)
    if how == 0:
        return mutators.of_bytes(random, answer)
    if how == 1:
        lines[0] = b"HTTP/1.1 " + random.choice(_STATUS)
    elif how == 2:  # A header, also once more.
        values = (
            *json_edits.NAMES,
            *json_edits.NUMBERS,
            "9" * 5000,
            "bytes */*",
            "5, 6",
        )
        value = str(random.choice(values)).encode("latin-1", "replace")[:60_000]
        name = random.choice(_HEADERS).encode()
        lines.insert(random.randint(1, len(lines)), name + b": " + value)
    elif how == 3:
        places = [place.encode("latin-1") for place in _PLACES]
        lines = [b"HTTP/1.1 302 x", b"Location: " + random.choice(places)]
    else:
        sizes = (b"-1", b"+5", b"0x5", b"f" * 17, b"9" * 5000, b"", b"1_0", b"7fffffff")
        lines = [b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked"]
        body = random.choice(sizes) + b"\r\n" + _CHUNKS
    return b"\r\n".join(lines) + gap + body


def kinds():
    """See hdf5_kinds.kinds."""
    return {"downloads": (".download", _make, _read)}
