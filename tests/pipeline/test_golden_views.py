"""Views of a test against those of MMAction2 and tsn-pytorch: bits, but for means."""

import dataclasses
import hashlib
import re

import golden_networks
import golden_views
import numpy as np
import pytest

from tsn_keras.models.preprocessing import network_input
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.records import Stream

CROPS = {"C": "centre", "3C": "3crop", "10C": "10crop"}
FLOW_FILES = {"flow_x_": "x_", "flow_y_": "y_"}

# (branch and name of the pipeline, item): every test of the zoo from files and from a
# video where MMAction2's configurations have both; wide, nearly square and upright
# frames. Those of many views are slow.
FAST = [
    ("0x/S8_3C256_raw", "c"),
    ("0x/D8_C224_raw", "c"),
    ("0x/S8_10C224_raw_digits", "c"),
    ("0x/S8_C224_video", "video_b.avi"),
    ("0x/S6_3C256_video", "video_c.mp4"),
    ("0x/S5_C224_video", "video_a.mp4"),
    ("0x/S5_C256_video", "video_b.avi"),
    ("0x/S16_C224_video", "video_c.mp4"),
    ("0x/D8_C224_video", "video_c.mp4"),
    ("1x/S8_C224_video", "video_c.mp4"),
]
SLOW = [
    ("0x/S25_10C224_raw", "b"),
    ("1x/S25_10C224_video", "video_c.mp4"),
    ("0x/S25_3C256_raw", "a"),
    ("0x/S25_3C256_video", "video_c.mp4"),
    ("0x/S25_C256_video", "video_b.avi"),
    ("0x/S16_3C256_raw", "b"),
    ("0x/S16_C224_raw", "c"),
    ("0x/S8_C256_raw", "b"),
    ("0x/S8_C224_raw", "b"),
    ("0x/S8_C256_video", "video_a.mp4"),
    ("0x/D8_10C224_video", "video_c.mp4"),
    ("1x/D25_C224_video", "video_b.avi"),
    ("0x/F25_10C224_raw", "c"),
]


def the_stream(name):
    letter, number, crops, side = re.match(r"([SDF])(\d+)_(\d*C)(\d+)_", name).groups()
    rule = "d" if letter == "D" else "s"
    protocol = PROTOCOLS[f"mmaction2_{rule}{number}_{CROPS[crops]}{side}"]
    if letter == "F":
        return golden_views.stream_of(protocol, "flow", FLOW_FILES)
    return golden_views.stream_of(protocol)


