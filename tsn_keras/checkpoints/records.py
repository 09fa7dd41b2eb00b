"""The records of published weights: what a file holds, and what it scores."""

import dataclasses
import functools
import pathlib
import re

from tsn_keras.common import text

MEAN_CLASS = "mean class accuracy"
TOP1 = "top-1 accuracy"
MEAN_PRECISION = "mean average precision"
VIDEO_MEAN_PRECISION = "mean average precision over videos"

# Lists of class names, in the order of a network's outputs:
#   kinetics400    mmaction2 tools/data/kinetics/label_map_k400.txt, which is sorted;
#                  torchvision/models/_meta.py has the same
#   imagenet       torchvision/models/_meta.py
#   activitynet    mmaction2 tools/data/activitynet/label_map.txt, in no order by rule
#   hmdb51_sorted  mmaction2 tools/data/hmdb51/label_map.txt; the authors' Caffe models
#                  have kick_ball before kick, and sword_exercise before sword
_LISTS = pathlib.Path(__file__).with_name("classes")

# The digits that end a file's name, before its suffixes: by the custom of PyTorch
# and OpenMMLab its SHA-256 begins with them (torch/hub.py; mmaction2 0.x
# tools/deployment/publish_model.py:22-40).
_DIGITS = re.compile(r"-([0-9a-f]{8,64})(?:\.pth)?(?:\.tar)?$")


@dataclasses.dataclass(frozen=True)
class Tested:
    """What weights score in one test.

    Attributes:
        protocol: name of the protocol whose test it is, see protocols.catalogue.
        accuracy: in percent, by the metric of the preset.
        top5: top-5 accuracy in percent, or None.
    """

    protocol: str
    accuracy: float
    top5: float | None = None


@dataclasses.dataclass(frozen=True)
class Preset:
    """One published weight file.

    Attributes:
        name: what `tsn_keras.load` takes.
        file: name of the file.
        url: where it is downloaded, or None if it must be fetched by hand.
        origin: the page that describes it.
        dataset: what it was trained on.
        split: split it was trained on, or None.
        modality: name of the modality, see protocols.modalities.
        classes: number of classes, or None for a network without classifier.
        accuracy: published accuracy in percent under the protocol's test, or None.
        metric: full name of that accuracy.
        top5: published top-5 accuracy in percent under the same test, or None.
        also: tuple of Tested, what was published of other tests.
        backbone: name of the backbone, see models.backbones.
        protocol: name of the protocol, see protocols.catalogue.
        labels: name of the list of class names in the order of the outputs; None
            where it is that of the data set, or is not known.
        sha256: digest of the file, or None where none was published.
        md5: MD5 of the file where that was published instead, or None.
        licence: of the weights, or of the repository that offers them; None where
            none is stated.
        note: what else there is to know, or "".

    Example:
        >>> from tsn_keras.checkpoints.presets import PRESETS
        >>> preset = PRESETS["tsn_r50_1x1x3_100e_kinetics400_rgb"]
        >>> preset.accuracy, preset.sha256_start
        (70.6, 'e508be42')
    """

    name: str
    file: str
    url: str | None
    origin: str
    dataset: str
    split: int | None
    modality: str
    classes: int | None
    accuracy: float | None
    metric: str = MEAN_CLASS
    top5: float | None = None
    also: tuple[Tested, ...] = ()
    backbone: str = "bn_inception"
    protocol: str = "caffe"
    labels: str | None = None
    sha256: str | None = None
    md5: str | None = None
    licence: str | None = None
    note: str = ""

    @property
    def originals(self) -> tuple[str, ...]:
        """Names of the published file: the authors' own, and as downloaded."""
        # The store of the Caffe models puts ".v5" behind their names.
        is_caffe = self.file.endswith(".caffemodel")
        return (self.file, f"{self.file}.v5") if is_caffe else (self.file,)

    @property
    def files(self) -> tuple[str, ...]:
        """Names under which the file may lie, the converted one first."""
        return f"{self.name}.weights.h5", *self.originals

    @property
    def digits(self) -> str | None:
        """The hexadecimal digits in the file's name, or None."""
        found = _DIGITS.search(self.file)
        return found and found[1]

    @property
    def sha256_start(self) -> str | None:
        """What the file's SHA-256 begins with, or None where nothing is known."""
        return self.sha256 or self.digits

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes in the order of the outputs, or None; see `labels`."""
        return class_list(self.labels) or None

    def agrees(self, digest: str) -> bool | None:
        """Whether a SHA-256 is the file's; None where nothing is known of it."""
        start = self.sha256_start
        return None if start is None else digest.startswith(start)


@dataclasses.dataclass(frozen=True)
class Fusion:
    """What the scores of several presets give together.

    Attributes:
        presets: names of the presets.
        weights: weight of the scores of each.
        accuracy: published accuracy in percent of the weighted sum.
        metric: full name of that accuracy.
        top5: published top-5 accuracy in percent, or None.
    """

    presets: tuple[str, ...]
    weights: tuple[float, ...]
    accuracy: float
    metric: str = MEAN_CLASS
    top5: float | None = None


@functools.cache
def class_list(labels: str | None) -> tuple[str, ...]:
    """The names of a list of classes, or () where there is no such list.

    Example:
        >>> class_list("kinetics400")[6]
        'arm wrestling'
    """
    known = {path.stem: path for path in _LISTS.glob("*.txt")}
    return text.names(known[labels]) if labels in known else ()
