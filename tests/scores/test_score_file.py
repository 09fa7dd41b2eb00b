"""Score files: what is written is read, and nothing else is."""

import json

import h5py
import hdf5files
import numpy as np
import pytest
from scorefiles import IDS, array

from tsn_keras.common import files
from tsn_keras.scores import score_file
from tsn_keras.scores.score_file import VideoScores


def test_round_trip(write):
    with score_file.ScoreFile(write()) as file:
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
        yield VideoScores("v_1", 0, 30, array(0))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_file.write(path, rows(), classes="xyz", about={}, failed={})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("free", [0, 1, 2, 20, 60, 128])
def test_a_full_disk_is_named(small_disk, free):
    """Wherever in the file HDF5 meets its end."""
    small_disk.leave(free)
    path = small_disk.path / "s.h5"
    rows = [VideoScores(f"v_{k}", 0, 30, array(k)) for k in range(50)]
    with pytest.raises(files.DiskFullError, match=r"cannot write .*/s\.h5: no space"):
        score_file.write(path, rows, classes="xyz", about={}, failed={})
    assert small_disk.names() == []


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [VideoScores("a", 0, 1, array(0)), VideoScores("a", 0, 1, array(0))],
            "comes twice",
        ),
        ([VideoScores("a", 0, 1, array(0, 4))], r"shape \(25, 10, 4\)"),
        ([VideoScores("a", 0, 1, array(0) * np.nan)], "not finite"),
        ([VideoScores("a", 0, 1, array(0) * [1, 1, np.inf])], "not finite"),
    ],
)
def test_impossible_scores_are_refused(tmp_path, rows, words):
    with pytest.raises(score_file.ScoreFileError, match=words):
        score_file.write(tmp_path / "s.h5", rows, classes="xyz", about={}, failed={})


def _set(name, value):
    def change(file):
        del file[name]
        file[name] = value

    return change


def _huge(file):
    del file["scores/v_1"]
    shape = (2**20, 2**20, 3)
    file["scores"].create_dataset("v_1", shape, "f4")


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
    with hdf5files.editing(path) as file:
        change(file)
    with pytest.raises(score_file.ScoreFileError, match=words) as caught:
        score_file.ScoreFile(path)
    assert str(path) in str(caught.value)


def test_damaged_and_missing_files(write, tmp_path):
    path = write()
    data = path.read_bytes()
    for content in (b"", b"text", data[:100], data[: len(data) // 2]):
        path.write_bytes(content)
        with pytest.raises(score_file.ScoreFileError, match=r"scores\.h5"):
            score_file.ScoreFile(path)
    with pytest.raises(FileNotFoundError):
        score_file.ScoreFile(tmp_path / "absent.h5")
    with pytest.raises(IsADirectoryError):
        score_file.ScoreFile(tmp_path)


@pytest.mark.parametrize(
    ("video", "name"),
    [("a.b", "a.b"), (".", "%2E"), ("..", "%2E%2E"), ("a/b%", "a%2Fb%25")],
)
def test_names_of_arrays(video, name):
    assert score_file.quote(video) == name


def test_scores_as_a_mapping(write):
    scores = score_file.Scores(write())
    assert list(scores) == IDS
    np.testing.assert_array_equal(scores[".."], array(IDS.index("..")))
    with pytest.raises(KeyError, match="other"):
        scores["other"]
