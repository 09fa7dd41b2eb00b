"""From a file or a preset to a model, and what is wrong with other files."""

import dataclasses
import hashlib
import json
import pathlib
import warnings

import caffe_writer
import h5py
import hdf5files
import keras
import numpy as np
import pytest

import tsn_keras
from tsn_keras import convert
from tsn_keras.checkpoints import (
    caffemodel,
    folders,
    foreign,
    keras_file,
    loading,
    presets,
    transfer,
)
from tsn_keras.common.errors import InputError
from tsn_keras.models import bn_inception
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream

pytestmark = pytest.mark.usefixtures("shallow_network")
WIDTH = 0.1


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    built = bn_inception.BNInception((224, 224, 10), classes=7, width=WIDTH)
    for layer in built.layers:
        if layer.name.endswith("_bn"):
            shape = layer.gamma.shape
            random = np.random.default_rng(len(layer.name))
            layer.set_weights([random.uniform(0.5, 1, shape) for _ in range(4)])
    return built


@pytest.fixture(scope="module")
def data(model):
    return caffe_writer.of_model(model, bn_inception.base_channels())


@pytest.fixture
def caffe_file(tmp_path, data):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(data)
    return path


def assert_same(found, expected):
    for name, a, b in zip(
        [w.path for w in expected.weights],
        found.get_weights(),
        expected.get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b, err_msg=name)


def test_load_of_a_caffemodel(caffe_file, model):
    loaded = tsn_keras.load(caffe_file)
    assert loaded.input_shape == (None, 224, 224, 10)
    assert_same(loaded, model)


def test_what_is_read_off_a_caffemodel(caffe_file, data):
    found = loading.find(str(caffe_file))
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert found.architecture.input_shape == (224, 224, 10)
    assert (found.architecture.classes, found.architecture.width) == (7, WIDTH)
    assert found.architecture.backbone is BACKBONES["bn_inception"]
    assert found.stream == Stream(MODALITIES["flow"], CAFFE)
    assert found.preset is None


def test_convert_and_load(caffe_file, model, tmp_path, capsys):
    target = tmp_path / "out.weights.h5"
    result, status = convert.main([str(caffe_file), str(target)])
    assert status == 0
    assert (result["modality"], result["classes"]) == ("flow", 7)
    assert result["blobs"] == 20
    assert result["parameters"] == model.count_params()
    assert result["source_sha256"] in capsys.readouterr().out
    assert_same(tsn_keras.load(target), model)
    about, shapes = keras_file.shapes(target)
    assert about["source"] == "net.caffemodel"
    assert len(shapes) == 20
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "net.caffemodel",
        "out.weights.h5",
    ]


def test_load_of_a_file_that_keras_wrote(tmp_path):
    """Without what `convert` adds: everything is read off the shapes."""
    plain = bn_inception.BNInception((224, 224, 3), classes=5, width=0.25)
    path = tmp_path / "plain.weights.h5"
    plain.save_weights(path)
    found = loading.find(path)
    expected = loading.Architecture(BACKBONES["bn_inception"], (224, 224, 3), 5, 0.25)
    assert found.architecture == expected
    assert found.modality.name == "rgb"
    assert found.class_names is None
    assert_same(found.build(), plain)


@pytest.mark.parametrize("name", ["fc", "fc8-kinetics"])
def test_classifier_of_any_name(caffe_file, name):
    """Initialisations may call the classifier otherwise."""
    layers = caffemodel.read(caffe_file)
    layers[name] = layers.pop("fc-action")
    likeness, facts = transfer.read_facts(
        foreign.of_caffe(layers), BACKBONES["bn_inception"]
    )
    assert likeness == 1
    assert facts.classes == 7


def test_blobs_without_a_place_are_listed(caffe_file, data, tmp_path):
    extra = caffe_writer.layer("aux/conv", caffe_writer.blob([1, 2], (2,)))
    caffe_file.write_bytes(data + extra)
    with pytest.raises(InputError, match=r"aux/conv\[0\] \(2,\)"):
        tsn_keras.load(caffe_file)
    with pytest.raises(InputError, match="aux/conv"):
        convert.main([str(caffe_file), str(tmp_path / "out.weights.h5")])
    assert not (tmp_path / "out.weights.h5").exists()


