"""Temporal Segment Networks in Keras 3.

Wang et al., "Temporal Segment Networks: Towards Good Practices for Deep
Action Recognition", ECCV 2016 (https://arxiv.org/abs/1608.00859).

    import tsn_keras as tsn

    tsn.presets(dataset="hmdb51")                     # published weights
    recognizer = tsn.Recognizer.from_preset("hmdb51_rgb_split1", "hmdb51_flow_split1")
    recognizer.predict("clip.avi").top(5)             # what a video shows
    tsn.explain(recognizer, "clip.avi").save("why.png")   # which places, when
    tsn.visualise_class("hmdb51_rgb_split1", "wave").save("wave.png")
    recognizer.evaluate("hmdb51", data="frames")      # the published test
    tsn.extract("videos", "frames")                   # frames and optical flow
    tsn.train("configs/own_rgb.toml", out="runs/rgb") # Caffe's solver
    tsn.study("configs/studies/demo.toml")            # tables of published papers
    found = tsn.fuse(["rgb.h5", "flow.h5"], weights=[1, 1.5])  # score files
    tsn.report(found, "page")                         # page/index.html
    tsn.export("hmdb51_rgb_split1", "rgb.onnx")       # a file without tsn_keras
    model = tsn.TSN(tsn.load("imagenet_rgb", classes=51), preprocess=True)
    train = tsn.dataset("hmdb51", part="train", data="frames")

Errors that a caller can correct are ValueError (`InputError`); the text names the
argument, its value and the way out.
"""

from __future__ import annotations

import os
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence

# Slow packages are imported where they are needed: `import tsn_keras` must not take
# the seconds of Keras and TensorFlow.
if typing.TYPE_CHECKING:
    import pathlib

    import keras
    import numpy as np
    import tensorflow as tf

    from tsn_keras.checkpoints.presets import Preset
    from tsn_keras.common.errors import InputError
    from tsn_keras.common.progress import Progress
    from tsn_keras.config import Training
    from tsn_keras.evaluation.results import Evaluation
    from tsn_keras.explanation.results import Explanation
    from tsn_keras.explanation.visualisation import Visualisation
    from tsn_keras.exporting.run import Exported
    from tsn_keras.extraction.run import Extraction
    from tsn_keras.models.preprocessing import Preprocessing
    from tsn_keras.models.tsn import TSN
    from tsn_keras.prediction.recognizer import Recognizer
    from tsn_keras.scores.fusion import Fusion
    from tsn_keras.studies.results import Table
    from tsn_keras.training.loop import Trained
    from tsn_keras.training.optimizer import CaffeSGD

    Path = str | os.PathLike[str]
    Reporting = bool | Callable[[Progress], object] | None

__version__ = "0.1.0"

__all__ = [
    "TSN",
    "CaffeSGD",
    "InputError",
    "Preprocessing",
    "Progress",
    "Recognizer",
    "dataset",
    "explain",
    "export",
    "extract",
    "fuse",
    "load",
    "multipliers",
    "presets",
    "report",
    "save_preset",
    "study",
    "train",
    "visualise_class",
]

# Where these names are defined and documented.
_ELSEWHERE = {
    "TSN": "tsn_keras.models.tsn",
    "CaffeSGD": "tsn_keras.training.optimizer",
    "InputError": "tsn_keras.common.errors",
    "Preprocessing": "tsn_keras.models.preprocessing",
    "Progress": "tsn_keras.common.progress",
    "Recognizer": "tsn_keras.prediction.recognizer",
}


