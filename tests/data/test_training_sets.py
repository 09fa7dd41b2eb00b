"""Videos of a training file: folders, lists, official splits, and their faults."""

import pytest

from tsn_keras import config
from tsn_keras.data import training_sets


def make(root, name, count=4, prefixes=("img_",)):
    folder = root / name
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        for prefix in prefixes:
            (folder / f"{prefix}{number:05d}.jpg").touch()


def settings(root, **more):
    return config.DataSettings(**{"dataset": "folders", "root": str(root), **more})


@pytest.fixture
def classes(tmp_path):
    for name in ("walk", "run", "jump"):
        for number in range(10):
            make(tmp_path, f"{name}/{name}_{number}", 4 + number)
    (tmp_path / ".extract").mkdir()
    (tmp_path / "notes.txt").touch()
    return tmp_path


def test_class_folders(classes):
    found = training_sets.find(settings(classes))
    assert found.classes == ("jump", "run", "walk")
    assert found.count == 3
    assert found.validation is None
    assert found.empty == ()
    rows = {
        video.id: (video.label, folder, count)
        for video, folder, count in zip(
            found.train.videos, found.train.folders, found.train.counts, strict=True
        )
    }
    assert len(rows) == 30
    assert rows["walk/walk_3"] == (2, classes / "walk" / "walk_3", 7)


def test_holdout_is_a_share_of_each_class_and_stays(classes):
    found = training_sets.find(settings(classes, holdout=0.2))
    held = {video.id for video in found.validation.videos}
    assert sorted(video.label for video in found.validation.videos) == [
        0,
        0,
        1,
        1,
        2,
        2,
    ]
    assert not held & {video.id for video in found.train.videos}
    assert len(found.train.videos) == 24
    # Elsewhere, and with one video less: the same.
    again = training_sets.find(settings(classes, holdout=0.2))
    assert {video.id for video in again.validation.videos} == held
    assert again.digest == found.digest
    assert training_sets.find(settings(classes)).digest != found.digest


def test_holdout_leaves_one_to_train_on(tmp_path):
    make(tmp_path, "a/one")
    make(tmp_path, "b/one")
    make(tmp_path, "b/two")
    found = training_sets.find(settings(tmp_path, holdout=0.9))
    assert [video.id for video in found.train.videos if video.label == 0] == ["a/one"]
    assert len(found.train.videos) == 2
    assert len(found.validation.videos) == 1


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
    found = training_sets.find(
        lists(tmp_path, ["a 4 0", "b 4 1"], ["c 3 1"], ["one", "two"])
    )
    assert found.classes == ("one", "two")
    assert [video.id for video in found.validation.videos] == ["c"]
    assert found.validation.counts == (4,)
    assert training_sets.find(lists(tmp_path, ["a 4 0", "b 4 1"])).classes is None


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
    with pytest.raises(config.InputError) as error:
        training_sets.find(lists(tmp_path, train, validation, names))
    assert words in str(error.value)


def test_faults_of_folders(tmp_path):
    with pytest.raises(config.InputError, match="has no class folders"):
        training_sets.find(settings(tmp_path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(config.InputError, match="empty is a class without videos"):
        training_sets.find(settings(tmp_path))
    (tmp_path / "empty" / "video").mkdir()
    with pytest.raises(config.InputError, match="extract the frames first"):
        training_sets.find(settings(tmp_path))
    make(tmp_path, "empty/other")
    with pytest.raises(config.InputError, match="empty/video: .*no files img_"):
        training_sets.find(settings(tmp_path))
    with pytest.raises(config.InputError, match=r"data\.root"):
        training_sets.find(settings(tmp_path / "missing"))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"dataset": "hmdb51", "holdout": 0.1}, 'data.holdout is for .* "folders"'),
        ({"dataset": "demo", "classes": "x"}, 'data.classes is for .* "list"'),
        ({"annotations": "x"}, "data.annotations is not for"),
        ({"dataset": "list"}, "name the list file"),
    ],
)
def test_settings_that_would_do_nothing(tmp_path, more, words):
    with pytest.raises(config.InputError, match=words):
        training_sets.find(settings(tmp_path, **more))


def test_part_of_an_official_split(clips, tmp_path):
    """21 of the 51 classes are there: an error, unless it is allowed."""
    for clip in (clips / "hmdb51").glob("*/*.avi"):
        make(tmp_path, f"{clip.parent.name}/{clip.stem}", 1)
    one = {"dataset": "hmdb51", "annotations": str(clips / "annotations" / "hmdb51")}
    with pytest.raises(config.InputError, match=r"3444 of 3570 .*data.allow_missing"):
        training_sets.find(settings(tmp_path, **one))
    found = training_sets.find(settings(tmp_path, **one, allow_missing=True))
    assert found.count == len(found.classes) == 51
    assert len(found.train.videos) == 126
    assert len(found.validation.videos) == 63
    assert len(found.empty) == 30
    assert "cartwheel" in found.empty
