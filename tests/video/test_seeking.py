"""Frames that are sought: those of decoding from the beginning, bit for bit."""

import dataclasses
import hashlib
import json
import os
import random

import numpy as np
import pytest
import videofiles

from tsn_keras.video import bitstreams, decode, index, seeking

FRAMES = 40
OPEN = "open-gop=1:bframes=3:b-pyramid=normal:keyint=10:min-keyint=10:scenecut=0"
B_FRAMES = {"bf": "2", "g": "10"}
# What is sought in, and what must be decoded from the beginning, with the reason.
SOUGHT = {
    "xvid.avi": {},
    "b.avi": {"encoder": B_FRAMES},
    "b.mp4": {"encoder": B_FRAMES},
    "quarter.mkv": {"encoder": {**B_FRAMES, "flags": "+qpel"}},
    "closed.mp4": {"codec": "libx264", "encoder": {"bf": "3"}},
    "open.mp4": {"codec": "libx264", "encoder": {"x264-params": OPEN}},
    "open.mkv": {"codec": "libx264", "encoder": {"x264-params": OPEN}},
    "refresh.mkv": {
        "codec": "libx264",
        "encoder": {"x264-params": "intra-refresh=1:keyint=10:bframes=0"},
    },
    "late.mp4": {"codec": "libx264", "start": 50},
    "early.mkv": {"codec": "libx264", "start": -7},
    "edited.mp4": {"codec": "libx264", "start": -7},
    "pieces.mp4": {
        "codec": "libx264",
        "container": {"movflags": "frag_keyframe+empty_moov"},
    },
    "variable.mp4": {"codec": "libx264", "times": [k * k for k in range(FRAMES)]},
    "plain.avi": {"codec": "libx264", "encoder": {"bf": "0"}},
    "hidden.webm": {
        "codec": "libvpx-vp9",
        "encoder": {
            **{"auto-alt-ref": "1", "lag-in-frames": "16", "g": "10"},
            "cpu-used": "8",
        },
    },
    "late.webm": {"codec": "libvpx-vp9", "start": 13, "encoder": {"cpu-used": "8"}},
}
DECODED = {
    "fields.mkv": (
        "fields",
        {"codec": "libx264", "encoder": {"x264-params": "interlaced=1"}},
    ),
    "fields.avi": ("fields", {"encoder": {**B_FRAMES, "flags": "+ilme+ildct"}}),
    "colour.mkv": ("4:2:0", {"codec": "libx264", "pixels": "yuv444p"}),
    "reordered.avi": ("AVI", {"codec": "libx264", "encoder": {"bf": "3"}}),
    "stream.ts": ("no container", {"codec": "libx264"}),
    "mpeg1.mpg": ("no container", {"codec": "mpeg1video"}),
    "vp8.webm": ("vp8", {"codec": "libvpx", "encoder": {"cpu-used": "8"}}),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("sought")
    options = {**SOUGHT, **{name: how for name, (_, how) in DECODED.items()}}
    pictures = [videofiles.picture(time) for time in range(FRAMES)]
    for name, how in options.items():
        videofiles.make(root / name, pictures, **how)
    for name, (source, change) in REMUXED.items():
        videofiles.remux(root / source, root / name, change)
    return root


@pytest.fixture(autouse=True)
def _no_index_is_kept(monkeypatch):
    monkeypatch.setattr(index, "_KEPT", index._Kept(2**24))


def subsets(total):
    """Numbers of frames to ask for: each alone, some, and all."""
    drawn = random.Random(0)
    yield from ([number] for number in range(total))
    yield from (sorted(drawn.sample(range(total), 3)) for _ in range(5))
    yield list(range(total))


def assert_exact(path, every=None):
    every = every or list(decode.frames(path))
    assert seeking.count(path) == len(every)
    for numbers in subsets(len(every)):
        found = dict(seeking.frames(path, numbers))
        assert list(found) == numbers
        for number, image in found.items():
            np.testing.assert_array_equal(image, every[number], err_msg=f"{number}")


def forbid(monkeypatch, *names):
    def fail(*_, **__):
        raise AssertionError("it was decoded from the beginning")

    for name in names:
        monkeypatch.setattr(decode, name, fail)


@pytest.mark.parametrize("name", SOUGHT)
def test_sought_frames_are_those_of_decoding(folder, monkeypatch, name):
    every = list(decode.frames(folder / name))
    forbid(monkeypatch, "pick", "count")
    assert_exact(folder / name, every)
    assert index.of(folder / name).packets is not None
    # Of the refreshed one only the first frame can be decoded without others.
    entries = len(index.of(folder / name).packets.entries)
    assert entries == 1 if name == "refresh.mkv" else entries > 3
    # An edit list hides those before the time 0.
    assert len(every) == FRAMES - 7 * (name == "edited.mp4")


@pytest.mark.parametrize("name", DECODED)
def test_where_packets_do_not_tell_it_is_decoded(folder, name):
    assert_exact(folder / name)
    found = index.of(folder / name)
    assert found.packets is None
    assert DECODED[name][0] in found.reason


def _without_one(packets):
    """Without a frame that others refer to: decoders leave some of those out."""
    anchors = [k for k, packet in enumerate(packets) if packet.size > 300]
    return (p for k, p in enumerate(packets) if k != anchors[len(anchors) // 2])


def _from_the_second_group(packets):
    first = [k for k, packet in enumerate(packets) if packet.is_keyframe][1]
    begin = packets[first].dts
    for packet in packets[first:]:
        packet.pts, packet.dts = packet.pts - begin, packet.dts - begin
        yield packet


def _from_the_middle_of_a_group(packets):
    """As a cut without encoding: an edit list hides what is only decoded."""
    first = [k for k, packet in enumerate(packets) if packet.is_keyframe][1]
    begin = sorted(packet.pts for packet in packets[first:])[3]
    for packet in packets[first:]:
        packet.pts, packet.dts = packet.pts - begin, packet.dts - begin
        yield packet


def _packed(packets):
    """As DivX 5 packs: a B-frame in one packet with the frame before, then nothing."""
    import av

    vop, number = b"\0\0\1\xb6", 0
    while number < len(packets):
        packet = packets[number]
        data, time = bytes(packet), packet.dts
        if not number:
            data = data.replace(vop, b"\0\0\1\xb2DivX503b1393p" + vop, 1)
        following = packets[number + 1] if number + 1 < len(packets) else None
        two = following is not None and bytes(following)[4] >> 6 == 2
        datas = [data + bytes(following), vop + b"\x51\0\x7f"] if two else [data]
        for k, one in enumerate(datas):
            made = av.Packet(one)
            made.pts = made.dts = time + k
            made.time_base, made.is_keyframe = packet.time_base, packet.is_keyframe
            yield made
        number += len(datas)


REMUXED = {
    "gone.avi": ("b.avi", _without_one),
    "gone.mp4": ("closed.mp4", _without_one),
    "gone.webm": ("hidden.webm", _without_one),
    "second.mp4": ("closed.mp4", _from_the_second_group),
    "second.mkv": ("open.mkv", _from_the_second_group),
    "second.avi": ("b.avi", _from_the_second_group),
    "middle.mp4": ("closed.mp4", _from_the_middle_of_a_group),
    "packed.avi": ("b.avi", _packed),
}


@pytest.mark.parametrize("name", REMUXED)
def test_files_that_were_cut_or_packed(folder, name):
    """However many frames decoding gives of them, and whichever."""
    assert_exact(folder / name)
    found = index.of(folder / name)
    if name in ("middle.mp4", "second.mp4", "gone.webm"):
        assert found.packets is not None
    if name == "packed.avi":
        assert found.reason == "not one picture in a packet"
        assert found.frames > FRAMES / 2
    if name in ("gone.avi", "gone.mp4"):
        assert found.packets is None


def test_only_what_frames_need_is_decoded(folder, monkeypatch):
    fed = []
    feed = seeking._Decoder._feed
    monkeypatch.setattr(
        seeking._Decoder, "_feed", lambda self: (fed.append(1), feed(self))[1]
    )
    path = folder / "closed.mp4"
    # The first packet, then from the key frame 36 until frame 37 comes out.
    list(seeking.frames(path, [37]))
    assert len(fed) <= 1 + 2 + 4
    fed.clear()
    # Frames of one group are decoded together.
    list(seeking.frames(path, [36, 37, 38]))
    assert len(fed) <= 1 + 3 + 4
    fed.clear()
    list(seeking.frames(path, range(FRAMES)))
    assert len(fed) == FRAMES + 1


@pytest.mark.parametrize("fault", ["swapped", "shifted", "places"])
def test_a_wrong_index_costs_time_only(folder, fault):
    """Whatever it says of the order, the frames are right."""
    path = folder / "closed.mp4"
    every = list(decode.frames(path))
    good = index.of(path)
    number, position = good.packets.number.copy(), good.packets.position.copy()
    if fault == "swapped":
        number[[20, 21]] = number[[21, 20]]
    elif fault == "shifted":
        number[19:] = np.roll(number[19:], 1)
    else:
        position += 1
    wrong = dataclasses.replace(good.packets, number=number, position=position)
    index._KEPT.add(index._key(path), index.Index(FRAMES, wrong))
    found = dict(seeking.frames(path, range(FRAMES)))
    for number, image in found.items():
        np.testing.assert_array_equal(image, every[number])
    assert list(found) == list(range(FRAMES))
    assert index.of(path) == index.Index(FRAMES, None, "it is decoded otherwise")


def test_golden_frames_are_those_of_decord(golden):
    """decord's, OpenCV's and PyAV's are equal; some are sought alone."""
    root = golden / "mmaction2"
    told = json.loads((root / "decode/decode.json").read_text())
    seen = 0
    for path in sorted((root / "media").glob("video_*")):
        digests = told[f"{path.name}/Decord"]["sha256"]
        assert seeking.count(path) == len(digests)
        assert index.of(path).packets is not None
        alone = [[number] for number in range(0, len(digests), 9)]
        for numbers in (*alone, range(len(digests))):
            for number, image in seeking.frames(path, numbers):
                red_first = np.ascontiguousarray(image[..., ::-1])
                assert hashlib.sha256(red_first).hexdigest() == digests[number]
                seen += 1
    assert seen == 220 + 10 + 7 + 8


def test_real_clips(clips, monkeypatch):
    """A sixth of them: all are sought in, and give the frames of decoding."""
    every = sorted((clips / "hmdb51").rglob("*.avi"))
    assert sum(map(seeking.count, every)) == 6510
    for path in every[::6]:
        whole = list(decode.frames(path))
        with monkeypatch.context() as patched:
            forbid(patched, "pick", "count")
            numbers = list(range(len(whole) % 3, len(whole), 7))
            for number, image in seeking.frames(path, numbers):
                np.testing.assert_array_equal(image, whole[number])


def outcome(path, numbers):
    """The frames, or the text of the error."""
    try:
        return dict(seeking.frames(path, numbers))
    except decode.VideoError as error:
        return str(error)


@pytest.mark.parametrize("name", ["xvid.avi", "b.mp4", "open.mkv", "closed.mp4"])
def test_damage(folder, tmp_path, name):
    """A packet of zeros: frames that need it fail, others are right."""
    import av

    with av.open(str(folder / name)) as container:
        packets = [p for p in container.demux(video=0) if p.size][20:35]
        packet = max((p for p in packets if not p.is_keyframe), key=lambda p: p.size)
        start, size = packet.pos, packet.size
    data = bytearray((folder / name).read_bytes())
    # The header stays, so that only decoding shows it.
    data[start + 30 : start + size * 2 // 5] = bytes(size * 2 // 5 - 30)
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(decode.VideoError, match="is damaged") as error:
        list(decode.frames(path))
    good = list(decode.frames(path, on_damage=lambda damage: None))
    whole = list(decode.frames(folder / name))
    assert 20 < len(good) < FRAMES == seeking.count(path)
    # Behind the next key frame nothing shows of it.
    last = outcome(path, [FRAMES - 1])[FRAMES - 1]
    np.testing.assert_array_equal(last, whole[-1])
    for number, image in enumerate(good):
        np.testing.assert_array_equal(outcome(path, [number])[number], image)
    assert index.of(path).packets is not None
    assert outcome(path, [len(good)]) == str(error.value)
    # Once it is found out, it is decoded from its beginning.
    assert index.of(path).packets is None
    assert outcome(path, [FRAMES - 1]) == str(error.value)


@pytest.mark.parametrize("share", [0.9, 0.6])
@pytest.mark.parametrize("name", ["xvid.avi", "open.mkv", "hidden.webm", "late.mp4"])
def test_cut_files_fail_as_when_decoded(folder, tmp_path, name, share):
    path = videofiles.cut(folder / name, share, tmp_path / name)
    with pytest.raises(decode.VideoError) as error:
        list(decode.frames(path))
    with pytest.raises(decode.VideoError) as found:
        seeking.count(path)
    assert str(found.value) == str(error.value)


def test_what_is_no_video_is_named(folder, tmp_path):
    (tmp_path / "empty.avi").touch()
    (tmp_path / "text.avi").write_text("this is no video\n" * 100)
    (tmp_path / "folder.avi").mkdir()
    (tmp_path / "hls.avi").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{folder / 'stream.ts'}\n"
    )
    os.mkfifo(tmp_path / "pipe.avi")
    for name, error, text in (
        ("empty.avi", decode.VideoError, "is empty"),
        ("text.avi", decode.VideoError, "no video that can be read"),
        ("hls.avi", decode.VideoError, "no video that can be read"),
        ("folder.avi", decode.VideoError, "is a folder"),
        ("pipe.avi", decode.VideoError, "no regular file"),
        ("missing.avi", FileNotFoundError, "missing.avi"),
    ):
        for use in (seeking.count, lambda path: list(seeking.frames(path, [0]))):
            with pytest.raises(error, match=text):
                use(tmp_path / name)


def test_numbers_past_the_end(folder):
    for name in ("closed.mp4", "stream.ts"):
        assert list(seeking.frames(folder / name, [])) == []
        with pytest.raises(decode.VideoError, match="has no frame 41"):
            list(seeking.frames(folder / name, [3, FRAMES]))


def test_an_index_is_kept_until_the_file_changes(folder, tmp_path, monkeypatch):
    path = tmp_path / "a.avi"
    path.write_bytes((folder / "xvid.avi").read_bytes())
    first = index.of(path)
    assert index.of(path) is first
    path.write_bytes((folder / "b.avi").read_bytes())
    assert index.of(path) is not first
    # No more are kept than the memory allows, but for the last one.
    monkeypatch.setattr(index, "_KEPT", index._Kept(2 * first.packets.size))
    names = ["xvid.avi", "b.avi", "open.mkv"]
    kept = [index.of(folder / name) for name in names]
    assert index.of(folder / names[2]) is kept[2]
    assert index.of(folder / names[0]) is not kept[0]


def test_packets_that_would_take_for_ever_are_not_read():
    """Thousands of units, and a message whose length has no end."""
    sequence = b"\x67" + bytes.fromhex("42c01ef488280f")
    many = b"\0\0\1\x09\x10" * 5000
    with pytest.raises(bitstreams.Untold, match="too many units"):
        bitstreams.READERS["h264"](b"").picture(many)
    message = b"\0\0\1\x06" + b"\xff" * 2_000_000
    with pytest.raises(bitstreams.Untold):
        bitstreams.READERS["h264"](b"\0\0\1" + sequence).picture(message)
