"""The published weights, as records: where they are, and what they score.

Those of the authors' Caffe code and the demo are here, those of other programs in
zoo.csv. The reference's numbers are those of the authors' project page
(https://yjxiong.me/others/tsn/); file names and addresses those of
temporal-segment-networks scripts/get_{init,reference}_models.sh.
"""

import difflib

from tsn_keras.checkpoints import keras_zoo, zoo
from tsn_keras.checkpoints.records import MEAN_CLASS, TOP1, Fusion, Preset
from tsn_keras.common.catalogue import Catalogue
from tsn_keras.common.errors import InputError

PROJECT_PAGE = "https://yjxiong.me/others/tsn/"
KINETICS_PAGE = "https://yjxiong.me/others/kinetics_action/"
_STORE = "https://yjxiong.blob.core.windows.net"

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

CLASSES = {"ucf101": 101, "hmdb51": 51, "imagenet": 1000, "kinetics400": 400}


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


def _kinetics(modality, accuracy, top5):
    return Preset(
        name=f"kinetics_{modality}",
        file=f"bn_inception_kinetics_{modality}_pretrained.caffemodel",
        # The page offers archives only; addresses of single files were not published.
        url=None,
        origin=KINETICS_PAGE,
        dataset="kinetics400",
        split=None,
        modality=modality,
        classes=CLASSES["kinetics400"],
        accuracy=accuracy,
        metric=TOP1,
        top5=top5,
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
        _kinetics("rgb", 69.1, 88.7),
        _kinetics("flow", 62.1, 83.9),
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
        *zoo.read(),
        *keras_zoo.read(),
    ),
)

FUSIONS = (
    *(
        Fusion(
            (f"{dataset}_rgb_split{split}", f"{dataset}_flow_split{split}"),
            (1.0, 1.5),
            _REFERENCE_ACCURACY[dataset, "fusion"][split - 1],
        )
        for dataset in ("ucf101", "hmdb51")
        for split in (1, 2, 3)
    ),
    Fusion(("kinetics_rgb", "kinetics_flow"), (1.0, 1.0), 73.9, TOP1, 91.1),
    Fusion(("demo_rgb", "demo_flow"), (1.0, 1.5), 100.0),
    *zoo.FUSIONS,
)


def published(dataset, stream, split):
    """Published accuracy in percent of what `trained_on` gives.

    Args:
        dataset: "ucf101", "hmdb51" or "demo", with mean class accuracy; or another.
        stream: "rgb", "flow", or "fusion" of the two (1 : 1.5).
        split: 1, 2, 3, or None for the printed average of the three.

    Returns:
        float, or None where nothing was published.
    """
    if (dataset, stream) in _REFERENCE_ACCURACY:
        return _REFERENCE_ACCURACY[dataset, stream][3 if split is None else split - 1]
    if stream == "fusion":
        streams = (trained_on(dataset, modality, split) for modality in FUSED)
        names = {preset.name for preset in streams if preset}
        fused = (f.accuracy for f in FUSIONS if set(f.presets) == names)
        return next(fused, None)
    preset = trained_on(dataset, stream, split)
    return preset.accuracy if preset else None


def metric_of(dataset, stream, split):
    """Full name of the accuracy that `published` gives, or None."""
    if (dataset, stream) in _REFERENCE_ACCURACY:
        return MEAN_CLASS
    if stream == "fusion":
        streams = (trained_on(dataset, modality, split) for modality in FUSED)
        names = {preset.name for preset in streams if preset}
        return next((f.metric for f in FUSIONS if set(f.presets) == names), None)
    preset = trained_on(dataset, stream, split)
    return preset and preset.metric


def fusions_of(name):
    """The published fusions that a preset is part of, as a tuple of Fusion."""
    return tuple(fusion for fusion in FUSIONS if name in fusion.presets)


def trained_on(dataset, modality, split):
    """The first preset that was trained on a data set, or None.

    Those of the authors come before those of others.

    Args:
        dataset: name of the data set.
        modality: name of the modality.
        split: number of the split.
    """
    wanted = (dataset, modality, split)
    for preset in PRESETS.values():
        if (preset.dataset, preset.modality, preset.split) == wanted:
            return preset
    return None


def of_file(name):
    """The preset whose file has this name, original or converted; or None."""
    for preset in PRESETS.values():
        if name in preset.files:
            return preset
    return None


def matching(**wanted):
    """The presets that have some values.

    Args:
        **wanted: value of an attribute of Preset, or None for any.

    Returns:
        tuple of Preset.

    Raises:
        InputError: no preset has such a value; the text lists those there are.

    Example:
        >>> [p.name for p in matching(dataset="sthv1", backbone=None)]
        ['tsn_r50_1x1x8_50e_sthv1_rgb', 'tsn_r50_1x1x16_50e_sthv1_rgb']
    """
    found = tuple(PRESETS.values())
    for attribute, value in wanted.items():
        if value is None:
            continue
        known = {getattr(preset, attribute) for preset in PRESETS.values()} - {None}
        if value not in known:
            raise InputError(
                f"no preset is of `{attribute}` {value!r}; there are "
                f"{', '.join(map(str, sorted(known)))}"
            )
        found = tuple(p for p in found if getattr(p, attribute) == value)
    return found


def find(name):
    """The preset of a name.

    Raises:
        InputError: there is none; the text names those that are spelled alike.
    """
    if name in PRESETS:
        return PRESETS[name]
    raise InputError(f"there is no preset {name!r}; {alike(name)}")


def alike(name):
    """Words for the presets that are spelled much like a name."""
    near = difflib.get_close_matches(str(name), PRESETS, n=4, cutoff=0.5)
    nearest = f"the nearest are {', '.join(near)}; " if near else ""
    return f"{nearest}tsn_keras.presets lists all {len(PRESETS)}"