def __getattr__(name: str) -> typing.Any:
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    from tsn_keras.common import console

    with console.quiet_frameworks():
        module = importlib.import_module(_ELSEWHERE[name])
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(types.ModuleType):
    """This module: a command's file does not hide the function of its name.

    The import of `tsn_keras.train` would set the attribute `train` to the module.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in __all__ and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def presets(
    dataset: str | None = None,
    modality: str | None = None,
    split: int | None = None,
    backbone: str | None = None,
) -> tuple[Preset, ...]:
    """Lists the published weights.

    Args:
        dataset: those for a data set, such as "hmdb51"; None: for all.
        modality: "rgb" or "flow"; None: both.
        split: those of a split; None: of all.
        backbone: those of a network, such as "resnet50"; None: of all.

    Returns:
        tuple of records with `name`, `dataset`, `split`, `modality`, `backbone`,
        `protocol`, `classes`, `class_names`, `accuracy` (published, in percent),
        `metric`, `top5`, `also` (what was published of other tests), `licence`,
        `note`, `file`, `url`, `origin`, `sha256` and `sha256_start`. What was not
        published is None.

    Raises:
        ValueError: no weights are of such a data set, modality, split or network.

    Example:
        >>> import tsn_keras as tsn
        >>> found = tsn.presets(dataset="hmdb51", split=1, backbone="bn_inception")
        >>> [preset.name for preset in found]
        ['hmdb51_rgb_split1', 'hmdb51_flow_split1']
        >>> found[0].accuracy
        54.4
    """
    from tsn_keras.checkpoints.presets import matching

    return matching(dataset=dataset, modality=modality, split=split, backbone=backbone)


def load(
    name_or_path: Path,
    *,
    classes: int | None = None,
    batch_norm: str = "all",
    folder: Path | None = None,
    inverse_std: bool = False,
    backbone: str | None = None,
) -> keras.Model:
    """Loads a model with its weights.

    Args:
        name_or_path: name of a preset (see `presets`), or path or address of a
            .caffemodel or .weights.h5 file; or a folder of `save_preset`, also as
            "hf://USER/NAME" or "kaggle://USER/MODEL/keras/NAME".
        classes: number of classes of a new classifier, with random weights, to be
            trained; None, or the number that the file has: the file's own.
        batch_norm: the trainable batch norms: "all"; "first", as TSN trains
            (section 3.3, partial batch norm); or "none".
        folder: folder to search first for a preset's file.
        inverse_std: the .caffemodel is older than April 2016 and its batch
            norms hold the inverse of the standard deviation.
        backbone: name of the network, for a file of another program whose arrays fit
            several and that does not say of which it is.

    Returns:
        keras.Model: [N, 224, 224, C] to raw scores [N, classes], before the softmax.
        Images are B, G, R (flow: x1, y1, ..., x5, y5), 0 to 255 less the mean:
        `Preprocessing` does that, and `TSN(..., preprocess=True)`. Its
        `class_names` is a tuple of str, or None where nothing names the classes.

    Raises:
        ValueError: no such preset, or the file cannot be used.
        OSError: no such file.

    Example:
        >>> import tsn_keras as tsn
        >>> model = tsn.load("demo_rgb")
        >>> model.output_shape, model.class_names[0]
        ((None, 16), 'checks_down')
        >>> tsn.load("demo_rgb", classes=51).output_shape
        (None, 51)
    """
    from tsn_keras.common import console

    with console.quiet_frameworks():
        from tsn_keras.checkpoints import loading
        from tsn_keras.prediction import class_names
    weights = loading.find(
        name_or_path, folder=folder, inverse_std=inverse_std, backbone=backbone
    )
    loading.demand(weights, backbone)
    model = loading.build(weights, classes, batch_norm)
    own = classes in (None, weights.architecture.classes)
    model.class_names = class_names.known(weights) if own else None
    return model


def save_preset(
    model: keras.Model | Path,
    folder: Path,
    *,
    class_names: Sequence[str] | None = None,
    licence: str | None = None,
) -> pathlib.Path:
    """Writes a network into a folder of its own, to be shared.

    In the form of keras-hub's presets: `config.json`, `model.weights.h5`,
    `preprocessor.json`, the names of the classes, and a model card made of what is
    known. `load`, `Recognizer.from_preset` and the commands open such a folder, and on
    a model hub as "hf://USER/NAME" or "kaggle://USER/MODEL/keras/NAME".

    Args:
        model: what `load` returned, trained further or not; or the name of a preset, or
            path of a weight file.
        folder: a new folder, or an empty one.
        class_names: names of the classes; None: those of the weights, if any.
        licence: of the weights, for the card; None: that of the preset, or not stated.

    Returns:
        pathlib.Path of the folder.

    Raises:
        ValueError: the model is none of `load`, the names are not those of so many
            classes, or the folder is not empty.
        OSError: it cannot be written.

    Example:
        >>> import tempfile
        >>> import tsn_keras as tsn
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     folder = tsn.save_preset("demo_rgb", f"{parent}/shared")
        ...     print(*sorted(path.name for path in folder.iterdir()))
        ...     print(tsn.load(folder).class_names[:2])
        README.md class_names.txt config.json metadata.json model.weights.h5 \