def test_missing_blobs_are_listed(caffe_file):
    layers = caffemodel.read(caffe_file)
    del layers["conv2/3x3_bn"]
    weights = loading.find(caffe_file)
    broken = dataclasses.replace(weights, tensors=foreign.of_caffe(layers))
    with pytest.raises(InputError, match="conv2_3x3_bn/beta"):
        broken.build()


def test_other_networks_are_named(tmp_path):
    path = tmp_path / "vgg.caffemodel"
    path.write_bytes(caffe_writer.layer("conv1_1", caffe_writer.blob([1], (1,))))
    with pytest.raises(InputError, match="not a BN-Inception.*conv1_1"):
        tsn_keras.load(path)


def test_wrong_paths_are_named(tmp_path):
    with pytest.raises(InputError, match="neither a file nor a preset; tsn_k"):
        tsn_keras.load(tmp_path / "absent.caffemodel")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        tsn_keras.load(tmp_path)
    with pytest.raises(InputError, match="no folder"):
        convert.main(["x.caffemodel", str(tmp_path / "absent/out.weights.h5")])
    with pytest.raises(InputError, match="is a Keras file already"):
        convert.main(["x.weights.h5", str(tmp_path / "out.weights.h5")])
    with pytest.raises(InputError, match="give a weight file and OUT"):
        convert.main(["x.caffemodel", str(tmp_path / "out.h5")])


@pytest.mark.parametrize("kind", ["text", "cut", "huge", "external", "link"])
def test_keras_files_of_strangers_are_checked(tmp_path, kind):
    path = tmp_path / "w.weights.h5"
    bn_inception.BNInception(classes=3, width=WIDTH).save_weights(path)
    if kind == "text":
        path.write_text("text")
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        with hdf5files.editing(path) as file:
            group = file["layers/dense/vars"]
            del group["0"]
            if kind == "huge":
                group.create_dataset("0", (2**30, 2**20), "f4", chunks=(1, 2**10))
            elif kind == "external":
                place = [("/etc/hostname", 0, 4 * 306)]
                group.create_dataset("0", (102, 3), "f4", external=place)
            else:
                group["0"] = h5py.ExternalLink("other.h5", "x")
    with pytest.raises(InputError, match=r"w\.weights\.h5"):
        tsn_keras.load(path)


def test_weight_file_that_lies_about_its_width(tmp_path, model):
    path = tmp_path / "w.weights.h5"
    keras_file.save(model, path, {"width": 0.5})
    with pytest.raises(
        InputError, match="says width 0.5, but its kernels are of width 0.1"
    ):
        tsn_keras.load(path)


def labelled(model, path, **about):
    keras_file.save(model, path, about)
    return path


def test_what_a_file_says_is_obeyed(tmp_path, model):
    """All of it: of the same 10 channels as flow, by another name."""
    names = [f"class {k}" for k in range(7)]
    said = {"backbone": "bn_inception", "modality": "flow", "protocol": "caffe"}
    said |= {"channels": 10, "classes": 7, "width": WIDTH, "class_names": names}
    path = labelled(model, tmp_path / "w.weights.h5", **said)
    found = loading.find(path)
    assert found.class_names == tuple(names)
    assert found.stream == Stream(MODALITIES["flow"], CAFFE)
    # Files of version 0.1 say `architecture`.
    said["architecture"] = said.pop("backbone")
    assert_same(loading.find(labelled(model, path, **said)).build(), model)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"backbone": "resnet"}, "there is no backbone 'resnet'; .*bn_inception"),
        ({"architecture": "vgg"}, "there is no backbone 'vgg'"),
        ({"backbone": "a", "architecture": "b"}, "says two backbones, a and b"),
        ({"protocol": "mmaction2"}, "there is no protocol 'mmaction2'; .* caffe"),
        ({"modality": "depth"}, "there is no modality 'depth'"),
        ({"modality": "rgb"}, "says modality rgb, of 3 channels, .* reads 10"),
        ({"channels": 3}, "says channels 3, but its arrays have 10"),
        ({"classes": 8}, "says classes 8, but its arrays have 7"),
        ({"class_names": ["a"]}, "class_names that are not those of 7 classes"),
        ({"class_names": [1] * 7}, "class_names that are not those of 7 classes"),
        ({"modality": 3}, "says modality is 3"),
        ({"protocol": ["caffe"]}, r"says protocol is \['caffe'\]"),
        ({"width": 1e308}, r"says width 1e\+308"),
        ({"width": float("nan")}, "holds NaN, which is not a finite number"),
        ({"width": "wide"}, "says width is 'wide'"),
        ({"width": True}, "says width is True"),
    ],
)
def test_what_a_file_says_and_is_not_is_an_error(tmp_path, model, said, words):
    path = labelled(model, tmp_path / "w.weights.h5", **said)
    with pytest.raises(InputError, match=words) as caught:
        tsn_keras.load(path)
    assert str(path) in str(caught.value)


