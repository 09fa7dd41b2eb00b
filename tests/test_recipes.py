"""The recipes of MMAction2 and tsn-pytorch, beside recipes.csv.

recipes.csv was typed from the tables of the originals' configurations, apart from the
training files themselves. An empty value is one that the network has no use for.
"""

import csv
import pathlib
import re

import pytest

from tsn_keras import config
from tsn_keras.checkpoints.presets import PRESETS
from tsn_keras.protocols.augmentations import AUGMENTATIONS
from tsn_keras.protocols.catalogue import PROTOCOLS

HERE = pathlib.Path(__file__).parent
CONFIGS = HERE.parent / "configs"
with (HERE / "recipes.csv").open() as file:
    ROWS = {row["file"]: row for row in csv.DictReader(file)}
# Deviation of a new classifier's kernel, where a file says nothing.
OWN_STD = {
    "resnet18": 0.01,
    "resnet50": 0.01,
    "resnet101": 0.01,
    "resnext101_32x4d": 0.01,
}
TRAINING_VIDEOS = {"ucf101": 9537, "hmdb51": 3570, "kinetics400": 240_436}


def read(name):
    return config.read_training(CONFIGS / f"{name}.toml")


@pytest.mark.parametrize("name", ROWS)
def test_recipes_are_those_of_the_tables(name):
    row, found = ROWS[name], read(name)
    data, model, train = found.data, found.model, found.train
    assert (data.dataset, data.split, data.modality, data.protocol) == (
        *(row["dataset"], 1, row["modality"]),
        row["protocol"],
    )
    augmentation = AUGMENTATIONS.get(
        data.augmentation, PROTOCOLS[data.protocol].augmentation
    )
    assert augmentation.name == row["augmentation"]
    assert (model.backbone, model.initial) == (row["backbone"], row["initial"])
    assert (model.segments, model.dropout) == (
        int(row["segments"]),
        float(row["dropout"]),
    )
    own = OWN_STD.get(model.backbone, 0.001)
    assert (model.init_std or own) == float(row["init_std"])
    assert row["batch_norm"] in ("", model.batch_norm)
    assert (train.batch, train.device_batch, train.iter_size) == (
        *(int(row["batch"]), int(row["device_batch"])),
        1,
    )
    steps = tuple(map(int, filter(None, row["drop_epochs"].split("/"))))
    assert (train.epochs, train.drop_epochs) == (int(row["epochs"]), steps)
    assert train.drops == ()
    assert (train.rate, train.weight_decay, train.clip) == (
        *(float(row["base_lr"]), float(row["weight_decay"])),
        float(row["clip"]),
    )
    assert (train.solver, train.schedule, train.warmup) == ("torch", "step", 0)
    assert (train.momentum, train.gamma, train.validate_epochs > 0) == (0.9, 0.1, True)


@pytest.mark.parametrize("name", ROWS)
def test_recipes_begin_and_are_averaged_as_the_originals(name):
    found = read(name)
    is_mmaction2 = not name.startswith("tsn_pytorch")
    assert found.model.consensus == ("features" if is_mmaction2 else "average")
    groups = "mmaction2_tsm" if found.data.dataset == "mmit" else "mmaction2"
    assert found.train.groups == (groups if is_mmaction2 else "tsn_pytorch")
    # The rate is meant for this batch; with another --set train.batch it follows.
    assert found.train.base_batch == (found.train.batch if is_mmaction2 else 0)
    initial = PRESETS[found.model.initial]
    assert initial.backbone == found.model.backbone
    same = initial.modality == found.data.modality
    random = is_mmaction2 and found.data.modality == "flow" and not same
    assert found.model.first_conv == ("random" if random else "cross_modality")
    half = "float16" if "fp16" in name else "float32"
    assert found.train.precision == half


@pytest.mark.parametrize("name", [n for n in ROWS if pathlib.Path(n).name in PRESETS])
def test_a_published_file_of_a_recipes_name_is_tested_alike(name):
    preset, found = PRESETS[pathlib.Path(name).name], read(name)
    assert (preset.backbone, preset.dataset, preset.modality, preset.protocol) == (
        *(found.model.backbone, found.data.dataset),
        *(found.data.modality, found.data.protocol),
    )
    if preset.accuracy is not None:
        head = (CONFIGS / f"{name}.toml").read_text().partition("\n\n")[0]
        figures = r"(?:top-1|mean average precision(?: over videos)?) ([\d.]+) %"
        assert preset.accuracy in map(float, re.findall(figures, head))


