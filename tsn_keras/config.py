"""Training files: what a run can be told, as frozen records, and how it is read."""

import dataclasses
import difflib
import math
import os
import pathlib
import sys
from collections.abc import Mapping

from tsn_keras.common import text
from tsn_keras.common.errors import InputError, short
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.protocols.augmentations import AUGMENTATIONS
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


# Our training files have 2,000 bytes. The reader's time grows with the square of the
# length of a line.
_MAX_BYTES = 64 * 1024
_MAX_LINE = 1000  # characters
_MAX_OVERRIDE = 16 * 1024  # characters, enough for the longest list
_MAX_SHOWN = 80  # characters of a wrong value


@dataclasses.dataclass(frozen=True)
class _Range:
    """The numbers that a setting may have; what is no number is in none.

    Attributes:
        least: the smallest.
        most: the largest: more is a slip, or fits no machine.
        above: whether `least` itself is too small.
        below: whether `most` itself is too large.
    """

    least: float
    most: float
    above: bool = False
    below: bool = False

    def __contains__(self, value):
        return self.least <= value <= self.most and not (
            (self.above and value == self.least) or (self.below and value == self.most)
        )

    def __str__(self):
        if self.above:
            return f"above {self.least} and at most {self.most}"
        without = f", without {self.most}" if self.below else ""
        return f"from {self.least} to {self.most}{without}"


@dataclasses.dataclass(frozen=True)
class _OneOf:
    """The values that a setting may have."""

    values: tuple

    def __contains__(self, value):
        return value in self.values

    def __str__(self):
        return f"one of {', '.join(map(str, self.values))}"


@dataclasses.dataclass(frozen=True)
class _Increasing:
    """Lists of increasing numbers of a range.

    Attributes:
        each: _Range of every number.
        most: how many there may be.
    """

    each: _Range
    most: int

    def __contains__(self, values):
        return (
            list(values) == sorted(set(values))
            and len(values) <= self.most
            and all(value in self.each for value in values)
        )

    def __str__(self):
        return f"increasing, each {self.each}, and at most {self.most} numbers"