def test_a_classifier_without_classes(tmp_path, model):
    path = labelled(model, tmp_path / "w.weights.h5")
    with hdf5files.editing(path) as file:
        kernel = file["layers/dense/vars"]
        shape = kernel["0"].shape
        del kernel["0"]
        kernel["0"] = np.zeros((shape[0], 0), "f4")
    with pytest.raises(InputError, match="has a classifier of 0 classes"):
        tsn_keras.load(path)


def test_errors_of_files_that_do_not_fit_are_short(tmp_path, model):
    """Keras lists every layer of the model."""
    path = labelled(model, tmp_path / "w.weights.h5")
    with hdf5files.editing(path) as file:
        norm = file["layers/batch_normalization_2/vars"]
        del norm["2"]
        norm["2"] = np.zeros(999, "f4")
    with pytest.raises(InputError, match="does not fit BN-Inception of width") as error:
        tsn_keras.load(path)
    assert len(str(error.value)) < 700


def test_preset_is_found_in_the_order_of_the_folders(
    tmp_path, monkeypatch, caffe_file, data
):
    preset = presets.PRESETS["hmdb51_flow_split2"]
    places = [tmp_path / name for name in ("flag", "variable", "work/weights", "cache")]
    monkeypatch.setenv("TSN_KERAS_WEIGHTS", str(places[1]))
    monkeypatch.setenv("TSN_KERAS_CACHE", str(places[3]))
    places[3] = places[3] / "weights"
    for place in places:
        place.mkdir(parents=True)
        (place / preset.file).write_bytes(data)
    monkeypatch.chdir(tmp_path / "work")
    assert folders.find(preset, places[0]) == places[0] / preset.file
    assert folders.find(preset) == places[1] / preset.file
    (places[1] / preset.file).rename(places[1] / f"{preset.file}.v5")
    assert folders.find(preset) == places[1] / f"{preset.file}.v5"
    (places[1] / f"{preset.name}.weights.h5").touch()
    assert folders.find(preset) == places[1] / f"{preset.name}.weights.h5"
    for path in places[1].iterdir():
        path.unlink()
    assert folders.find(preset) == pathlib.Path("weights") / preset.file
    pathlib.Path("weights", preset.file).unlink()
    assert folders.find(preset) == places[3] / preset.file


def test_preset_of_another_model_is_refused(tmp_path, data):
    (tmp_path / presets.PRESETS["hmdb51_flow_split1"].file).write_bytes(data)
    with pytest.raises(InputError, match="flow, 51 classes.* 7 classes"):
        tsn_keras.load("hmdb51_flow_split1", folder=tmp_path)


def test_kinetics_must_be_fetched_by_hand():
    with pytest.raises(InputError, match="by hand.*kinetics_action"):
        tsn_keras.load("kinetics_rgb")


def test_digest_is_recorded_and_a_change_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("TSN_KERAS_CACHE", str(tmp_path / "cache"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folders.check_digest("a.caffemodel", "11")
        folders.check_digest("b.caffemodel", "22")
        folders.check_digest("a.caffemodel", "11")
    record = tmp_path / "cache/sha256.json"
    assert json.loads(record.read_text()) == {
        "a.caffemodel": "11",
        "b.caffemodel": "22",
    }
    with pytest.warns(UserWarning, match="a.caffemodel has sha256 33, but had 11"):
        folders.check_digest("a.caffemodel", "33")
    assert json.loads(record.read_text())["a.caffemodel"] == "11"
