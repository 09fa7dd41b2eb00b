"""The published weights, as records: where they are, and what they score.

The reference's numbers are those of the authors' project page
(https://yjxiong.me/others/tsn/); file names and addresses those of
temporal-segment-networks scripts/get_{init,reference}_models.sh.
"""

import dataclasses

from tsn_keras.common.catalogue import Catalogue

PROJECT_PAGE = "https://yjxiong.me/others/tsn/"
KINETICS_PAGE = "https://yjxiong.me/others/kinetics_action/"
_STORE = "https://yjxiong.blob.core.windows.net"


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
        backbone: name of the backbone, see models.backbones.
        protocol: name of the protocol, see protocols.catalogue.
        sha256: digest of the file, or None where none was published.
        licence: of the weights, or None where none is stated.
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
    metric: str = "mean class accuracy"
    backbone: str = "bn_inception"
    protocol: str = "caffe"
    sha256: str | None = None
    licence: str | None = None

    @property
    def files(self):
        """Names under which the file may lie: converted, original, as downloaded."""
        return f"{self.name}.weights.h5", self.file, f"{self.file}.v5"


# Mean class accuracy in percent of splits 1, 2, 3 and the printed average,
# which is not always that of the three (HMDB51 flow: 63.2 beside 64.2 in the
# page's summary).
_REFERENCE_ACCURACY = {
    ("ucf101", "rgb"): (85.5, 84.9, 84.5, 85.1),
    ("ucf101", "flow"): (87.6, 90.2, 91.3, 89.7),
    ("ucf101", "fusion"): (93.5, 94.3, 94.5, 94.0),
    ("hmdb51", "rgb"): (54.4, 50.0, 49.2, 51.0),
    ("hmdb51", "flow"): (62.4, 63.3, 63.9, 63.2),
    ("hmdb51", "fusion"): (69.5, 67.4, 68.5, 68.5),
}
# The streams of the published fusions.
FUSED = {"rgb", "flow"}

CLASSES = {"ucf101": 101, "hmdb51": 51, "imagenet": 1000, "kinetics": 400}


def _reference(dataset, modality, split):
    file = f"{dataset}_split_{split}_tsn_{modality}_reference_bn_inception.caffemodel"
    return Preset(
        name=f"{dataset}_{modality}_split{split}",
        file=file,
        # The store's names end in .v5 (batch norm with plain variance).
        url=f"{_STORE}/tsn-reference-models/{file}.v5",
        origin=PROJECT_PAGE,
        dataset=dataset,
        split=split,
        modality=modality,
        classes=CLASSES[dataset],
        accuracy=_REFERENCE_ACCURACY[dataset, modality][split - 1],
    )


def _initialisation(modality):
    file = f"bn_inception_{modality}_init.caffemodel"
    return Preset(
        name=f"imagenet_{modality}",
        file=file,
        url=f"{_STORE}/tsn-init/{file}",
        origin=PROJECT_PAGE,
        dataset="imagenet",
        split=None,
        modality=modality,
        classes=None,
        accuracy=None,
    )


def _kinetics(modality, accuracy):
    return Preset(
        name=f"kinetics_{modality}",
        file=f"bn_inception_kinetics_{modality}_pretrained.caffemodel",
        # The page offers archives only; addresses of single files were not published.
        url=None,
        origin=KINETICS_PAGE,
        dataset="kinetics",
        split=None,
        modality=modality,
        classes=CLASSES["kinetics"],
        accuracy=accuracy,
        metric="top-1 accuracy",
    )


def _demo(modality, accuracy, sha256):
    return Preset(
        name=f"demo_{modality}",
        file=f"demo_{modality}.weights.h5",
        url=None,
        origin=f"configs/demo_{modality}.toml",
        dataset="demo",
        split=1,
        modality=modality,
        classes=16,
        accuracy=accuracy,
        sha256=sha256,
        licence="BSD-2-Clause",
    )


PRESETS = Catalogue(
    "preset",
    (
        *(
            _reference(dataset, modality, split)
            for dataset in ("ucf101", "hmdb51")
            for modality in ("rgb", "flow")
            for split in (1, 2, 3)
        ),
        _initialisation("rgb"),
        _initialisation("flow"),
        _kinetics("rgb", 69.1),
        _kinetics("flow", 62.1),
        # Of 48 videos 12 and 11; the texture or the motion alone leaves four
        # classes to guess among.
        _demo(
            "rgb",
            100 * 12 / 48,
            "3a19654885c88fbb556b031cb81caac82835b0f1c532fecbadc35c9b613dcafa",
        ),
        _demo(
            "flow",
            100 * 11 / 48,
            "5f31fab731e13a50a217b554b04633418ea77c4fcac52a103fc7f341adf0b157",
        ),
    ),
)

_FUSION_ACCURACY = {("demo", 1): 100.0}


def published(dataset, stream, split):
    """Published mean class accuracy in percent.

    Args:
        dataset: "ucf101", "hmdb51" or "demo".
        stream: "rgb", "flow", or "fusion" of the two (1 : 1.5).
        split: 1, 2, 3, or None for the printed average of the three.

    Returns:
        float, or None where nothing was published.
    """
    if (dataset, stream) in _REFERENCE_ACCURACY:
        return _REFERENCE_ACCURACY[dataset, stream][3 if split is None else split - 1]
    if stream == "fusion":
        return _FUSION_ACCURACY.get((dataset, split))
    preset = trained_on(dataset, stream, split)
    return preset.accuracy if preset else None


def trained_on(dataset, modality, split):
    """The preset that was trained on a data set, or None.

    Args:
        dataset: name of the data set.
        modality: name of the modality.
        split: number of the split.
    """
    for preset in PRESETS.values():
        if (preset.dataset, preset.modality, preset.split) == (
            dataset,
            modality,
            split,
        ):
            return preset
    return None


def of_file(name):
    """The preset whose file has this name, original or converted; or None."""
    for preset in PRESETS.values():
        if name in preset.files:
            return preset
    return None
