"""Videos that a user names: files, folders with anything in them, lists."""

import os

import pytest

from tsn_keras.video import sources


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def ids(named, **options):
    return [source.id for source in sources.find(named, **options)]


def test_folder_with_classes(tmp_path):
    touch(
        tmp_path,
        *("wave/b (1) #[x].avi", "wave/a.MP4", "jump/a.webm", "top.mkv"),
        *("wave/notes.txt", "wave/.hidden.avi", ".cache/z.avi", "é/ü.avi"),
    )
    found = sources.find(tmp_path)
    assert [s.id for s in found] == [
        "jump/a",
        "top",
        "wave/a",
        "wave/b (1) #[x]",
        "é/ü",
    ]
    assert found[2].path == tmp_path / "wave/a.MP4"


def test_flat(tmp_path):
    touch(tmp_path, "wave/b.avi", "jump/a.avi")
    assert ids(tmp_path, flat=True) == ["a", "b"]
    touch(tmp_path, "jump/b.avi")
    with pytest.raises(sources.VideosError, match=r"as b of .*jump/b.avi and .*wave/b"):
        ids(tmp_path, flat=True)
    assert ids(tmp_path) == ["jump/a", "jump/b", "wave/b"]


def test_names_end_at_the_first_dot(tmp_path):
    touch(tmp_path, "v_a.01.avi")
    assert ids(tmp_path) == ["v_a"]
    assert ids(tmp_path / "v_a.01.avi") == ["v_a"]
    touch(tmp_path, "v_a.02.avi")
    with pytest.raises(sources.VideosError, match="first dot"):
        ids(tmp_path)


def test_a_folder_with_a_videos_name_is_given_out(tmp_path):
    touch(tmp_path, "good.avi", "folder.avi/inside.avi")
    assert ids(tmp_path) == ["folder", "good"]


def test_links(tmp_path):
    touch(tmp_path, "real/a.avi")
    (tmp_path / "data").mkdir()
    os.symlink(tmp_path / "real", tmp_path / "data/wave")
    os.symlink(tmp_path / "data", tmp_path / "data/loop")
    assert ids(tmp_path / "data") == ["wave/a"]


def test_list(tmp_path):
    lines = "x/a b.avi", "", str(tmp_path / "far/wave/c.avi"), "../up/d.avi", "../e.avi"
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/list.txt").write_text("\n".join(lines))
    found = sources.find(tmp_path / "sub/list.txt")
    assert [s.id for s in found] == ["x/a b", "wave/c", "up/d", "e"]
    assert found[0].path == tmp_path / "sub/x/a b.avi"
    assert found[1].path == tmp_path / "far/wave/c.avi"
    assert [s.id for s in sources.find(tmp_path / "sub/list.txt", flat=True)] == [
        *("a b", "c", "d", "e")
    ]


def test_no_name_leads_out_of_the_folder(tmp_path):
    for line in ("../../../x.avi", "/../x.avi", "..avi", "../.. .avi"):
        (tmp_path / "list.txt").write_text(line)
        for flat in (True, False):
            (name,) = ids(tmp_path / "list.txt", flat=flat)
            assert not name.startswith("/")
            assert ".." not in name.split("/")
            assert name not in ("", ".")


def test_a_folder_inside_anothers(tmp_path):
    touch(tmp_path, "run.avi", "run/x.avi")
    with pytest.raises(sources.VideosError, match=r"run/x.avi would get a folder insi"):
        sources.find(tmp_path)


@pytest.mark.parametrize("line", [".", "..", "/", "a/.."])
def test_lists_of_what_is_no_file(tmp_path, line):
    (tmp_path / "list.txt").write_text(line)
    with pytest.raises(sources.VideosError, match="which is no file"):
        sources.find(tmp_path / "list.txt")


def test_lists_from_windows(tmp_path):
    for end in (b"\r\n", b"\r", b"\n"):
        (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfa.avi" + end + b"b.avi" + end)
        assert ids(tmp_path / "list.txt") == ["a", "b"]


@pytest.mark.parametrize("character", ["\x0b", "\x1c", "\x85", "\u2028", "\0"])
def test_lists_of_names_that_would_be_split(tmp_path, character):
    path = tmp_path / "list.txt"
    path.write_text(f"x.avi\na{character}b.avi\n", encoding="utf-8")
    with pytest.raises(sources.VideosError, match="list.txt:2: .* has the character"):
        sources.find(path)


def test_nothing_to_find(tmp_path):
    with pytest.raises(sources.VideosError, match=r"no video in .*\.avi"):
        sources.find(tmp_path)
    with pytest.raises(sources.VideosError, match="no file or folder"):
        sources.find(tmp_path / "missing")
    (tmp_path / "list.txt").write_text("\n")
    with pytest.raises(sources.VideosError, match="lists no video"):
        sources.find(tmp_path / "list.txt")
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(sources.VideosError, match="not a text file"):
        sources.find(tmp_path / "list.txt")
