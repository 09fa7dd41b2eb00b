"""THUMOS14's videos and segments, from files in their official form made here."""

import numpy as np
import numpy.lib.recfunctions
import pytest
import scipy.io
import thumos_files

from tsn_keras.common import progress
from tsn_keras.common.errors import InputError
from tsn_keras.datasets import selection, thumos14, training_sets
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.datasets.records import NO_LABEL, Choice, Seconds, Video
from tsn_keras.datasets.ucf101 import CLASSES
from tsn_keras.pipeline.labels import Labels

VALIDATION = {
    "video_validation_0000001": ((7,), 60, False),
    # The ending of a file may be there.
    "video_validation_0000002.mpeg": ((101, 1), 10.5, False),
}
TEST = {
    "video_test_0000001": ((6,), 82.5, True),
    "video_test_0000002": ((42, 41), 276, False),
    "video_test_0000003": ((9,), 30, False),
}
OF_VALIDATION = {"folder": "validation", "folders": ("val",)}
OF_TEST = {"folder": "TH14_test_set_mp4", "folders": ("test",)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    thumos_files.smaller(monkeypatch, 2, 3, segments=(3, 2))
    thumos_files.write(tmp_path, VALIDATION, TEST)
    return tmp_path


def read(folder, name="thumos14"):
    return DATASETS[name].read(Choice(name, annotations=folder), None)


def frames(folder, videos):
    for name, files in videos.items():
        (folder / name).mkdir(parents=True)
        for number in range(1, files + 1):
            (folder / name / f"img_{number:05d}.jpg").touch()


def test_whole_videos(folder):
    split = read(folder)
    assert split.classes == CLASSES
    assert split.multi_label
    first, second = split.train
    assert first == Video(
        "video_validation_0000001", 6, labels=(6,), duration=60.0, **OF_VALIDATION
    )
    assert second == Video(
        "video_validation_0000002", 0, labels=(0, 100), duration=10.5, **OF_VALIDATION
    )
    assert split.test == (
        # Its primary action does not count.
        Video("video_test_0000001", NO_LABEL, duration=82.5, **OF_TEST),
        Video("video_test_0000002", 40, labels=(40, 41), duration=276.0, **OF_TEST),
        Video("video_test_0000003", 8, labels=(8,), duration=30.0, **OF_TEST),
    )


def test_where_its_files_may_lie(folder):
    for name, place in (
        ("validation_set.mat", "validation_set_meta/validation_set_meta"),
        ("test_set_final.mat", "THUMOS14_evalkit_20150930"),
    ):
        (folder / place).mkdir(parents=True)
        (folder / name).rename(folder / place / name)
    assert len(read(folder).test) == 3
    (folder / place / name).rename(folder / "test_set_meta.mat")
    assert len(read(folder).test) == 3


def test_frames_of_a_background_video(folder):
    """The test set is whole with them; the rate is that of the annotated seconds."""
    frames(folder / "rawframes/test", {"video_test_0000001": 825})
    frames(folder, {"video_test_0000002": 8, "TH14_test_set_mp4/video_test_0000003": 9})
    videos = selection.find_test_set(Choice("thumos14", root=folder), progress.SILENT)
    assert (videos.class_count, videos.measure) == (101, "ranked")
    found = selection.select(videos, ("img_",)).folders
    assert [(f.label, f.labels, f.files) for f in found] == [
        (NO_LABEL, (), 825),
        (40, (40, 41), 8),
        (8, (8,), 9),
    ]
    assert found[0].rate == 10.0
    labels = Labels(101).of(found)
    assert labels(0).numpy().sum() == 0
    assert np.flatnonzero(labels(1)).tolist() == [40, 41]


SEGMENTS = {
    "BaseballPitch_val.txt": "video_validation_0000001  1.0 3.5\r\n",
    "Diving_val.txt": "video_validation_0000002  0.2 4\n",
    # The second begins behind the end of its video.
    "CliffDiving_val.txt": "video_validation_0000002  10.5 11.0\n",
    "Shotput_test.txt": "video_test_0000003  0.0 1.4\nvideo_test_0000003  2.0 99.0\n",
    "Ambiguous_test.txt": "video_test_0000003  5.0 6.0\n",
}


def write_segments(folder, **changed):
    for index in thumos14._DETECTED:
        for ending in ("val", "test"):
            name = f"{CLASSES[index - 1]}_{ending}.txt"
            (folder / name).write_text("")
    for name, content in {**SEGMENTS, **changed}.items():
        (folder / name).write_text(content)


@pytest.mark.parametrize("place", ["", "annotation"])
def test_segments_are_clips(folder, place):
    (folder / place).mkdir(exist_ok=True)
    write_segments(folder / place)
    split = read(folder, "thumos14_clips")
    assert split.classes == CLASSES
    assert not split.multi_label
    names = [f"video_validation_000000{k}" for k in (1, 2)]
    assert split.train == (
        Video(
            f"{names[0]} BaseballPitch 1",
            *(6, "validation"),
            aliases=(names[0],),
            clip=Seconds(1.0, 3.5, 60.0),
            folders=("val",),
        ),
        Video(
            f"{names[1]} Diving 1",
            *(25, "validation"),
            aliases=(names[1],),
            clip=Seconds(0.2, 4.0, 10.5),
            folders=("val",),
        ),
    )
    # What is ambiguous is no clip.
    clips = [(v.label, v.clip) for v in split.test]
    seconds = ((0.0, 1.4), (2.0, 99.0))
    assert clips == [(78, Seconds(*pair, 30.0)) for pair in seconds]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"Diving_val.txt": "video_validation_0000002 4 2\n"}, "Diving_val.txt:1: exp"),
        ({"Diving_val.txt": "video_test_0000003  1 2\n"}, "expected `<video>  <start>"),
        ({"Diving_val.txt": "video_validation_0000002  1\n"}, "Received: 'video_val"),
        (
            {"Diving_val.txt": "video_validation_0000002 -1 2\n"},
            "Diving_val.txt:1: exp",
        ),
        ({"Diving_val.txt": "video_validation_0000002 1 nan\n"}, "Diving_val.txt:1"),
        ({"Diving_val.txt": ""}, "has 2 segments; the official file has 3"),
    ],
)
def test_wrong_segments_are_named(folder, changed, words):
    write_segments(folder, **changed)
    with pytest.raises(InputError, match=words):
        read(folder, "thumos14_clips")


