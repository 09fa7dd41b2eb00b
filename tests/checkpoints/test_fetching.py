"""Downloads: whole, resumed, checked; and every way in which they fail."""

import hashlib
import http.client
import io
import json
import socket

import fileserver
import pytest

from tsn_keras.checkpoints import fetching
from tsn_keras.common import files, locks, progress

DATA = bytes(range(256)) * 1200  # several pieces
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def store(monkeypatch):
    # A proxy of the environment is not for this machine.
    monkeypatch.setenv("no_proxy", "*")
    with fileserver.serving("w.pth", DATA) as found:
        yield found


@pytest.fixture
def path(tmp_path):
    return tmp_path / "w.pth"


def names(path):
    return sorted(p.name for p in path.parent.iterdir())


def stop_at(count):
    """A listener that interrupts when so many bytes are there."""

    def listen(state):
        if state.done >= count:
            raise KeyboardInterrupt

    return progress.Calling(listen)


def interrupted(store, path):
    """Leaves a part of the file; returns its size."""
    with pytest.raises(KeyboardInterrupt) as stop:
        fetching.fetch(store.url, path, None, stop_at(100_000))
    assert "are kept in" in str(stop.value)
    size = fetching.part_of(path).stat().st_size
    assert 100_000 <= size < len(DATA)
    return size


def test_whole(store, path):
    told = []
    fetching.fetch(store.url, path, DIGEST[:8], progress.Calling(told.append))
    assert path.read_bytes() == DATA
    assert names(path) == ["w.pth"]
    assert (told[-1].done, told[-1].total) == (len(DATA), len(DATA))
    assert (told[-1].unit, told[-1].title) == ("B", "download w.pth")
    assert store.parts == [None]
    assert store.asked[0]["User-Agent"].startswith("tsn_keras/")


def test_a_server_that_says_no_length(store, path):
    store.length = False
    fetching.fetch(store.url, path, DIGEST[:8])
    assert path.read_bytes() == DATA
    assert names(path) == ["w.pth"]


@pytest.mark.parametrize(
    ("tag", "date", "validator"),
    [
        ('"1"', None, '"1"'),
        ('W/"1"', "Mon, 01 Jan 2024 00:00:00 GMT", "Mon, 01 Jan 2024 00:00:00 GMT"),
    ],
)
def test_an_interrupted_download_resumes(store, path, tag, date, validator):
    store.tag, store.date = tag, date
    size = interrupted(store, path)
    assert names(path) == ["w.pth.download", "w.pth.download.json"]
    told = []
    fetching.fetch(store.url, path, DIGEST[:8], progress.Calling(told.append))
    assert path.read_bytes() == DATA
    assert names(path) == ["w.pth"]
    assert store.parts == [None, f"bytes={size}-"]
    assert store.asked[1]["If-Range"] == validator
    assert told[0].done == size
    assert told[-1].done == len(DATA)


def test_a_cut_connection_is_taken_up_at_once(store, path):
    store.cuts = [70_000, 50_000]
    fetching.fetch(store.url, path, DIGEST[:8])
    assert path.read_bytes() == DATA
    assert store.parts == [None, "bytes=70000-", "bytes=120000-"]


def test_a_file_that_changed_meanwhile_is_begun_again(store, path):
    interrupted(store, path)
    store.data, store.tag = DATA[::-1], '"2"'
    told = []
    fetching.fetch(store.url, path, None, progress.Calling(told.append))
    assert path.read_bytes() == DATA[::-1]
    assert told[-1].done == len(DATA)


def test_a_file_that_became_shorter_is_begun_again(store, path):
    size = interrupted(store, path)
    # A server that looks at the range before the tag.
    store.data = DATA[: size - 1]
    fetching.fetch(store.url, path)
    assert path.read_bytes() == DATA[: size - 1]
    assert store.parts == [None, f"bytes={size}-", None]


def test_a_server_without_ranges_is_asked_for_all(store, path):
    store.ranges = False
    interrupted(store, path)
    told = []
    fetching.fetch(store.url, path, DIGEST[:8], progress.Calling(told.append))
    assert path.read_bytes() == DATA
    assert told[-1].done == len(DATA)


def test_another_part_than_was_asked_for(store, path, monkeypatch):
    size = interrupted(store, path)
    about = path.with_name("w.pth.download.json")
    known = json.loads(about.read_text())
    about.write_text(json.dumps({**known, "bytes": len(DATA) + 1}))
    with pytest.raises(fetching.FetchError, match=f"answered with bytes {size}-"):
        fetching.fetch(store.url, path)
    fetching.fetch(store.url, path, DIGEST)
    assert path.read_bytes() == DATA


@pytest.mark.parametrize(
    "about",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"url": 1, "bytes": "x", "validator": null}',
        b'{"url": "http://elsewhere/w.pth", "bytes": 999999, "validator": "x"}',
        b"\xff" * 100_000,
        None,
    ],
)
def test_a_part_of_which_nothing_is_known_is_dropped(store, path, about):
    fetching.part_of(path).write_bytes(b"something else")
    if about is not None:
        path.with_name("w.pth.download.json").write_bytes(about)
    fetching.fetch(store.url, path, DIGEST[:8])
    assert path.read_bytes() == DATA
    assert store.parts == [None]


