"""Pipelines: what is read, in which order, and what a bad file costs."""

import cv2
import numpy as np
import pytest

from tsn_keras import config
from tsn_keras.data import frames, pipeline

RGB, FLOW = ("img_",), ("flow_x_", "flow_y_")


@pytest.fixture
def video(tmp_path):
    """Makes a folder of files whose grey level is their number."""

    def make(name, count, size=(340, 256)):
        folder = tmp_path / name
        folder.mkdir()
        for number in range(1, count + 1):
            for offset, prefix in enumerate((*RGB, *FLOW)):
                image = np.full((size[1], size[0]), number + 100 * offset, np.uint8)
                image = cv2.merge([image] * 3) if prefix == "img_" else image
                cv2.imwrite(str(folder / f"{prefix}{number:05d}.jpg"), image)
        return folder

    return make


def test_flow_planes_are_x_y_x_y(video):
    folder = video("v", 7)
    numbers = np.array([3, 4, 5, 6, 7], np.int32)
    found = pipeline.read_snippet(str(folder), numbers, config.PREPROCESS["flow"], FLOW)
    assert found.shape == (256, 340, 10)
    x_then_y = [level for n in numbers for level in (100 + n, 200 + n)]
    np.testing.assert_array_equal(found[0, 0], x_then_y)


def test_rgb_is_b_g_r(tmp_path):
    image = np.zeros((256, 340, 3), np.uint8)
    image[..., 0] = 255
    cv2.imwrite(str(tmp_path / "img_00001.jpg"), image)
    found = pipeline.read_snippet(str(tmp_path), [1], config.PREPROCESS["rgb"], RGB)
    np.testing.assert_array_equal(found, cv2.imread(str(tmp_path / "img_00001.jpg")))
    assert found[0, 0, 0] > 250 > 10 > found[0, 0, 2]


def test_short_video_is_computed_once():
    ticks, order = pipeline.distinct_ticks(24, 1, 25)
    assert list(ticks) == [1]
    assert list(order) == [0] * 25
    ticks, order = pipeline.distinct_ticks(25, 1, 25)
    assert list(ticks[order]) == list(range(1, 26))


def test_plan_lists_distinct_snippets():
    snippets = pipeline.plan({4: 3, 9: 29}, 5, 25)
    assert list(snippets.video) == [4] + [9] * 25
    assert list(snippets.tick) == [0, *range(25)]
    assert snippets.files[0].tolist() == [1, 2, 3, 3, 3]
    assert snippets.files[25].tolist() == [25, 26, 27, 28, 29]


def test_batches_come_in_order_and_are_filled_up(video):
    folders = [video("a", 30), video("b", 10, size=(320, 240))]
    snippets = pipeline.plan({0: 30, 1: 10}, 1, 25)
    dataset = pipeline.for_test(folders, snippets, config.PREPROCESS["rgb"], RGB, 4)
    batches = [[part.numpy() for part in batch] for batch in dataset]
    assert {b[2].shape for b in batches} == {(4, 256, 340, 3)}
    videos, ticks, images = (
        np.concatenate(parts) for parts in zip(*batches, strict=True)
    )
    assert list(videos) == [0] * 25 + [1] + [-1] * 2
    assert list(ticks[:26]) == [*range(25), 0]
    assert list(images[:26, 0, 0, 0]) == [*range(1, 26), 1]


def test_a_bad_file_costs_its_snippet_only(video):
    folder = video("a", 30)
    (folder / "img_00003.jpg").write_bytes(b"")
    (folder / "img_00007.jpg").unlink()
    snippets = pipeline.plan({0: 30}, 1, 25)
    dataset = pipeline.for_test([folder], snippets, config.PREPROCESS["rgb"], RGB, 5)
    ticks = [t for v, ts, _ in dataset for t in ts.numpy()[v.numpy() >= 0]]
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
    rule = config.PREPROCESS["flow"], frames.Prefixes().of("flow")
    text = pipeline.explain(folder, [1, 2, 3], *rule)
    assert words in text
    assert str(bad) in text
    assert pipeline.explain(folder, [1], *rule) is None


def test_folders_with_any_characters(video):
    """Names of HMDB51 hold ! # & ( ) + ; @ [ ] ~."""
    folder = video("A #1 [x] ~&;@+!(é)_%05d", 2)
    found = pipeline.read_snippet(str(folder), [2], config.PREPROCESS["rgb"], RGB)
    assert found[0, 0, 0] == 2