preprocessor.json
        ('checks_down', 'checks_in')
    """
    from tsn_keras.common import console

    with console.quiet_frameworks():
        from tsn_keras.checkpoints import conversion, loading
        from tsn_keras.prediction import class_names as naming
    if isinstance(model, (str, os.PathLike)):
        weights = loading.find(model)
        names = class_names or naming.known(weights)
        return conversion.share(weights, folder, names, licence)
    names = class_names or getattr(model, "class_names", None)
    return conversion.share_model(model, folder, names, licence)


def export(
    model: keras.Model | Path,
    path: Path,
    to: str = "onnx",
    *,
    whole: bool = False,
    precision: str = "float32",
    protocol: str | None = None,
    crops: int | None = None,
    frames: Path | None = None,
    progress: Reporting = None,
) -> Exported:
    """Writes a network as a file that runs without tsn_keras.

    Batch norms are folded, the batch is of any size, and the file says whose weights
    and classes it has. Before it is kept, its scores are compared with those of Keras,
    in the program that runs it.

    Args:
        model: what `load` returned, trained further or not; or the name of a preset, or
            path of a weight file.
        path: of the file, ending in .onnx, .tflite or .xml (OpenVINO's, with a .bin
            beside it); of a new folder for a SavedModel.
        to: "onnx", "openvino", "tflite" or "savedmodel".
        whole: whether the file takes "frames", uint8 [videos, snippets, height, width,
            planes], and gives "probabilities" and "scores" [videos, classes], with
            crops, mean, network and consensus in it; else it takes "images", float32
            [N, S, S, channels], less the mean, and gives raw "scores" [N, classes].
        precision: of the file's numbers; "float16" and "int8" of "openvino" and
            "tflite" are smaller and less exact.
        protocol: with `whole`: name of another protocol than that of the weights.
        crops: with `whole`: 1, 3 or 10 crops of a snippet; None: as the test of the
            protocol.
        frames: a video file, a folder of them or a list, on which the file is compared
            and its int8 calibrated; None: videos of the weights' data set in
            TSN_KERAS_DATA, else of the demo.
        progress: see `extract`.

    Returns:
        A record with `path`, `about`, what the file says of itself, `size` in bytes,
        and `checked`, whose `difference` is that of the scores as a share of the
        largest.

    Raises:
        ValueError: the weights cannot be used, a package is missing, or the file
            computes something else than Keras; then it is not left there.
        OSError: a file cannot be read or written.

    Example:
        >>> import tempfile
        >>> import tsn_keras as tsn
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = tsn.export("demo_rgb", f"{folder}/rgb.tflite", "tflite")
        >>> found.about["input"]["shape"], found.checked.difference < 1e-5
        ([None, 224, 224, 3], True)
    """
    import tempfile

    from tsn_keras.common import console
    from tsn_keras.common.progress import listener_of
    from tsn_keras.protocols.overrides import Override

    with console.quiet_frameworks():
        from tsn_keras.exporting import run
    with tempfile.TemporaryDirectory() as folder:
        if not isinstance(model, (str, os.PathLike)):
            model = save_preset(model, f"{folder}/model")
        request = run.Request(
            weights=os.fspath(model),
            to=to,
            out=os.fspath(path),
            whole=whole,
            precision=precision,
            frames=None if frames is None else os.fspath(frames),
            override=Override(protocol=protocol, crops=crops),
        )
        return run.export(request, listener_of(progress))


def multipliers(backbone: keras.Model) -> dict[str, tuple[float, float]]:
    """Factors of the learning rate and the weight decay, as TSN trains.

    Kernels (1, 1), biases (2, 0), batch norms (1, 0); the first convolution of flow
    learns five times as fast (temporal-segment-networks
    models/*/tsn_bn_inception_*_train_val.prototxt).

    Args:
        backbone: what `load` returned.

    Returns:
        {path of a variable: (factor of the rate, of the decay)}, for
        `CaffeSGD(multipliers=...)`.

    Raises:
        ValueError: `load` did not make the model.

    Example:
        >>> import tsn_keras as tsn
        >>> tsn.multipliers(tsn.load("demo_flow"))["conv1_7x7_s2/kernel"]
        (5.0, 1.0)
    """
    from tsn_keras.models import identity, training_rules

    known = identity.demanded(backbone, "backbone")
    rate = known.stream.modality.first_rate
    return training_rules.multipliers(backbone, known.backbone, rate)


def dataset(
    name: str,
    *,
    split: int | None = None,
    modality: str = "rgb",
    part: str = "train",
    data: Path | None = None,
    annotations: Path | None = None,
    validation: Path | None = None,
    classes: Path | None = None,
    holdout: float = 0.0,
    segments: int = 3,
    batch: int = 8,
    seed: int = 0,
    protocol: str = "caffe",
    allow_missing: bool = False,
    rgb_prefix: str = "img_",
    flow_x_prefix: str = "flow_x_",
    flow_y_prefix: str = "flow_y_",
    progress: Reporting = None,
) -> tf.data.Dataset:
    """The videos of a data set as pixels of snippets, for `fit`.

    Args:
        name: "hmdb51", "ucf101", "demo"; "folders" for class folders of frame
            folders or video files; or "list" for list files (`annotations`).
        split: number of the official split; None: the first.
        modality: "rgb", "flow", "rgbdiff", "sound", or another name of
            protocols.modalities.
        part: "train": a random snippet of each segment, in a random crop of a
            random scale, mirrored or not, in random order, drawn anew in each
            epoch. "test": the middle snippet of each segment, centre crop, in
            order, as the original validates.
        data: folder of the frame folders, or address; or, not for flow, of the video
            files, which are decoded as they are read. None: TSN_KERAS_DATA/name.
        annotations: folder of the split files (None: in the data folder), or the
            list file.
        validation: list file whose videos are part "test", for "list".
        classes: file with a class name a line, for "list".
        holdout: fraction of each class's videos that is part "test", for
            "folders".
        segments: K, snippets of a video.
        batch: videos in a batch; the last one of an epoch may be smaller.
        seed: decides everything that is drawn.
        protocol: name of the protocol whose crops and rules apply.
        allow_missing: leave out videos that are not on disk.
        rgb_prefix, flow_x_prefix, flow_y_prefix: what stands before the number in
            the names of the files.
        progress: see `extract`.

    Returns:
        tf.data.Dataset of (uint8 [batch, K, 224, 224, planes], int32 [batch]), 3
        planes for RGB (B, G, R), 10 for flow, 18 for RGB difference. Pixels of
        modalities that stack displacements are float32. Where videos have several
        labels, these are float32 [batch, classes] of 0 and 1. Its `class_names` is a
        tuple of str, or None.

    Raises:
        ValueError: something is missing or wrong; the text gives the next step.
        OSError: a file cannot be read.

    Example:
        >>> import tsn_keras as tsn
        >>> train = tsn.dataset("demo", modality="flow", batch=4)
        >>> [(spec.dtype.name, spec.shape.as_list()) for spec in train.element_spec]
        [('uint8', [None, 3, 224, 224, 10]), ('int32', [None])]
    """
    from tsn_keras.common import console, storage
    from tsn_keras.common.errors import InputError
    from tsn_keras.common.progress import listener_of
    from tsn_keras.datasets import training_sets
    from tsn_keras.datasets.catalogue import DATASETS
    from tsn_keras.datasets.records import Choice
    from tsn_keras.protocols.catalogue import PROTOCOLS
    from tsn_keras.protocols.modalities import MODALITIES
    from tsn_keras.protocols.records import Stream

    if part not in ("train", "test"):
        raise InputError(f'`part` must be "train" or "test", not {part!r}')
    for key, number in (("segments", segments), ("batch", batch)):
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise InputError(f"`{key}` must be an integer of at least 1, not {number}")
    stream = Stream(MODALITIES.find(modality), PROTOCOLS.find(protocol))
    stream = stream.with_prefixes(
        {"img_": rgb_prefix, "flow_x_": flow_x_prefix, "flow_y_": flow_y_prefix}
    )
    with console.quiet_frameworks():
        from tsn_keras.pipeline.labels import Labels
        from tsn_keras.pipeline.training import Batches
    root, listed, held_out, named = (
        None if path is None else storage.path(path)
        for path in (data, annotations, validation, classes)
    )
    _prepare((root, listed, held_out, named))
    choice = Choice(
        name,
        split=DATASETS.find(name).default_split if split is None else split,
        root=root,
        annotations=listed,
        validation=held_out,
        classes=named,
        holdout=holdout,
        allow_missing=allow_missing,
    )
    found = training_sets.find(
        choice,
        stream.modality.all_prefixes,
        listener_of(progress),
        images=not stream.modality.has_flow,
    ).under(stream)
    chosen = found.train if part == "train" else found.validation
    if chosen is None:
        raise InputError(
            f'{name} has no videos for `part="test"`: name some with `holdout` or '
            f"`validation`"
        )
    labels = Labels(found.count, found.mirrored)
    batches = Batches(chosen.folders, stream, segments, batch, seed, labels=labels)
    made = batches.for_fit() if part == "train" else batches.for_test()
    made.class_names = found.classes
    return made


def _prepare(places: typing.Iterable[typing.Any]) -> None:
    """Loads what reads addresses."""
    from tsn_keras.common import console, storage
    from tsn_keras.datasets.selection import DATA_VARIABLE

    with console.quiet_frameworks():
        storage.prepare((*places, os.environ.get(DATA_VARIABLE)))


def extract(
    videos: Path,
    out: Path,
    *,
    flow: str = "tvl1",
    parameters: str = "original",
    device: str | None = None,
    batch: int | None = None,
    size: tuple[int, int] = (340, 256),
    bound: float | None = 20.0,
    backward: bool = False,
    keep_damaged: bool = False,
    sound: bool = False,
    flat: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Reporting = None,
) -> Extraction:
    """Makes frames and optical flow of videos, as the original's tools do.

    Each video becomes a folder with img_00001.jpg, flow_x_00001.jpg,
    flow_y_00001.jpg, ...; those that are there already are not made again.

    Args:
        videos: a video file, a folder with all below it, or a list (.txt).
        out: folder for the frame folders.
        flow: "tvl1"; "warped": also flow without the camera's motion; or "none":
            images only.
        parameters: of TV-L1: "original", or "opencv4", the defaults of OpenCV 3
            and 4, which is another flow.
        device: what computes flow: "opencv"; or Keras on "cpu", "gpu" or "auto", a
            GPU where there is one. None: as the folders that are there were made,
            else "auto".
        batch: pairs of frames that Keras computes at once; None: what suits the
            device.
        size: (width, height) of the files in pixels.
        bound: motion in pixels that becomes grey level 255, and 0 if negative. None:
            the grey levels span the range of each field, which is stored, as in the
            two-stream networks of 2014.
        backward: also flow from each frame to the one before it, which bi-directional
            stacks need: flow_bx_00001.jpg, flow_by_00001.jpg, ...
        keep_damaged: use the frames before the damage of a damaged video; else it
            fails.
        sound: store the sound too, also where the frames are there already: mono,
            16 kHz, `sound.flac`. Videos without sound are counted: `.silent`.
        flat: leave out the class folders of `videos`.
        workers: cores to use; None: all.
        scheduler: address of a Dask cluster's scheduler; None: this machine.
        progress: how to tell how far it has come. None: not at all; True: bars on
            standard error; or a function that is called with a `Progress`.

    Returns:
        Extraction: `print` shows it; `.made`, `.already`, `.failed` {video: reason}.

    Raises:
        ValueError: nothing to do, an argument out of its range, folders that were
            made otherwise, a full disk.
        OSError: the videos cannot be read, or nothing can be written.

    Example:
        >>> import tsn_keras as tsn
        >>> tsn.extract("no_such_folder", "frames")
        Traceback (most recent call last):
        ...
        tsn_keras.video.sources.VideosError: there is no file or folder no_such_folder
    """
    import pathlib

    from tsn_keras.common.errors import InputError
    from tsn_keras.common.progress import listener_of
    from tsn_keras.extraction import run
    from tsn_keras.extraction.settings import FLOWS, Settings
    from tsn_keras.extraction.workers import Workers
    from tsn_keras.flow.settings import FlowSettings

    if flow not in FLOWS:
        raise InputError(f"`flow` must be one of {', '.join(FLOWS)}, not {flow!r}")
    if not (
        isinstance(size, (tuple, list))
        and len(size) == 2
        and all(type(side) is int for side in size)
    ):
        raise InputError(f"`size` must be (width, height) in pixels, not {size!r}")
    wanted = None
    if flow == "none" and backward:
        raise InputError('`flow="none"` takes no `backward`')
    if flow != "none":
        wanted = FlowSettings(
            *(parameters, device, batch, None if bound is None else float(bound)),
            warped=flow == "warped",
            backward=backward,
        )
    request = run.Request(
        videos=pathlib.Path(videos),
        out=pathlib.Path(out),
        settings=Settings(wanted, (size[0], size[1]), keep_damaged, sound),
        flat=flat,
        workers=Workers(workers, scheduler),
    )
    return run.extract(request, listener_of(progress))


def train(
    config: Path | Mapping[str, Mapping[str, typing.Any]] | Training,
    *,
    out: Path,
    evaluate: bool = False,
    progress: Reporting = None,
) -> Trained:
    """Trains a network as the original does, or resumes the training.

    Args:
        config: a training file (TOML, see configs/); or the same as a dict,
            {"data": {...}, "model": {...}, "train": {...}}, of what differs from
            the defaults (`tsn_keras.config`).
        out: folder of the run: weights, checkpoint, log.csv, validation.csv,
            TensorBoard's logs. A run that stopped is resumed there.
        evaluate: at the end, score the validation videos with 25 snippets x 10
            crops.
        progress: see `extract`.

    Returns:
        Trained: `.weights` is the path of the last weights, `.validations` a tuple
        of dicts, `.evaluation` as of `Recognizer.evaluate`, or None.

    Raises:
        ValueError: a key is unknown, a value out of its range, videos are missing,
            or the loss is not finite any more; the text gives the next step.
        OSError: a file cannot be read or written.

    Example:
        >>> import tsn_keras as tsn
        >>> tsn.train({"train": {"batch": 0}}, out="run")
        Traceback (most recent call last):
        ...
        tsn_keras.common.errors.InputError: config: train.batch must be from 1 to \
65536. Received: 0
    """
    from tsn_keras import config as configuration
    from tsn_keras.common.progress import listener_of
    from tsn_keras.training import run

    if isinstance(config, configuration.Training):
        settings = config
    elif isinstance(config, Mapping):
        settings = configuration.training_of(config)
    else:
        settings = configuration.read_training(config)
    request = run.Request(settings, os.fspath(out), evaluate)
    return run.train(request, listener_of(progress))


def study(
    file: Path,
    *,
    runs: Path = "runs/studies",
    changes: Mapping[str, Mapping[str, typing.Any]] | None = None,
    of_cells: Mapping[str, Mapping[str, Mapping[str, typing.Any]]] | None = None,
    only: Sequence[str] = (),
    splits: Sequence[int] = (),
    scheduler: str | None = None,
    progress: Reporting = None,
) -> Table:
    """Runs the cells of a table that are not finished, and makes the table.

    A cell is a training with its test, or a fusion of the scores of such cells.

    Args:
        file: a study file (TOML, see configs/studies/).
        runs: folder of the folders of runs, each named by its settings: what studies
            have in common is there once.
        changes: {"data": {...}, "model": {...}, "train": {...}} for all cells, but for
            those that are about this very key.
        of_cells: {name of a cell: the same for it alone}.
        only: names of the cells to run; (): all.
        splits: of those of the study, these; (): all.
        scheduler: address of a Dask cluster's scheduler, whose workers make a run at a
            time; None: this process.
        progress: see `extract`.

    Returns:
        Table: `print` shows it beside the published one; `.of(name).value` and
        `.difference` of a cell in percent, `.failed` {folder: reason},
        `.write_csv(path)`.

    Raises:
        ValueError: the study file, or a setting of a cell, is wrong; the text names it.
        OSError: a file cannot be read or written.

    Example:
        >>> import tsn_keras as tsn
        >>> tsn.study("no_such_study.toml")
        Traceback (most recent call last):
        ...
        FileNotFoundError: [Errno 2] No such file or directory: 'no_such_study.toml'
    """
    from tsn_keras.common.progress import listener_of
    from tsn_keras.studies import running
    from tsn_keras.studies.records import Options

    options = Options(
        os.fspath(runs), changes or {}, of_cells or {}, tuple(only), tuple(splits)
    )
    return running.study(file, options, scheduler, listener_of(progress))


def fuse(
    files: Sequence[Path],
    *,
    weights: Sequence[float] | None = None,
    crops: str = "mean",
    allow_missing: bool = False,
    classes: Sequence[str] | None = None,
    over_time: str | None = None,
    search: Sequence[Path] = (),
    svm: Sequence[Path] = (),
    svm_c: float | None = None,
    progress: Reporting = None,
) -> Fusion:
    """Adds the scores of several files, video by video, and their accuracy.

    Args:
        files: score files of `Recognizer.evaluate` (.h5), or the original's (.npz).
        weights: a number for each; None: 1 each. The original takes 1 for RGB, 1.5
            for flow.
        crops: how the crops of a snippet become one score: "mean" or "max".
        allow_missing: use the videos that all files have.
        classes: names of the classes; None: those of the files.
        over_time: how the snippets of a video become one score: "mean", "windows",
            "windows_paper" or "top3"; None: as the files say.
        search: score files of held-out videos, in the order of `files`: the weights
            are chosen on them, beginning at `weights`, which are reported too.
        svm: score files of training videos, in the order of `files`: instead of a
            weighted sum, the scores are those of a linear SVM that is trained on the
            probabilities of all streams (needs scikit-learn). Their average is
            reported too.
        svm_c: C of the SVM; None: 1. No published one is known.
        progress: see `extract`; told what is assumed where files do not say it.

    Returns:
        Fusion: `print` shows the table; `.accuracy.mean_class_accuracy` in percent,
        `.scores` [videos, classes], `.video_ids`, `.labels`, `.confusion_matrix`.

    Raises:
        ValueError: the files cannot be used, or not together.
        OSError: a file cannot be read.

    Example:
        >>> import tsn_keras as tsn
        >>> tsn.fuse([])
        Traceback (most recent call last):
        ...
        tsn_keras.common.errors.InputError: `files` names no score file
    """
    from tsn_keras.common.errors import InputError
    from tsn_keras.common.progress import listener_of
    from tsn_keras.scores import fusion

    paths = [files] if isinstance(files, (str, os.PathLike)) else list(files)
    if not paths:
        raise InputError("`files` names no score file")
    names = None if classes is None else tuple(classes)
    request = fusion.Request(
        [os.fspath(path) for path in paths],
        weights,
        crops,
        allow_missing,
        names,
        over_time,
        [os.fspath(path) for path in search],
        [os.fspath(path) for path in svm],
        svm_c,
    )
    return fusion.fuse(request, listener_of(progress))


def explain(
    recognizer: Recognizer,
    video: Path | np.ndarray,
    class_name: str | None = None,
    *,
    method: str = "grad_cam",
    progress: Reporting = None,
) -> Explanation:
    """Explains why a video has the score of a class that it has.

    Heat shows which places of a snippet the score comes from: Grad-CAM (Selvaraju et
    al., ICCV 2017) or Grad-CAM++ (Chattopadhay et al., WACV 2018) of the network's last
    maps, for the raw score of the whole video, so that each snippet and crop counts as
    it does there: under the mean of K snippets 1 / K. Contributions show which snippets
    and crops the score is made of.

    Args:
        recognizer: what `Recognizer.from_preset` returned: its test is explained, in
            float32.
        video: see `Recognizer.predict`.
        class_name: name of the class; None: the best one.
        method: "grad_cam", or "grad_cam++" for networks whose last maps have no
            negative values.
        progress: see `extract`.

    Returns:
        Explanation: `.save("why.png")`, `.gif` or `.mp4` draws it; `.name` and
        `.probability` of the class, `.prediction` as of `predict`, and of each
        modality `.streams["rgb"]`: `.heat` float32 [snippets, 1, height, width] in the
        frame, not negative (of a network of two streams [snippets, 2, ...]), `.maps`
        the same of each crop, `.contributions` float64 [snippets, crops], whose sum is
        `.score`, `.ticks` the images at which snippets begin. Snippets that a short
        video repeats are one; of many there is heat of the 25 that contribute most
        (`.shown`).

    Raises:
        ValueError: the video or the network cannot be used so, or there is no such
            class or method.
        OSError: the video cannot be read.

    Example:
        >>> import numpy as np
        >>> import tsn_keras as tsn
        >>> recognizer = tsn.Recognizer.from_preset("demo_rgb", fast=True)
        >>> video = np.random.default_rng(0).integers(0, 255, (10, 64, 64, 3), "uint8")
        >>> found = tsn.explain(recognizer, video, "dots_up").streams["rgb"]
        >>> found.heat.shape, found.contributions.shape
        ((3, 1, 256, 340), (3, 1))
    """
    from tsn_keras.common.progress import listener_of
    from tsn_keras.explanation import run

    listener = listener_of(progress)
    return run.explain(recognizer.predictor, video, class_name, method, listener)


def visualise_class(
    name_or_path: Path,
    class_name: str,
    *,
    iterations: Sequence[int] | None = None,
    seed: int = 0,
    classes: str | None = None,
    folder: Path | None = None,
    progress: Reporting = None,
) -> Visualisation:
    """Draws what a network takes for a class: an image that raises its score.

    DeepDraw's gradient ascent from noise, with which TSN's paper shows its networks
    (ECCV 2016, section 4.5): a step along the gradient of the raw score, of a fixed
    mean size, then a blur that weakens; from the second octave on in random crops of a
    larger image. The paper gives no parameters: they are those of DeepDraw's set of two
    octaves. Flow begins with noise around no motion.

    Args:
        name_or_path: see `load`.
        class_name: name of the class.
        iterations: steps of each octave; None: (190, 450). One number: one octave.
        seed: decides what is random; the same seed draws the same on one machine.
        classes: data set, or file with a name a line, that names the classes; None: as
            the weights do.
        folder: see `load`.
        progress: see `extract`.

    Returns:
        Visualisation: `.save("class.png")` draws it, flow in colours, as arrows and in
        grey; `.pixels` float32 [side, side, planes], 0 to 255, as snippets are (B, G,
        R; of flow 128 where nothing moves), `.probability` and `.score` of the class.

    Raises:
        ValueError: the weights cannot be used, there is no such class, or an argument
            is out of its range.
        OSError: no such file.

    Example:
        >>> import tsn_keras as tsn
        >>> found = tsn.visualise_class("demo_flow", "dots_up", iterations=(1,))
        >>> found.pixels.shape
        (224, 224, 10)
        >>> bool(0 <= found.pixels.min() <= found.pixels.max() <= 255)
        True
    """
    from tsn_keras.common.progress import listener_of
    from tsn_keras.explanation import visualisation

    listener = listener_of(progress)
    weights = visualisation.opened(name_or_path, listener, folder)
    how = visualisation.How(iterations, seed, classes)
    return visualisation.visualise(weights, class_name, how, listener)


def report(
    result: Evaluation | Fusion, folder: Path, *, data: Path | None = None
) -> pathlib.Path:
    """Writes a page about a test, for a browser: one HTML file that needs no network.

    Accuracy beside the published one, classes, confusion, the worst and the most
    confident wrong videos, what each stream saves and loses, calibration, learning
    curves where logs of the training are beside weights or scores, and the protocol.

    Args:
        result: what `Recognizer.evaluate` or `fuse` returned; their score files must
            still be there.
        folder: of the page; made if it is not there.
        data: for the pictures of a `fuse`, the folder of the frame folders or video
            files; an evaluation has its own.

    Returns:
        Path of the page, index.html in the folder.

    Raises:
        ValueError: vl-convert-python, which draws, is not installed (the extra
            `report`); or the score files, or `data`, cannot be used.
        OSError: the page cannot be written.

    Example:
        >>> import tsn_keras as tsn
        >>> tsn.report(None, "page")
        Traceback (most recent call last):
        ...
        TypeError: a page is of an Evaluation or Fusion. Received: None
    """
    from tsn_keras.reports import run

    return run.write(result, folder, data)
