"""Training batches: draws by the formulas, the same after a resume."""

import collections

import cv2
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tsn_keras.datasets.selection import FrameFolder
from tsn_keras.pipeline import draws, reading
from tsn_keras.pipeline.training import Batches
from tsn_keras.protocols import crops, sampling
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream
from tsn_keras.protocols.train_sampling import in_segments

# Of a right generator one test in ten thousand falls below; the seeds are fixed.
LEAST = 1e-4


def chi_square(counts, shares=None):
    """Probability of counts at least as uneven as these."""
    counts = np.asarray(counts)
    expected = counts.sum() * np.asarray(shares) if shares is not None else None
    return scipy.stats.chisquare(counts, expected).pvalue


def mapped(function, rows):
    """A function's int32 values for all rows, in one graph: much faster than eager."""
    one = function(rows[0])
    graph = tf.function(
        lambda rows: tf.map_fn(function, rows, fn_output_signature=one.dtype),
        autograph=False,
    )
    return graph(rows).numpy()


@pytest.mark.parametrize(
    ("files", "depth", "segments"), [(100, 1, 3), (100, 5, 3), (20, 5, 3), (64, 6, 7)]
)
def test_ticks_are_uniform_inside_their_segments(files, depth, segments):
    number = 4000
    drawn = mapped(lambda n: draws.draw(7, n, segments), tf.range(number))
    ticks = np.array(
        [in_segments(files, depth, segments, row) for row in drawn.tolist()]
    )
    length = files // segments
    for k in range(segments):
        offsets = ticks[:, k] - 1 - k * length
        counts = np.bincount(offsets, minlength=length - depth + 1)
        assert len(counts) == length - depth + 1
        assert chi_square(counts) > LEAST
    # Segments are drawn apart from one another.
    both = ticks[:, 0] * 1000 + ticks[:, 1]
    assert len(set(both)) > 0.5 * min(number, (length - depth + 1) ** 2)


@pytest.mark.parametrize(("files", "depth"), [(14, 5), (7, 5), (2, 1), (1, 1)])
def test_ticks_of_short_videos_are_the_first(files, depth):
    for n in range(20):
        drawn = draws.draw(0, n, 3).numpy().tolist()
        assert in_segments(files, depth, 3, drawn) == [1, 1, 1]
    assert sampling.validation_ticks(files, depth) == [1, 1, 1]


@pytest.mark.parametrize("modality", ["rgb", "flow", "rgbdiff"])
@pytest.mark.parametrize("shape", [(256, 340), (240, 320), (300, 257), (224, 224)])
def test_windows_are_all_those_of_the_rules(modality, shape):
    """As often as one another: sizes, and places of each size."""
    stream = Stream(MODALITIES[modality], CAFFE)
    ratios = stream.modality.crop_ratios
    sizes = crops.crop_sizes(*shape, ratios, 224)
    drawn = tf.constant([(a, b) for a in range(len(sizes)) for b in range(13)])
    rule = CAFFE.augmentation
    windows = mapped(lambda row: draws.window(shape, rule, stream, row), drawn)
    found = collections.Counter(map(tuple, windows.tolist()))
    expected = collections.Counter(
        (*place, *size) for size in sizes for place in crops.crop_offsets(*shape, *size)
    )
    assert found == expected