def _splits():
    """Numbers of the official splits of all data sets."""
    return tuple(sorted({n for dataset in DATASETS.values() for n in dataset.splits}))


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
        augmentation: one of protocols.augmentations: how videos are cut in training;
            "protocol" for the protocol's own.
        root: path or address of the frame folders, or, not for flow, folder of the
            video files; empty for the data set's
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
    augmentation: str = "protocol"
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
        consensus: what the segments' mean is taken of: "scores", or "features" for
            the pooled ones, of which one share is then dropped for all segments of a
            video, as MMAction2 does.
        init_std: deviation of the kernel of a new classifier; 0 for that of the
            backbone's original, 0.01 of a ResNet and 0.001 of most others.
        first_conv: of a first convolution that the initial weights have for other
            channels: "cross_modality", their mean over the channels, or "random".
        batch_norm: the trainable ones, "first", "none" or "all"; "affine" for the
            slopes and shifts of all, with the statistics of the initial weights.
        width: factor on the channels of a network with random weights.
    """

    backbone: str = "bn_inception"
    initial: str = ""
    segments: int = 3
    dropout: float = 0.8
    consensus: str = "scores"
    init_std: float = 0.0
    first_conv: str = "cross_modality"
    batch_norm: str = "first"
    width: float = 1.0


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """Section [train]: the solver, by the terms of Caffe's.

    An epoch is one pass over the training videos, in batches; the last is filled up
    with the first videos of the next pass, where PyTorch's loaders and so tsn-pytorch
    and MMAction2 make a smaller one: as many updates.

    Attributes:
        solver: whose updates are made: "caffe", or "torch" for PyTorch's SGD, as
            tsn-pytorch and MMAction2 use it (see training.optimizer), with the
            statistics of trainable batch norms as PyTorch keeps them.
        groups: whose factors of the rate and the decay the variables have, one of
            models.training_rules.GROUPS.
        batch: videos of an update, over all devices and sub-batches.
        iter_size: Caffe's sub-batches of an update. They matter to clipping,
            which sees the sum of their mean gradients. Further sub-batches that
            memory asks for change nothing but the trainable batch norms.
        device_batch: most videos that a device holds at a time, and so the
            videos over which a trainable batch norm normalises.
        iterations: updates.
        epochs: the same in epochs; 0 where `iterations` says it.
        base_lr: learning rate of the first iteration, but for warm-up.
        base_batch: videos of a batch that `base_lr` is meant for: the rate is
            base_lr * batch / base_batch. 0: for any.
        schedule: "step", or "cosine" for half a cosine from that rate to end_lr, which
            moves once an epoch if `epochs` is given, and once an update if not.
        end_lr: where the cosine ends; it is not scaled by base_batch.
        drops: iterations at which the learning rate is multiplied by gamma; a constant
            rate has none.
        drop_epochs: the same in epochs.
        gamma: that factor.
        warmup: iterations in which the rate grows in equal steps from warmup_ratio of
            what the schedule says to all of it.
        warmup_epochs: the same in epochs.
        warmup_ratio: share of the rate that the first update has in a warm-up.
        momentum: of the velocity.
        weight_decay: L2, of kernels.
        clip: greatest norm of the gradient; 0 for none.
        label_smoothing: share of the label that is spread evenly over all classes.
        precision: "float32", "bfloat16" or "float16".
        seed: of everything that is drawn.
        validate_every: iterations; 0 for at the end only.
        validate_epochs: the same in epochs.
        save_every: iterations between checkpoints.
    """

    solver: str = "caffe"
    groups: str = "caffe"
    batch: int = 128
    iter_size: int = 1
    device_batch: int = 32
    iterations: int = 3500
    epochs: int = 0
    base_lr: float = 0.001
    base_batch: int = 0
    schedule: str = "step"
    end_lr: float = 0.0
    drops: tuple[int, ...] = (1500, 3000)
    drop_epochs: tuple[int, ...] = ()
    gamma: float = 0.1
    warmup: int = 0
    warmup_epochs: int = 0
    warmup_ratio: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 0.0005
    clip: float = 40.0
    label_smoothing: float = 0.0
    precision: str = "float32"
    seed: int = 0
    validate_every: int = 500
    validate_epochs: int = 0
    save_every: int = 500

    @property
    def rate(self) -> float:
        """Learning rate of the schedule's beginning, for this batch.

        Example:
            >>> TrainSettings(batch=64, base_lr=0.01, base_batch=256).rate
            0.0025
        """
        return self.base_lr * (self.batch / self.base_batch if self.base_batch else 1)

    def epoch(self, videos: int) -> int:
        """Iterations of an epoch of so many videos."""
        return -(-videos // self.batch)

    def in_iterations(self, videos: int) -> "TrainSettings":
        """The same with all lengths in iterations.

        Args:
            videos: number of training videos.

        Raises:
            InputError: there are too many iterations.

        Example:
            >>> train = TrainSettings(epochs=80, drop_epochs=(30, 60))
            >>> train = train.in_iterations(9537)
            >>> train.iterations, train.drops
            (6000, (2250, 4500))
        """
        length, made = self.epoch(videos), {}
        for key, other in _IN_EPOCHS.items():
            value = getattr(self, key)
            if isinstance(value, tuple):
                most, value = max(value, default=0), tuple(n * length for n in value)
            else:
                most, value = value, value * length
            if most * length > _ITERATIONS.most:
                raise InputError(
                    f"train.{key} is {most}: with {length} iterations an epoch that is "
                    f"more than {_ITERATIONS.most} iterations"
                )
            if value:
                made[other] = value
        return dataclasses.replace(self, **made)


@dataclasses.dataclass(frozen=True)
class Training:
    """A training run."""

    data: DataSettings = dataclasses.field(default_factory=DataSettings)
    model: ModelSettings = dataclasses.field(default_factory=ModelSettings)
    train: TrainSettings = dataclasses.field(default_factory=TrainSettings)


_SHARE = _Range(0, 1, below=True)
_VIDEOS = _Range(1, 65_536)
_ITERATIONS = _Range(1, 100_000_000)
_EPOCHS = _Range(1, 1_000_000)
# Keys in epochs, and those in iterations whose place they take.
_IN_EPOCHS = {
    "epochs": "iterations",
    "drop_epochs": "drops",
    "warmup_epochs": "warmup",
    "validate_epochs": "validate_every",
}

# What a value must be, beyond its type. Every number has its range here.
_RULES = {
    "data.split": _OneOf(_splits()),
    "data.holdout": _SHARE,
    "model.segments": _Range(1, 100),
    "model.dropout": _SHARE,
    "model.consensus": _OneOf(("scores", "features")),
    "model.init_std": _Range(0, 10),
    "model.first_conv": _OneOf(("cross_modality", "random")),
    "model.batch_norm": _OneOf(("first", "none", "all", "affine")),
    "model.width": _Range(0, 4, above=True),
    "train.solver": _OneOf(("caffe", "torch")),
    "train.groups": _OneOf(("caffe", "tsn_pytorch", "mmaction2", "mmaction2_tsm")),
    "train.batch": _VIDEOS,
    "train.iter_size": _VIDEOS,
    "train.device_batch": _VIDEOS,
    "train.iterations": _ITERATIONS,
    "train.epochs": _Range(0, _EPOCHS.most),
    "train.base_lr": _Range(0, 1000, above=True),
    "train.base_batch": _Range(0, _VIDEOS.most),
    "train.schedule": _OneOf(("step", "cosine")),
    "train.end_lr": _Range(0, 1000),
    "train.drops": _Increasing(_ITERATIONS, 1000),
    "train.drop_epochs": _Increasing(_EPOCHS, 1000),
    "train.warmup": _Range(0, _ITERATIONS.most),
    "train.warmup_epochs": _Range(0, _EPOCHS.most),
    "train.warmup_ratio": _Range(0, 1),
    "train.gamma": _Range(0, 10, above=True),
    "train.momentum": _SHARE,
    "train.weight_decay": _Range(0, 10),
    "train.clip": _Range(0, 1_000_000),
    "train.label_smoothing": _SHARE,
    "train.precision": _OneOf(("float32", "bfloat16", "float16")),
    "train.seed": _Range(0, 2**31 - 1),
    "train.validate_every": _Range(0, _ITERATIONS.most),
    "train.validate_epochs": _Range(0, _EPOCHS.most),
    "train.save_every": _ITERATIONS,
}
_MAX_TEXT = 4096  # characters: a path has no more


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
    values = _parsed(_content(path), path)
    for override in overrides:
        key, equals, value = override.partition("=")
        section, dot, name = key.strip().partition(".")
        if not (equals and dot):
            raise InputError(
                f"{override[:_MAX_SHOWN]!r}: must be like train.base_lr=0.002"
            )
        part = values.setdefault(section, {})
        if isinstance(part, dict):
            part[name] = _toml_value(value.strip(), override)
    return _training(values, f"{path}")


def training_of(values) -> Training:
    """Makes the settings of a run of a dict, as a training file holds them.

    Args:
        values: {"data": {...}, "model": {...}, "train": {...}}; what it leaves out
            has the values of Training.

    Returns:
        Training.

    Raises:
        InputError: see `read_training`.

    Example:
        >>> training_of({"train": {"drops": [10, 20]}}).train.drops
        (10, 20)
    """
    return _training(_plain(values), "config")


def _training(values, where):
    """Makes and checks the settings of a dict, as TOML has it."""
    train = values.get("train")
    if isinstance(train, dict):
        values = {**values, "train": _schedule(train, where)}
    found = _record(Training, values, where)
    _check(found, where)
    return found


def _schedule(train, where):
    """Refuses what is given twice, in iterations and in epochs.

    Returns:
        `train` without the default drops, which are those of the default iterations.
    """
    for key, other in _IN_EPOCHS.items():
        if train.get(key) and other in train:
            none = "[]" if key == "drop_epochs" else 0
            raise InputError(
                f"{where}: train.{key} and train.{other} say the same twice: leave one "
                f"out, or set train.{key}={none}"
            )
    cosine = train.get("schedule") == "cosine"
    if cosine and (train.get("drops") or train.get("drop_epochs")):
        raise InputError(
            f'{where}: train.schedule = "cosine" has no drops: leave train.drops and '
            f"train.drop_epochs out"
        )
    if not cosine and train.get("end_lr"):
        raise InputError(
            f'{where}: train.end_lr is where train.schedule = "cosine" ends: set that, '
            f"or leave it out"
        )
    if cosine or train.get("epochs") or train.get("drop_epochs"):
        return {"drops": [], **train}
    return train


def _plain(value):
    """A value of Python with lists in the place of tuples, as TOML has."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _content(path):
    """The text of a training file that is no larger than one can be."""
    try:
        return text.read(pathlib.Path(path), _MAX_BYTES)
    except text.TextFileError as error:
        raise InputError(f"{path} is not TOML: {error}") from None


