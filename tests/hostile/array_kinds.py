"""Journals, .npz files, caffemodels, and PyTorch's files."""

import contextlib
import io
import pathlib
import pickle
import sqlite3
import struct
import tempfile
import zipfile

import caffe_writer
import makers
import mutators
import numpy as np
import small_network
import torch_kinds
from harness import MARKER
from hdf5_kinds import fuse, load

from tsn_keras.flow import ranges
from tsn_keras.scores.journal import SUFFIX, Journal

# Journals of runs that were not finished


_ABOUT = {"dataset": "ucf101", "split": 1}


def _journal(path):
    journal = Journal(path, _ABOUT, (2, 3))
    rows = [
        (f"v_{k}", 30, t, np.full((2, 3), k, "f4")) for k in range(40) for t in (0, 1)
    ]
    journal.add(rows)
    journal.close()
    path.write_bytes(journal.path.read_bytes())


_COMMANDS = (
    "CREATE VIEW other AS SELECT * FROM scores",
    "CREATE TRIGGER t AFTER INSERT ON about BEGIN DELETE FROM scores; END",
    "ALTER TABLE scores ADD COLUMN more AS (zeroblob(1000000000))",
    "UPDATE scores SET tick = tick || 'x'",
    "UPDATE scores SET scores = zeroblob(100000) WHERE video = 'v_3'",
    "UPDATE scores SET video = CAST(x'fe00' AS TEXT) WHERE video = 'v_3'",
    "UPDATE about SET text = zeroblob(30000000)",
    "INSERT INTO about VALUES ('[')",
    "DELETE FROM about",
    "DROP TABLE scores",
    "PRAGMA journal_mode = WAL",
    "PRAGMA encoding = 'UTF-16'",
)


def _make_journal():
    good = makers.bytes_of(_journal, ".h5")

    def make(random):
        how, data = random.randrange(4), good
        if how == 0:
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder, "a")
                path.write_bytes(good)
                with contextlib.closing(sqlite3.connect(path)) as database:
                    database.execute(random.choice(_COMMANDS))
                    database.commit()
                data = path.read_bytes()
        return (
            mutators.of_bytes(random, data)
            if how != 0 or random.random() < 0.5
            else data
        )

    return good, make


def _read_journal(path):
    journal = Journal(str(path).removesuffix(SUFFIX), _ABOUT, (2, 3))
    try:
        for (video, _), ticks in journal.ticks().items():
            journal.read(video, len(ticks))
    finally:
        journal.close()


# The original's score files


def _good_npz():
    pairs = np.empty((3, 2), object)
    for k in range(3):
        pairs[k] = np.full((2, 2, 3), k / 7, "f4"), k
    buffer = io.BytesIO()
    np.savez(buffer, scores=pairs, labels=np.arange(3))
    return buffer.getvalue()


