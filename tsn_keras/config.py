"""Training files: what a run can be told, as frozen records, and how it is read."""

import dataclasses

from tsn_keras.common import ranges, toml_records
from tsn_keras.common.errors import InputError
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.protocols.augmentations import AUGMENTATIONS
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES


def _splits():
    """Numbers of the official splits of all data sets."""
    return tuple(sorted({n for dataset in DATASETS.values() for n in dataset.splits}))


@dataclasses.dataclass(frozen=True)
class SourceSettings:
    """[[data.sources]]: further videos to train on, see training.sources.

    Their labels are those of the main videos. An image is a frame folder of one file,
    with `segments = 1`.

    Attributes:
        dataset, split, root, annotations, allow_missing: see DataSettings. The data
            set's training part is taken.
        batch: videos of an update.
        segments: K; 0 for that of the model.
        updates: of an iteration that the source takes part in.
        every: of how many iterations it takes part in one.
        power: see DataSettings.
    """

    dataset: str = "list"
    split: int = 1
    root: str = ""
    annotations: str = ""
    allow_missing: bool = False
    batch: int = 128
    segments: int = 0
    updates: int = 1
    every: int = 1
    power: float = 1.0


@dataclasses.dataclass(frozen=True)
class TaskSettings:
    """[[data.tasks]]: a further data set with a classifier of its own.

    See training.tasks.

    Attributes:
        dataset, split, root, annotations, allow_missing: see DataSettings.
        part: "train", the training part of the data set, or "all", its test part too:
            it is not tested on.
        batch: videos of an update, beside those of train.batch.
        power: see DataSettings.
    """

    dataset: str = "list"
    split: int = 1
    root: str = ""
    annotations: str = ""
    allow_missing: bool = False
    part: str = "train"
    batch: int = 128
    power: float = 1.0


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
        power: below 1, the videos of an epoch are drawn, a class of n videos in
            proportion to n ** power, as MMAction2 does on request; at 0 all classes as
            often. 1: an epoch has every video once.
        sources: SourceSettings of what is trained on beside.
        tasks: TaskSettings of data sets with classifiers of their own.
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
    power: float = 1.0
    sources: tuple[SourceSettings, ...] = ()
    tasks: tuple[TaskSettings, ...] = ()

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
        initial_motion: of a network of two streams, what the second begins with; empty
            for what the first does. `initial` is then a network of one.
        segments: K.
        dropout: fraction of the pooled features that is dropped.
        dropouts: the same of each place, where a backbone drops at several, as VGG-16
            after both dense layers; () for `dropout` at all of them.
        consensus: of the segments' scores, one of models.consensus: "average", "max",
            "top_k", "linear", "attention"; or "features", the average of the pooled
            features, of which one share is then dropped for all segments of a video,
            as MMAction2 does.
        consensus_k: how many scores of each class "top_k" takes the mean of.
        init_std: deviation of the kernel of a new classifier; 0 for that of the
            backbone's original, 0.01 of a ResNet and 0.001 of most others.
        first_conv: of a first convolution that the initial weights have for other
            channels: "cross_modality", their mean over the channels, or "random".
        batch_norm: the trainable ones, "first", "none" or "all"; "affine" for the
            slopes and shifts of all, with the statistics of the initial weights.
        trainable: "all", or "head": only the classifier is trained, and everything
            else, all batch norms included, stays as it is.
        width: factor on the channels of a network with random weights.
    """

    backbone: str = "bn_inception"
    initial: str = ""
    initial_motion: str = ""
    segments: int = 3
    dropout: float = 0.8
    dropouts: tuple[float, ...] = ()
    consensus: str = "average"
    consensus_k: int = 3
    init_std: float = 0.0
    first_conv: str = "cross_modality"
    batch_norm: str = "first"
    trainable: str = "all"
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
            statistics of trainable batch norms as PyTorch keeps them; or "matconvnet",
            alike, whose statistics move once an update (see training.moments).
        consensus_updates: "alternate": where a linear consensus learns weights, every
            second update is theirs alone, and the others are the network's, as the
            paper says; "joint": all learn in every update, as attention does anyway.
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
        loss: "softmax" cross-entropy, or "sigmoid" cross-entropy of each class, for
            data sets whose videos have several labels.
        loss_weight: factor on the loss; MMAction2 has 160 for Multi-Moments, 333 for
            HVU.
        label_smoothing: share of the label that is spread evenly over all classes.
        mixup: alpha of the Beta distribution that shares of blended videos are drawn
            from, see training.mixup; 0 for videos as they are.
        precision: "float32", "bfloat16" or "float16".
        seed: of everything that is drawn.
        validate_every: iterations; 0 for at the end only.
        validate_epochs: the same in epochs.
        save_every: iterations between checkpoints.
    """

    solver: str = "caffe"
    consensus_updates: str = "alternate"
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
    loss: str = "softmax"
    loss_weight: float = 1.0
    label_smoothing: float = 0.0
    mixup: float = 0.0
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


