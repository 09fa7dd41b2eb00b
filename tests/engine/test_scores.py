"""Score files: what is written is read, and nothing else is."""

import json

import h5py
import numpy as np
import pytest

from tsn_keras.engine import scores

IDS = ["v_1", "a/b%c", "#1 [x] ~&;@+!(é)", "..", "a%2Fb"]


def array(index, classes=3):
    return np.random.default_rng(index).normal(size=(25, 10, classes)).astype("f4")


@pytest.fixture
def write(tmp_path):
    def write(name="scores.h5", ids=IDS, labels=None, classes="xyz", about=None):
        path = tmp_path / name
        labels = labels or [i % 3 for i in range(len(ids))]
        rows = [
            (video, labels[i], 30 + i, array(IDS.index(video)))
            for i, video in enumerate(ids)
        ]
        about = about or {"dataset": "demo", "split": 1}
        failed = {"bad": "img_00001.jpg: empty"}
        scores.write(path, iter(rows), classes=classes, about=about, failed=failed)
        return path

    return write


def test_round_trip(write):
    with scores.open(write()) as file:
        assert file.video_ids == tuple(IDS)
        assert list(file.labels) == [0, 1, 2, 0, 1]
        assert list(file.frames) == [30, 31, 32, 33, 34]
        assert file.classes == ("x", "y", "z")
        assert file.about == {"dataset": "demo", "split": 1}
        assert file.failed == {"bad": "img_00001.jpg: empty"}
        assert len(file) == 5
        assert "a/b%c" in file
        assert "a" not in file
        for index, video in enumerate(IDS):
            found = file.read(video)
            assert found.dtype == np.float32
            np.testing.assert_array_equal(found, array(index))


def test_file_is_plain_hdf5_by_video_id(write):
    with h5py.File(write(), "r") as file:
        np.testing.assert_array_equal(file["scores/v_1"], array(0))
        assert json.loads(file.attrs["about"])["dataset"] == "demo"


def test_failed_write_leaves_the_old_file_and_nothing_else(write, tmp_path):
    path = write()
    before = path.read_bytes()

    def rows():
        yield "v_1", 0, 30, array(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scores.write(path, rows(), classes="xyz", about={}, failed={})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_named(tmp_path):
    def rows():
        yield "v_1", 0, 30, array(0)
        raise RuntimeError("No space left on device")  # what h5py raises

    with pytest.raises(scores.ScoreFileError, match=r"s\.h5: No space left"):
        scores.write(tmp_path / "s.h5", rows(), classes="xyz", about={}, failed={})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("a", 0, 1, array(0)), ("a", 0, 1, array(0))], "comes twice"),
        ([("a", 0, 1, array(0, 4))], r"shape \(25, 10, 4\)"),
        ([("a", 0, 1, array(0) * np.nan)], "not finite"),
    ],
)
def test_impossible_scores_are_refused(tmp_path, rows, words):
    with pytest.raises(scores.ScoreFileError, match=words):
        scores.write(tmp_path / "s.h5", rows, classes="xyz", about={}, failed={})


def _set(name, value):
    def change(file):
        del file[name]
        file[name] = value

    return change


def _huge(file):
    del file["scores/v_1"]
    shape = (2**20, 2**20, 3)
    file["scores"].create_dataset("v_1", shape, "f4", chunks=(1, 2**10, 3))


def _external(file):
    del file["scores/v_1"]
    place = [("/etc/hostname", 0, 120)]
    file["scores"].create_dataset("v_1", (1, 10, 3), "f4", external=place)