def _parsed(content, where):
    """Parses TOML; whatever is wrong with it is an InputError."""
    for number, line in enumerate(content.split("\n"), 1):
        if len(line) > _MAX_LINE:
            raise InputError(
                f"{where} is not TOML: line {number} has {len(line)} characters; a "
                f"line has at most {_MAX_LINE}"
            )
    try:
        return tomllib.loads(content)
    except RecursionError:
        raise InputError(f"{where} is not TOML: it is nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where} is not TOML: {error!s:.300}") from None
    except ValueError:
        # Python does not convert integers of more than some thousand digits.
        raise InputError(
            f"{where} is not TOML: it holds a number of too many digits"
        ) from None


# Settings that name a record.
_RECORDS = {
    "data.dataset": DATASETS,
    "data.modality": MODALITIES,
    "data.protocol": PROTOCOLS,
}


def _check(training, path):
    """Checks every value against its rule, and those that bear on one another."""
    # Looked up now, so that records that users added are known.
    records = {key: _OneOf(tuple(catalogue)) for key, catalogue in _RECORDS.items()}
    records["data.augmentation"] = _OneOf(("protocol", *AUGMENTATIONS))
    for key, rule in (records | _RULES).items():
        section, _, name = key.partition(".")
        value = getattr(getattr(training, section), name)
        if value not in rule:
            raise InputError(
                f"{path}: {key} must be {rule}. Received: {_received(value)}"
            )
    train = training.train
    if train.batch % train.iter_size:
        raise InputError(
            f"{path}: train.batch must be a multiple of train.iter_size. Received: "
            f"{train.batch} and {train.iter_size}"
        )


