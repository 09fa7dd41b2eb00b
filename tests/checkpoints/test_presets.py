"""The records of published weights against the pages that publish them."""

import pathlib
import re

import pytest

from tsn_keras.checkpoints import folders, presets, records
from tsn_keras.common import files
from tsn_keras.common.errors import InputError
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.models.keras_names import PREFIX
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES

OPENMMLAB = "https://download.openmmlab.com/mmaction"
REFERENCE = {
    f"{d}_{m}_split{s}"
    for d in ("ucf101", "hmdb51")
    for m in ("rgb", "flow")
    for s in (1, 2, 3)
}


def test_all_published_weights_are_there():
    caffe = {p.name for p in presets.PRESETS.values() if p.protocol == "caffe"}
    others = {"imagenet_rgb", "imagenet_flow", "kinetics_rgb", "kinetics_flow"}
    assert caffe == REFERENCE | others | {"demo_rgb", "demo_flow"}
    of_keras = {p.name for p in presets.PRESETS.values() if p.name.startswith(PREFIX)}
    zoo = [p for p in presets.PRESETS.values() if p.name not in caffe | of_keras]
    stores = [p.url.partition("/recognition/")[0] for p in zoo]
    # 45 of the TSN page and 6 of OmniSource; 12 of 1.x.
    assert stores.count(OPENMMLAB) == 51
    assert stores.count(f"{OPENMMLAB}/v1.0") == 12
    assert len([p for p in zoo if p.dataset == "imagenet"]) == 18
    # 40 networks, and ten of other widths.
    assert len(of_keras) == 50


def test_reference_record():
    preset = presets.PRESETS["hmdb51_flow_split3"]
    file = "hmdb51_split_3_tsn_flow_reference_bn_inception.caffemodel"
    assert preset.file == file
    store = "https://yjxiong.blob.core.windows.net/tsn-reference-models"
    assert preset.url == f"{store}/{file}.v5"
    assert (preset.classes, preset.accuracy) == (51, 63.9)
    assert (preset.backbone, preset.modality) == ("bn_inception", "flow")
    assert preset.protocol == "caffe"
    assert preset.sha256_start is None
    assert preset.agrees("0" * 64) is None


# Name, address after the store, backbone, protocol, accuracy, top-5.
SAMPLES = [
    (
        "tsn_r50_1x1x3_75e_ucf101_rgb",
        "recognition/tsn/{}/{}_20201023-d85ab600.pth",
        *("resnet50", "mmaction2_s25_3crop256", 83.03, 96.78),
    ),
    (
        "tsn_r50_dense_1x1x8_100e_kinetics400_rgb",
        "recognition/tsn/{}/{}_20200606-e925e6e3.pth",
        *("resnet50", "mmaction2_d8_centre224", 70.77, 89.3),
    ),
    (
        "tsn_rn101_32x4d_320p_1x1x3_100e_kinetics400_rgb",
        "recognition/tsn/custom_backbones/{}-16a8b561.pth",
        *("resnext101_32x4d", "mmaction2_s25_3crop256", 73.43, 91.01),
    ),
    (
        "tsn_dense161_320p_1x1x3_100e_kinetics400_rgb",
        "recognition/tsn/custom_backbones/{}/{}-cbe85332.pth",
        *("densenet161", "mmaction2_s25_3crop256", 72.78, 90.75),
    ),
    (
        "tsn_r50_multiscalecrop_320p_1x1x3_100e_kinetics400_rgb",
        "recognition/tsn/data_benchmark/{}/{}_20200725-9922802f.pth",
        *("resnet50", "mmaction2_s25_10crop224", 70.32, 89.25),
    ),
    (
        "tsn_1G1B_pretrained_r50_omni_1x1x3_kinetics400_rgb",
        "recognition/tsn/omni/{}_20200926-2863fed0.pth",
        *("resnet50", "mmaction2_s25_10crop224", 75.7, 91.9),
    ),
    (
        "tsn_r101_1x1x5_50e_mmit_rgb",
        "recognition/tsn/{}/{}_20200618-642f450d.pth",
        *("resnet101", "mmaction2_s5_centre256", 61.09, None),
    ),
    (
        "tsn_r18_1x1x8_100e_hvu_object_rgb",
        "recognition/tsn/hvu/object/{}_20201102-24a22f30.pth",
        *("resnet18", "mmaction2_s25_3crop256", 45.7, None),
    ),
    (
        "tsn_r50_1x1x8_100e_minikinetics_rgb",
        "recognition/omnisource/{}/baseline/{}_20201030-b4eaf92b.pth",
        *("resnet50", "mmaction2_s25_3crop256", 77.4, 93.6),
    ),
    (
        "tsn_imagenet-pretrained-r50_8xb32-1x1x8-100e_kinetics400-rgb",
        "v1.0/recognition/tsn/{}/{}_20220906-2692d16c.pth",
        *("resnet50", "mmaction2_s25_10crop224", 74.12, 91.34),
    ),
    (
        "tsn_imagenet-pretrained-mobileone-s4_8xb32-1x1x8-100e_kinetics400-rgb",
        "v1.0/recognition/tsn/{}/{}_20230825-2da3c1f7.pth",
        *("mobileone_s4", "mmaction2_s25_10crop224", 73.65, 91.32),
    ),
]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample[0])
def test_records_of_mmaction2(sample):
    name, address, *others = sample
    preset = presets.PRESETS[name]
    assert preset.url == f"{OPENMMLAB}/{address.format(name, name)}"
    assert preset.url.endswith(preset.file)
    found = (preset.backbone, preset.protocol, preset.accuracy, preset.top5)
    assert found == tuple(others)
    is_map = preset.top5 is None
    several = ("mean average precision", "mean average precision over videos")
    assert preset.metric in (several if is_map else ("top-1 accuracy",))
    assert preset.licence == "Apache-2.0"


