"""Pixels against OpenCV's, bit for bit; crops against a plain statement."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tsn_keras.pipeline import transforms
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.modalities import FLOW, RGB
from tsn_keras.protocols.records import Stream

SIZES = [(240, 320), (256, 340), (480, 640), (512, 680), (144, 176), (1080, 1920)]
SIZES += [(512, 340), (256, 320), (241, 321), (100, 99), (1, 1), (2, 3), (300, 1)]


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_resize_equals_opencv(random, size, channels):
    image = random.integers(0, 256, (*size, channels), dtype=np.uint8)
    expected = cv2.resize(image, (340, 256)).reshape(256, 340, channels)
    found = transforms.resize(tf.constant(image), 256, 340)
    np.testing.assert_array_equal(found, expected)


def test_resize_to_any_size_equals_opencv(random):
    for _ in range(60):
        height, width, rows, columns = (int(n) for n in random.integers(1, 300, 4))
        image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        expected = cv2.resize(image, (columns, rows))
        found = transforms.resize(tf.constant(image), rows, columns)
        np.testing.assert_array_equal(found, expected.reshape(rows, columns, 3))


@pytest.mark.parametrize("size", [(40, 40000), (40000, 40), (1600, 1200)])
def test_large_images_equal_opencv_too(random, size):
    """Of these only the lines that are asked for are taken."""
    image = random.integers(0, 256, (*size, 3), dtype=np.uint8)
    found = transforms.resize(tf.constant(image), 256, 340)
    np.testing.assert_array_equal(found, cv2.resize(image, (340, 256)))


@pytest.mark.parametrize("quality", [50, 95])
@pytest.mark.parametrize("sampling", [None, 0x111111, 0x221111, 0x211111])
def test_decode_equals_opencv(random, tmp_path, quality, sampling):
    """Smooth and rough content, with every usual chroma subsampling."""
    image = random.integers(0, 256, (12, 17, 3), dtype=np.uint8)
    image = cv2.resize(image, (171, 129), interpolation=cv2.INTER_CUBIC)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if sampling is not None:
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    path, grey = str(tmp_path / "image.jpg"), str(tmp_path / "grey.jpg")
    assert cv2.imwrite(path, image, options)
    assert cv2.imwrite(grey, image[..., 0], options)
    flags = {3: cv2.IMREAD_COLOR, 1: cv2.IMREAD_GRAYSCALE}
    # A grey file as a frame is three equal planes, as in the original.
    for file, channels in ((path, 3), (grey, 1), (grey, 3)):
        expected = cv2.imread(file, flags[channels]).reshape(129, 171, channels)
        np.testing.assert_array_equal(transforms.decode(file, channels), expected)
    with pytest.raises(tf.errors.InvalidArgumentError, match="a colour file, not grey"):
        transforms.decode(path, 1)


def test_decode_of_original_frames_equals_opencv(golden):
    paths = sorted((golden / "data/frames").rglob("*.jpg"))
    assert len(paths) == 204
    for path in paths[::7]:
        channels = 3 if path.name.startswith("img") else 1
        flag = cv2.IMREAD_COLOR if channels == 3 else cv2.IMREAD_GRAYSCALE
        expected = cv2.imread(str(path), flag)
        found = transforms.decode(str(path), channels)
        np.testing.assert_array_equal(found, expected.reshape(found.shape))


def test_damaged_files_are_refused(tmp_path, random):
    image = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = cv2.imencode(".jpg", image)[1].tobytes()
    cases = {"empty": b"", "text": b"not an image", "cut": data[: len(data) // 2]}
    # A header of 65500 x 65500 pixels, with nothing behind it.
    place = data.index(b"\xff\xc0") + 5
    cases["huge"] = data[:place] + b"\xff\xdc\xff\xdc" + data[place + 4 :]
    for name, content in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(tf.errors.OpError):
            transforms.decode(str(path), 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="too many pixels"):
        transforms.decode(str(tmp_path / "huge"), 3)
    with pytest.raises(tf.errors.NotFoundError):
        transforms.decode(str(tmp_path / "absent"), 3)


def ten_crop(frames, modality):
    return transforms.cut(frames, CAFFE.test, Stream(modality, CAFFE))


def plain_ten_crop(frame, is_flow):
    """The original's rule in NumPy: pyActionRecog/utils/io.py:4-42."""
    places = [(0, 0), (0, 116), (32, 0), (32, 116), (16, 58)]
    crops = [frame[y : y + 224, x : x + 224].copy() for y, x in places]
    for crop in crops[:5]:
        mirrored = crop[:, ::-1].copy()
        if is_flow:
            mirrored[..., ::2] = 255 - mirrored[..., ::2]
        crops.append(mirrored)
    return np.stack(crops)


@pytest.mark.parametrize(("channels", "is_flow"), [(3, False), (10, True)])
def test_ten_crop_equals_the_rule(random, channels, is_flow):
    frames = random.integers(0, 256, (2, 256, 340, channels), dtype=np.uint8)
    found = ten_crop(tf.constant(frames), FLOW if is_flow else RGB)
    expected = np.stack([plain_ten_crop(frame, is_flow) for frame in frames])
    np.testing.assert_array_equal(found, expected)


def test_ten_crop_inside_a_dataset(random):
    frames = random.integers(0, 256, (1, 256, 340, 10), dtype=np.uint8)
    dataset = tf.data.Dataset.from_tensors(frames)
    dataset = dataset.map(lambda x: ten_crop(x, FLOW))
    (found,) = dataset
    np.testing.assert_array_equal(found[0], plain_ten_crop(frames[0], True))


def test_no_motion_mirrors_to_127():
    still = tf.fill((1, 256, 340, 2), tf.constant(128, tf.uint8))
    crops = ten_crop(still, FLOW).numpy()
    assert (crops[0, :5] == 128).all()
    assert (crops[0, 5:, ..., 0] == 127).all()
    assert (crops[0, 5:, ..., 1] == 128).all()


def test_centre_crop_is_crop_4_of_the_ten():
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (2, 256, 340, 3), np.uint8)
    ten = ten_crop(tf.constant(frames), RGB).numpy()
    found = transforms.cut(
        tf.constant(frames), CAFFE.quick, Stream(RGB, CAFFE)
    ).numpy()[:, 0]
    np.testing.assert_array_equal(found, ten[:, 4])