def test_draws_choose_sizes_places_and_mirroring_evenly():
    """The three are independent of one another, and of the ticks."""
    drawn = mapped(lambda number: draws.draw(3, number, 4), tf.range(8000))
    mirror, size, place, tick = (drawn % (2, 10, 13, 33)).T
    for values, count in ((mirror, 2), (size, 10), (place, 13), (tick, 33)):
        assert chi_square(np.bincount(values, minlength=count)) > LEAST
    for one, a in ((mirror, 2), (size, 10)):
        for other, b in ((place, 13), (tick, 33)):
            table = np.bincount(one * b + other, minlength=a * b).reshape(a, b)
            assert scipy.stats.chi2_contingency(table).pvalue > LEAST
    assert drawn.min() >= 0


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Seven videos of 340 x 256 and one of 320 x 240."""
    root = tmp_path_factory.mktemp("videos")
    random = np.random.default_rng(0)
    found = []
    for label in range(8):
        folder = root / f"v{label}"
        folder.mkdir()
        size = (320, 240) if label == 3 else (340, 256)
        for number in range(1, 21):
            for prefix, channels in (("img_", 3), ("flow_x_", 1), ("flow_y_", 1)):
                small = random.integers(0, 256, (8, 10, channels), np.uint8)
                path = str(folder / f"{prefix}{number:05d}.jpg")
                cv2.imwrite(path, cv2.resize(small, size))
        found.append(FrameFolder(f"v{label}", label, folder, 20))
    return found


def batches(videos, count, modality="rgb", first=0, seed=5):
    stream = Stream(MODALITIES[modality], CAFFE)
    plan = Batches(tuple(videos), stream, segments=3, batch=3, seed=seed)
    dataset = plan.for_training(first)
    return [tuple(map(np.asarray, batch)) for batch in dataset.take(count)]


def test_every_pass_has_every_video_once_in_an_order_of_its_own(videos):
    labels = np.concatenate([labels for _, labels in batches(videos, 8)])
    passes = labels.reshape(3, 8)
    for one in passes:
        assert sorted(one) == list(range(8))
    assert len({tuple(one) for one in passes}) == 3


def test_the_order_of_a_pass_is_the_same_everywhere():
    """Resumed runs rest on it, on other machines too: it was written down once."""
    assert draws.order(3, 0, 8).numpy().tolist() == [2, 0, 6, 3, 5, 7, 4, 1]
    assert draws.order(3, 1, 8).numpy().tolist() == [4, 7, 3, 6, 5, 1, 0, 2]


# Others: test_sound_reading.py, test_stacked_snippets.py, test_joint_snippets.py.
@pytest.mark.parametrize("modality", ["rgb", "flow", "rgbdiff"])
def test_batches_are_what_the_draws_say(videos, modality):
    """Of each video, step by step, in NumPy and OpenCV."""
    rule = MODALITIES[modality]
    number = 0
    for images, labels in batches(videos, 3, modality):
        assert images.shape == (3, 3, 224, 224, rule.planes)
        assert images.dtype == np.uint8
        for video, label in zip(images, labels, strict=True):
            folder, files = videos[label].path, videos[label].files
            mirror, size, place, *ticks = draws.draw(5, number, 6).numpy()
            number += 1
            first = cv2.imread(str(folder / "img_00001.jpg"))
            sizes = crops.crop_sizes(*first.shape[:2], rule.crop_ratios, 224)
            rows, columns = sizes[size % len(sizes)]
            y, x = crops.crop_offsets(*first.shape[:2], rows, columns)[place % 13]
            length = files // 3
            for k, found in enumerate(video):
                tick = 1 + k * length + ticks[k] % (length - rule.length + 1)
                planes = []
                for step in range(rule.length):
                    for prefix in rule.prefixes:
                        path = folder / f"{prefix}{tick + step:05d}.jpg"
                        flag = prefix == "img_"
                        image = cv2.imread(str(path), int(flag))
                        cut = image[y : y + rows, x : x + columns]
                        plane = cv2.resize(cut, (224, 224))
                        if mirror % 2:
                            plane = plane[:, ::-1]
                            plane = 255 - plane if prefix == "flow_x_" else plane
                        planes.append(plane)
                np.testing.assert_array_equal(found, np.dstack(planes))


def test_going_on_gives_the_batches_of_an_undisturbed_run(videos):
    """Also in the middle of a pass, which a batch crosses."""
    whole = batches(videos, 7)
    for done in (1, 2, 4):
        rest = batches(videos, 7 - done, first=3 * done)
        for (images, labels), (again, same) in zip(whole[done:], rest, strict=True):
            np.testing.assert_array_equal(images, again)
            np.testing.assert_array_equal(labels, same)


def test_other_seeds_give_other_batches(videos):
    one, other = (batches(videos, 2, seed=seed) for seed in (1, 2))
    assert any((a[1] != b[1]).any() for a, b in zip(one, other, strict=True))


def test_a_file_that_cannot_be_read_is_an_error(videos, tmp_path):
    bad = FrameFolder("bad", 0, tmp_path, 20)
    with pytest.raises(tf.errors.NotFoundError, match="img_000"):
        batches([bad], 1)


@pytest.mark.parametrize(
    "shape", [(256, 340, 3), (240, 320), (1, 1)], ids=["colour", "size", "tiny"]
)
def test_flow_that_is_none_is_an_error(tmp_path, shape):
    """Colour, another size than its sisters, or a single pixel."""
    for number in range(1, 21):
        for prefix in ("flow_x_", "flow_y_"):
            is_good = prefix == "flow_x_" and shape != (1, 1)
            image = np.zeros((256, 340) if is_good else shape, np.uint8)
            cv2.imwrite(str(tmp_path / f"{prefix}{number:05d}.jpg"), image)
    stream = Stream(MODALITIES["flow"], CAFFE)
    folders = (FrameFolder("bad", 0, tmp_path, 20),)
    plan = Batches(folders, stream, segments=3, batch=1)
    for dataset in (plan.for_training(), plan.for_validation()):
        with pytest.raises(tf.errors.InvalidArgumentError):
            next(iter(dataset))


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((200, 150), "is 200 x 150, smaller than a crop of 224"),
        ((320, 256), "is 320 x 256, but"),
    ],
)
def test_sizes_that_do_not_fit_are_named(tmp_path, size, words):
    for number in range(1, 4):
        shape = (340, 256) if number < 3 else size
        image = np.zeros((*shape[::-1], 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"img_{number:05d}.jpg"), image)
    stream = Stream(MODALITIES["rgb"], CAFFE)
    assert reading.explain_sizes(tmp_path, [[1], [2]], stream) is None
    found = reading.explain_sizes(tmp_path, [[1], [2], [3]], stream)
    assert "img_00003.jpg" in found
    assert words in found
