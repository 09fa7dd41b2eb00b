"""Lists as MMAction2 makes them, and clips inside frame folders."""

import json

import pytest

from tsn_keras.common.text import TextFileError
from tsn_keras.datasets import frames, selection, training_sets
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.datasets.lists import read_list
from tsn_keras.datasets.records import Choice, DatasetError, Stretch, Video
from tsn_keras.datasets.selection import FrameFolder


def touch(folder, numbers, prefix="img_"):
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / f"{prefix}{number:05d}.jpg").touch()


def read(tmp_path, content, form="plain", name="list.txt"):
    path = tmp_path / name
    is_text = isinstance(content, str)
    path.write_text(content if is_text else json.dumps(content))
    return read_list(path, form)


def choose(tmp_path, content, name="list", prefix="img_", file="list.txt"):
    read(tmp_path, content, name=file) if name == "list" else (
        tmp_path / file
    ).write_text(content)
    choice = Choice(name, root=tmp_path, annotations=tmp_path / file)
    videos = selection.find_test_set(choice, None)
    return videos, selection.select(videos, (prefix,))


def test_video_files(tmp_path):
    found = read(tmp_path, "some/a b.mp4 1\nD32_1gwq35E.AVI 0\n")
    assert found == (
        Video("some/a b.mp4", 1, aliases=("some/a b",)),
        Video("D32_1gwq35E.AVI", 0, aliases=("D32_1gwq35E",)),
    )
    # Two numbers are those of a frame folder, whatever its name.
    assert read(tmp_path, "a.mp4 31 4") == (Video("a.mp4", 4, "", 31),)


def test_frames_of_a_video_file_are_in_a_folder_of_its_name(tmp_path):
    touch(tmp_path / "rawframes/cls/a", range(1, 8))
    videos, chosen = choose(tmp_path, "cls/a.mp4 1\n")
    assert videos.class_count == 2
    folder = tmp_path / "rawframes/cls/a"
    assert chosen.folders == (FrameFolder("cls/a.mp4", 1, folder, 7),)


def test_several_labels(tmp_path):
    found = read(tmp_path, "some/a 163 5 1 3\nb 122 2\nc.mp4 4 4\n", "multilabel")
    assert found == (
        Video("some/a", 1, "", 163, labels=(1, 3, 5)),
        Video("b", 2, "", 122, labels=(2,)),
        Video("c.mp4", 4, aliases=("c",), labels=(4,)),
    )
    touch(tmp_path / "b", range(1, 123))
    videos, chosen = choose(tmp_path, "b 122 2 7\n", "list_multilabel")
    assert videos.class_count == 8
    assert chosen.folders[0].labels == (2, 7)


def test_clips_of_long_videos(tmp_path):
    """As `with_offset`: the offset is added to the numbers of the clip's files."""
    found = read(tmp_path, "some/d 12 3 2\nsome/d 0 4 1\n", "offset")
    assert found == (
        Video("some/d 12 3", 2, aliases=("some/d",), clip=Stretch(12, 3)),
        Video("some/d 0 4", 1, aliases=("some/d",), clip=Stretch(0, 4)),
    )
    touch(tmp_path / "some/d", range(1, 16))
    _, chosen = choose(tmp_path, "some/d 12 3 2\nsome/d 0 4 1\n", "list_offset")
    assert chosen.folders == (
        FrameFolder("some/d 12 3", 2, tmp_path / "some/d", 3, 13),
        FrameFolder("some/d 0 4", 1, tmp_path / "some/d", 4, 1),
    )
    assert chosen.folders[0].numbered([1, 2, 3]) == [13, 14, 15]
    _, chosen = choose(tmp_path, "some/d 0 4 2\nsome/d 12 4 1\n", "list_offset")
    assert (
        "15 files, but the list names 4 after the first 12"
        in (chosen.failed["some/d 12 4"])
    )


def test_files_that_are_numbered_from_0(tmp_path):
    """As denseflow of OpenMMLab numbers them."""
    touch(tmp_path / "a", range(5))
    touch(tmp_path / "a", range(4), "flow_x_")
    touch(tmp_path / "a", range(1, 5), "flow_y_")
    _, chosen = choose(tmp_path, "a 5 0\n")
    assert chosen.folders == (FrameFolder("a", 0, tmp_path / "a", 5, 0),)
    assert chosen.folders[0].numbered([1, 5]) == [0, 4]
    _, chosen = choose(tmp_path, "a 1 2 0\n", "list_offset")
    assert chosen.folders[0].first == 1
    with pytest.raises(frames.FrameError, match="files count from 0, not from 1"):
        frames.count(tmp_path / "a", ("img_",))
    # x from 0 and y from 1 do not belong together.
    with pytest.raises(frames.FrameError, match="flow_x_00004.jpg is missing"):
        frames.numbering(tmp_path / "a", ("flow_x_", "flow_y_"))
    (tmp_path / "a/img_00002.jpg").unlink()
    with pytest.raises(frames.FrameError, match="img_00002.jpg is missing"):
        frames.numbering(tmp_path / "a", ("img_",))


def test_files_without_a_prefix(tmp_path):
    """Those of Something-Something V1."""
    touch(tmp_path / "a", range(1, 4), "")
    touch(tmp_path / "a", range(1, 3), "flow_x_")
    assert frames.numbering(tmp_path / "a", ("",)) == (1, 3)
    assert frames.numbering(tmp_path / "a", ("flow_x_",)) == (1, 2)