@pytest.mark.parametrize(
    ("name", "item"),
    [*FAST, *[pytest.param(*case, marks=pytest.mark.whole) for case in SLOW]],
)
def test_views_are_those_of_mmaction2(golden, name, item):
    branch, name = name.split("/")
    folder = golden / "mmaction2"
    with np.load(folder / f"pipelines_{branch}" / f"{name}.npz") as arrays:
        expected = {
            key.removeprefix(f"{item}/"): arrays[key]
            for key in arrays.files
            if key.startswith(f"{item}/")
        }
    stream = the_stream(name)
    if "_video" in name:
        views = golden_views.of_video(folder / "media" / item, stream)
    else:
        kind = "flow" if stream.modality.is_flow else "rgb"
        views = golden_views.of_files(folder / "media" / f"{kind}_{item}", stream)
    found = golden_views.of_mmaction2(views, stream)
    assert list(found.shape) == expected["crops_shape"].tolist()
    np.testing.assert_array_equal(
        found.reshape(-1)[expected["crops_idx"]], expected["crops_val"]
    )
    np.testing.assert_array_equal(found[expected["crop_number"]], expected["crop"])
    digest = hashlib.sha256(np.ascontiguousarray(found).data).hexdigest()
    assert digest == str(expected["crops_sha256"])

    # What the network reads, [V, C, H, W] there.
    kind = "input" if branch == "0x" else "normalized"
    shape = expected["input_shape"]
    view, plane, y, x = np.unravel_index(expected[f"{kind}_idx"], shape)
    pixels = views.swapaxes(0, 1).reshape(-1, *views.shape[2:])[view, y, x]
    inputs = np.asarray(network_input(pixels, stream))[np.arange(len(plane)), plane]
    # 0.x multiplies by the inverse of the deviation: a rounding of numbers below 3.
    limit = 3e-7 if branch == "0x" else 0
    np.testing.assert_allclose(inputs, expected[f"{kind}_val"], rtol=0, atol=limit)


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        # The frames of this clip are resized.
        ("BNInception_RGB", "clip_a"),
        pytest.param("BNInception_Flow", "clip_a", marks=pytest.mark.whole),
        pytest.param("BNInception_RGBDiff", "clip_b", marks=pytest.mark.whole),
        pytest.param("resnet50_RGB", "clip_b", marks=pytest.mark.whole),
    ],
)
def test_views_are_those_of_tsn_pytorch(golden, name, clip):
    """The ten crops, and the centre crop with all that the network reads."""
    folder = golden / "tsn_pytorch/eval"
    network, modality = name.split("_")
    suffix = "" if network == "BNInception" else "_resnet"
    protocol = PROTOCOLS[f"tsn_pytorch{suffix}"]
    for count, crops in ((10, protocol.test.crops), (1, protocol.quick.crops)):
        test = dataclasses.replace(protocol.test, crops=crops)
        changed = dataclasses.replace(protocol, test=test)
        stream = golden_views.stream_of(changed, modality.lower())
        views = golden_views.of_files(folder / "frames" / clip, stream)
        shown = views[..., ::-1] if protocol.red_first else views
        with np.load(folder / f"{name}_crops{count}.npz") as arrays:
            expected = {
                key.removeprefix(f"{clip}:"): arrays[key]
                for key in arrays.files
                if key.startswith(f"{clip}:")
            }
        found = [
            [hashlib.sha256(np.ascontiguousarray(c)).hexdigest()[:16] for c in snippet]
            for snippet in shown
        ]
        assert np.transpose(found).tolist() == expected["crop_sha256_16"].tolist()
        for key in expected:
            if key.startswith("crops_of_segment_"):
                segment = int(key.removeprefix("crops_of_segment_"))
                np.testing.assert_array_equal(shown[segment], expected[key])
    inputs = before_differences(views[:, 0], stream)
    digest = hashlib.sha256(inputs).hexdigest()
    assert digest == str(expected["net_input_sha256"])


def before_differences(pixels, stream):
    """What tsn-pytorch's networks are given, which subtract images themselves.

    Returns:
        float32 [N, planes, H, W].
    """
    plain = dataclasses.replace(stream.modality, differences=False)
    inputs = np.asarray(network_input(pixels, Stream(plain, stream.protocol)))
    return np.ascontiguousarray(inputs.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("modality", ["Flow", "RGB", "RGBDiff"])
def test_input_of_resnets_is_that_of_tsn_pytorch(golden, modality):
    """RGB difference too, whose first image is normalised unlike the others."""
    folder = golden / "tsn_pytorch"
    with np.load(folder / f"forward/resnet50_{modality}.npz") as arrays:
        videos, segments = arrays["videos_segments"].tolist()
        digest = str(arrays["net_input_sha256"])
    rules = golden_networks.rules_of(folder / "regenerate.py")
    pictures = rules.forward_pictures(modality, 224, videos, segments)
    stream = golden_views.stream_of(PROTOCOLS["tsn_pytorch_resnet"], modality.lower())
    length = len(pictures[0]) // segments
    if not stream.modality.is_flow:
        pictures = [[picture[..., ::-1] for picture in video] for video in pictures]
    pixels = np.stack(
        [
            np.dstack(video[first : first + length])
            for video in pictures
            for first in range(0, len(video), length)
        ]
    )
    plain = before_differences(pixels, stream)
    assert hashlib.sha256(plain).hexdigest() == digest
    found = np.asarray(network_input(pixels, stream)).transpose(0, 3, 1, 2)
    if stream.modality.differences:
        plain = plain[:, 3:] - plain[:, :-3]
    np.testing.assert_array_equal(found, plain)