_SHARE = ranges.Range(0, 1, below=True)
_VIDEOS = ranges.Range(1, 65_536)
_ITERATIONS = ranges.Range(1, 100_000_000)
_EPOCHS = ranges.Range(1, 1_000_000)
# Keys in epochs, and those in iterations whose place they take.
_IN_EPOCHS = {
    "epochs": "iterations",
    "drop_epochs": "drops",
    "warmup_epochs": "warmup",
    "validate_epochs": "validate_every",
}

# What a value must be, beyond its type. Every number has its range here.
_RULES = {
    "data.split": ranges.OneOf(_splits()),
    "data.holdout": _SHARE,
    "data.power": ranges.Range(0, 1),
    "model.segments": ranges.Range(1, 100),
    "model.dropout": _SHARE,
    "model.dropouts": ranges.Each(_SHARE, 8),
    "model.consensus": ranges.OneOf(
        ("average", "max", "top_k", "linear", "attention", "features")
    ),
    "model.consensus_k": ranges.Range(1, 100),
    "model.init_std": ranges.Range(0, 10),
    "model.first_conv": ranges.OneOf(("cross_modality", "random")),
    "model.batch_norm": ranges.OneOf(("first", "none", "all", "affine")),
    "model.trainable": ranges.OneOf(("all", "head")),
    "model.width": ranges.Range(0, 4, above=True),
    "train.solver": ranges.OneOf(("caffe", "torch", "matconvnet")),
    "train.consensus_updates": ranges.OneOf(("alternate", "joint")),
    "train.groups": ranges.OneOf(
        (
            *("caffe", "tsn_pytorch", "mmaction2", "mmaction2_tsm", "caffe_uniform"),
            "matconvnet",
        )
    ),
    "train.batch": _VIDEOS,
    "train.iter_size": _VIDEOS,
    "train.device_batch": _VIDEOS,
    "train.iterations": _ITERATIONS,
    "train.epochs": ranges.Range(0, _EPOCHS.most),
    "train.base_lr": ranges.Range(0, 1000, above=True),
    "train.base_batch": ranges.Range(0, _VIDEOS.most),
    "train.schedule": ranges.OneOf(("step", "cosine")),
    "train.end_lr": ranges.Range(0, 1000),
    "train.drops": ranges.Increasing(_ITERATIONS, 1000),
    "train.drop_epochs": ranges.Increasing(_EPOCHS, 1000),
    "train.warmup": ranges.Range(0, _ITERATIONS.most),
    "train.warmup_epochs": ranges.Range(0, _EPOCHS.most),
    "train.warmup_ratio": ranges.Range(0, 1),
    "train.gamma": ranges.Range(0, 10, above=True),
    "train.momentum": _SHARE,
    "train.weight_decay": ranges.Range(0, 10),
    "train.clip": ranges.Range(0, 1_000_000),
    "train.loss": ranges.OneOf(("softmax", "sigmoid")),
    "train.loss_weight": ranges.Range(0, 1_000_000, above=True),
    "train.label_smoothing": _SHARE,
    "train.mixup": ranges.Range(0, 1000),
    "train.precision": ranges.OneOf(("float32", "bfloat16", "float16")),
    "train.seed": ranges.Range(0, 2**31 - 1),
    "train.validate_every": ranges.Range(0, _ITERATIONS.most),
    "train.validate_epochs": ranges.Range(0, _EPOCHS.most),
    "train.save_every": _ITERATIONS,
}
# The same of each of [[data.sources]].
_SOURCE_RULES = {
    "split": _RULES["data.split"],
    "batch": _VIDEOS,
    "segments": ranges.Range(0, 100),
    "updates": ranges.Range(1, 100),
    "every": _ITERATIONS,
    "power": _RULES["data.power"],
}
# And of each of [[data.tasks]].
_TASK_RULES = {
    "split": _RULES["data.split"],
    "part": ranges.OneOf(("train", "all")),
    "batch": _VIDEOS,
    "power": _RULES["data.power"],
}
_MAX_SOURCES = 16


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
    values = toml_records.read(path)
    for override in overrides:
        toml_records.override(values, override, "train.base_lr=0.002")
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
    return _training(toml_records.plain(values), "config")