def _make_npz():
    good = _good_npz()
    with zipfile.ZipFile(io.BytesIO(good)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    scores = members["scores.npy"]
    start = 10 + struct.unpack("<H", scores[8:10])[0]
    header, pickled = scores[:start], scores[start:]

    def make(random):
        how = random.randrange(6)
        if how == 0:
            return mutators.of_bytes(random, good)
        changed = dict(members)
        if how == 1:
            name = random.choice(list(changed))
            changed[name] = mutators.of_bytes(random, changed[name])
        elif how == 2:
            changed["scores.npy"] = header + mutators.of_bytes(random, pickled)
        else:
            changed["scores.npy"] = header + _program(random, pickled)
        method = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as file:
            for name, data in changed.items():
                file.writestr(name, data)
        data = buffer.getvalue()
        return mutators.of_bytes(random, data, makers.at_the_end) if how == 5 else data

    return good, make


class _Runs:
    """Pickled, it asks its reader to call something."""

    def __init__(self, function, *arguments):
        self._asked = function, arguments

    def __reduce__(self):
        return self._asked


def _touch(path):
    """Stands for any code of the package's own."""
    pathlib.Path(path).write_text("")


def _program(random, pickled):
    """A pickle that nobody should run."""
    how = random.randrange(5)
    if how == 0:  # One that makes a file.
        call = random.choice(
            (
                _Runs(__import__("os").system, f"touch {MARKER}"),
                _Runs(open, MARKER, "w"),
                _Runs(eval, f"open({MARKER!r}, 'w')"),
                _Runs(__import__, "antigravity"),
                _Runs(_touch, MARKER),
            )
        )
        return pickle.dumps([call, 1], protocol=random.choice((0, 1, 2, 4)))
    if how == 1:  # Tuples of tuples: each level doubles.
        value = 1
        for _ in range(random.choice((10, 30, 60))):
            value = (value, value)
        body = pickle.dumps(value, protocol=random.choice((2, 4)))
        place = random.randrange(len(pickled))
        return pickled[:place] + body[2:-1] + pickled[place:]
    if how == 2:  # Instructions in any order.
        codes = b"(.0123456789]}NTtlasqhjrgpbcRi" + bytes(range(0x80, 0x99))
        lines = [
            bytes([random.choice(codes)])
            + random.choice((b"", b"\x00", b"\xff\xff\xff\x7f", b"numpy\nload\n"))
            for _ in range(random.randrange(200))
        ]
        return b"\x80\x02" + b"".join(lines) + b"."
    if how == 3:  # Endless lists of lists.
        return b"\x80\x02" + b"]" * random.choice((10, 10**5)) + pickled[2:]
    return mutators.of_bytes(random, pickled + pickled)


# Caffe


def _make_caffemodel():
    good = small_network.caffemodel(small_network.model())

    def make(random):
        how = random.randrange(4)
        if how == 0:
            return mutators.of_bytes(random, good)
        fields = [_protobuf(random, depth=3) for _ in range(random.randrange(1, 6))]
        if how == 1:
            return b"".join(fields)
        place = random.choice((0, len(good), random.randrange(len(good))))
        return good[:place] + b"".join(fields) + good[place:]

    return good, make


def _protobuf(random, depth):
    """A field that Caffe's messages may have, with anything in it."""
    number = random.choice((1, 2, 4, 5, 6, 7, 8, 9, 100, 2**29 - 1))
    wire = random.choice((0, 2, 2, 2, 1, 5, 3, 7))
    if wire == 2 and depth and random.random() < 0.7:
        parts = [_protobuf(random, depth - 1) for _ in range(random.randrange(4))]
        payload = b"".join(parts)
    else:
        payload = random.randbytes(random.choice((0, 1, 4, 8, 40)))
    if wire == 0:
        return caffe_writer.field(number, random.choice((0, 1, 2**31, 2**63, 2**80)), 0)
    if wire == 2:
        tag = caffe_writer.varint(number << 3 | 2)
        length = random.choice((len(payload),) * 6 + (0, 2**31, 2**63, 2**70))
        return tag + caffe_writer.varint(length) + payload
    return caffe_writer.field(number, payload, wire)


# Ranges of flow fields, an array with a header of Python's literals

_ROWS = [((-20, 20), (-3, 4)), ((-1, 1), (0, 0)), ((-5, 7), (-6, 8))]
_HEADERS = (
    (b"<f4", b"|O8"),
    (b"<f4", b"<f8"),
    (b"<f4", b"|V4"),
    (b"(2,)", b"(0,)"),
    (b"(2,)", b"(9999999,)"),
    (b"(3,)", b"(0,)"),
    (b"(3,)", b"(-1,)"),
    (b"(3,)", b"(3, 1)"),
    (b"(3,)", b"(99999999999999999999,)"),
    (b"False", b"True"),
    (b"'descr'", b"'descr': [], 'descr'"),
    (b"flow_x_", b"flow_y_"),
    (b"flow_x_", b"\xff\xfe\x00"),
    (b"[(", b"(" * 3000),
    (b"[(", b"[" * 3000),
    (b"{", b"__import__('os').mkdir('x') or {"),
    (b"{", b"-" * 9000),
    (b"3", b"9" * 5000),
)


def _make_ranges():
    with tempfile.TemporaryDirectory() as folder:
        ranges.write(pathlib.Path(folder), ("flow_x_", "flow_y_"), _ROWS)
        good = pathlib.Path(folder, ranges.NAME).read_bytes()
    start = good.index(b"{")

    def make(random):
        if random.random() < 0.4:
            return mutators.of_bytes(random, good)
        header, data = (
            good[start : good.index(b"\n") + 1],
            good[good.index(b"\n") + 1 :],
        )
        for old, new in random.sample(_HEADERS, random.choice((1, 1, 2))):
            header = header.replace(old, new, random.choice((1, 1, -1)))
        if random.random() < 0.3:
            data = mutators.of_bytes(random, data)
        length = struct.pack("<H", len(header) % 2**16)
        return good[: start - 2] + length + header + data

    return good, make


def _read_ranges(path):
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, ranges.NAME).write_bytes(path.read_bytes())
        wanted = [("flow_x_", 1), ("flow_y_", 3)]
        found = ranges.read(pathlib.Path(folder), wanted)
    assert np.isfinite(found).all()
    assert (found[:, 0] <= found[:, 1]).all()


def kinds():
    """See hdf5_kinds.kinds."""
    return {
        ".npz": (".npz", _make_npz, fuse),
        "journals": (f".h5{SUFFIX}", _make_journal, _read_journal),
        "ranges of flow": (".npy", _make_ranges, _read_ranges),
        "caffemodels": (".caffemodel", _make_caffemodel, load),
        "torch files": (
            ".pth",
            lambda: torch_kinds.make(small_network.model(), _program),
            load,
        ),
    }