# What few recipes have.
IMAGES, VIDEOS = ("list", 512, 1), ("list", 96, 0)
PARTS = "list_parts", 96, 0
# Data set, batch, segments, updates, iterations of which they take part in one, power.
SOURCES = {
    "googleimage": [(*IMAGES, 1, 1, 1.0)],
    "webimage": [(*IMAGES, 1, 1, 0.5)],
    "insvideo": [(*VIDEOS, 1, 1, 0.5)],
    "kineticsraw": [(*PARTS, 1, 1, 1.0)],
    "omnisource": [(*IMAGES, 1, 2, 0.5), (*VIDEOS, 1, 2, 0.5), (*PARTS, 1, 2, 1.0)],
}
# By the beginnings of the names of data sets.
LOSSES = {"hvu_": ("sigmoid", 333.0), "mmit": ("sigmoid", 160.0)}


@pytest.mark.parametrize("name", ROWS)
def test_losses_and_sources_of_recipes(name):
    found = read(name)
    train = found.train
    assert (train.loss, train.loss_weight) == LOSSES.get(
        found.data.dataset[:4], ("softmax", 1.0)
    )
    assert train.mixup == (0.2 if "mixup" in name else 0.0)
    assert found.data.power == 1
    sources = [
        (s.dataset, s.batch, s.segments, s.updates, s.every, s.power)
        for s in found.data.sources
    ]
    kind = name.removesuffix("_rgb").rpartition("_")[2]
    assert sources == SOURCES.get(kind, [])


@pytest.mark.parametrize("name", ROWS)
def test_recipes_say_what_they_are(name):
    text = (CONFIGS / f"{name}.toml").read_text()
    head = text.partition("\n\n")[0]
    for word in ("Source", "Command", "Published"):
        assert f"# {word:10}" in head
    assert f"configs/{name}.toml" in head
    assert f"{name.partition('/')[2]}.py" in head or name.startswith("tsn_pytorch/")


@pytest.mark.parametrize(
    ("name", "iterations", "drops"),
    [
        ("tsn_pytorch/ucf101_rgb", 6000, (2250, 4500)),
        ("tsn_pytorch/ucf101_flow", 25_500, (14_250, 22_500)),
        ("tsn_pytorch/ucf101_rgbdiff", 13_500, (6000, 12_000)),
        ("mmaction2/tsn_r50_1x1x3_75e_ucf101_rgb", 75 * 38, ()),
        ("mmaction2/tsn_r50_1x1x8_50e_hmdb51_imagenet_rgb", 700, (280, 560)),
        (
            "mmaction2/tsn_r50_320p_1x1x8_100e_kinetics400_rgb",
            250_500,
            (100_200, 200_400),
        ),
    ],
)
def test_iterations_of_recipes(name, iterations, drops):
    """With the numbers of videos that the originals have."""
    found = read(name)
    train = found.train.in_iterations(TRAINING_VIDEOS[found.data.dataset])
    assert (train.iterations, train.drops) == (iterations, drops)


def test_every_file_below_the_folder_is_a_recipe_or_known_elsewhere():
    """All training files can be read; test_config.py knows those beside the folders.

    Those of studies, which are no training files, are read in tests/studies.
    """
    found = set()
    for path in {*CONFIGS.rglob("*.toml")} - {*CONFIGS.glob("studies/*")}:
        assert config.read_training(path) != config.Training()
        if path.parent != CONFIGS:
            found.add(path.relative_to(CONFIGS).with_suffix("").as_posix())
    assert found == set(ROWS)


def test_configurations_that_only_test_are_explained():
    """Each has a row of the table, with a command of protocols that there are."""
    text = (CONFIGS / "mmaction2" / "README.md").read_text()
    named = re.findall(r"^\| `(tsn_[\w-]+)` \|", text, re.MULTILINE)
    assert len(named) == len(set(named)) == 10
    for protocol in re.findall(r"--protocol (\w+)", text):
        assert protocol in PROTOCOLS
    for preset in re.findall(r"--weights ([\w-]+)", text):
        assert preset in PRESETS
