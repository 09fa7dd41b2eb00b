"""Official split files, made here in their form and read beside the checkout."""

import pytest

from tsn_keras.common.errors import InputError
from tsn_keras.common.text import TextFileError
from tsn_keras.datasets import hmdb51 as hmdb51_set
from tsn_keras.datasets import jhmdb as jhmdb_set
from tsn_keras.datasets import selection
from tsn_keras.datasets import ucf101 as ucf101_set
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.datasets.lists import read_list
from tsn_keras.datasets.records import Choice, Video


def read(name, folder, split):
    return DATASETS[name].read(Choice(name, split, annotations=str(folder)), None)


@pytest.fixture
def hmdb51(tmp_path):
    """A folder in the form of the official archive."""
    for name in hmdb51_set.CLASSES:
        codes = [1] * 70 + [2] * 30 + [0] * 5
        lines = [f"{name}_#{i}_[a].avi {code} " for i, code in enumerate(codes)]
        (tmp_path / f"{name}_test_split1.txt").write_text("\n".join(lines))
    return tmp_path


@pytest.fixture
def ucf101(tmp_path):
    names = [f"Class{i:03d}" for i in range(100)] + ["HandstandPushups"]
    index = "".join(f"{i} {name}\r\n" for i, name in enumerate(names, 1))
    (tmp_path / "classInd.txt").write_text(index)
    for part, count in (("train", 9537), ("test", 3783)):
        rows = [
            f"{names[i % 101]}/v_{names[i % 101]}_g{i}_c01.avi".replace(
                "v_Handstand", "v_HandStand"
            )
            + (f" {i % 101 + 1}" if part == "train" else "")
            for i in range(count)
        ]
        (tmp_path / f"{part}list01.txt").write_text("\r\n".join(rows))
    return tmp_path


def test_label_order_of_hmdb51_is_not_sorted():
    order = hmdb51_set.CLASSES
    assert len(order) == 51
    assert (order.index("kick_ball"), order.index("kick")) == (20, 21)
    assert (order.index("sword_exercise"), order.index("sword")) == (44, 45)
    assert (order.index("climb"), order.index("climb_stairs")) == (5, 6)
    assert order != tuple(sorted(order))


def test_hmdb51(hmdb51):
    split = read("hmdb51", hmdb51, 1)
    assert (len(split.train), len(split.test)) == (3570, 1530)
    first = split.test[0]
    assert first == Video("brush_hair_#70_[a]", 0, "brush_hair")
    kick = [video for video in split.test if video.folder == "kick"]
    assert {video.label for video in kick} == {21}


def test_ucf101(ucf101):
    split = read("ucf101", ucf101, 1)
    assert (len(split.train), len(split.test)) == (9537, 3783)
    video = split.test[100]
    # The label is the folder's; the file keeps its own spelling.
    assert video.id == "v_HandStandPushups_g100_c01"
    assert video.aliases == ("v_HandstandPushups_g100_c01",)
    assert split.test[0].aliases == ()
    assert (video.folder, video.label) == ("HandstandPushups", 100)


def test_jhmdb_takes_its_clips_of_hmdb51s_files(hmdb51):
    """The other videos of HMDB51's files are none of its own."""
    clips = sorted(jhmdb_set.clips()["golf"])
    assert len(clips) == 42
    for name in jhmdb_set.CLASSES:
        own = sorted(jhmdb_set.clips()[name])
        rows = [f"{clip}.avi 1" for clip in own[:3]]
        rows += [f"other_{k}.avi 1" for k in range(67)]
        rows += [f"{clip}.avi 2" for clip in own[3:5]]
        rows += [f"other_{k}.avi 2" for k in range(67, 95)]
        rows += [f"{clip}.avi 0" for clip in own[5:]]
        (hmdb51 / f"{name}_test_split1.txt").write_text("\n".join(rows))
    split = read("jhmdb", hmdb51, 1)
    assert split.classes == jhmdb_set.CLASSES
    assert (len(split.train), len(split.test)) == (21 * 3, 21 * 2)
    assert split.train[4 * 3] == Video(clips[0], 4, "golf")
    assert split.test[4 * 2 + 1] == Video(clips[4], 4, "golf")


