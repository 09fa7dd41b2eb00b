"""Video files in the place of frame folders: where they lie, and their frames."""

import contextlib
import dataclasses
import time

import pytest
import videofiles
from test_selection import A, B, C, touch

from tsn_keras.common import progress
from tsn_keras.datasets import selection, training_sets, video_files
from tsn_keras.datasets.records import (
    Choice,
    DatasetError,
    FrameFolder,
    Video,
    VideoFile,
)
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream

RGB, FLOW = ("img_",), ("flow_x_", "flow_y_")
FRAMES = 5


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return videofiles.make(tmp_path_factory.mktemp("clip") / "a.avi", FRAMES)


@pytest.fixture
def put(clip, tmp_path):
    """Puts a copy of a clip somewhere below the data folder."""

    def copy(name, data=None):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(clip.read_bytes() if data is None else data)
        return path

    return copy


def set_of(root, *videos):
    return selection.VideoSet("hmdb51", 1, root, videos, ("a", "b"))


def select(root, *videos, **more):
    return selection.select(set_of(root, *videos), RGB, images=True, **more)


@pytest.mark.parametrize(
    "place", ["{id}.avi", "cls/{id}.avi", "{id}.MP4", "cls/{id}.webm"]
)
def test_flat_and_in_class_folders(put, tmp_path, place):
    path = put(place.format(id=A.id))
    found = select(tmp_path, A)
    about = A.id, A.label, path, FRAMES - 1
    assert found.folders == (VideoFile(*about, rate=25.0, frames=FRAMES),)


def test_the_rate_is_that_of_the_annotations_where_they_have_a_duration(put, tmp_path):
    put(f"{A.id}.avi")
    video = dataclasses.replace(A, duration=FRAMES / 30)
    (folder,) = select(tmp_path, video).folders
    assert folder.rate == pytest.approx(30)


def test_as_listed(put, tmp_path):
    """With the ending or without, below the folder or anywhere."""
    one, two, three = put("data/x/one.mp4"), put("data/x/two.mkv"), put("far/three.mov")
    videos = [Video(name, 0) for name in ("x/one.mp4", "x/two", str(three))]
    found = select(tmp_path / "data", *videos)
    assert [folder.path for folder in found.folders] == [one, two, three]


def test_other_names_of_a_video(put, tmp_path):
    path = put("HandstandPushups/v_HandstandPushups_g01.avi")
    video = Video(
        "v_HandStandPushups_g01",
        0,
        "HandstandPushups",
        aliases=("v_HandstandPushups_g01",),
    )
    assert select(tmp_path, video).folders[0].path == path


def test_frame_folders_come_first_and_both_are_in_order(put, tmp_path):
    touch(tmp_path / B.id, 7)
    put(f"{A.id}.avi")
    put(f"{B.id}.avi")
    put(f"{C.id}.avi")
    found = select(tmp_path, A, B, C)
    assert [type(folder) for folder in found.folders] == [
        VideoFile,
        FrameFolder,
        VideoFile,
    ]
    assert [folder.id for folder in found.folders] == [A.id, B.id, C.id]


def test_images_are_those_of_the_protocol(put, tmp_path):
    put(f"{A.id}.avi")
    touch(tmp_path / B.id, 7)
    found = select(tmp_path, A, B)
    counts = {}
    for protocol in PROTOCOLS.values():
        seen = found.under(Stream(MODALITIES["rgb"], protocol))
        counts[protocol.direct] = [folder.files for folder in seen.folders]
    # An extraction stores no first frame; a direct protocol sees it.
    assert counts == {False: [FRAMES - 1, 7], True: [FRAMES, 7]}


def test_what_is_neither_there_nor_a_video(put, tmp_path):
    put(f"{A.id}.avi")
    put(f"{B.id}.txt")
    put(f".{C.id}.avi")
    with pytest.raises(DatasetError, match="2 of 3 test videos .* or video file in"):
        select(tmp_path, A, B, C)
    found = select(tmp_path, A, B, C, allow_missing=True)
    assert found.missing == (B.id, C.id)