def test_json_lists(tmp_path):
    content = [
        {"frame_dir": "a b/c", "total_frames": 163, "label": 1},
        {"frame_dir": "a b/c", "total_frames": 3, "label": [0], "offset": 12},
        {"filename": "v.mp4", "label": [2], "more": None},
    ]
    found = read(tmp_path, content, name="list.json")
    assert found == (
        Video("a b/c", 1, "", 163),
        Video("a b/c 12 3", 0, aliases=("a b/c",), clip=Stretch(12, 3)),
        Video("v.mp4", 2, aliases=("v",)),
    )
    # One video with several labels makes all of them sets of labels.
    content[2]["label"] = [2, 0]
    found = read(tmp_path, content, name="list.json")
    assert [video.labels for video in found] == [(1,), (0,), (0, 2)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "is not a JSON array"),
        ([], "lists no video"),
        ([3], "expected objects with 'filename', of type str"),
        ([{"filename": "a.mp4"}], r"video 1, a.mp4: labels .* Received: \[None\]"),
        ([{"filename": "a", "label": []}], "labels and numbers"),
        ([{"filename": "a", "label": [-1]}], "labels and numbers"),
        ([{"filename": "a", "label": True}], "labels and numbers"),
        ([{"filename": "a", "label": {"action": [1]}}], "labels and numbers"),
        ([{"frame_dir": "a", "label": 1}], "'total_frames', of type int"),
        ([{"frame_dir": "a", "label": 1, "total_frames": -1}], "labels and numbers"),
        (
            [{"frame_dir": "a", "label": 1, "total_frames": 1, "offset": 10**9}],
            "labels and numbers",
        ),
        ([{"filename": "a\u2028", "label": 1}], "has the character"),
        ([{"filename": "a", "label": 1}] * 2, "lists a twice, in lines 1 and 2"),
    ],
)
def test_json_errors(tmp_path, content, words):
    with pytest.raises(TextFileError, match=words):
        read(tmp_path, content, name="list.JSON")


@pytest.mark.parametrize(
    ("form", "text", "words"),
    [
        ("plain", "a.mp4", "list.txt:1: expected `<folder> <frames> <label>` or"),
        ("plain", "a 1", "list.txt:1: expected"),
        ("plain", "a.mp4 1234567890", "list.txt:1: expected"),
        ("plain", ".mp4x 1", "list.txt:1: expected"),
        ("multilabel", "a 12", "list.txt:1: expected"),
        ("multilabel", "a 12 1 -1", "list.txt:1: expected"),
        ("multilabel", "a b 12 1", "list.txt:1: expected"),
        ("offset", "a 12 1", "list.txt:1: expected `<folder> <offset> <frames>"),
        ("offset", "a 1 2 3 4", "list.txt:1: expected"),
        ("offset", "a 1 2 3\na 1 2 4", "lists a twice, in lines 1 and 2"),
        ("offset", "", "lists no video"),
    ],
)
def test_list_errors_of_all_forms(tmp_path, form, text, words):
    with pytest.raises(TextFileError, match=words):
        read(tmp_path, text, form)


def test_several_labels_to_train_on(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        for number in (1, 2, 3):
            (tmp_path / name / f"img_{number:05d}.jpg").touch()

    def find(lines, classes):
        for name, content in (("list", lines), ("classes", classes)):
            (tmp_path / f"{name}.txt").write_text("\n".join(content))
        choice = Choice(
            "list_multilabel",
            root=tmp_path,
            annotations=tmp_path / "list.txt",
            classes=tmp_path / "classes.txt",
        )
        return training_sets.find(choice, ("img_",), None)

    found = find(["a 3 0 2", "b 3 1"], ["x", "y", "z"])
    assert found.multi_label
    assert (found.count, found.empty) == (3, ())
    assert [folder.labels for folder in found.train.folders] == [(0, 2), (1,)]
    # Another label that is not the first is another run.
    other = find(["a 3 0 1 2", "b 3 1"], ["x", "y", "z"])
    assert other.digest != found.digest
    with pytest.raises(DatasetError, match="a of the training videos has label 2"):
        find(["a 3 0 2", "b 3 1"], ["x", "y"])
    with pytest.raises(DatasetError, match="1 of 3 classes have no training video"):
        find(["a 3 0 1", "b 3 1"], ["x", "y", "z"])


def test_lists_to_train_and_validate_on_must_agree(tmp_path):
    for name, label in (("a", [0, 1]), ("b", 1)):
        content = [{"filename": "a", "label": label}]
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    choice = Choice(
        "list",
        root=tmp_path,
        annotations=tmp_path / "a.json",
        validation=tmp_path / "b.json",
    )
    with pytest.raises(DatasetError, match="must both give one label a video"):
        selection.read(choice)


@pytest.mark.parametrize("name", ["ucf101", "hmdb51"])
def test_layout_of_mmaction2_for_ucf101_and_hmdb51(tmp_path, name):
    """`data/NAME/annotations` and `data/NAME/rawframes/CLASS/VIDEO`."""
    dataset = DATASETS[name]
    video = Video("v_a", 0, dataset.classes[0])
    touch(tmp_path / "rawframes" / dataset.classes[0] / "v_a", range(1, 4))
    found = selection.select(
        selection.VideoSet(name, 1, tmp_path, (video,), dataset.classes), ("img_",)
    )
    assert found.folders[0].files == 3