def test_names_and_digits_are_those_of_the_files():
    for preset in presets.PRESETS.values():
        if "openmmlab" in (preset.url or ""):
            name, digits = re.fullmatch(
                r"(.*?)(?:_20\d{6})?-([0-9a-f]{8})\.pth", preset.file
            ).groups()
            assert (preset.name, preset.sha256_start) == (name, digits)
            # The name says what it is.
            assert preset.modality == ("flow" if name.endswith("flow") else "rgb")
            depth = re.search(r"(?:_|-)r(?:n?)(18|50|101)(?:_|-)", name)
            assert depth is None or depth[1] in preset.backbone
    digits = {p.digits for p in presets.PRESETS.values() if p.digits}
    assert len(digits) == len([p for p in presets.PRESETS.values() if p.digits]) == 84


def test_initialisations():
    found = {p.name: p for p in presets.matching(dataset="imagenet")}
    assert found["resnet50_imagenet1k_v1"].file == "resnet50-0676ba61.pth"
    v2 = found["resnet50_imagenet1k_v2"]
    assert v2.url == "https://download.pytorch.org/models/resnet50-11ad3fa6.pth"
    assert (v2.sha256_start, v2.accuracy, v2.classes) == ("11ad3fa6", 80.858, 1000)
    assert found["bn_inception_imagenet"].sha256_start == "9f5701afb96c8044"
    assert found["swin_base_patch4_window7_224_22kto1k"].sha256_start is None
    # torchvision's `transform_input`: values from -1 to 1.
    assert found["googlenet_imagenet1k_v1"].protocol == "keras_tf"


def test_several_tests_of_one_file_are_one_preset():
    preset = presets.PRESETS["tsn_r50_256p_randomresize_1x1x3_100e_kinetics400_rgb"]
    assert (preset.protocol, preset.accuracy) == ("mmaction2_s25_3crop256", 70.48)
    assert preset.also == (records.Tested("mmaction2_s25_10crop224", 69.80, 89.06),)
    assert sum(len(p.also) for p in presets.PRESETS.values()) == 7


def test_every_preset_names_records_that_are_there():
    for preset in presets.PRESETS.values():
        assert preset.backbone in BACKBONES, preset.name
        assert preset.modality in MODALITIES
        assert preset.protocol in PROTOCOLS
        assert all(tested.protocol in PROTOCOLS for tested in preset.also)
    for fusion in presets.FUSIONS:
        assert set(fusion.presets) <= set(presets.PRESETS)
        assert len(fusion.presets) == len(fusion.weights)


def test_digests_of_the_demo_are_those_of_its_files():
    root = pathlib.Path(__file__).parents[2] / "weights"
    for name in ("demo_rgb", "demo_flow"):
        preset = presets.PRESETS[name]
        assert preset.agrees(files.sha256(root / preset.file))


