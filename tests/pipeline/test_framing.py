"""Frames that keep their ratio: their sizes, and Pillow's pixels bit for bit."""

import dataclasses
import hashlib
import re

import cv2
import golden_networks
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tsn_keras.datasets.selection import FrameFolder
from tsn_keras.pipeline import (
    as_stored,
    framing,
    pillow,
    reading,
    snippets,
    transforms,
)
from tsn_keras.protocols import crops
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream
from tsn_keras.protocols.sizes import ShorterSide, rounded, truncated
from tsn_keras.video.decode import VideoError

MMACTION2, TSN_PYTORCH = (
    Stream(MODALITIES["rgb"], PROTOCOLS[name])
    for name in ("mmaction2_s25_10crop224", "tsn_pytorch")
)


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((320, 240), (341, 256)),
        ((1280, 720), (455, 256)),
        ((426, 240), (454, 256)),
        ((176, 100), (451, 256)),
        ((340, 256), (340, 256)),
        ((200, 300), (256, 384)),
    ],
)
def test_sizes_of_mmaction2(random, size, expected):
    """Width and height as mmcv was seen to make them; the pixels are OpenCV's."""
    image = random.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    found = framing.framed(tf.constant(image), MMACTION2.protocol)
    np.testing.assert_array_equal(found, cv2.resize(image, expected))
    assert ShorterSide(256, rounded).of(*size[::-1]) == expected[::-1]


def test_sizes_are_those_of_the_whole_numbers():
    """In tensors as in Python, whatever the frame."""
    for rule in (rounded, truncated):
        side = ShorterSide(256, rule)
        for shorter in (32, 33, 100, 239, 240, 255, 257, 360, 719, 1080):
            longer = np.arange(shorter, 3 * shorter)
            shape = tf.cast(tf.stack([longer, np.full_like(longer, shorter)]), "double")
            found = rule(shape, tf.cast(shorter, "double"), 256).numpy()
            assert (found[1] == 256).all()
            expected = [side.of(shorter, int(n))[1] for n in longer]
            assert found[0].tolist() == expected


def one_side_after_the_other(image, height, width):
    """So that it does not matter with which side this version of Pillow begins."""
    image = Image.fromarray(image)
    image = image.resize((width, image.size[1]), Image.BILINEAR)
    return np.asarray(image.resize((width, height), Image.BILINEAR))


def test_resize_equals_pillow(random):
    resize = tf.function(
        pillow.resize,
        input_signature=[
            tf.TensorSpec((None, None, 3), tf.uint8),
            *[tf.TensorSpec((), tf.int32)] * 2,
        ],
    )
    sizes = random.integers(1, 200, (24, 4)).tolist()
    sizes += [[100, 90, 100, 50], [100, 90, 50, 90], [7, 9, 7, 9], [1, 1, 30, 30]]
    for number, (height, width, rows, columns) in enumerate(sizes):
        image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        if number % 2:
            # The steepest steps that there are.
            image = np.where(image > 127, 255, 0).astype(np.uint8)
        expected = one_side_after_the_other(image, rows, columns)
        np.testing.assert_array_equal(resize(image, rows, columns), expected)


@pytest.mark.parametrize("size", [(480, 360), (301, 400)])
def test_antialiased_frames_of_videos_are_those_of_files(random, size):
    image = random.integers(0, 256, (*size, 3), dtype=np.uint8)
    found = framing.framed(tf.constant(image), TSN_PYTORCH.protocol)
    expected = one_side_after_the_other(image, *found.shape[:2])
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(as_stored.framed(image, TSN_PYTORCH), expected)


@pytest.mark.parametrize("size", ["320x240", "340x256", "240x320", "171x128"])
def test_scale_and_centre_are_those_of_tsn_pytorch(golden, size):
    folder = golden / "tsn_pytorch"
    width, height = map(int, size.split("x"))
    rules = golden_networks.rules_of(folder / "regenerate.py")
    picture = rules.picture(f"train/RGB/{size}/0", height, width, 3)
    frame = framing.framed(tf.constant(picture), TSN_PYTORCH.protocol)
    view = TSN_PYTORCH.protocol.quick
    centre = transforms.cut(frame[None], view, TSN_PYTORCH)[0, 0]
    with np.load(folder / "train/scale_centre.npz") as arrays:
        for name, image in (("scale256", frame), ("centre224", centre)):
            digest = hashlib.sha256(image.numpy()).hexdigest()
            assert digest == str(arrays[f"{name}/{size}:sha256"]), name


