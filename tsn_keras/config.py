"""Training files: what a run can be told, as frozen records, and how it is read."""

import dataclasses
import difflib
import sys

from tsn_keras.common.errors import InputError
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def _one_of(*values):
    """A rule for a setting: (words for its error, test)."""
    return f"one of {', '.join(map(str, values))}", lambda value: value in values


def _splits():
    """Numbers of the official splits of all data sets."""
    return sorted({n for dataset in DATASETS.values() for n in dataset.splits})


def _between(low, high):
    # Infinity and what is no number are written in TOML as inf and nan.
    return f"at least {low} and at most {high}", lambda value: low <= value <= high


def _above_0(high):
    return f"above 0 and at most {high}", lambda value: 0 < value <= high


# Beyond the largest that anyone trains with: a mistyped number is told at once,
# not by memory that runs out.
_MAX_VIDEOS = 1_000_000  # of an update
_MAX_ITERATIONS = 1_000_000_000
_MAX_BYTES = 2**20  # of a training file


@dataclasses.dataclass(frozen=True)
class DataSettings:
    """Section [data] of a training file: what is trained on.

    Attributes:
        dataset: one of datasets.catalogue: "hmdb51", "ucf101", "demo", "folders"
            for class folders of frame folders, or "list" for list files.
        split: official split.
        modality: one of protocols.modalities.
        protocol: one of protocols.catalogue; its crops, normalisation and
            validation.
        root: path or address of the frame folders; empty for the data set's
            folder in TSN_KERAS_DATA.
        annotations: folder of the split files (empty: in the data folder), or
            the list file to train on.
        validation: list file to validate on, for list files.
        classes: file with a class name a line, for list files.
        holdout: fraction of each class's videos to validate on, for folders.
        allow_missing: whether videos of the split may be absent.
        rgb_prefix, flow_x_prefix, flow_y_prefix: what stands before the number
            in the names of the files.
    """

    dataset: str = "list"
    split: int = 1
    modality: str = "rgb"
    protocol: str = "caffe"
    root: str = ""
    annotations: str = ""
    validation: str = ""
    classes: str = ""
    holdout: float = 0.0
    allow_missing: bool = False
    rgb_prefix: str = "img_"
    flow_x_prefix: str = "flow_x_"
    flow_y_prefix: str = "flow_y_"

    @property
    def prefixes(self) -> dict[str, str]:
        """{usual prefix: what the user's files have instead}."""
        return {
            "img_": self.rgb_prefix,
            "flow_x_": self.flow_x_prefix,
            "flow_y_": self.flow_y_prefix,
        }


@dataclasses.dataclass(frozen=True)
class ModelSettings:
    """Section [model]: the network and what it begins with.

    Attributes:
        backbone: one of models.backbones.
        initial: preset or file; empty for random weights.
        segments: K.
        dropout: fraction of the pooled features that is dropped.
        batch_norm: the trainable ones, "first", "none" or "all".
        width: factor on the channels of a network with random weights.
    """

    backbone: str = "bn_inception"
    initial: str = ""
    segments: int = 3
    dropout: float = 0.8
    batch_norm: str = "first"
    width: float = 1.0


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """Section [train]: the solver, by the terms of Caffe's.

    Attributes:
        batch: videos of an update, over all devices and sub-batches.
        iter_size: Caffe's sub-batches of an update. They matter to clipping,
            which sees the sum of their mean gradients. Further sub-batches that
            memory asks for change nothing but the trainable batch norms.
        device_batch: most videos that a device holds at a time, and so the
            videos over which a trainable batch norm normalises.
        iterations: updates.
        base_lr: learning rate of the first iteration.
        drops: iterations at which the learning rate is multiplied by gamma.
        gamma: that factor.
        momentum: of the velocity.
        weight_decay: L2, of kernels.
        clip: greatest norm of the gradient; 0 for none.
        precision: "float32", "bfloat16" or "float16".
        seed: of everything that is drawn.
        validate_every: iterations; 0 for at the end only.
        save_every: iterations between checkpoints.
    """

    batch: int = 128
    iter_size: int = 1
    device_batch: int = 32
    iterations: int = 3500
    base_lr: float = 0.001
    drops: tuple[int, ...] = (1500, 3000)
    gamma: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 0.0005
    clip: float = 40.0
    precision: str = "float32"
    seed: int = 0
    validate_every: int = 500
    save_every: int = 500


@dataclasses.dataclass(frozen=True)
class Training:
    """A training run."""

    data: DataSettings = dataclasses.field(default_factory=DataSettings)
    model: ModelSettings = dataclasses.field(default_factory=ModelSettings)
    train: TrainSettings = dataclasses.field(default_factory=TrainSettings)