def test_jhmdbs_own_files(tmp_path):
    for name in jhmdb_set.CLASSES:
        own = sorted(jhmdb_set.clips()[name])
        rows = [f"{clip}.avi {1 + (k % 3 == 0)}" for k, clip in enumerate(own)]
        (tmp_path / "splits").mkdir(exist_ok=True)
        (tmp_path / "splits" / f"{name}_test_split2.txt").write_text("\n".join(rows))
    (tmp_path / "splits" / "brush_hair_test_split1.txt").write_text("")
    split = read("jhmdb", tmp_path, 2)
    assert len(split.train) + len(split.test) == 928
    assert {video.folder for video in split.test} == set(jhmdb_set.CLASSES)
    with pytest.raises(TextFileError, match="brush_hair.* has 0 training and 0 test"):
        read("jhmdb", tmp_path, 1)


@pytest.mark.parametrize("place", ["annotations", "testTrainMulti_7030_splits"])
def test_annotations_in_usual_sub_folders(hmdb51, tmp_path_factory, place):
    root = tmp_path_factory.mktemp("root")
    hmdb51.rename(root / place)
    assert len(read("hmdb51", root, 1).test) == 1530


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("wave_test_split1.txt", "a.avi 1\n", "has 1 videos of a part; the official"),
        ("wave_test_split1.txt", "a.avi 3\n", r"wave_test_split1.txt:1: expected"),
        ("wave_test_split1.txt", None, "cannot read .*wave_test_split1"),
    ],
)
def test_hmdb51_errors(hmdb51, file, text, words):
    (hmdb51 / file).unlink()
    if text is not None:
        (hmdb51 / file).write_text(text)
    with pytest.raises(TextFileError, match=words):
        read("hmdb51", hmdb51, 1)


def test_ucf101_errors(ucf101):
    path = ucf101 / "testlist01.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:100]))
    with pytest.raises(TextFileError, match="has 100 videos.*3783"):
        read("ucf101", ucf101, 1)
    path.write_text("\n".join([lines[0], *lines[:-1]]))
    with pytest.raises(TextFileError, match="lists 1 videos twice"):
        read("ucf101", ucf101, 1)
    path.write_text("Nowhere/v_x.avi")
    with pytest.raises(TextFileError, match="testlist01.txt:1"):
        read("ucf101", ucf101, 1)


def test_missing_annotations_say_what_to_do(tmp_path):
    with pytest.raises(TextFileError, match="no ucf101 annotations .*`annotations`"):
        read("ucf101", tmp_path, 1)


def test_list_file(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("frames/a b 31 42\n\n/abs/c 5 0\n")
    assert read_list(path) == (
        Video("frames/a b", 42, "", 31),
        Video("/abs/c", 0, "", 5),
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a 1\n", "list.txt:1: expected"),
        (b"a 1 0\nb x 0\n", "list.txt:2: expected"),
        (b"a -1 0\n", "list.txt:1: expected"),
        (b"\n", "lists no video"),
        (b"a 1 0\na 1 0\n", "lists a twice, in lines 1 and 2"),
        (b"x/a 1 0\nb 1 0\n\n./x//a/ 1 0\n", "lists ./x//a/ twice, in lines 1 and 4"),
        (b"\xff\xd8\xff\xe0", "is not a text file"),
        (b"a 1 " + b"1" * 5000, "list.txt:1: expected .*Received: 'a 1 11"),
        (b"a " + b"1" * 10 + b" 0", "list.txt:1: expected"),
        (b"1 0", "list.txt:1: expected"),
        (b"a 1 0\nb\xc2\x85c 1 0", r"list.txt:2: .* has the character '\\x85'"),
        (b"b\0c 1 0", r"list.txt:1: .* has the character '\\x00'"),
    ],
)
def test_list_errors(tmp_path, data, words):
    path = tmp_path / "list.txt"
    path.write_bytes(data)
    with pytest.raises(TextFileError, match=words):
        read_list(path)
    with pytest.raises(TextFileError, match="cannot read"):
        read_list(tmp_path)


MARK = b"\xef\xbb\xbf"
ENDS = pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])


def rewrite(path, end):
    """Writes a text file as another editor would."""
    path.write_bytes(MARK + end.join(path.read_text().encode().splitlines()) + end)