def test_flow_must_be_extracted(put, tmp_path):
    touch(tmp_path / A.id, 3)
    path = put(f"{B.id}.avi")
    with pytest.raises(
        DatasetError, match=r"1 of 2 .*extract it first with python -m tsn_keras\.ex"
    ) as error:
        selection.select(set_of(tmp_path, A, B), FLOW)
    assert str(path) in str(error.value)


def test_bad_files_fail_their_video(put, clip, tmp_path):
    good, cut, text, one = (
        Video(name, 0, "") for name in ("good", "cut", "text", "one")
    )
    put("good.avi")
    put("cut.avi", clip.read_bytes()[:-3000])
    put("text.avi", b"no video")
    videofiles.make(tmp_path / "one.avi", 1)
    found = select(tmp_path, good, cut, text, one)
    assert [folder.id for folder in found.folders] == ["good"]
    assert "is damaged" in found.failed["cut"]
    assert "no video that can be read" in found.failed["text"]
    assert "has no two frames" in found.failed["one"]
    with pytest.raises(DatasetError, match=r"none of 1 .*no video that can be read"):
        select(tmp_path, text)


def test_fewer_frames_than_the_list_says(put, tmp_path):
    put("x.avi")
    put("y.avi")
    videos = [Video("x", 0, "", FRAMES + 1), Video("y", 0, "", FRAMES)]
    found = select(tmp_path, *videos)
    assert "5 frames, but the list says 6" in found.failed["x"]
    assert [folder.id for folder in found.folders] == ["y"]


def test_two_names_of_one_file_are_refused(put, tmp_path):
    put("a.avi")
    (tmp_path / "b.avi").symlink_to(tmp_path / "a.avi")
    with pytest.raises(DatasetError, match="a and b of .* are the same"):
        select(tmp_path, Video("a", 0), Video("b", 0))


def test_progress_is_told(put, tmp_path):
    for video in (A, B, C):
        put(f"{video.id}.avi")
    told = []
    select(tmp_path, A, B, C, listener=progress.Calling(told.append))
    assert [one.done for one in told] == [0, 1, 2, 3]
    assert {(one.title, one.total) for one in told} == {
        ("counting frames of hmdb51", 3)
    }


def test_who_interrupts_does_not_wait(monkeypatch):
    """What waits for its turn is left out."""
    counted = []

    class Impatient(progress.Bar):
        def update(self, count=1):
            raise KeyboardInterrupt

    class Listener(progress.Silent):
        @contextlib.contextmanager
        def bar(self, *_, **__):
            yield Impatient()

    def count(path):
        counted.append(path)
        time.sleep(0.01)
        return 1

    monkeypatch.setattr(video_files.seeking, "count", count)
    with pytest.raises(KeyboardInterrupt):
        video_files.count(["a"] * 1000, "", Listener())
    assert 0 < len(counted) < 500


def test_class_folders_of_video_files(put, tmp_path):
    """Videos are frame folders and files; one that is both counts once."""
    names = "run/r0.avi", "run/r1.mp4", "jump/j0.avi", "jump/j1.x.avi", "jump/n.txt"
    for name in names:
        put(name)
    touch(tmp_path / "jump/j0", 3)
    touch(tmp_path / "jump/j1", 3)
    choice = Choice("folders", root=str(tmp_path), holdout=0.5)
    found = training_sets.find(choice, RGB, progress.SILENT, images=True)
    assert found.classes == ("jump", "run")
    ids = {f.id: type(f) for f in (*found.train.folders, *found.validation.folders)}
    assert ids == {
        "jump/j0": FrameFolder,
        "jump/j1": FrameFolder,
        "run/r0": VideoFile,
        "run/r1": VideoFile,
    }
    before = found.digest, found.digest_of_validation
    direct = Stream(MODALITIES["rgb"], PROTOCOLS["mmaction2_s25_10crop224"])
    assert found.under(direct).digest_of_validation != before[1]
    with pytest.raises(DatasetError, match="extract it first"):
        training_sets.find(choice, FLOW, progress.SILENT)
