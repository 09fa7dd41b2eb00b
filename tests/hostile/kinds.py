"""The kinds of files that commands read: good ones, bad ones, and their readers."""

import contextlib
import io
import json
import pathlib
import pickle
import sqlite3
import struct
import tempfile
import unittest.mock
import warnings
import zipfile

import caffe_writer
import clips
import cv2
import h5py
import keras
import mutators
import numpy as np
import tensorflow as tf
import torch_kinds
import videofiles
from harness import MARKER, Kind

from tsn_keras import config
from tsn_keras.checkpoints import folders, keras_file, loading
from tsn_keras.common import hdf5, text
from tsn_keras.datasets import lists, ucf101
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.datasets.records import Choice
from tsn_keras.extraction import provenance
from tsn_keras.extraction.settings import Settings
from tsn_keras.models.records import Backbone
from tsn_keras.pipeline import reading
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream
from tsn_keras.scores import fusion, score_file
from tsn_keras.scores.journal import SUFFIX, Journal
from tsn_keras.scores.score_file import VideoScores
from tsn_keras.training import checkpoint
from tsn_keras.video import decode

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
CLASSES = ("run", "jump", "sit")


def _build(input_shape, classes, dropout=0.5, width=1.0):
    """A network of two convolutions: of a large one, most bytes are only numbers."""
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(4, 3, strides=8, name="stem")(inputs)
    x = keras.layers.BatchNormalization(name="stem_bn")(x)
    x = keras.layers.Conv2D(6, 3, strides=8, name="body")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    if classes is not None:
        x = keras.layers.Dense(classes, name="scores")(x)
    return keras.Model(inputs, x)


SMALL = Backbone(
    name="small_network",
    title="small network",
    build=_build,
    features="pool",
    first="stem",
    head="scores",
    channels={"stem": 4, "body": 6},
)


def _model():
    keras.utils.set_random_seed(1)
    return _build((224, 224, 3), len(CLASSES))