def test_a_frame_too_narrow(tmp_path):
    image = np.zeros((34, 30000, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "img_00001.jpg"), image)
    for stream in (MMACTION2, TSN_PYTORCH):
        with pytest.raises(tf.errors.InvalidArgumentError, match="too narrow"):
            framing.framed(tf.constant(image), stream.protocol)
    folders = [FrameFolder("a", 0, tmp_path, 1)]
    plan = snippets.plan(folders, MMACTION2, MMACTION2.protocol.test)
    assert list(snippets.for_test(folders, plan, MMACTION2, 1)) == []
    reason = reading.explain_sizes(tmp_path, [[1]], MMACTION2, reading.MIN_SIDE)
    assert re.search("00001.jpg is 30000 x 34, too narrow .* 340 x 256", reason)
    with pytest.raises(VideoError, match="30000 x 20 are too narrow"):
        as_stored.framed(image[:20], MMACTION2)


def test_batches_of_unequal_videos(tmp_path, random):
    """One shape for all: a network is compiled once."""
    folders = []
    for name, size in (("a", (64, 48)), ("b", (48, 64)), ("c", (300, 260))):
        (tmp_path / name).mkdir()
        image = random.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / name / "img_00001.jpg"), image)
        folders.append(FrameFolder(name, 0, tmp_path / name, 1))
    plan = snippets.plan(folders, MMACTION2, MMACTION2.protocol.test)
    dataset = snippets.for_test(folders, plan, MMACTION2, 2)
    assert dataset.element_spec[3].shape == (2, 10, 224, 224, 3)
    batches = [[part.numpy() for part in batch] for batch in dataset]
    videos, _, sizes, cuts = (np.concatenate(p) for p in zip(*batches, strict=True))
    assert videos.tolist() == [0, 1, 2, -1]
    assert sizes.tolist() == [[48, 64], [64, 48], [260, 300], [0, 0]]
    for number, folder in enumerate(folders):
        image = cv2.imread(str(folder.path / "img_00001.jpg"))
        image = cv2.resize(
            image, MMACTION2.protocol.frame_size.of(*image.shape[:2])[::-1]
        )
        np.testing.assert_array_equal(cuts[number, 0], image[:224, :224])
        np.testing.assert_array_equal(cuts[number, 1], image[:224, :224][:, ::-1])


@pytest.mark.parametrize(
    ("width", "plain", "rounded_to_even"),
    [(341, 58, 58), (343, 59, 60), (455, 115, 116)],
)
def test_centres_between_two_pixels(width, plain, rounded_to_even):
    """A half goes down in MMAction2, and to the even neighbour in tsn-pytorch."""
    assert crops.CENTRE.windows(256, width, 224) == [crops.Window(16, plain)]
    found = crops.ROUNDED_CENTRE.windows(width, 256, 224)
    assert found == [crops.Window(rounded_to_even, 16)]


def test_windows_of_three_and_ten_crops():
    """Golden offsets of MMAction2, from the top left corner: (down, right)."""
    offsets = [window[:2] for window in crops.THREE.windows(256, 455, 256)]
    assert offsets == [(0, 0), (0, 198), (0, 99)]
    offsets = [window[:2] for window in crops.THREE.windows(384, 256, 256)]
    assert offsets == [(0, 0), (128, 0), (64, 0)]
    found = crops.TEN_QUARTERS.windows(256, 455, 224)
    expected = [(0, 0), (0, 228), (32, 0), (32, 228), (16, 114)]
    assert [window[:2] for window in found] == [p for p in expected for _ in range(2)]
    assert [window.mirrored for window in found] == [False, True] * 5


@pytest.mark.parametrize(
    ("kind", "inverts"),
    [(crops.TEN_QUARTERS, True), (crops.TEN_QUARTERS_AS_PICTURES, False)],
)
def test_mirrored_flow(random, kind, inverts):
    """The x of mirrored flow changes its sign, or stays as it is."""
    protocol = MMACTION2.protocol
    stream = Stream(MODALITIES["flow"], protocol)
    view = dataclasses.replace(protocol.test, crops=kind)
    frames = random.integers(0, 256, (1, 256, 341, 10), dtype=np.uint8)
    found = transforms.cut(tf.constant(frames), view, stream).numpy()[0]
    for plain, mirrored in zip(found[::2], found[1::2], strict=True):
        expected = plain[:, ::-1].copy()
        if inverts:
            expected[..., ::2] = 255 - expected[..., ::2]
        np.testing.assert_array_equal(mirrored, expected)
