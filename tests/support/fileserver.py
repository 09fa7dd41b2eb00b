"""A web server of one file that can serve parts, break off, or keep silent."""

import contextlib
import http.server
import threading


class Store:
    """What the server has, and how it behaves.

    Attributes:
        url: address of the file.
        data: bytes of the file.
        tag: its entity tag, or None.
        date: when it was changed, or None.
        ranges: whether it serves parts.
        length: whether it says how long the file is.
        status: an error to answer with, or None.
        cuts: bytes after which the next answers break off, in turn.
        silent: whether answers stop there without an end.
        asked: list of the headers of each request.
    """

    def __init__(self, url, data):
        self.url, self.data = url, data
        self.tag, self.date = '"1"', None
        self.ranges, self.length, self.status = True, True, None
        self.cuts, self.silent = [], False
        self.asked = []
        self.done = threading.Event()

    @property
    def parts(self):
        """The ranges that were asked for."""
        return [headers.get("Range") for headers in self.asked]


def _handler(store):
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            store.asked.append(dict(self.headers))
            if store.status is not None:
                self.send_error(store.status)
                return
            start = self._start()
            if start >= len(store.data) > 0:
                self.send_error(416)
                return
            body = store.data[start:]
            self.send_response(206 if start else 200)
            if start:
                last = len(store.data) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
            if store.length:
                self.send_header("Content-Length", str(len(body)))
            if store.tag is not None:
                self.send_header("ETag", store.tag)
            if store.date is not None:
                self.send_header("Last-Modified", store.date)
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body[: store.cuts.pop(0)] if store.cuts else body)
                if store.silent:
                    self.wfile.flush()
                    store.done.wait(20)

        def _start(self):
            asked = self.headers.get("Range")
            known = (store.tag, store.date, None)
            if not (store.ranges and asked and self.headers.get("If-Range") in known):
                return 0
            return int(asked.removeprefix("bytes=").removesuffix("-"))

    return Handler


@contextlib.contextmanager
def serving(name, data):
    """Yields the Store of a server of one file on this machine."""
    store = Store(None, data)
    address = ("127.0.0.1", 0)
    with http.server.ThreadingHTTPServer(address, _handler(store)) as server:
        store.url = f"http://127.0.0.1:{server.server_address[1]}/{name}"
        # Ends soon when it is told to.
        loop = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        loop.start()
        try:
            yield store
        finally:
            store.done.set()
            server.shutdown()
