"""Folders in which networks are shared: what is written, and what is refused."""

import json
import sys
import types

import clips
import commands
import keras
import numpy as np
import pytest

import tsn_keras as tsn
from tsn_keras.checkpoints import (
    card,
    fetching,
    folders,
    hub,
    keras_file,
    preset_folder,
)
from tsn_keras.common.errors import InputError
from tsn_keras.models import identity
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream

pytestmark = pytest.mark.usefixtures("shallow_network")
NAMES = ("jump", "run", "a | b")


@pytest.fixture(scope="module")
def model(shallow_network):
    """A narrow network of three classes, as `load` gives one."""
    backbone = BACKBONES["bn_inception"]
    made = backbone.build((224, 224, 3), classes=3, width=0.05)
    stream = Stream(MODALITIES["rgb"], PROTOCOLS["caffe"])
    identity.mark(made, identity.Identity(backbone, stream, 0.05))
    return made


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("shared") / "deep" / "mine"
    return tsn.save_preset(model, path, class_names=NAMES, licence="cc-by-4.0")


@pytest.fixture
def copy(folder, tmp_path):
    """The folder again, to be changed."""
    target = tmp_path / "copy"
    target.mkdir()
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def read(folder, name):
    return json.loads((folder / name).read_text())


def test_files_are_those_of_keras_hubs_form(folder, model):
    assert {path.name for path in folder.iterdir()} == set(preset_folder.FILES)
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]
    config = read(folder, "config.json")
    assert (config["module"], config["class_name"]) == ("tsn_keras", "bn_inception")
    assert config["registered_name"] == "tsn_keras>bn_inception"
    assert config["config"] == {
        "input_shape": [224, 224, 3],
        "backbone": "bn_inception",
        "modality": "rgb",
        "channels": 3,
        "classes": 3,
        "class_names": list(NAMES),
        "width": 0.05,
        "protocol": "caffe",
    }
    metadata = read(folder, "metadata.json")
    assert metadata["parameter_count"] == model.count_params()
    assert metadata["keras_version"] == keras.__version__
    assert (folder / "class_names.txt").read_text().splitlines() == list(NAMES)


def test_preprocessor_is_the_layer(folder):
    layer = keras.saving.deserialize_keras_object(read(folder, "preprocessor.json"))
    assert isinstance(layer, tsn.Preprocessing)
    pixel = np.full((1, 1, 1, 3), 128, "uint8")
    # B, G, R less 104, 117, 123.
    assert np.asarray(layer(pixel)).ravel().tolist() == [24, 11, 5]


def test_it_opens_as_what_it_was(folder, model, tmp_path):
    loaded = tsn.load(folder)
    assert loaded.class_names == NAMES
    for one, other in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    known = identity.of(loaded)
    assert (known.width, known.stream.protocol.name) == (0.05, "caffe")
    (again,) = tsn.Recognizer.from_preset(folder).save_preset(tmp_path / "again")
    assert again == tmp_path / "again"
    assert read(again, "config.json")["config"].keys() > {"width", "source_sha256"}


def test_card(folder):
    text = (folder / "README.md").read_text()
    front, body = text.removeprefix("---\n").split("\n---\n", 1)
    assert front.splitlines() == [
        'library_name: "keras"',
        'pipeline_tag: "video-classification"',
        'tags: ["action-recognition", "temporal-segment-networks", "rgb"]',
        'license: "cc-by-4.0"',
    ]
    assert "| classes | 3 |" in body
    assert "| licence | cc-by-4.0 |" in body
    assert "No accuracy is recorded" in body


def test_card_has_what_is_known():
    about = {
        "backbone": "bn_inception",
        "modality": "flow",
        "protocol": "caffe",
        "classes": 51,
        "dataset": "hmdb51",
        "split": 2,
        "source": "a | b.caffemodel",
        "published": {"mean class accuracy": 63.3},
        "consensus": {"kind": "top_k", "k": 2},
        "validation": {"top1": 60.25, "videos": 1530, "loss": 1.5},
    }
    text = card.text(about, 1234567)
    assert "license:" not in text
    assert "| trained on | hmdb51, split 2 |" in text
    assert r"| source | a \| b.caffemodel |" in text
    assert "1,234,567 parameters" in text
    assert "| consensus | top_k |" in text
    assert "Published: mean class accuracy 63.3." in text
    assert "top-1 accuracy 60.25 %, videos 1530." in text
    assert "No accuracy" not in text


def test_nothing_is_overwritten(model, folder, tmp_path):
    with pytest.raises(InputError, match="mine is there already and not an empty"):
        tsn.save_preset(model, folder)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(InputError, match="file is there already"):
        tsn.save_preset(model, file)
    (tmp_path / "empty").mkdir()
    assert tsn.save_preset(model, tmp_path / "empty").is_dir()


