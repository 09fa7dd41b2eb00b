"""Where presets' files are found, downloaded to, and checked."""

import dataclasses
import hashlib

import fileserver
import pytest

from tsn_keras.checkpoints import fetching, folders, presets
from tsn_keras.common import files, progress
from tsn_keras.common.errors import InputError

DATA = b"weights" * 1000
START = hashlib.sha256(DATA).hexdigest()[:8]
NAME = "resnet18_imagenet1k_v1"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The user's cache, which is empty; and no other folder with weights."""
    monkeypatch.setenv("TSN_KERAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "cache/weights"


@pytest.fixture
def store(cache, monkeypatch):
    """A server that has the file of the preset NAME, with its digits."""
    file = f"resnet18-{START}.pth"
    with fileserver.serving(file, DATA) as found:
        known = dataclasses.replace(presets.PRESETS[NAME], file=file, url=found.url)
        monkeypatch.setitem(presets.PRESETS, NAME, known)
        yield found


def test_a_download_lands_in_the_cache_when_whole(store, cache):
    told = []
    located = folders.locate(NAME, None, progress.Calling(told.append))
    assert located.path == cache / presets.PRESETS[NAME].file
    assert located.path.read_bytes() == DATA
    assert told[-1].done == len(DATA)
    assert [path.name for path in cache.iterdir()] == [located.path.name]
    # It is found there.
    assert folders.locate(NAME) == located
    assert len(store.asked) == 1


def test_a_download_that_stopped_is_found(store, cache):
    preset = presets.PRESETS[NAME]
    assert folders.unfinished(preset) is None
    store.cuts = [5000, 0]
    with pytest.raises(InputError, match="broke off.*the same again resumes"):
        folders.obtain(preset)
    assert folders.unfinished(preset) == cache / f"{preset.file}.download"
    assert folders.find(preset) is None
    folders.obtain(preset)
    assert folders.unfinished(preset) is None


def test_a_file_of_other_digits_is_not_kept(store, cache):
    store.data = DATA[::-1]
    with pytest.raises(InputError, match=f"begins with {START}: it is damaged"):
        folders.locate(NAME)
    assert list(cache.iterdir()) == []


def test_offline_says_what_to_put_where(store, cache, tmp_path):
    store.status = 503
    with pytest.raises(folders.WeightsNotFound) as caught:
        folders.locate(NAME, tmp_path)
    preset = presets.PRESETS[NAME]
    assert f"Get {preset.file} from {preset.url} and put it into" in str(caught.value)
    assert "503" in str(caught.value)
    for place in (tmp_path, cache):
        assert str(place) in str(caught.value)


def test_what_is_in_an_archive_is_fetched_by_hand(tmp_path):
    preset = presets.PRESETS["kinetics_flow"]
    with pytest.raises(fetching.FetchError, match="archive that has to be fetched"):
        folders.download(preset, tmp_path)


def test_a_file_with_a_presets_digits_is_that_preset(tmp_path):
    preset = presets.PRESETS["resnet18_imagenet1k_v1"]
    path = tmp_path / preset.file
    path.write_bytes(b"damaged")
    located = folders.locate(path)
    assert located.preset is preset
    message = r"is not resnet18_imagenet1k_v1: its sha256 is \w{64}, that of the "
    with pytest.raises(InputError, match=message + "published file begins with f37072"):
        folders.check_preset_digest(located, files.sha256(path))
    folders.check_preset_digest(located, "f37072fd" + "0" * 56)
    # The same file under a preset's name in a folder of the user.
    assert folders.locate(preset.name, tmp_path) == located
    # Without digits, or under another name, a file is nobody's.
    for name in ("mine.pth", presets.PRESETS["hmdb51_rgb_split1"].file):
        (tmp_path / name).write_bytes(b"x")
        assert folders.locate(tmp_path / name).preset is None


def test_what_is_on_disk_is_what_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("TSN_KERAS_WEIGHTS", str(tmp_path))
    name = "tsn_r50_video_1x1x8_100e_kinetics600_rgb"
    for file in (presets.PRESETS[name].file, f"{name}.weights.h5"):
        (tmp_path / file).touch()
    found = folders.on_disk()
    assert set(found) == {name, "demo_rgb", "demo_flow"}
    for each, path in found.items():
        assert path == folders.find(presets.PRESETS[each])