def test_missing_segments_are_named(folder):
    with pytest.raises(InputError, match=r"looked for BaseballPitch_val\.txt there"):
        read(folder, "thumos14_clips")


def changed(field, value):
    rows = thumos_files.structures(TEST)
    rows[0, 1][field] = value
    return {"test_videos": rows}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"test_videos": thumos_files.structures(VALIDATION)}, "has 2 videos; the off"),
        ({"videos": np.ones(3)}, "has no variable test_videos; there are: videos"),
        ({"test_videos": np.ones(3)}, "test_videos is no array of structures"),
        (changed("video_name", "../etc/passwd"), "video 2 needs `video_name`"),
        (
            changed("video_name", "video_test_0000001"),
            "lists 1 videos twice, as video_",
        ),
        (changed("video_name", 3.0), "video 2 needs `video_name`"),
        (changed("background_video", "MAYBE"), "video 2 needs .* YES or NO"),
        (changed("primary_action_index", 0), "indices of actions from 1 to 101"),
        (changed("primary_action_index", 102), "indices of actions from 1 to 101"),
        (changed("primary_action_index", 2.5), "indices of actions from 1 to 101"),
        (changed("primary_action_index", np.zeros((0, 0))), "video 2 needs"),
        (changed("primary_action_index", "YoYo"), "video 2 needs"),
        (changed("secondary_actions_indices", np.nan), "indices of actions from 1"),
        (changed("video_duration_seconds", -1.0), "video 2 needs"),
        (changed("video_duration_seconds", np.inf), "video 2 needs"),
    ],
)
def test_wrong_videos_are_named(folder, content, words):
    scipy.io.savemat(folder / "test_set_final.mat", content)
    with pytest.raises(InputError, match=words):
        read(folder)


def test_missing_files_and_fields_are_named(folder):
    rows = thumos_files.structures(TEST)
    fields = [f for f in rows.dtype.names if f != "background_video"]
    content = {"test_videos": np.lib.recfunctions.repack_fields(rows[fields])}
    scipy.io.savemat(folder / "test_set_final.mat", content)
    with pytest.raises(InputError, match="video 1 needs .* YES or NO"):
        read(folder)
    (folder / "test_set_final.mat").unlink()
    words = r"looked for test_set_final\.mat or test_set_meta\.mat there"
    with pytest.raises(InputError, match=words):
        read(folder)


def test_trained_on_beside_videos_of_one_label(folder, tmp_path):
    """The validation set, and as a source a list as UCF101's videos are."""
    frames(folder, {f"video_validation_000000{k}": 3 for k in (1, 2)})
    frames(folder, {f"video_test_000000{k}": 3 for k in (1, 2, 3)})
    frames(folder, {"v_YoYo_g01_c01": 3})
    choice = Choice("thumos14", root=folder, allow_missing=True)
    found = training_sets.find(choice, ("img_",), progress.SILENT)
    assert [f.labels for f in found.train.folders] == [(6,), (0, 100)]
    assert [f.labels for f in found.validation.folders] == [(), (40, 41), (8,)]
    (folder / "list.txt").write_text("v_YoYo_g01_c01 3 100\n")
    (folder / "names.txt").write_text("\n".join(CLASSES))
    source = Choice(
        *("list", None, folder, folder / "list.txt"), classes=folder / "names.txt"
    )
    more = training_sets.more(source, found, ("img_",), progress.SILENT)
    assert [f.labels for f in more.folders] == [(100,)]
    rows = Labels(101).of(more.folders)
    assert np.flatnonzero(rows(0)).tolist() == [100]