def _link(file):
    del file["labels"]
    file["labels"] = h5py.ExternalLink("other.h5", "labels")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.attrs.modify("format", "other"), "format"),
        (lambda f: f.attrs.modify("about", "[]"), "about is not a JSON object"),
        (lambda f: f.attrs.modify("about", "{"), "not a usable score file"),
        (_set("labels", np.array([0, 1, 2, 0, 3])), "outside 0 to 2"),
        (_set("labels", np.array([0, 1])), "not one for each video"),
        (_set("labels", np.zeros(5)), "labels is not a list of integers"),
        (_set("video_ids", np.zeros(5)), "video_ids is not a list of strings"),
        (_set("scores/v_1", np.zeros((25, 10, 3))), "float64"),
        (_set("scores/v_1", np.zeros((0, 10, 3), "f4")), "are empty"),
        (lambda f: f.__delitem__("scores/v_1"), "not those of its video ids"),
        (lambda f: f.__delitem__("failed"), "failed is missing"),
        (_huge, "declares"),
        (_external, "not a plain array"),
        (_link, "link to another place"),
    ],
)
def test_files_of_strangers_are_checked(write, change, words):
    path = write()
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(scores.ScoreFileError, match=words) as caught:
        scores.open(path)
    assert str(path) in str(caught.value)


def test_damaged_and_missing_files(write, tmp_path):
    path = write()
    data = path.read_bytes()
    for content in (b"", b"text", data[:100], data[: len(data) // 2]):
        path.write_bytes(content)
        with pytest.raises(scores.ScoreFileError, match=r"scores\.h5"):
            scores.open(path)
    with pytest.raises(FileNotFoundError):
        scores.open(tmp_path / "absent.h5")
    with pytest.raises(IsADirectoryError):
        scores.open(tmp_path)


def test_aggregate_is_crops_then_snippets():
    # Two snippets of two crops: [[1, 3], [5, 11]] of class 0.
    values = np.array([[[1, 0], [3, 8]], [[5, 2], [11, 2]]], np.float32)
    np.testing.assert_array_equal(scores.aggregate(values), [5, 3])
    np.testing.assert_array_equal(scores.aggregate(values, "max"), [7, 5])


def test_aggregate_equals_the_original(golden):
    values = np.load(golden / "eval/eval_25x10.npz")
    for key in ("v1_rgb", "v1_flow", "v2_rgb", "v2_flow"):
        found = scores.aggregate(values[f"{key}_scores"])
        np.testing.assert_allclose(found, values[f"{key}_agg"], rtol=0, atol=1e-6)


def test_fuse_adds_weighted_raw_scores_and_changes_nothing():
    rgb, flow = np.array([[1.0, 2.0]]), np.array([[10.0, -2.0]])
    np.testing.assert_array_equal(scores.fuse([rgb, flow], [1, 1.5]), [[16, -1]])
    np.testing.assert_array_equal(rgb, [[1, 2]])


def test_join_is_by_id_in_the_order_of_the_first(write):
    paths = write("a.h5"), write("b.h5", ids=IDS[::-1], labels=[1, 0, 2, 1, 0])
    with scores.open(paths[0]) as a, scores.open(paths[1]) as b:
        joined = scores.join([a, b])
        assert joined.video_ids == tuple(IDS)
        parts = [
            scores.aggregate_file(file)[index]
            for file, index in zip((a, b), joined.indices, strict=True)
        ]
    np.testing.assert_array_equal(*parts)


def test_join_refuses_other_videos_unless_allowed(write):
    paths = write("a.h5"), write("b.h5", ids=IDS[1:3], labels=[1, 2])
    with scores.open(paths[0]) as a, scores.open(paths[1]) as b:
        with pytest.raises(scores.ScoreFileError, match=r"b\.h5 lacks 3 \(\.\., a%2Fb"):
            scores.join([a, b])
        joined = scores.join([a, b], allow_missing=True)
    assert joined.video_ids == tuple(IDS[1:3])
    assert joined.left_out == 3


def test_join_refuses_other_labels_and_classes(write):
    paths = [write("a.h5"), write("b.h5", labels=[0, 1, 2, 2, 1])]
    paths.append(write("c.h5", classes="xyw"))
    opened = [scores.open(path) for path in paths]
    with pytest.raises(
        scores.ScoreFileError, match=r"labels of 1 videos: \.\. is 0 and 2"
    ):
        scores.join(opened[:2])
    with pytest.raises(scores.ScoreFileError, match="other classes"):
        scores.join(opened[::2])
    for file in opened:
        file.close()