def _training(values, where):
    """Makes and checks the settings of a dict, as TOML has it."""
    train = values.get("train")
    if isinstance(train, dict):
        values = {**values, "train": _schedule(train, where)}
    found = toml_records.record(Training, values, where)
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


# Settings that name a record.
_RECORDS = {
    "data.dataset": DATASETS,
    "data.modality": MODALITIES,
    "data.protocol": PROTOCOLS,
}


def _check(training, path):
    """Checks every value against its rule, and those that bear on one another."""
    # Looked up now, so that records that users added are known.
    records = {
        key: ranges.OneOf(tuple(catalogue)) for key, catalogue in _RECORDS.items()
    }
    records["data.augmentation"] = ranges.OneOf(("protocol", *AUGMENTATIONS))
    for key, rule in (records | _RULES).items():
        section, _, name = key.partition(".")
        value = getattr(getattr(training, section), name)
        if value not in rule:
            raise InputError(
                f"{path}: {key} must be {rule}. Received: "
                f"{toml_records.received(value)}"
            )
    _check_further(training, path)
    _check_consensus(training, path)
    _check_trainable(training, path)
    train = training.train
    if train.batch % train.iter_size:
        raise InputError(
            f"{path}: train.batch must be a multiple of train.iter_size. Received: "
            f"{train.batch} and {train.iter_size}"
        )


def _check_consensus(training, path):
    """Checks that there are as many segments as the consensus asks for."""
    model = training.model
    counts = [source.segments or model.segments for source in training.data.sources]
    if model.consensus == "top_k" and model.consensus_k > min(
        (model.segments, *counts)
    ):
        raise InputError(
            f"{path}: model.consensus_k is {model.consensus_k}, more than there are "
            f"segments ({min((model.segments, *counts))})"
        )
    if model.consensus == "linear" and set(counts) - {model.segments}:
        raise InputError(
            f'{path}: model.consensus = "linear" learns a weight for each of '
            f"{model.segments} segments; sources of data.sources must have as many"
        )


def _check_further(training, path):
    """Checks [[data.sources]] and [[data.tasks]]; see `_check`."""
    data, train = training.data, training.train
    of_sets = {"dataset": ranges.OneOf(tuple(DATASETS))}
    for key, rules in (("sources", _SOURCE_RULES), ("tasks", _TASK_RULES)):
        entries = getattr(data, key)
        if len(entries) > _MAX_SOURCES:
            raise InputError(
                f"{path}: data.{key} has {len(entries)} entries; at most {_MAX_SOURCES}"
            )
        if entries and train.mixup:
            raise InputError(
                f"{path}: train.mixup is for videos of one source: leave it or "
                f"data.{key} out"
            )
        for number, entry in enumerate(entries):
            for name, rule in (rules | of_sets).items():
                value = getattr(entry, name)
                if value not in rule:
                    raise InputError(
                        f"{path}: {name} of data.{key}[{number}] must be {rule}. "
                        f"Received: {toml_records.received(value)}"
                    )
    if data.sources and data.tasks:
        raise InputError(
            f"{path}: data.sources take turns, and data.tasks share every update: "
            f"leave one of them out"
        )
    if data.tasks and train.loss != "softmax":
        raise InputError(
            f"{path}: data.tasks are for videos with one label each, which "
            f'train.loss = "{train.loss}" is not for: leave one of them out'
        )


def _check_trainable(training, path):
    """Refuses batch norms that are to be trained where all but the head stays."""
    model = training.model
    if model.trainable == "head" and model.batch_norm in ("all", "affine"):
        raise InputError(
            f'{path}: model.trainable = "head" trains no batch norm, and '
            f'model.batch_norm = "{model.batch_norm}" every one: leave one of them out'
        )
