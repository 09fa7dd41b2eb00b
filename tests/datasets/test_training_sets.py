"""Videos of a training file: folders, lists, official splits, and their faults."""

import pytest

from tsn_keras.common import progress
from tsn_keras.common.errors import InputError
from tsn_keras.datasets import training_sets
from tsn_keras.datasets.records import Choice


def make(root, name, count=4, prefixes=("img_",)):
    folder = root / name
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        for prefix in prefixes:
            (folder / f"{prefix}{number:05d}.jpg").touch()


def settings(root, **more):
    return Choice(**{"dataset": "folders", "root": str(root), **more})


def find(choice, prefixes=("img_",)):
    return training_sets.find(choice, prefixes, progress.SILENT)


@pytest.fixture
def classes(tmp_path):
    for name in ("walk", "run", "jump"):
        for number in range(10):
            make(tmp_path, f"{name}/{name}_{number}", 4 + number)
    (tmp_path / ".extract").mkdir()
    (tmp_path / "notes.txt").touch()
    return tmp_path


def test_class_folders(classes):
    found = find(settings(classes))
    assert found.classes == ("jump", "run", "walk")
    assert found.count == 3
    assert found.validation is None
    assert found.empty == ()
    rows = {
        folder.id: (folder.label, folder.path, folder.files)
        for folder in found.train.folders
    }
    assert len(rows) == 30
    assert rows["walk/walk_3"] == (2, classes / "walk" / "walk_3", 7)


def test_folders_of_split_files_are_no_classes(classes):
    before = find(settings(classes))
    split_files = classes / "testTrainMulti_7030_splits"
    split_files.mkdir()
    (split_files / "wave_test_split1.txt").write_text("a.avi 1\n")
    assert find(settings(classes)) == before


def test_holdout_is_a_share_of_each_class_and_stays(classes):
    found = find(settings(classes, holdout=0.2))
    held = {video.id for video in found.validation.folders}
    assert sorted(video.label for video in found.validation.folders) == [
        0,
        0,
        1,
        1,
        2,
        2,
    ]
    assert not held & {video.id for video in found.train.folders}
    assert len(found.train.folders) == 24
    # Elsewhere, and with one video less: the same.
    again = find(settings(classes, holdout=0.2))
    assert {video.id for video in again.validation.folders} == held
    assert again.digest == found.digest
    assert find(settings(classes)).digest != found.digest


def test_holdout_leaves_one_to_train_on(tmp_path):
    make(tmp_path, "a/one")
    make(tmp_path, "b/one")
    make(tmp_path, "b/two")
    found = find(settings(tmp_path, holdout=0.9))
    assert [video.id for video in found.train.folders if video.label == 0] == ["a/one"]
    assert len(found.train.folders) == 2
    assert len(found.validation.folders) == 1


def lists(root, train, validation=None, classes=None):
    more = {}
    for key, lines in (
        ("annotations", train),
        ("validation", validation),
        ("classes", classes),
    ):
        if lines is not None:
            path = root / f"{key}.txt"
            path.write_text("".join(f"{line}\n" for line in lines))
            more[key] = str(path)
    return settings(root, dataset="list", **more)


def test_lists(tmp_path):
    for name in "abc":
        make(tmp_path, name)
    found = find(lists(tmp_path, ["a 4 0", "b 4 1"], ["c 3 1"], ["one", "two"]))
    assert found.classes == ("one", "two")
    assert [video.id for video in found.validation.folders] == ["c"]
    assert [f.files for f in found.validation.folders] == [4]
    assert find(lists(tmp_path, ["a 4 0", "b 4 1"])).classes is None


@pytest.mark.parametrize(
    ("train", "validation", "names", "words"),
    [
        (["a 4 1", "b 4 2"], None, None, "as label 0; labels count from 0"),
        (["a 4 0", "b 4 2"], None, None, "1 of 3 classes have no training video"),
        (["a 4 0"], None, ["x", "y"], "1 of 2 classes have no training video, as y"),
        (["a 4 0", "b 4 1"], ["c 4 2"], None, "c of the validation videos has label 2"),
        (["a 4 0", "b 4 2"], None, ["x", "y"], "labels of 2 classes are from 0 to 1"),
        (
            ["a 4 0", "d 4 1"],
            None,
            None,
            "1 of 2 training videos of list have no folder",
        ),
        (["a 9 0", "b 4 1"], None, None, "but the list says 9"),
        (["a 4 0", "e 4 1"], None, None, "cannot be used; e: "),
        (["a 4"], None, None, "expected `<folder> <frames> <label>`"),
        (["a 4 0"], None, ["x", "x"], "names x twice"),
        (["a 4 0"], None, [], "names no class"),
        ([], None, None, "lists no video"),
    ],
)
def test_faults_of_lists(tmp_path, train, validation, names, words):
    for name in "abc":
        make(tmp_path, name)
    (tmp_path / "e").mkdir()
    with pytest.raises(InputError) as error:
        find(lists(tmp_path, train, validation, names))
    assert words in str(error.value)


def test_faults_of_folders(tmp_path):
    with pytest.raises(InputError, match="has no class folders"):
        find(settings(tmp_path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty is a class without videos"):
        find(settings(tmp_path))
    (tmp_path / "empty" / "video").mkdir()
    with pytest.raises(InputError, match="extract the frames first"):
        find(settings(tmp_path))
    make(tmp_path, "empty/other")
    with pytest.raises(InputError, match="empty/video: .*no files img_"):
        find(settings(tmp_path))
    with pytest.raises(InputError, match="`data`"):
        find(settings(tmp_path / "missing"))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"dataset": "hmdb51", "holdout": 0.1}, "`holdout` is not .* only for folders"),
        (
            {"dataset": "demo", "classes": "x"},
            "`classes` is not for demo, only for list",
        ),
        ({"annotations": "x"}, "`annotations` is not for folders, only "),
        ({"split": 2}, "`split` is 2; folders has no splits"),
        ({"dataset": "hmdb51", "split": 4}, "`split` is 4; hmdb51 has splits 1, 2, 3"),
        ({"dataset": "list"}, "name the list file"),
    ],
)
def test_settings_that_would_do_nothing(tmp_path, more, words):
    with pytest.raises(InputError, match=words):
        find(settings(tmp_path, **more))


def test_part_of_an_official_split(clips, tmp_path):
    """21 of the 51 classes are there: an error, unless it is allowed."""
    for clip in (clips / "hmdb51").glob("*/*.avi"):
        make(tmp_path, f"{clip.parent.name}/{clip.stem}", 1)
    one = {
        "dataset": "hmdb51",
        "split": 1,
        "annotations": str(clips / "annotations" / "hmdb51"),
    }
    with pytest.raises(InputError, match=r"3444 of 3570 .*`allow_missing=True`"):
        find(settings(tmp_path, **one))
    found = find(settings(tmp_path, **one, allow_missing=True))
    assert found.count == len(found.classes) == 51
    assert len(found.train.folders) == 126
    assert len(found.validation.folders) == 63
    assert len(found.empty) == 30
    assert "cartwheel" in found.empty
