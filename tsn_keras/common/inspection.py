"""Reads the table of contents of an HDF5 file in a process of its own.

The HDF5 library trusts what it parses: one changed byte makes it loop, a small
file can ask for any amount of memory, and some damage ends the process. So
this process never parses a file. A helper process, which has a limit of time
and memory, lists what the file holds; the arrays' numbers are then read from
where the list says that they lie.

One helper serves all files of a process. It starts in about 0.2 s, and takes
about 0.1 ms an array.
"""

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading

try:
    import resource
except ImportError:  # Windows: time and memory of the helper have no limit there.
    resource = None
import signal

# Limits of the helper for one file. Seconds are processor time, so that a slow disk is
# not mistaken for an endless loop; each object takes 0.1 ms and adds to the limit.
SECONDS, SECONDS_AN_OBJECT = 3.0, 0.0005
MEMORY = 2**29  # bytes, beside those of the libraries
MAX_OBJECTS = 200_000
BYTES_AN_OBJECT = 128  # in a file, at least: its name, place, type and shape
MAX_DEPTH = 20
MAX_ATTRIBUTE = 64 * 1024  # bytes
_SWOLLEN = "it needs too much memory: it is damaged"
_BATCH = 2**24  # bytes of texts that are read at once

_SERVE = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from tsn_keras.common import inspection; inspection.serve(float(sys.argv[1]))"
)


def contents(path):
    """Lists what an HDF5 file holds.

    Links to other places are named, and not followed.

    Args:
        path: an ordinary file.

    Returns:
        dict. "attributes": those of the file, {name: text, list of numbers, or
        {"fault": reason}}. "lists": {path of a group: {name: list of texts}} of all
        attributes that are such lists. "items": {path: item} of all that lies in it,
        where an item is {"group": [names]}, {"link": True}, {"fault": reason}, or an
        array {"shape": list, "dtype": str} with "at", its first byte in the file,
        "texts", its values as a flat list, or "hex", its bytes.

    Raises:
        ValueError: the library cannot read it within the limits; says why.
    """
    answer = _HELPER.ask(os.path.abspath(path))
    if "fault" in answer:
        raise ValueError(answer["fault"])
    return answer


class _Helper:
    """The helper process, started when first needed and after each death."""

    def __init__(self):
        self._process, self._owner = None, None
        self._lock = threading.Lock()

    def ask(self, path):
        with self._lock:
            # A forked process has its parent's pipes, but no helper of its own.
            if self._owner != os.getpid() or self._process.poll() is not None:
                self._start()
            try:
                self._process.stdin.write(json.dumps(path).encode() + b"\n")
                self._process.stdin.flush()
                line = self._process.stdout.readline()
            except BaseException as error:
                # Whatever ended the wait, an answer may still arrive.
                self._stop()
                if not isinstance(error, BrokenPipeError):
                    raise
                line = b""
            if not line.endswith(b"\n"):
                return {"fault": self._died()}
        return json.loads(line)

    def _start(self):
        # The packages of this process, whatever its folder holds. One thread:
        # each reserves memory. A session of its own: Ctrl-C is for us.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(SECONDS), *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        self._owner = os.getpid()
        if self._process.stdout.readline() != b"ready\n":
            self._stop()
            raise RuntimeError("the process that inspects HDF5 files does not start")

    def _stop(self):
        """Ends the process; returns its exit status."""
        self._process.kill()
        self._process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        return self._process.wait()

    def _died(self):
        # It closed its output: it ends by itself, with a status that says why.
        self._process.wait()
        status = self._stop()
        if resource is not None and status == -signal.SIGPROF:
            return f"reading it does not end within {SECONDS:g} s: it is damaged"
        return "it breaks the HDF5 library, or needs too much memory: it is damaged"

    def close(self):
        if self._owner == os.getpid():
            self._stop()


_HELPER = _Helper()
atexit.register(_HELPER.close)


def serve(seconds):
    """The helper's work: answers each path on standard input with a line.

    Args:
        seconds: of the processor, for each file; see SECONDS.
    """
    import h5py  # noqa: F401 - its memory does not count as the file's

    answers = sys.stdout.buffer
    answers.write(b"ready\n")
    answers.flush()
    for line in sys.stdin.buffer:
        _limit(seconds)
        try:
            answer = _Contents(json.loads(line)).read()
        except MemoryError:
            answer = {"fault": _SWOLLEN}
        except RecursionError:
            answer = {"fault": "it is nested too deeply"}
        except Exception as error:  # h5py has no type of its own
            reason = str(error)[:300] or type(error).__name__
            if "memory allocation failed" in reason:
                reason = _SWOLLEN
            answer = {"fault": reason}
        _limit(0)
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def _limit(seconds):
    """Sets what this process may take from now on; 0 ends the limits."""
    if resource is None:
        return
    # Its signal ends the process also inside the library.
    signal.setitimer(signal.ITIMER_PROF, seconds)
    used = resource.RLIM_INFINITY
    if seconds and os.path.exists("/proc/self/statm"):
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize() + MEMORY
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard != resource.RLIM_INFINITY and not 0 <= used < hard:
        used = hard
    resource.setrlimit(resource.RLIMIT_AS, (used, hard))


