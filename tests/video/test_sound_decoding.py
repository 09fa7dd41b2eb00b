"""Sound: in time with the frames, whatever the file has; damage; hostile headers."""

import struct
import wave

import av
import numpy as np
import pytest
import soundfiles
import videofiles

from tsn_keras.common.errors import InputError
from tsn_keras.video import resampling, sound
from tsn_keras.video.decode import VideoError


def read(path, **how):
    with sound.Sound(path, **how) as opened:
        blocks = list(opened.blocks())
        return np.concatenate(blocks), opened


def tone_at(samples, frequency):
    """Share of the power at a frequency."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    place = round(frequency * len(samples) / sound.RATE)
    return spectrum[place - 5 : place + 6].sum() / spectrum.sum()


@pytest.mark.parametrize(
    ("name", "rate", "how"),
    [
        ("a.avi", 16000, {}),
        ("a.mkv", 48000, {}),
        ("a.mov", 44100, {"codec": "aac", "sample_format": "fltp"}),
        ("b.mp4", 22050, {"codec": "aac", "sample_format": "fltp"}),
        ("c.mkv", 384_000, {}),
        ("d.mkv", 8000, {"codec": "flac"}),
    ],
)
def test_any_file(tmp_path, name, rate, how):
    path = soundfiles.make(tmp_path / name, soundfiles.sine(1000, 2, rate), rate, **how)
    samples, opened = read(path)
    assert samples.dtype == np.int16
    # AAC fills its last packet up.
    assert 2 * sound.RATE <= len(samples) < 2 * sound.RATE + 1024
    assert opened.frame_rate == 10
    inner = samples[4000:28000].astype(float)
    assert tone_at(inner, 1000) > 0.99
    assert np.sqrt(2 * np.mean(inner**2)) / 2**15 == pytest.approx(0.5, rel=0.03)


def test_channels_become_their_mean(tmp_path):
    one, other = soundfiles.sine(1000, 1), soundfiles.sine(3000, 1)
    path = soundfiles.make(tmp_path / "a.mkv", np.stack([one, other]))
    samples, _ = read(path)
    np.testing.assert_allclose(samples / 2**15, (one + other) / 2, atol=1e-4)


@pytest.mark.parametrize("delay", [0.75, 0.0])
def test_sound_begins_when_it_is_heard(tmp_path, delay):
    path = soundfiles.make(tmp_path / "a.mkv", soundfiles.sine(500, 2), delay=delay)
    samples, _ = read(path)
    assert len(samples) == (2 + delay) * sound.RATE
    first = np.flatnonzero(np.abs(samples) > 1000)[0]
    assert first == pytest.approx(delay * sound.RATE, abs=20)


def placed(*frames):
    blocks = list(resampling.Placed("v.mkv").blocks(iter(frames)))
    return np.concatenate(blocks).tolist(), blocks


def test_gaps_are_silent_and_what_is_before_the_first_frame_is_left_out():
    half = np.full(1600, 0.5, np.float32)
    level = 2**14
    found, _ = placed((-0.05, half, 16000), (0.05, half, 16000), (0.35, half, 16000))
    assert found == [level] * 2400 + [0] * 3200 + [level] * 1600
    # Rounded times make no gap.
    found, _ = placed((0.0, half, 16000), (0.109, half, 16000), (None, half, 16000))
    assert found == [level] * 4800
    # Another rate in the middle.
    found, _ = placed((0.0, half, 16000), (0.1, np.tile(half, 2), 32000))
    assert len(found) == pytest.approx(3200, abs=2)


def test_a_frame_of_a_minute_takes_a_second_at_a_time():
    _, blocks = placed((0.0, np.zeros(60 * 8000, np.float32), 8000))
    assert sum(map(len, blocks)) == pytest.approx(60 * sound.RATE, abs=64)
    assert max(map(len, blocks)) < 2 * sound.RATE


@pytest.mark.parametrize("time", [1e9, 90_000.0])
def test_a_time_that_no_sound_has(time):
    with pytest.raises(VideoError, match="longer than 24 hours"):
        placed((time, np.zeros(10, np.float32), 16000))


def test_stored_sound_is_that_of_the_file(tmp_path):
    samples = soundfiles.sine(700, 2, 44100)
    path = soundfiles.make(tmp_path / "a.mkv", samples, 44100, frame_rate=15)
    direct, _ = read(path)
    for name in "ab":
        (tmp_path / name).mkdir()
        assert sound.extract(path, tmp_path / name) == (len(direct), None)
    stored, opened = read(tmp_path / "a" / sound.NAME)
    np.testing.assert_array_equal(stored, direct)
    assert (opened.is_stored, opened.frame_rate) == (True, 15)
    first, second = (tmp_path / n / sound.NAME for n in "ab")
    assert first.read_bytes() == second.read_bytes()
    assert [p.name for p in (tmp_path / "a").iterdir()] == [sound.NAME]


def test_no_sound(tmp_path):
    path = soundfiles.make(tmp_path / "a.mkv", None)
    assert not sound.is_in(path)
    assert sound.extract(path, tmp_path) == (None, None)
    assert (tmp_path / sound.NONE).read_bytes() == b""
    with pytest.raises(VideoError, match="has no sound"):
        sound.Sound(path)


def test_damage(tmp_path):
    path = soundfiles.make(tmp_path / "a.mkv", soundfiles.sine(700, 4), frames=40)
    cut = videofiles.cut(path, 0.5, tmp_path / "cut.mkv")
    with pytest.raises(VideoError, match="cut.mkv is damaged: .* bytes are there"):
        read(cut)
    kept, opened = read(cut, keep_damaged=True)
    assert "bytes are there" in opened.damage
    assert 0 < len(kept) < 4 * sound.RATE
    np.testing.assert_array_equal(kept, read(path)[0][: len(kept)])
    with pytest.raises(VideoError, match="cut.mkv is damaged"):
        sound.extract(cut, tmp_path)
    assert not (tmp_path / sound.NAME).exists()
    assert sound.extract(cut, tmp_path, True)[1] == opened.damage


@pytest.fixture
def stored(tmp_path):
    noise = np.random.default_rng(0).normal(0, 5000, 5 * sound.RATE).astype(np.int16)
    sound.write(tmp_path / sound.NAME, np.split(noise, 5), 25)
    return tmp_path / sound.NAME


@pytest.mark.parametrize("kind", ["flipped", "cut", "short", "zeros", "empty"])
def test_damaged_flac(stored, kind):
    data = bytearray(stored.read_bytes())
    if kind == "flipped":
        data[len(data) // 2] ^= 0x10
    changed = {
        "cut": data[: len(data) // 2],
        "short": data[:20],
        "zeros": bytes(len(data)),
        "empty": b"",
    }
    stored.write_bytes(changed.get(kind, data))
    with pytest.raises(VideoError, match=str(stored)):
        read(stored)


def test_stored_sound_needs_the_frame_rate(tmp_path):
    with av.open(str(tmp_path / sound.NAME), "w") as container:
        stream = container.add_stream("flac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 64), np.int16), "s16", "mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(VideoError, match="its tag FRAMES_PER_SECOND does not say"):
        sound.Sound(tmp_path / sound.NAME)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (
            24,
            2**31 - 8,
            "says its sound has 2147483640 samples a second|cannot be read",
        ),
        (24, 1_000_000, "says its sound has 1000000 samples a second"),
        (24, 3, "says its sound has 3 samples a second"),
        (24, 0, "0 samples a second|cannot be read|no video that can be read"),
        (22, 0, "0 channels|cannot be read|no sound|no video that can be read"),
        (22, 60_000, "channels|cannot be read|no video that can be read"),
    ],
)
def test_hostile_headers(tmp_path, field, value, message):
    path = soundfiles.make(tmp_path / "a.avi", soundfiles.sine(700, 1))
    data = bytearray(path.read_bytes())
    # The WAVEFORMATEX of the sound: format 1, channels, rate, ...
    place = data.find(struct.pack("<HHI", 1, 1, 16000))
    assert place > 0
    form = "<I" if field == 24 else "<H"
    struct.pack_into(form, data, place + field - 20, value)
    path.write_bytes(data)
    with pytest.raises(VideoError, match=message):
        read(path)


def test_sound_alone_is_no_video(tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(3200))
    # WAV is no container of videos.
    with pytest.raises(VideoError, match="cannot be read"):
        sound.Sound(tmp_path / "a.wav")


def test_a_missing_codec_is_named(monkeypatch):
    monkeypatch.setattr(av, "codecs_available", {"aac"})
    with pytest.raises(InputError, match="lacks the codec flac"):
        sound.check_writable()
