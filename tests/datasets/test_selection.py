"""Frame folders of real layouts: flat, in classes, partial, respelled."""

import pathlib

import pytest

from tsn_keras.datasets import frames, selection
from tsn_keras.datasets.records import DatasetError, Video
from tsn_keras.datasets.selection import FrameFolder

RGB, FLOW = ("img_",), ("flow_x_", "flow_y_")


def touch(folder, count, prefixes=("img_", "flow_x_", "flow_y_")):
    folder.mkdir(parents=True)
    for prefix in prefixes:
        for number in range(1, count + 1):
            (folder / f"{prefix}{number:05d}.jpg").touch()


def set_of(root, *videos):
    return selection.VideoSet("hmdb51", 1, pathlib.Path(root), videos, ("a", "b"))


A, B, C = (Video(f"{n}_[#1]", i % 2, "cls") for i, n in enumerate("abc"))


@pytest.mark.parametrize(
    "place", ["{id}", "cls/{id}", "frames/{id}", "frames/cls/{id}"]
)
def test_flat_and_in_class_folders(tmp_path, place):
    folder = tmp_path / place.format(id=A.id)
    touch(folder, 7)
    found = selection.select(set_of(tmp_path, A), FLOW)
    assert found.folders == (FrameFolder(A.id, A.label, folder, 7),)


def test_spelling_of_handstand_pushups(tmp_path):
    video = Video(
        "v_HandStandPushups_g01_c01",
        36,
        "HandstandPushups",
        aliases=("v_HandstandPushups_g01_c01",),
    )
    folder = tmp_path / "HandstandPushups" / "v_HandstandPushups_g01_c01"
    touch(folder, 3)
    assert frames.locate(tmp_path, video) == folder
    exact = tmp_path / "HandstandPushups" / video.id
    touch(exact, 3)
    assert frames.locate(tmp_path, video) == exact


def test_partial_copy_is_counted_and_named(tmp_path):
    touch(tmp_path / A.id, 3)
    test = set_of(tmp_path, A, B, C)
    with pytest.raises(DatasetError) as caught:
        selection.select(test, RGB)
    assert "2 of 3 test videos" in str(caught.value)
    assert B.id in str(caught.value)
    assert "`allow_missing=True`" in str(caught.value)
    found = selection.select(test, RGB, allow_missing=True)
    assert [f.id for f in found.folders] == [A.id]
    assert found.missing == (B.id, C.id)


def test_nothing_there_cannot_be_allowed(tmp_path):
    with pytest.raises(DatasetError, match="2 of 2 test videos"):
        selection.select(set_of(tmp_path, A, B), RGB, True)


def test_unusable_folders_fail_their_video(tmp_path):
    touch(tmp_path / A.id, 3)
    touch(tmp_path / B.id, 0)
    touch(tmp_path / C.id, 3)
    (tmp_path / C.id / "flow_y_00003.jpg").unlink()
    found = selection.select(set_of(tmp_path, A, B, C), FLOW)
    assert [f.id for f in found.folders] == [A.id]
    assert "no files flow_x_*.jpg" in found.failed[B.id]
    assert "{'flow_x_': 3, 'flow_y_': 2}" in found.failed[C.id]


def test_two_names_of_one_folder_are_refused(tmp_path):
    """Only the disk knows: b may be a link, and b/../a another folder than a."""
    touch(tmp_path / "a", 2)
    touch(tmp_path / "other/b", 2)
    touch(tmp_path / "other/a", 2)
    (tmp_path / "b").symlink_to(tmp_path / "other/b")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    videos = [Video(name, 0) for name in ("a", "b", "b/../a")]
    assert len(selection.select(set_of(tmp_path, *videos), RGB).folders) == 3
    for name in ("link", "other/../a", str(tmp_path / "a")):
        with pytest.raises(DatasetError, match=f"a and {name} of .* are the same"):
            selection.select(set_of(tmp_path, *videos, Video(name, 0)), RGB)


def test_a_gap_is_named(tmp_path):
    touch(tmp_path / A.id, 5)
    (tmp_path / A.id / "img_00002.jpg").unlink()
    with pytest.raises(
        frames.FrameError, match=r"img_00002\.jpg is missing; .* 4 files"
    ):
        frames.count(tmp_path / A.id, ["img_"])


def test_other_files_are_not_counted(tmp_path):
    touch(tmp_path / A.id, 5)
    for name in (
        "img_x.jpg",
        "img_00006.png",
        "img_.jpg",
        "Thumbs.db",
        "img_6.jpg.part",
    ):
        (tmp_path / A.id / name).touch()
    assert frames.count(tmp_path / A.id, ["img_"]) == 5


def test_other_prefixes_are_suggested(tmp_path):
    touch(tmp_path / A.id, 2, prefixes=["image_"])
    with pytest.raises(DatasetError, match=r"as image_00001\.jpg.*`rgb_prefix`"):
        selection.select(set_of(tmp_path, A), RGB)
    (found,) = selection.select(set_of(tmp_path, A), ("image_",)).folders
    assert found.files == 2


def test_fewer_files_than_the_list_says(tmp_path):
    touch(tmp_path / "x", 2)
    touch(tmp_path / "y", 4)
    videos = [Video(n, 0, "", 3) for n in ("x", "y")]
    found = selection.select(set_of(tmp_path, *videos), RGB)
    assert "2 files img_*.jpg, but the list says 3" in found.failed["x"]
    assert [f.files for f in found.folders] == [4]
