"""Other programs' checkpoints as presets, read from the table zoo.csv."""

import csv
import dataclasses
import pathlib
from collections.abc import Mapping

from tsn_keras.checkpoints.records import TOP1, Fusion, Preset, Tested

_TABLE = pathlib.Path(__file__).with_name("zoo.csv")
_MMACTION2 = "https://download.openmmlab.com/mmaction"
_GITHUB = "https://github.com"


@dataclasses.dataclass(frozen=True)
class _Source:
    """Where checkpoints are offered.

    Attributes:
        store: address before the folder of a file.
        origin: the page that describes them.
        licence: of the repository that offers them, or None.
        labels: {data set: list of class names}, see records.Preset.
    """

    store: str
    origin: str
    licence: str | None
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)


_KINETICS = {"kinetics400": "kinetics400"}
_IMAGENET = {"imagenet": "imagenet"}
_SOURCES = {
    "mmaction2-0.x": _Source(
        f"{_MMACTION2}/recognition",
        f"{_GITHUB}/open-mmlab/mmaction2/tree/0.x/configs/recognition/tsn",
        "Apache-2.0",
        {
            **_KINETICS,
            **dict.fromkeys(("activitynet", "activitynet_clips"), "activitynet"),
            "hmdb51": "hmdb51_sorted",
        },
    ),
    "omnisource": _Source(
        f"{_MMACTION2}/recognition/omnisource/tsn_r50_1x1x8_100e_minikinetics_rgb",
        f"{_GITHUB}/open-mmlab/mmaction2/tree/0.x/configs/recognition/omnisource",
        "Apache-2.0",
    ),
    "mmaction2-1.x": _Source(
        f"{_MMACTION2}/v1.0/recognition/tsn",
        f"{_GITHUB}/open-mmlab/mmaction2/tree/main/configs/recognition/tsn",
        "Apache-2.0",
        _KINETICS,
    ),
    "mmpretrain": _Source(
        "https://download.openmmlab.com/mmclassification/v0",
        f"{_GITHUB}/open-mmlab/mmpretrain",
        "Apache-2.0",
        _IMAGENET,
    ),
    "torchvision": _Source(
        "https://download.pytorch.org/models",
        "https://pytorch.org/vision/stable/models.html",
        "BSD-3-Clause",
        _IMAGENET,
    ),
    "swin": _Source(
        f"{_GITHUB}/SwinTransformer/storage/releases/download/v1.0.0",
        f"{_GITHUB}/microsoft/Swin-Transformer",
        "MIT",
        _IMAGENET,
    ),
    # The repositories have a licence, the weights have none.
    "tsn-pytorch": _Source(
        "https://yjxiong.blob.core.windows.net/models",
        f"{_GITHUB}/yjxiong/tsn-pytorch",
        None,
    ),
    "action-detection": _Source(
        "https://yjxiong.blob.core.windows.net/ssn-models",
        f"{_GITHUB}/yjxiong/action-detection",
        None,
    ),
}


def read() -> tuple[Preset, ...]:
    """Reads the table.

    Returns:
        tuple of Preset, in the table's order.
    """
    with _TABLE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        found = {}
        for row in rows:
            name = row["name"]
            if row["file"]:
                found[name] = _preset(row)
            else:
                known = found[name]
                also = (*known.also, _tested(row))
                found[name] = dataclasses.replace(known, also=also)
    return tuple(found.values())


def _preset(row):
    name, source = row["name"], _SOURCES[row["source"]]
    begins = row["file"].startswith(("_", "-", "."))
    file = f"{name}{row['file']}" if begins else row["file"]
    folder = row["folder"].format(name)
    tested = _tested(row) if row["accuracy"] else None
    return Preset(
        name=name,
        file=file,
        url="/".join(filter(None, (source.store, folder, file))),
        origin=source.origin,
        dataset=row["dataset"],
        split=_number(row["split"], int),
        modality=row["modality"],
        classes=_number(row["classes"], int),
        accuracy=tested and tested.accuracy,
        metric=row["metric"] or TOP1,
        top5=tested and tested.top5,
        backbone=row["backbone"],
        protocol=row["protocol"],
        labels=source.labels.get(row["dataset"]),
        licence=source.licence,
        note=row["note"],
    )


def _tested(row):
    accuracy, top5 = float(row["accuracy"]), _number(row["top5"], float)
    return Tested(row["protocol"], accuracy, top5)


def _number(text, kind):
    return kind(text) if text else None


# Raw scores added 1 : 1 (mmaction2 0.x configs/recognition/tsn/README.md:53,57,63).
FUSIONS = tuple(
    Fusion(
        (f"{begin}_100e_kinetics400_rgb", f"{begin}_110e_kinetics400_flow"),
        (1.0, 1.0),
        accuracy,
        TOP1,
        top5,
    )
    for begin, accuracy, top5 in (
        ("tsn_r50_320p_1x1x3", 72.76, 90.52),
        ("tsn_r50_320p_1x1x8", 74.64, 91.77),
    )
)
