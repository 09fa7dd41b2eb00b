"""Lists of untrimmed videos that are cut into parts."""

import hashlib
import json
import shutil

import pytest
import videofiles
from clips import make_video

from tsn_keras.common import progress
from tsn_keras.common.text import TextFileError
from tsn_keras.datasets import parts, training_sets
from tsn_keras.datasets.parts import read_parts
from tsn_keras.datasets.records import Choice, DatasetError, Video


def write(tmp_path, content, name="list.txt"):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def item(folder="a/b", label=3, parts=4, positive=(0, 2)):
    return {
        **{"video_dir": folder, "label": label},
        **{"num_clips": parts, "positive_clip_inds": list(positive)},
    }


EXPECTED = (
    Video("a/b/part_0.mp4", 3, aliases=("a/b/part_0",), raw="a/b"),
    Video("a/b/part_2.mp4", 3, aliases=("a/b/part_2",), raw="a/b"),
    Video("-G-5/part_11.mp4", 0, aliases=("-G-5/part_11",), raw="-G-5"),
)


def test_positive_parts_are_taken(tmp_path):
    """One without any is left out, as in the original."""
    path = write(tmp_path, "a/b/ 3 4 0 2\nnone 2 9\n-G-5 0 234 11\n")
    assert read_parts(path) == EXPECTED
    rows = [item(), item("none", 2, 9, ()), item("-G-5", [0], 234, [11])]
    assert read_parts(write(tmp_path, rows, "list.json")) == EXPECTED


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a 3\n", "<folder> <label> <parts> [<positive part> ...]"),
        ("a b 3 4 0\n", "<folder> <label> <parts> [<positive part> ...]"),
        ("a 3 -4 0\n", "<folder> <label> <parts> [<positive part> ...]"),
        ("a 3 4 4\n", "parts of a must be numbers below 4, each once. Received: [4]"),
        ("a 3 4 0 4\n", "numbers below 4, each once. Received: [0, 4]"),
        ("a 3 4 1 1\n", "parts of a must be numbers below 4, each once"),
        ("a 3 4 1\n./a/ 3 4 2\n", "lists ./a/ twice, in lines 1 and 2"),
        ("a 3 4\n", "lists no video with a positive part"),
        ([item(label="3")], "label, number of parts and positive parts must be"),
        ([item(label=[3, 4])], "must be integers from 0"),
        ([item(positive=[True])], "must be integers from 0"),
        ([item(label=10**9)], "must be integers from 0"),
        ([item(positive=[-1])], "must be integers from 0"),
        ([{"video_dir": "a"}], "expected objects with 'num_clips', of type int"),
        ([3], "expected objects with 'video_dir'"),
    ],
)
def test_faults(tmp_path, content, words):
    name = "list.txt" if isinstance(content, str) else "list.json"
    with pytest.raises(TextFileError) as error:
        read_parts(write(tmp_path, content, name))
    assert words in str(error.value)


def test_no_more_parts_than_memory_has_room_for(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "MAX_PARTS", 3)
    assert len(read_parts(write(tmp_path, "a 0 9 0 1\nb 0 9 5\n"))) == 3
    with pytest.raises(TextFileError, match="lists more than 3 parts"):
        read_parts(write(tmp_path, "a 0 9 0 1\nb 0 9 5 6\n"))


def digest(rows):
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def test_parts_on_disk(tmp_path):
    """Their untrimmed video is part of the digest; others' digests are as before."""
    for name in ("a/part_0", "a/part_2", "b/part_0"):
        make_video(tmp_path / name, 3, 0)
    path = write(tmp_path, "a 0 3 0 2\nb 1 1 0\n")
    found = training_sets.find(
        Choice("list_parts", root=tmp_path, annotations=path), ("img_",), None
    )
    assert [(f.id, f.label, f.files, f.raw) for f in found.train.folders] == [
        ("a/part_0.mp4", 0, 3, "a"),
        ("a/part_2.mp4", 0, 3, "a"),
        ("b/part_0.mp4", 1, 3, "b"),
    ]
    assert (found.train.of_a_pass, found.validation) == (2, None)
    listed = write(tmp_path, "a/part_0 3 0\nb/part_0 3 1\n", "whole.txt")
    choice = Choice("list", root=tmp_path, annotations=listed)
    whole = training_sets.find(choice, ("img_",), None)
    assert whole.train.of_a_pass == 2
    assert whole.digest == digest([("a/part_0", 0, 3), ("b/part_0", 1, 3)])
    rows = [("a", 0, 0), ("a", 2, 0), ("b", 0, 1)]
    assert found.digest == digest(
        [(f"{raw}/part_{n}.mp4", label, 3, raw) for raw, n, label in rows]
    )
    # A part may also be a video file.
    shutil.rmtree(tmp_path / "b")
    (tmp_path / "b").mkdir()
    videofiles.make(tmp_path / "b/part_0.avi", 5).rename(tmp_path / "b/part_0.mp4")
    found = training_sets.find(
        *(Choice("list_parts", root=tmp_path, annotations=path), ("img_",)),
        *(progress.SILENT, True),
    )
    last = found.train.folders[-1]
    assert (last.path.name, last.files, last.raw) == ("part_0.mp4", 4, "b")
    (tmp_path / "b").rename(tmp_path / "c")
    with pytest.raises(DatasetError, match="1 of 3 training videos of list_parts"):
        training_sets.find(
            Choice("list_parts", root=tmp_path, annotations=path), ("img_",), None
        )