class _Contents:
    """The walk through a file, in the helper."""

    def __init__(self, path):
        import h5py

        self._h5, self._size = h5py, os.stat(path).st_size
        self._file = h5py.File(path, "r")
        self._items, self._count, self._texts = {}, 0, 0
        self._groups, self._lists = set(), {}

    def read(self):
        with self._file:
            attributes = {n: self._attribute(n) for n in self._file.attrs}
            self._walk(self._file.id, "", 0)
        return {"attributes": attributes, "lists": self._lists, "items": self._items}

    def _attribute(self, name):
        """A root attribute: text, list of numbers, or a fault."""
        found = self._file.attrs.get_id(name)
        if found.get_storage_size() > MAX_ATTRIBUTE:
            return {"fault": "is too large"}
        # Many strings may share one place in the file.
        if self._h5.check_string_dtype(found.dtype) is not None and found.shape == ():
            value = self._file.attrs[name]
            value = value.decode() if isinstance(value, bytes) else value
            return value if isinstance(value, str) else {"fault": "is no text"}
        if found.dtype.kind in "fiu":
            return [float(v) for v in self._file.attrs[name].ravel()]
        return {"fault": f"is of type {found.dtype}"}

    def _walk(self, group, path, depth):
        h5 = self._h5
        here = h5.h5o.get_info(group)
        # Keras nests a few groups. A group that is found twice means a cycle, or
        # doubled links with billions of paths.
        if depth > MAX_DEPTH or (here.fileno, here.addr) in self._groups:
            self._items[path or "/"] = {"fault": "is nested too deeply"}
            return
        self._groups.add((here.fileno, here.addr))
        self._read_lists(group, path or "/")
        names = {}
        for raw in group:
            name = raw.decode()
            if name in names:
                # The list of names leads back to itself.
                raise ValueError(
                    f"it lists {path[:80]}/{name[:80]} twice: it is damaged"
                )
            names[name] = None
            self._tick()
            item = f"{path}/{name}"
            if group.links.get_info(raw).type != h5.h5l.TYPE_HARD:
                self._items[item] = {"link": True}
                continue
            found = h5.h5o.open(group, raw)
            if isinstance(found, h5.h5g.GroupID):
                self._walk(found, item, depth + 1)
            elif isinstance(found, h5.h5d.DatasetID):
                self._items[item] = self._array(found)
            else:
                self._items[item] = {"fault": "is not a plain array"}
        self._items[path or "/"] = {"group": list(names)}

    def _tick(self):
        self._count += 1
        if self._count > MAX_OBJECTS:
            raise ValueError(f"there are more than {MAX_OBJECTS} arrays")
        if self._count > self._size // BYTES_AN_OBJECT:
            raise ValueError(f"it has no room for {self._count} arrays: it is damaged")
        if resource is not None and self._count % 256 == 0:
            left = signal.getitimer(signal.ITIMER_PROF)[0]
            signal.setitimer(signal.ITIMER_PROF, left + 256 * SECONDS_AN_OBJECT)

    def _array(self, dataset):
        h5, form = self._h5, dataset.get_create_plist()
        layout = form.get_layout()
        # What this package and Keras write: one run of bytes, in this file.
        if layout not in (h5.h5d.CONTIGUOUS, h5.h5d.COMPACT):
            return {"fault": "is not a plain array"}
        if form.get_external_count():
            return {"fault": "is not a plain array"}
        kind = dataset.get_type()
        dtype = kind.dtype
        about = {"shape": list(dataset.shape or ()), "dtype": dtype.str}
        if dataset.shape is None:
            return {"fault": "is empty"}
        size = dtype.itemsize
        for length in dataset.shape:
            size *= length
        if size > self._size:
            return {
                "fault": f"has shape {dataset.shape} of {dtype}: the file declares "
                f"more data than its {self._size} bytes hold"
            }
        if h5.check_string_dtype(dtype) is not None and len(dataset.shape) < 2:
            return {**about, "dtype": "text", "texts": self._read_texts(dataset)}
        if dtype.kind not in "fiu" or not kind.equal(h5.h5t.py_create(dtype)):
            return {"fault": f"has shape {dataset.shape} of {dtype}"}
        if size == 0:
            return {**about, "hex": ""}
        if layout == h5.h5d.COMPACT:
            return {**about, "hex": h5.Dataset(dataset)[()].tobytes().hex()}
        if dataset.get_storage_size() != size:
            return {"fault": "was never written"}
        return {**about, "at": dataset.get_offset()}

    def _read_lists(self, group, path):
        """Reads a group's attributes that are lists of texts."""
        attributes = self._h5.Group(group).attrs
        for name in attributes:
            found = attributes.get_id(name)
            is_text = self._h5.check_string_dtype(found.dtype) is not None
            if not is_text or len(found.shape or ()) != 1:
                continue
            self._tick()
            if found.get_storage_size() <= MAX_ATTRIBUTE:
                texts = (
                    text.decode() if isinstance(text, bytes) else text
                    for text in attributes[name]
                )
                self._lists.setdefault(path, {})[name] = [*map(self._counted, texts)]

    def _read_texts(self, dataset):
        """Reads texts of any length, of which each lies in the file."""
        texts = self._h5.Dataset(dataset).asstr()
        if dataset.shape == ():
            return [self._counted(texts[()])]
        # Many may share one place, so that any one may have the file's size.
        step = max(1, min(256, _BATCH // self._size))
        found = []
        for start in range(0, dataset.shape[0], step):
            found += map(self._counted, texts[start : start + step])
            self._tick()
        return found

    def _counted(self, text):
        self._texts += len(text)
        if self._texts > self._size:
            raise ValueError(
                f"its texts are longer than its {self._size} bytes: it is damaged"
            )
        return text
