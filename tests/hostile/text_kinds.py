"""Texts: TOML, JSON records, annotations, lists."""

import json
import pathlib
import tempfile
import unittest.mock
import warnings

import makers
import mutators

from tsn_keras import config
from tsn_keras.checkpoints import folders
from tsn_keras.common import text
from tsn_keras.datasets import lists, ucf101
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.datasets.records import Choice
from tsn_keras.extraction import provenance
from tsn_keras.extraction.settings import Settings
from tsn_keras.studies import reading

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"


def make_text(*goods):
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
            return random.choice(makers.TEXTS).encode()
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


def _make_toml(folder):
    goods = [path.read_text() for path in sorted(folder.glob("*.toml"))]
    names = ("data", "model", "train", "data.root", "train.batch", "model.width")
    names += ("cells", "test")
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
            any_of(
                lambda name: DATASETS[name].read(
                    Choice(name, split=1, annotations=folder), None
                ),
                ("ucf101", "hmdb51"),
            )


def _read_list(path):
    any_of(lambda read: read(path), (lists.read_list, text.names))


def any_of(read, choices):
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


def kinds():
    """See hdf5_kinds.kinds."""
    annotations = (_UCF_CLASSES, _UCF_TRAIN, _UCF_TEST, _HMDB)
    return {
        "TOML": (".toml", lambda: _make_toml(CONFIGS), config.read_training),
        "studies": (".toml", lambda: _make_toml(CONFIGS / "studies"), reading.read),
        "JSON records": (".json", _make_json, _read_json),
        "annotations": (".txt", lambda: make_text(*annotations), _read_annotations),
        "lists": (".txt", lambda: make_text(_LIST, _NAMES), _read_list),
    }
