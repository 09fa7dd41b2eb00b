"""Decoding: OpenCV's frames, of all that real folders hold, and damage named."""

import os

import numpy as np
import pytest
import videofiles

from tsn_keras.video import containers, decode

FRAMES = 30
FILES = {
    "xvid.avi": {"codec": "mpeg4"},
    "divx3.avi": {"codec": "msmpeg4"},
    "mjpeg.avi": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "h264.mp4": {"codec": "libx264"},
    "faststart.mp4": {"codec": "libx264", "container": {"movflags": "faststart"}},
    "vp9.webm": {"codec": "libvpx-vp9"},
    "h264.mkv": {"codec": "libx264"},
    "odd.mkv": {"codec": "libx264", "pixels": "yuv444p", "size": (161, 119)},
    "variable.mkv": {"codec": "libx264", "times": [0, 40, 200, 210, 400, 900]},
    "variable.mp4": {"codec": "libx264", "times": [0, 40, 200, 210, 400, 900]},
    "mpeg1.mpg": {"codec": "mpeg1video"},
    "stream.ts": {"codec": "libx264"},
    "flash.flv": {"codec": "flv1"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("videos")
    for name, options in FILES.items():
        frames = len(options.get("times", range(FRAMES)))
        videofiles.make(root / name, frames, **options)
    return root


@pytest.mark.parametrize("name", FILES)
def test_frames_are_opencvs(folder, name):
    expected = videofiles.by_opencv(folder / name)
    found = list(decode.frames(folder / name))
    assert len(found) == len(expected) == len(FILES[name].get("times", range(FRAMES)))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert decode.count(folder / name) == len(found)


def test_frames_of_real_clips_are_opencvs(clips):
    """All 189: the same number, the same pixels; nothing is taken for damage."""
    total = 0
    for path in sorted((clips / "hmdb51").rglob("*.avi")):
        expected = videofiles.by_opencv(path)
        found = list(decode.frames(path))
        assert len(found) == len(expected), path
        assert all(map(np.array_equal, found, expected)), path
        total += len(found)
    assert total == 6510


def test_threads_change_nothing(folder):
    for name in ("h264.mkv", "xvid.avi"):
        one, two = (list(decode.frames(folder / name, threads=n)) for n in (1, 2))
        np.testing.assert_array_equal(one, two)


def test_rotation_is_carried_out_as_by_opencv(folder, tmp_path):
    """The display matrix of an MP4, as telephones write it."""
    data = (folder / "h264.mp4").read_bytes()
    # Of the track header's matrix, in 16.16 and 2.30 fixed point.
    unit, full = (1 << 16).to_bytes(4, "big"), (1 << 30).to_bytes(4, "big")
    minus, zero = (-1 << 16).to_bytes(4, "big", signed=True), bytes(4)
    track = data.index(b"tkhd")
    at = data.index(unit + zero * 3 + unit + zero * 3 + full, track)
    shapes = set()
    for matrix in (
        zero + unit + zero + minus + zero * 4 + full,
        minus + zero * 3 + minus + zero * 3 + full,
        zero + minus + zero + unit + zero * 4 + full,
    ):
        path = tmp_path / "turned.mp4"
        path.write_bytes(data[:at] + matrix + data[at + 36 :])
        expected = videofiles.by_opencv(path)
        np.testing.assert_array_equal(list(decode.frames(path)), expected)
        shapes.add(expected[0].shape[:2])
    assert shapes == {(120, 160), (160, 120)}


def test_pick_gives_those_frames(folder):
    every = list(decode.frames(folder / "h264.mkv"))
    picked = dict(decode.pick(folder / "h264.mkv", [0, 3, 4, 29]))
    assert list(picked) == [0, 3, 4, 29]
    for number, frame in picked.items():
        np.testing.assert_array_equal(frame, every[number])
    assert list(decode.pick(folder / "h264.mkv", [])) == []
    with pytest.raises(decode.VideoError, match="has no frame 31"):
        list(decode.pick(folder / "h264.mkv", [29, 30]))


# Of these a cut leaves frames, and shows. An MP4 with its index at the end is
# lost; a transport stream may end anywhere.
UNCUT = ("h264.mp4", "variable.mp4", "variable.mkv", "stream.ts")
CUT = [name for name in FILES if name not in UNCUT]


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("share", [0.8, 0.6])
def test_a_cut_file_fails_or_gives_its_good_frames(folder, tmp_path, name, share):
    path = videofiles.cut(folder / name, share, tmp_path / name)
    with pytest.raises(
        decode.VideoError, match=r"is damaged: .*`keep_damaged=True`"
    ) as error:
        list(decode.frames(path))
    assert str(path) in str(error.value)
    told = []
    kept = list(decode.frames(path, on_damage=told.append))
    assert len(told) == 1
    whole = list(decode.frames(folder / name))
    assert 0 < len(kept) < len(whole)
    # Good frames are those of the whole file. An encoder that looks ahead
    # (B-frames) may leave the last ones to be predicted from what is gone.
    np.testing.assert_array_equal(kept, whole[: len(kept)])


def test_an_mp4_without_its_index_says_what_is_gone(folder, tmp_path):
    path = videofiles.cut(folder / "h264.mp4", 0.8, tmp_path / "cut.mp4")
    size, full = path.stat().st_size, (folder / "h264.mp4").stat().st_size
    with pytest.raises(decode.VideoError, match=f"{size} bytes are there") as error:
        list(decode.frames(path, on_damage=print))
    # The box that is cut is the last but one, or the last.
    assert int(str(error.value).split()[-1]) <= full


def test_damage_in_the_middle(folder, tmp_path):
    data = bytearray((folder / "xvid.avi").read_bytes())
    place = len(data) * 3 // 4  # The first frames take up half the file.
    data[place : place + 300] = bytes(range(150)) * 2
    path = tmp_path / "middle.avi"
    path.write_bytes(data)
    with pytest.raises(decode.VideoError, match="is damaged"):
        list(decode.frames(path))
    told = []
    kept = list(decode.frames(path, on_damage=told.append))
    whole = list(decode.frames(folder / "xvid.avi"))
    np.testing.assert_array_equal(kept, whole[: len(kept)])
    assert 0 < len(kept) < len(whole)
    assert told


@pytest.mark.parametrize("name", ["xvid.avi", "h264.mkv"])
@pytest.mark.parametrize("place", [15, FRAMES - 2])
def test_damage_is_the_same_for_any_number_of_threads(folder, tmp_path, name, place):
    """A packet of zeros; a decoder of whole frames tells of it late or never."""
    import av

    with av.open(str(folder / name)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        packet = sorted(packets, key=lambda p: p.pos)[place]
        start, size = packet.pos, packet.size
    data = bytearray((folder / name).read_bytes())
    data[start + 12 : start + size] = bytes(size - 12)
    path = tmp_path / name
    path.write_bytes(data)
    found = []
    for threads in (1, 2, 8):
        told = []
        count = decode.count(path, on_damage=told.append, threads=threads)
        found.append((count, told))
    assert found[0] == found[1] == found[2]
    assert len(found[0][1]) == 1


def test_what_is_no_video_is_named(tmp_path):
    (tmp_path / "empty.avi").touch()
    (tmp_path / "text.avi").write_text("this is no video\n" * 100)
    (tmp_path / "folder.avi").mkdir()
    os.mkfifo(tmp_path / "pipe.avi")
    for name, error, text in (
        ("empty.avi", decode.VideoError, "is empty"),
        ("text.avi", decode.VideoError, "no video that can be read"),
        ("folder.avi", decode.VideoError, "is a folder"),
        ("pipe.avi", decode.VideoError, "no regular file"),
        ("missing.avi", FileNotFoundError, "missing.avi"),
    ):
        with pytest.raises(error, match=text):
            list(decode.frames(tmp_path / name))


def test_playlists_are_not_followed(folder, tmp_path):
    """FFmpeg goes by content: a playlist would open any file or address."""
    target = folder / "stream.ts"
    texts = {
        "hls.avi": f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{target}\n",
        "concat.avi": f"ffconcat version 1.0\nfile '{target}'\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(decode.VideoError, match="no video that can be read"):
            list(decode.frames(tmp_path / name))


def test_titles_need_not_be_utf8(folder, tmp_path):
    """Old files have them in any code."""
    data = (folder / "xvid.avi").read_bytes()
    assert b"Lavf" in data  # the name of the writer
    (tmp_path / "a.avi").write_bytes(data.replace(b"Lavf", b"Caf\xe9"))
    expected = list(decode.frames(folder / "xvid.avi"))
    np.testing.assert_array_equal(list(decode.frames(tmp_path / "a.avi")), expected)


def test_names_are_not_addresses(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("http:x.avi", "concat:a|b.avi", "-x #[%05d] é.avi"):
        os.link(folder / "xvid.avi", tmp_path / name)
        assert decode.count(name) == FRAMES


def test_sound_alone_is_no_video(tmp_path):
    import av

    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        silence = np.zeros((1, 800), np.int16)
        frame = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(decode.VideoError, match="holds no video"):
        list(decode.frames(path))


def test_frames_too_large_to_be_true(tmp_path):
    """Ten gigabytes a frame are refused before they are taken."""
    path = videofiles.make(tmp_path / "x.avi", 3, "rawvideo", pixels="bgr24")
    data = bytearray(path.read_bytes())
    at = data.index(b"strf") + 12  # width and height of the stream format
    data[at : at + 8] = (60000).to_bytes(4, "little") * 2
    (tmp_path / "large.avi").write_bytes(data)
    with pytest.raises(decode.VideoError, match="large.avi"):
        list(decode.frames(tmp_path / "large.avi"))


@pytest.mark.parametrize("name", FILES)
def test_whole_files_are_not_called_cut(folder, name):
    assert containers.truncation(folder / name) is None


def test_containers_with_open_ends(tmp_path):
    """Sizes that were never filled in say nothing."""
    header = b"\x1a\x45\xdf\xa3\x80"  # EBML, 0 bytes
    segment = b"\x18\x53\x80\x67"
    cases = {
        header + segment + b"\x01" + b"\xff" * 7: None,
        header + segment + b"\xff": None,
        header + segment + b"\x84abcd": None,
        header + segment + b"\x84abc": "13 bytes are there, its container says 14",
        header[:3]: None,
        b"\x00\x00\x00\x08ftyp\x00\x00\x00\x00mdat": None,  # up to the end
        b"\x00\x00\x00\x08ftyp\x00\x00\x00\x09mdat": (
            "16 bytes are there, its container says 17"
        ),
        b"\x00\x00\x00\x08ftyp\x00\x00\x00\x01mdat" + (2**40).to_bytes(8, "big"): (
            f"24 bytes are there, its container says {2**40 + 8}"
        ),
        b"RIFF" + (100).to_bytes(4, "little") + b"AVI ": (
            "12 bytes are there, its container says 108"
        ),
        b"RIFF\x00\x00\x00\x00AVI ": None,
        b"": None,
    }
    path = tmp_path / "x"
    for data, expected in cases.items():
        path.write_bytes(data)
        assert containers.truncation(path) == expected, data