def _toml_value(value, override):
    """The value of an override: as in TOML, or a text as it stands."""
    where = f"{override[:_MAX_SHOWN]!r}"
    if len(value) > _MAX_OVERRIDE or "\n" in value:
        raise InputError(f"{where}: the value is too long, or of several lines")
    try:
        return tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        return value
    except (RecursionError, ValueError):
        raise InputError(
            f"{where}: the value is nested too deeply, or a number of too many digits"
        ) from None


def _received(value):
    """A wrong value, as far as a message has room for it."""
    try:
        shown = repr(value)
    except (RecursionError, ValueError):
        # Keys with many dots are nested as deeply; hexadecimal numbers have no limit.
        return f"a {type(value).__name__} that is too large to show"
    return short(shown, _MAX_SHOWN)


def _record(kind, values, where):
    """Makes a record of a dict, checking names and types."""
    if not isinstance(values, dict):
        raise InputError(
            f"{where}: expected keys and values. Received: {_received(values)}"
        )
    fields = {field.name: field for field in dataclasses.fields(kind)}
    made = {}
    for name, value in values.items():
        if name not in fields:
            nearest = difflib.get_close_matches(
                name[:_MAX_SHOWN], fields, n=1, cutoff=0
            )
            raise InputError(
                f"{where}: there is no {name[:_MAX_SHOWN]!r}; did you mean "
                f"{nearest[0]!r}?"
            )
        made[name] = _typed(fields[name].type, value, f"{where}: {name}")
    return kind(**made)


def _typed(kind, value, where):
    """Checks a value against the type of its field."""
    if dataclasses.is_dataclass(kind):
        return _record(kind, value, where)
    exact = type(value)  # A bool is an int, but no number here.
    if kind is float and exact is int:
        # No float is larger; the range of the setting refuses it.
        if abs(value) >= 10**300:
            return math.inf if value > 0 else -math.inf
        return float(value)
    if kind == tuple[int, ...] and exact is list and all(type(v) is int for v in value):
        return tuple(value)
    if exact is not kind:
        name = "list of int" if kind == tuple[int, ...] else kind.__name__
        raise InputError(f"{where} must be {name}. Received: {_received(value)}")
    if exact is str:
        if len(value) > _MAX_TEXT:
            raise InputError(f"{where} has {len(value)} characters, which is too long")
        if reason := text.unusable(value):
            raise InputError(f"{where} {reason}")
    return value