@ENDS
def test_files_of_any_editor(hmdb51, ucf101, tmp_path, end):
    """A byte-order mark is no part of a name, and every line end is one."""
    before = [read(name, tmp_path, 1) for name in ("hmdb51", "ucf101")]
    for path in tmp_path.glob("*.txt"):
        rewrite(path, end)
    assert [read(name, tmp_path, 1) for name in ("hmdb51", "ucf101")] == before
    (tmp_path / "list.lst").write_text("frames/a 31 42\nb\t5 \t 0\n")
    rewrite(tmp_path / "list.lst", end)
    assert read_list(tmp_path / "list.lst") == (
        Video("frames/a", 42, "", 31),
        Video("b", 0, "", 5),
    )


def test_names_in_lists_are_not_split(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("a\u3000b\xa0 3 0\n", encoding="utf-8")
    assert read_list(path) == (Video("a\u3000b\xa0", 0, "", 3),)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wave\n", r"class 1 of folders, 'wave\\n', has the character '\\n'"),
        (" wave", "class 1 of folders, ' wave', has a name that begins or ends"),
        ("wave/a\nb", r"video 'wave/a\\nb' of folders has the character '\\n'"),
        ("wave/a\tb", r"video 'wave/a\\tb' of folders has the character '\\t'"),
        ("wave/a\x85", r"has the character '\\x85'.*: rename it"),
        ("wave/a\udcff", r"video 'wave/a\\udcff' of folders has the character"),
        ("wave/a ", "video 'wave/a ' of folders has a name that begins or ends"),
    ],
)
def test_folders_whose_names_no_list_could_hold(tmp_path, name, words):
    # Before the training, whose evaluation would list them.
    for folder in ("\uffffzz/a", name if "/" in name else f"{name}/a"):
        (tmp_path / "frames" / folder).mkdir(parents=True)
    words = words.replace("class 1", "class [01]")
    with pytest.raises(InputError, match=words):
        selection.read(Choice("folders", root=tmp_path / "frames"))


def test_a_tab_in_a_list(tmp_path):
    (tmp_path / "list.txt").write_text("a\tb 3 0\n")
    choice = Choice("list", annotations=tmp_path / "list.txt", root=tmp_path)
    with pytest.raises(InputError, match=r"video 'a\\tb' of list has the character"):
        selection.read(choice)


def test_a_root_that_is_no_text(tmp_path):
    root = tmp_path / "a\udcff"
    (root / "wave/a").mkdir(parents=True)
    with pytest.raises(InputError, match="has bytes in its name that are not UTF-8"):
        selection.read(Choice("folders", root=root))


@pytest.mark.parametrize("split", [1, 2, 3])
def test_official_files(clips, split):
    """Counts and orders of the official files of both data sets."""
    hmdb51 = read("hmdb51", clips / "annotations/hmdb51", split)
    listed = (clips / "annotations/hmdb51/class_list.txt").read_text().split()
    assert hmdb51.classes == tuple(listed)
    assert (len(hmdb51.train), len(hmdb51.test)) == (3570, 1530)
    ucf101 = read("ucf101", clips / "annotations/ucf101", split)
    counts = len(ucf101.train), len(ucf101.test)
    assert counts == ucf101_set.VIDEOS[split]
    assert (
        ucf101.classes.index("HandstandPushups")
        == ucf101.test[[v.folder for v in ucf101.test].index("HandstandPushups")].label
    )
    for found in (hmdb51, ucf101):
        ids = {video.id for video in found.train} & {video.id for video in found.test}
        assert not ids


@pytest.mark.parametrize(
    ("split", "counts"), [(1, (650, 256)), (2, (502, 238)), (3, (498, 240))]
)
def test_jhmdb_of_the_official_files(clips, split, counts):
    found = read("jhmdb", clips / "annotations/hmdb51", split)
    assert (len(found.train), len(found.test)) == counts
    # 22 clips have no entry under their name.
    official = "\n".join(
        (clips / f"annotations/hmdb51/{name}_test_split{split}.txt").read_text()
        for name in jhmdb_set.CLASSES
    )
    listed = {line.partition(".avi")[0] for line in official.splitlines()}
    every = {clip for clips in jhmdb_set.clips().values() for clip in clips}
    absent = every - listed
    assert (len(every), len(absent)) == (928, 22)
    respelled = {name.replace("#", "@").replace("&", "@") for name in listed}
    assert len(absent & respelled) == 16