def test_names_and_models_are_checked(model, folder, tmp_path):
    with pytest.raises(InputError, match="`class_names` has 2 names, the model has 3"):
        tsn.save_preset(model, tmp_path / "new", class_names=("a", "b"))
    file = folder / "model.weights.h5"
    with pytest.raises(InputError, match=r"has 1 names, .*model\.weights.* 3 classes"):
        tsn.save_preset(file, tmp_path / "new", class_names=("a",))
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    with pytest.raises(InputError, match="`model` must be a model that tsn_keras.load"):
        tsn.save_preset(other, tmp_path / "new")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("config.json", None, IsADirectoryError, "has no config.json"),
        ("model.weights.h5", None, InputError, "has no model.weights.h5"),
        ("config.json", "{", InputError, "config.json is not JSON"),
        ("config.json", "[]", InputError, "config.json is not a JSON object"),
        ("config.json", " " * 2**21, InputError, "such a file has at most 1048576"),
        (
            "config.json",
            '{"module": "keras_hub.src"}',
            InputError,
            "of 'keras_hub.src'",
        ),
        (
            "config.json",
            '{"module": 3}',
            InputError,
            "a preset of '3', not of tsn_keras",
        ),
        (
            *("config.json", '{"module": "tsn_keras", "config": 1}', InputError),
            "backbone is None in config.json, but bn_inception in model.weights.h5",
        ),
        ("model.weights.h5", "no HDF5", keras_file.WeightFileError, "not a usable"),
    ],
)
def test_folders_that_are_refused(copy, name, content, error, words):
    (copy / name).unlink()
    if content is not None:
        (copy / name).write_text(content)
    with pytest.raises(error, match=words):
        tsn.load(copy)


def test_an_exchanged_file_is_noticed(copy, model):
    about, _ = keras_file.shapes(copy / "model.weights.h5")
    about["protocol"] = "mmaction2"
    keras_file.save(model, copy / "model.weights.h5", about)
    words = "protocol is caffe in config.json, but mmaction2 in model.weights.h5"
    with pytest.raises(InputError, match=words):
        tsn.load(copy)


@pytest.mark.parametrize(
    ("address", "library", "function", "expected"),
    [
        (
            *("hf://me/mine", "huggingface_hub", "snapshot_download"),
            (("me/mine",), None),
        ),
        (
            *("hf://me/mine@v1", "huggingface_hub", "snapshot_download"),
            (("me/mine",), "v1"),
        ),
        (
            *("kaggle://me/mine/keras/rgb/2", "kagglehub", "model_download"),
            (("me/mine/keras/rgb/2",), None),
        ),
    ],
)
def test_model_hubs(monkeypatch, folder, address, library, function, expected):
    asked = []

    def download(*handle, revision=None, allow_patterns=preset_folder.FILES):
        assert list(allow_patterns) == list(preset_folder.FILES)
        asked.append((handle, revision))
        return str(folder)

    fake = types.ModuleType(library)
    setattr(fake, function, download)
    monkeypatch.setitem(sys.modules, library, fake)
    assert folders.locate(address).path == folder / "model.weights.h5"
    assert asked == [expected]


@pytest.mark.parametrize("address", ["hf://me/mine", "kaggle://me/mine/keras/rgb"])
def test_a_hub_without_its_library(monkeypatch, address):
    for library in ("huggingface_hub", "kagglehub"):
        monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(
        fetching.FetchError, match=r'needs pip install "tsn_keras\[hub\]'
    ):
        hub.obtain(address)


def test_what_a_hub_answers_is_told(monkeypatch):
    """The genuine library, which refuses such a name, and a download when offline."""
    pytest.importorskip("huggingface_hub", reason='needs huggingface_hub, of ".[hub]"')
    with pytest.raises(fetching.FetchError, match="cannot get hf://a/b/c/d: .*a/b/c/d"):
        hub.obtain("hf://a/b/c/d")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(fetching.FetchError, match="cannot get hf://me/mine: .+"):
        hub.obtain("hf://me/mine")


def test_commands_take_folders_and_addresses(folder, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    clips.make_video(tmp_path / "video", 3, 0)
    (tmp_path / "list.txt").write_text("video 3 0\n")
    words = ["eval", "--dataset", "list", "--annotations", tmp_path / "list.txt"]
    words += ["--data", tmp_path, "--modality", "rgb", "--snippets", 2, "--crops", 1]
    words += ["--scores", tmp_path / "s.h5", "--weights"]
    done = commands.call(*words, "hf://me/mine")
    assert done.returncode == 2
    assert 'hf://me/mine needs pip install "tsn_keras[hub]"' in done.stderr
    done = commands.call(*words, folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["results"][0]["videos"] == 1
