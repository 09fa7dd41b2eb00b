"""Pipelines: what is read, in which order, and what a bad file costs."""

import re

import cv2
import numpy as np
import pytest

from tsn_keras.datasets.selection import FrameFolder
from tsn_keras.pipeline import reading, snippets
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream

RGB, FLOW = (Stream(MODALITIES[name], CAFFE) for name in ("rgb", "flow"))
PREFIXES = ("img_", "flow_x_", "flow_y_")


def folder_of(path, files):
    return FrameFolder(path.name if hasattr(path, "name") else path, 0, path, files)


@pytest.fixture
def video(tmp_path):
    """Makes a folder of files whose grey level is their number."""

    def make(name, count, size=(340, 256)):
        folder = tmp_path / name
        folder.mkdir()
        for number in range(1, count + 1):
            for offset, prefix in enumerate(PREFIXES):
                image = np.full((size[1], size[0]), number + 100 * offset, np.uint8)
                image = cv2.merge([image] * 3) if prefix == "img_" else image
                cv2.imwrite(str(folder / f"{prefix}{number:05d}.jpg"), image)
        return folder

    return make


def test_flow_planes_are_x_y_x_y(video):
    folder = video("v", 7)
    numbers = np.array([3, 4, 5, 6, 7], np.int32)
    found, size = reading.resized_snippet(str(folder), numbers, FLOW)
    assert size.numpy().tolist() == [256, 340]
    assert found.shape == (256, 340, 10)
    x_then_y = [level for n in numbers for level in (100 + n, 200 + n)]
    np.testing.assert_array_equal(found[0, 0], x_then_y)


def test_rgb_is_b_g_r(tmp_path):
    image = np.zeros((256, 340, 3), np.uint8)
    image[..., 0] = 255
    cv2.imwrite(str(tmp_path / "img_00001.jpg"), image)
    found, _ = reading.resized_snippet(str(tmp_path), [1], RGB)
    np.testing.assert_array_equal(found, cv2.imread(str(tmp_path / "img_00001.jpg")))
    assert found[0, 0, 0] > 250 > 10 > found[0, 0, 2]


def test_short_video_is_computed_once():
    ticks, order = CAFFE.test.distinct(24, 1)
    assert list(ticks) == [1]
    assert list(order) == [0] * 25
    ticks, order = CAFFE.test.distinct(25, 1)
    assert list(ticks[order]) == list(range(1, 26))


def test_plan_lists_distinct_snippets():
    folders = [folder_of("a", 3), folder_of("b", 29)]
    plan = snippets.plan(folders, FLOW, CAFFE.test)
    assert list(plan.video) == [0] + [1] * 25
    assert list(plan.tick) == [0, *range(25)]
    assert plan.files[0].tolist() == [1, 2, 3, 3, 3]
    assert plan.files[25].tolist() == [25, 26, 27, 28, 29]
    assert plan.of(0).tolist() == [[1, 2, 3, 3, 3]]


def test_batches_come_in_order_and_are_filled_up(video):
    folders = [
        folder_of(video("a", 30), 30),
        folder_of(video("b", 10, size=(320, 240)), 10),
    ]
    plan = snippets.plan(folders, RGB, CAFFE.test)
    dataset = snippets.for_test(folders, plan, RGB, 4)
    batches = [[part.numpy() for part in batch] for batch in dataset]
    assert {b[3].shape for b in batches} == {(4, 256, 340, 3)}
    videos, ticks, sizes, images = (
        np.concatenate(parts) for parts in zip(*batches, strict=True)
    )
    assert list(videos) == [0] * 25 + [1] + [-1] * 2
    assert list(ticks[:26]) == [*range(25), 0]
    assert sizes.tolist() == [[256, 340]] * 25 + [[240, 320]] + [[0, 0]] * 2
    assert list(images[:26, 0, 0, 0]) == [*range(1, 26), 1]


def test_a_bad_file_costs_its_snippet_only(video):
    folder = video("a", 30)
    (folder / "img_00003.jpg").write_bytes(b"")
    (folder / "img_00007.jpg").unlink()
    folders = [folder_of(folder, 30)]
    plan = snippets.plan(folders, RGB, CAFFE.test)
    dataset = snippets.for_test(folders, plan, RGB, 5)
    ticks = [t for v, ts, *_ in dataset for t in ts.numpy()[v.numpy() >= 0]]
    assert ticks == [t for t in range(25) if t not in (2, 6)]


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no such file"), (b"", "is empty"), (b"junk", "cannot be decoded")],
)
def test_explain_names_the_file_and_the_reason(video, content, words):
    folder = video("a", 3)
    bad = folder / "flow_y_00002.jpg"
    bad.unlink()
    if content is not None:
        bad.write_bytes(content)
    text = reading.explain(folder, [1, 2, 3], FLOW)
    assert words in text
    assert str(bad) in text
    # TensorFlow's names for its functions say nothing to a user.
    assert "{{" not in text
    assert "[Op" not in text
    assert reading.explain(folder, [1], FLOW) is None


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: b"junk", "Invalid JPEG data"),
        (lambda data: data[: len(data) // 2], "Invalid JPEG data"),
        (lambda data: data[:20] + bytes(200) + data[220:], "Invalid JPEG data"),
        (None, "Is a directory"),
    ],
)
def test_reasons_are_for_people(video, spoil, words):
    folder = video("a", 2)
    bad = folder / "img_00001.jpg"
    data = bad.read_bytes()
    bad.unlink()
    if spoil is None:
        bad.mkdir()
    else:
        bad.write_bytes(spoil(data))
    text = reading.explain(folder, [1], RGB)
    assert text.startswith(f"{bad}: cannot be decoded: ")
    assert words in text
    for inside in ("{{", "[Op:", "node", ".cc", "::", "\n"):
        assert inside not in text


def _write(path, width, height, channels=1):
    image = np.full((height, width, channels), 128, np.uint8)
    assert cv2.imwrite(str(path), image)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ((320, 240), r"flow_y_00002.jpg is 320 x 240, but .*flow_x_00001.jpg is 340"),
        ((1, 1), "flow_y_00002.jpg is 1 x 1, smaller than the least side of 32"),
        ((340, 256, 3), "flow_y_00002.jpg: cannot be decoded: a colour file, not grey"),
    ],
)
def test_images_that_are_no_flow_of_their_video(video, bad, words):
    """Another size than its sisters, no size to speak of, colour."""
    folder = video("a", 9)
    _write(folder / "flow_y_00002.jpg", *bad)
    folders = [folder_of(folder, 9)]
    plan = snippets.plan(folders, FLOW, CAFFE.test)
    assert list(snippets.for_test(folders, plan, FLOW, 5)) == []
    (numbers,) = plan.of(0)
    reason = reading.explain(folder, numbers, FLOW) or reading.explain_sizes(
        folder, [numbers], FLOW, reading.MIN_SIDE
    )
    assert re.search(words, reason), reason


@pytest.mark.parametrize(("side", "there"), [(31, 0), (32, 1)])
def test_the_least_side(tmp_path, side, there):
    _write(tmp_path / "img_00001.jpg", 340, side, 3)
    folders = [folder_of(tmp_path, 1)]
    plan = snippets.plan(folders, RGB, CAFFE.test)
    assert len(list(snippets.for_test(folders, plan, RGB, 1))) == there


def test_folders_with_any_characters(video):
    """Names of HMDB51 hold ! # & ( ) + ; @ [ ] ~."""
    folder = video("A #1 [x] ~&;@+!(é)_%05d", 2)
    found, _ = reading.resized_snippet(str(folder), [2], RGB)
    assert found[0, 0, 0] == 2