def test_presets_are_found_by_what_they_are_for():
    # Others were trained on split 1 of HMDB51 and UCF101 too.
    for dataset, modality, split in (
        ("hmdb51", "flow", 2),
        ("hmdb51", "rgb", 1),
        ("ucf101", "rgb", 1),
    ):
        name = f"{dataset}_{modality}_split{split}"
        assert presets.trained_on(dataset, modality, split).name == name
    assert presets.trained_on("demo", "rgb", 1).name == "demo_rgb"
    assert presets.trained_on("demo", "rgbdiff", 1) is None
    name = "hmdb51_split_2_tsn_flow_reference_bn_inception.caffemodel"
    for file in (name, f"{name}.v5", "hmdb51_flow_split2.weights.h5"):
        assert presets.of_file(file).name == "hmdb51_flow_split2"
    name = "tsn_r50_1x1x3_100e_kinetics400_rgb"
    for file in (f"{name}_20200614-e508be42.pth", f"{name}.weights.h5"):
        assert presets.of_file(file).name == name
    assert presets.of_file("mine.weights.h5") is None


@pytest.mark.parametrize(
    ("dataset", "stream", "split", "accuracy"),
    [
        ("ucf101", "rgb", 1, 85.5),
        ("ucf101", "fusion", 3, 94.5),
        ("hmdb51", "flow", None, 63.2),
        ("hmdb51", "fusion", None, 68.5),
        ("demo", "fusion", 1, 100.0),
        ("kinetics400", "rgb", None, 69.1),
        ("kinetics400", "fusion", None, 73.9),
        ("sthv1", "fusion", None, None),
        ("list", "rgb", None, None),
        ("list", "fusion", 1, None),
    ],
)
def test_published(dataset, stream, split, accuracy):
    assert presets.published(dataset, stream, split) == accuracy


def test_fusions_name_their_streams():
    names = [f"tsn_r50_320p_1x1x8_{e}_kinetics400" for e in ("100e", "110e")]
    (fusion,) = presets.fusions_of(f"{names[0]}_rgb")
    assert fusion.presets == (f"{names[0]}_rgb", f"{names[1]}_flow")
    assert (fusion.weights, fusion.accuracy, fusion.top5) == ((1, 1), 74.64, 91.77)
    (fusion,) = presets.fusions_of("hmdb51_flow_split2")
    assert (fusion.weights, fusion.accuracy) == ((1, 1.5), 67.4)
    assert presets.fusions_of("resnet18_imagenet1k_v1") == ()


def test_unknown_names_and_values_get_help():
    with pytest.raises(InputError, match="nearest are tsn_r50_1x1x3_100e_kinetics400"):
        presets.find("tsn_r50_1x1x3_kinetics400_rgb")
    with pytest.raises(InputError, match="'zzz'; tsn_keras.presets lists all 153"):
        presets.find("zzz")
    with pytest.raises(InputError, match="neither a file nor a preset; the nearest"):
        folders.locate("hmdb51_rgb_split4")
    with pytest.raises(InputError, match="`backbone` 'r50'; there are bn_inception, "):
        presets.matching(backbone="r50")


def test_lists_of_classes():
    kinetics = records.class_list("kinetics400")
    assert len(set(kinetics)) == 400
    assert kinetics == tuple(sorted(kinetics))
    # Kinetics-400's label of the demonstration clip of MMAction2.
    assert kinetics[6] == "arm wrestling"
    imagenet = records.class_list("imagenet")
    assert len(set(imagenet)) == 1000
    assert (imagenet[0], imagenet[285], imagenet[999]) == (
        *("tench", "Egyptian cat", "toilet tissue"),
    )
    assert records.class_list("none") == records.class_list(None) == ()
    for preset in presets.PRESETS.values():
        assert preset.class_names is None or len(preset.class_names) == preset.classes


def test_mmaction2_sorts_the_classes_of_hmdb51():
    """Its authors do not: taken for theirs, four classes would be mixed up."""
    names = presets.PRESETS["tsn_r50_1x1x8_50e_hmdb51_mit_rgb"].class_names
    assert names == tuple(sorted(names))
    own = DATASETS["hmdb51"].classes
    assert set(names) == set(own)
    assert [a for a, b in zip(names, own, strict=True) if a != b] == [
        *("kick", "kick_ball", "sword", "sword_exercise"),
    ]
    assert presets.PRESETS["hmdb51_rgb_split1"].class_names is None