# What a value must be, beyond its type: "section.key": (words, test).
_RULES = {
    "data.split": _one_of(*_splits()),
    "data.holdout": ("from 0 to 1, without 1", lambda v: 0 <= v < 1),
    "model.segments": _between(1, 1000),
    "model.dropout": ("from 0 to 1, without 1", lambda v: 0 <= v < 1),
    "model.batch_norm": _one_of("first", "none", "all"),
    "model.width": ("above 0 and at most 4", lambda v: 0 < v <= 4),
    "train.batch": _between(1, _MAX_VIDEOS),
    "train.iter_size": _between(1, _MAX_VIDEOS),
    "train.device_batch": _between(1, _MAX_VIDEOS),
    "train.iterations": _between(1, _MAX_ITERATIONS),
    "train.base_lr": _above_0(1000),
    "train.drops": (
        f"increasing, from 1 to {_MAX_ITERATIONS}",
        lambda v: (
            list(v) == sorted(set(v)) and all(0 < drop <= _MAX_ITERATIONS for drop in v)
        ),
    ),
    "train.gamma": _above_0(1000),
    "train.momentum": ("from 0 to 1, without 1", lambda v: 0 <= v < 1),
    "train.weight_decay": _between(0, 100),
    "train.clip": _between(0, 1_000_000_000),
    "train.precision": _one_of("float32", "bfloat16", "float16"),
    "train.seed": ("from 0 to 2147483647", lambda v: 0 <= v < 2**31),
    "train.validate_every": _between(0, _MAX_ITERATIONS),
    "train.save_every": _between(1, _MAX_ITERATIONS),
}


def read_training(path, overrides=()):
    """Reads a training file (TOML) and what overrides it.

    Args:
        path: the file. What it leaves out has the values of Training.
        overrides: iterable of "section.key=value", the value as in TOML; a bare
            word is a string.

    Returns:
        Training.

    Raises:
        InputError: not TOML, an unknown key, or a value of a wrong type or out
            of its range; the text names it and the nearest key.
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise InputError(f"{path} has more than {_MAX_BYTES} bytes: no training file")
    values = _parsed(content, path)
    for override in overrides:
        key, equals, text = override.partition("=")
        section, dot, name = key.strip().partition(".")
        if not (equals and dot):
            raise InputError(f"{override!r}: must be like train.base_lr=0.002")
        part = values.setdefault(section, {})
        if isinstance(part, dict):
            part[name] = _toml_value(text.strip())
    found = _record(Training, values, f"{path}")
    _check(found, path)
    return found


def _parsed(content, where):
    """TOML of bytes; with a byte-order mark or without."""
    try:
        text = content.decode("utf-8-sig")
        # TOML knows no carriage return alone; old editors do.
        return tomllib.loads(text.replace("\r\n", "\n").replace("\r", "\n"))
    except ValueError as error:  # Also of numbers with thousands of digits.
        raise InputError(f"{where} is not TOML: {str(error)[:300]}") from None
    except RecursionError:
        raise InputError(f"{where} is not TOML: it is nested too deeply") from None


def _short(value):
    """A value for a message: short, whatever it is."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return "a number of too many digits"
    return f"{text[:80]}..." if len(text) > 80 else text


# Settings that name a record.
_RECORDS = {
    "data.dataset": DATASETS,
    "data.modality": MODALITIES,
    "data.protocol": PROTOCOLS,
}


def _check(training, path):
    """Checks every value against its rule, and those that bear on one another."""
    # Looked up now, so that records that were added since are known.
    records = {key: _one_of(*catalogue) for key, catalogue in _RECORDS.items()}
    for key, (words, test) in (records | _RULES).items():
        section, _, name = key.partition(".")
        value = getattr(getattr(training, section), name)
        if not test(value):
            raise InputError(
                f"{path}: {key} must be {words}. Received: {_short(value)}"
            )
    train = training.train
    if train.batch % train.iter_size:
        raise InputError(
            f"{path}: train.batch must be a multiple of train.iter_size. Received: "
            f"{train.batch} and {train.iter_size}"
        )


def _toml_value(text):
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text
    except ValueError as error:
        raise InputError(f"{_short(text)}: {str(error)[:100]}") from None
    except RecursionError:
        raise InputError(f"{_short(text)} is nested too deeply") from None


def _record(kind, values, where):
    """Makes a record of a dict, checking names and types."""
    if not isinstance(values, dict):
        raise InputError(
            f"{where}: expected keys and values. Received: {_short(values)}"
        )
    fields = {field.name: field for field in dataclasses.fields(kind)}
    made = {}
    for name, value in values.items():
        if name not in fields:
            nearest = difflib.get_close_matches(name, fields, n=1, cutoff=0)
            raise InputError(
                f"{where}: there is no {_short(name)}; did you mean {nearest[0]!r}?"
            )
        made[name] = _typed(fields[name].type, value, f"{where}: {name}")
    return kind(**made)


def _typed(kind, value, where):
    """Checks a value against the type of its field."""
    if dataclasses.is_dataclass(kind):
        return _record(kind, value, where)
    exact = type(value)  # A bool is an int, but no number here.
    if kind is float and exact in (int, float):
        try:
            return float(value)
        except OverflowError:
            raise InputError(f"{where} is too large: {_short(value)}") from None
    if kind == tuple[int, ...] and exact is list and all(type(v) is int for v in value):
        return tuple(value)
    if exact is not kind:
        name = "list of int" if kind == tuple[int, ...] else kind.__name__
        raise InputError(f"{where} must be {name}. Received: {_short(value)}")
    return value