@pytest.mark.parametrize("validator", ["\u202e", "a\nb", "\x1b[2J", "", "x" * 60_000])
def test_a_validator_that_no_header_holds_is_not_sent(store, path, validator):
    fetching.part_of(path).write_bytes(DATA[:100])
    about = {"url": store.url, "bytes": len(DATA), "validator": validator}
    path.with_name("w.pth.download.json").write_text(json.dumps(about))
    fetching.fetch(store.url, path, DIGEST[:8])
    assert store.parts == [None]


def test_a_validator_that_cannot_be_sent_back_is_none(store, path):
    store.tag = '"' + "x" * 1000 + '"'
    with pytest.raises(KeyboardInterrupt, match="^stopped; nothing is kept$"):
        fetching.fetch(store.url, path, None, stop_at(100_000))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"302 x\r\nLocation: http://[::1", "Invalid IPv6 URL$"),
        (b"302 x\r\nLocation: file:///etc/passwd", "the server says 302 .*not allowed"),
        (b"404 " + b"no" * 30_000, "the server says 404 .*(no){50}"),
        (b"206 x\r\nContent-Range: " + b"y" * 60_000, "answered with y{50}"),
    ],
)
def test_what_a_server_says_is_one_short_error(path, monkeypatch, answer, words):
    class Socket:
        def sendall(self, data):
            pass

        def makefile(self, *_):
            return io.BytesIO(b"HTTP/1.1 " + answer + b"\r\n\r\n")

        def close(self):
            pass

    def connect(connection):
        connection.sock = Socket()

    monkeypatch.setattr(http.client.HTTPConnection, "connect", connect)
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(fetching.FetchError, match=words) as caught:
        fetching.fetch("http://server.example/w.pth", path)
    assert len(str(caught.value)) < 500


def test_a_part_without_a_validator_is_not_resumed(store, path):
    store.tag = None
    with pytest.raises(KeyboardInterrupt, match="^stopped; nothing is kept$"):
        fetching.fetch(store.url, path, None, stop_at(100_000))
    fetching.fetch(store.url, path)
    assert store.parts == [None, None]
    assert path.read_bytes() == DATA


def test_a_part_that_is_whole_needs_no_server(store, path):
    interrupted(store, path)
    fetching.part_of(path).write_bytes(DATA)
    fetching.fetch(store.url, path, DIGEST)
    assert store.parts == [None]
    assert path.read_bytes() == DATA


def test_wrong_digits(store, path):
    with pytest.raises(
        fetching.FetchError, match=rf"sha256 is {DIGEST}, but .* begins with 0badcafe"
    ):
        fetching.fetch(store.url, path, "0badcafe")
    assert names(path) == []


@pytest.mark.parametrize("status", [404, 403, 500])
def test_the_server_has_no_such_file(store, path, status):
    store.status = status
    with pytest.raises(fetching.FetchError, match=f"{store.url}: the server says"):
        fetching.fetch(store.url, path)
    assert names(path) == []


def test_an_error_of_the_server_keeps_the_part(store, path):
    size = interrupted(store, path)
    store.status = 503
    with pytest.raises(fetching.FetchError, match="503"):
        fetching.fetch(store.url, path)
    assert fetching.part_of(path).stat().st_size == size


def test_nobody_listens(path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/w.pth"
        with pytest.raises(fetching.FetchError, match=f"{url}: Connection refused"):
            fetching.fetch(url, path)
    assert names(path) == []


def test_a_server_that_falls_silent(store, path, monkeypatch):
    monkeypatch.setattr(fetching, "TIMEOUT", 0.2)
    # The first answer brings something, the second one nothing.
    store.silent, store.cuts = True, [70_000, 0]
    with pytest.raises(fetching.FetchError, match=r"broke off \(timed out\); 0.1 of"):
        fetching.fetch(store.url, path)
    assert store.parts == [None, "bytes=70000-"]
    assert fetching.part_of(path).stat().st_size == 70_000


def test_a_truncated_file_is_no_file(store, path):
    store.cuts = [70_000, 0]
    with pytest.raises(
        fetching.FetchError, match=r"broke off .*the same again resumes"
    ):
        fetching.fetch(store.url, path)
    assert names(path) == ["w.pth.download", "w.pth.download.json"]


def test_two_downloads_of_one_file(store, path):
    with (
        locks.held(path, "wait"),
        pytest.raises(locks.LockedError, match="in use by another run"),
    ):
        fetching.fetch(store.url, path)


def test_a_full_disk_keeps_what_is_there(store, small_disk):
    small_disk.leave(120)
    path = small_disk.path / "w.pth"
    with pytest.raises(files.DiskFullError, match=r"w\.pth\.download: no space left"):
        fetching.fetch(store.url, path, DIGEST)
    size = fetching.part_of(path).stat().st_size
    assert 0 < size <= 120 * 1024
    assert fetching.part_of(path).read_bytes() == DATA[:size]