def _in_a_folder(write, suffix):
    """The bytes of a file that a function writes to a path."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, f"good{suffix}")
        write(path)
        return path.read_bytes()


# HDF5


def _score_file(path):
    rows = [
        VideoScores(f"v_{k}", k % 3, 30, np.full((2, 2, 3), k / 7, "f4"))
        for k in range(4)
    ]
    about = {"dataset": "ucf101", "split": 1, "protocol": "caffe"}
    score_file.write(path, rows, classes=CLASSES, about=about, failed={"v_9": "gone"})


def _weight_file(path):
    about = {"backbone": SMALL.name, "modality": "rgb", "class_names": CLASSES}
    keras_file.save(_model(), path, {**about, "protocol": "caffe", "width": 1.0})


class _Trainer:
    """As much of trainer.Trainer as a checkpoint is of."""

    loss_scale = None

    def __init__(self):
        model = _model()
        self._state = {f"model/{v.path}": v for v in model.variables}

    def state(self):
        return self._state

    def spread(self):
        pass


_RUN = {"data": {"dataset": "ucf101"}, "batch": 3}
_JSON = (
    *("null", "3", '""', "[]", "{}", "NaN", "1e999", "[" * 3000, '{"a":' * 400),
    *('{"classes": 0}', '"\\ud800"', "9" * 5000, '{"width": 1e308}', "\x00", "{"),
)


def _edited(random, data):
    """Changes what an HDF5 file holds, as its library can."""
    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        names = []
        file.visit(names.append)
        for _ in range(random.choice((1, 1, 2, 3))):
            name = random.choice(names)
            with contextlib.suppress(
                KeyError, ValueError, TypeError, OSError, RuntimeError
            ):
                random.choice(_EDITS)(random, file, name)
    return buffer.getvalue()


def _new_attribute(random, file, _):
    name = random.choice([*file.attrs, "other"])
    here = h5py.Empty("f4"), np.arange(5), np.nan, b"\xff", np.array(["a", "b"], "S1")
    file.attrs[name] = random.choice((*here, *_JSON))


def _changed_attribute(random, file, _):
    name = random.choice(list(file.attrs))
    if isinstance(file.attrs[name], str):
        said = mutators.of_text(random, file.attrs[name])
        file.attrs[name] = said.decode("utf-8", "replace").replace("\0", "")


def _no_item(random, file, name):
    del file[name]


def _other_array(random, file, name):
    shape = getattr(file[name], "shape", (3,))
    kind = random.choice(
        ("f8", "f2", "i1", "S3", ">f4", "c8", "?", h5py.string_dtype())
    )
    shape = random.choice((shape, shape[::-1], (*shape, 1), (0,), (), (10**6,)))
    form = {"maxshape": None, "chunks": True} if random.random() < 0.3 else {}
    del file[name]
    file.create_dataset(name, shape, kind, **form)


def _huge_array(random, file, name):
    del file[name]
    file.create_dataset(name, (2**40,), "f4", chunks=(2**20,))


def _other_values(random, file, name):
    array = file[name]
    if (
        isinstance(array, h5py.Dataset)
        and array.dtype.kind in "fi"
        and array.size < 1000
    ):
        edges = (np.nan, np.inf, -1, 3e38, 2**31)
        array[...] = np.resize(random.choices(edges, k=3), array.shape)


def _link(random, file, name):
    targets = (
        h5py.SoftLink("/"),
        h5py.SoftLink(f"/{name}"),
        h5py.ExternalLink(f"../{MARKER}.h5", "/"),
        h5py.ExternalLink("/dev/zero", "/"),
        file["/"],
    )
    del file[name]
    file[name] = random.choice(targets)


def _pile(random, file, name):
    """Groups that each hold the next one twice: billions of paths."""
    del file[name]
    group = file.create_group(name)
    for _ in range(18):
        group["a"] = group["b"] = file.create_group(None)
        group = group["a"]


def _shared_texts(random, file, name):
    del file[name]
    kind = h5py.string_dtype()
    file.create_dataset(name, data=np.array(["x" * 5000] * 300, object), dtype=kind)


_EDITS = (
    *(_new_attribute, _changed_attribute, _no_item, _other_array, _huge_array),
    *(_other_values, _link, _pile, _shared_texts),
)


def _hdf5(write, suffix):
    good = _in_a_folder(write, suffix)

    def make(random):
        data, how = good, random.randrange(10)
        if how < 4:
            data = _edited(random, data)
        sealed = random.random() < 0.5
        if not sealed:  # As another program would write it.
            data = data[hdf5.BLOCK :]
        if how >= 3:
            data = mutators.of_bytes(random, data, _near_the_names)
        if how == 9 or not sealed or len(data) < hdf5.BLOCK:
            return data  # With a digest that is not its own.
        buffer = io.BytesIO(data)
        hdf5.seal(buffer)
        return buffer.getvalue()

    return good, make


def _near_the_names(random, length):
    """What the library parses comes first, and again after the numbers."""
    share = random.random() ** 2
    return int(share * length)


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
    good = _in_a_folder(_journal, ".h5")

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
        return mutators.of_bytes(random, data, _at_the_end) if how == 5 else data

    return good, make


def _at_the_end(random, length):
    """Where a zip has its directory."""
    return max(0, length - 1 - int(random.expovariate(1 / 60)))


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


def _caffemodel():
    model = _model()
    out = caffe_writer.field(1, b"net")
    for name in ("stem", "body"):
        kernel, bias = model.get_layer(name).get_weights()
        kernel = kernel.transpose(3, 2, 0, 1)
        arrays = caffe_writer.array(kernel), caffe_writer.array(bias)
        out += caffe_writer.layer(name, *arrays)
    norm = (
        caffe_writer.array(w[None]) for w in model.get_layer("stem_bn").get_weights()
    )
    out += caffe_writer.layer("stem_bn", *norm, kind="BN")
    kernel, bias = model.get_layer("scores").get_weights()
    arrays = caffe_writer.array(kernel.T), caffe_writer.array(bias)
    return out + caffe_writer.layer("scores", *arrays)


def _make_caffemodel():
    good = _caffemodel()

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


# Texts


def _make_text(*goods):
    def make(random):
        return mutators.of_text(random, random.choice(goods))

    return goods[0].encode(), make


def _record(path):
    """A frame folder's record, and the folder's reader."""
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "a.avi")
        source.write_bytes(b"video")
        pathlib.Path(folder, provenance.NAME).write_bytes(path.read_bytes())
        record = provenance.read(folder)
        return provenance.difference(record, source, Settings())


def _good_record():
    value = {
        "source": {"name": "a.avi", "bytes": 5},
        "parameters": provenance.parameters(Settings()),
        "versions": {"opencv": "4"},
        "decoded_frames": 9,
        "files": 8,
        "damage": None,
    }
    return json.dumps(value, indent=1)


def _digests(path):
    """The record of digests in the user's cache."""
    record = folders.files.cache_folder() / folders.DIGESTS
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_bytes(path.read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folders.check_digest("some.caffemodel", "0" * 64)


def _make_json():
    goods = [_good_record(), json.dumps({"some.caffemodel": "1" * 64})]

    def make(random):
        how = random.randrange(4)
        if how == 0:
            return random.choice(_JSON).encode()
        if how == 1:
            value = json.loads(goods[0])
            value[random.choice(list(value))] = _value(random, 4)
            return json.dumps(value).encode("utf-8", "surrogatepass")
        return mutators.of_text(random, random.choice(goods))

    return goods[0].encode(), make


def _value(random, depth):
    """Any JSON value."""
    how = random.randrange(7 if depth else 5)
    if how == 5:
        return [_value(random, depth - 1) for _ in range(random.randrange(4))]
    if how == 6:
        keys = ("name", "bytes", "flow", "size", "\x1b[2J", "")
        return {k: _value(random, depth - 1) for k in keys if random.random() < 0.4}
    texts = ("", "rgb", "\ud800", "../" * 50, "x" * 10**5)
    numbers = (0, -1, 10**300, 1e308, float("nan"))
    return random.choice((None, True, *texts, *numbers))


def _read_json(path):
    _digests(path)
    return _record(path)


def _make_toml():
    goods = [path.read_text() for path in sorted(CONFIGS.glob("*.toml"))]
    names = ("data", "model", "train", "data.root", "train.batch", "model.width")
    values = (
        *("9" * 400, "-1", "1e308", "nan", "inf", "[" * 3000, '"' * 7, "{a=1}", "''"),
        *("1979-05-27", "0xffffffffffffffffffff", "[1, 'a']", "[[[[]]]]", '"\\u0000"'),
    )

    def make(random):
        good = random.choice(goods)
        if random.random() < 0.5:
            return mutators.of_text(random, good)
        lines = good.split("\n")
        numbers = [k for k, line in enumerate(lines) if " = " in line]
        for number in random.sample(numbers, random.choice((1, 2))):
            key = lines[number].split(" = ")[0]
            lines[number] = f"{key} = {random.choice(values)}"
        if random.random() < 0.2:
            head = random.choice(("[{}]", "[[{}]]", "{} = 3", "{}.x.y = 1"))
            lines.append(head.format(random.choice(names)))
        return "\n".join(lines).encode()

    return goods[0].encode(), make


_UCF_CLASSES = "\n".join(
    f"{k + 1} {c}" for k, c in enumerate(DATASETS["ucf101"].classes)
)
_UCF_TRAIN = "\n".join(
    f"{c}/v_{c}_g0{g}_c0{g}.avi {k + 1}"
    for k, c in enumerate(DATASETS["ucf101"].classes[:40])
    for g in (1, 2)
)
_UCF_TEST = "\n".join(line.split()[0] for line in _UCF_TRAIN.split("\n"))
# As many videos as a class has: 70 for training, 30 for testing.
_HMDB = "\n".join(
    f"a clip_{k}.avi {(1, 2, 0)[(k >= 70) + (k >= 100)]} " for k in range(120)
)


def _read_annotations(path):
    """A hostile file in the place of one of the official files of each data set."""
    data = path.read_bytes()
    wanted = {"classInd.txt": _UCF_CLASSES, "trainlist01.txt": _UCF_TRAIN}
    wanted["testlist01.txt"] = _UCF_TEST
    # What the file was made of tells whose place it takes.
    place = min(wanted, key=lambda name: abs(len(wanted[name]) - len(data)))
    with tempfile.TemporaryDirectory() as folder:
        for name, content in wanted.items():
            pathlib.Path(folder, name).write_text(content)
        pathlib.Path(folder, place).write_bytes(data)
        for name in DATASETS["hmdb51"].classes:
            pathlib.Path(folder, f"{name}_test_split1.txt").write_bytes(data)
        # UCF101's own lists are long.
        counts = {1: (len(_UCF_TRAIN.split("\n")),) * 2}
        with unittest.mock.patch.dict(ucf101.VIDEOS, counts):
            _any_of(
                lambda name: DATASETS[name].read(
                    Choice(name, split=1, annotations=folder), None
                ),
                ("ucf101", "hmdb51"),
            )


def _read_list(path):
    _any_of(lambda read: read(path), (lists.read_list, text.names))


def _any_of(read, choices):
    """Reads a file in several ways, of which one is its own."""
    faults = []
    for choice in choices:
        try:
            read(choice)
        except text.TextFileError as error:
            faults.append(error)
    if len(faults) == len(choices):
        raise faults[0]


_LIST = "\n".join(f"folder {k}/v_{k} {10 + k} {k % 5}" for k in range(30))
_NAMES = "\n".join(f"{k + 1} Class{k}" for k in range(20))


# Pictures and videos


def _jpegs():
    picture = clips.picture(64, 80) if hasattr(clips, "picture") else None
    if picture is None:
        picture = videofiles.picture(1, (80, 64))
    found = []
    for options in (
        [],
        [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
        [cv2.IMWRITE_JPEG_RST_INTERVAL, 2],
        [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x411111],
    ):
        for image in (picture, picture[..., 0]):
            found.append(cv2.imencode(".jpg", image, options)[1].tobytes())
    # Headers lie before the numbers.
    return found


def _make_jpeg():
    goods = _jpegs()

    def make(random):
        return mutators.of_bytes(random, random.choice(goods), _near_the_names)

    return goods[0], make


_RGB, _FLOW = (Stream(MODALITIES[name], CAFFE) for name in ("rgb", "flow"))


class _Snippets:
    """The pipeline of `eval` and `train`, compiled once for all files."""

    def __init__(self):
        self._functions = {
            stream.modality.name: (stream, tf.function(self._of(stream)))
            for stream in (_RGB, _FLOW)
        }

    @staticmethod
    def _of(stream):
        def read(folder, numbers):
            return reading.resized_snippet(folder, numbers, stream)

        return read

    def read(self, path):
        data = path.read_bytes()
        reasons = []
        with tempfile.TemporaryDirectory() as folder:
            for stream, function in self._functions.values():
                for prefix in stream.modality.prefixes:
                    for number in range(1, stream.modality.length + 1):
                        pathlib.Path(folder, f"{prefix}{number:05d}.jpg").write_bytes(
                            data
                        )
                numbers = list(range(1, stream.modality.length + 1))
                try:
                    function(tf.constant(folder), tf.constant(numbers))
                except tf.errors.OpError:
                    reason = reading.explain(
                        folder, numbers, stream
                    ) or reading.explain_sizes(
                        folder, [numbers], stream, reading.MIN_SIDE
                    )
                    assert reason, "a snippet fails, and nothing says why"
                    assert "{{" not in reason, reason
                    reasons.append(reason)
        if len(reasons) == 2:
            raise OSError(reasons[0])


def _videos():
    found = []
    for suffix, codec in (
        (".avi", "mpeg4"),
        (".mp4", "libx264"),
        (".mkv", "mpeg4"),
        (".avi", "mjpeg"),
        (".webm", "libvpx"),
        (".mpg", "mpeg1video"),
    ):
        options = {"pixels": "yuvj420p"} if codec == "mjpeg" else {}
        with contextlib.suppress(Exception):  # Not every FFmpeg has each encoder.
            found.append(
                _in_a_folder(
                    lambda path, codec=codec, options=options: videofiles.make(
                        path, 4, codec, (64, 48), **options
                    ),
                    suffix,
                )
            )
    assert len(found) >= 3
    return found


def _make_video():
    goods = _videos()

    def make(random):
        return mutators.of_bytes(random, random.choice(goods), _anywhere)

    return goods[0], make


def _anywhere(random, length):
    return (
        _near_the_names(random, length)
        if random.random() < 0.6
        else (length - 1 - _near_the_names(random, length))
    )


def _read_video(path):
    for frame in decode.frames(path):
        frame.sum()


def every():
    """The kinds; {name: function that makes its Kind}."""
    trainer = []

    def restore(path):
        trainer or trainer.append(_Trainer())
        checkpoint.restore(trainer[0], path, _RUN)

    def write_checkpoint(path):
        trainer or trainer.append(_Trainer())
        checkpoint.save(trainer[0], path, _RUN)

    def fuse(path):
        return fusion.fuse(fusion.Request([str(path)]))

    def load(path):
        return loading.find(path).build()

    found = {
        "score files": (".h5", lambda: _hdf5(_score_file, ".h5"), fuse),
        ".npz": (".npz", _make_npz, fuse),
        "journals": (f".h5{SUFFIX}", _make_journal, _read_journal),
        "weight files": (
            ".weights.h5",
            lambda: _hdf5(_weight_file, ".weights.h5"),
            load,
        ),
        "checkpoints": (".h5", lambda: _hdf5(write_checkpoint, ".h5"), restore),
        "caffemodels": (".caffemodel", _make_caffemodel, load),
        "torch files": (".pth", lambda: torch_kinds.make(_model(), _program), load),
        "TOML": (".toml", _make_toml, config.read_training),
        "JSON records": (".json", _make_json, _read_json),
        "annotations": (
            ".txt",
            lambda: _make_text(_UCF_CLASSES, _UCF_TRAIN, _UCF_TEST, _HMDB),
            _read_annotations,
        ),
        "lists": (".txt", lambda: _make_text(_LIST, _NAMES), _read_list),
        "JPEGs": (".jpg", _make_jpeg, _Snippets().read),
        "videos": (".video", _make_video, _read_video),
    }
    return {
        name: lambda name=name, suffix=suffix, make=make, read=read: Kind(
            name, suffix, *make(), read
        )
        for name, (suffix, make, read) in found.items()
    }
