"""CNN-M-2048, VGG-16 and GoogLeNet from .caffemodel files, against plain NumPy.

The errors of float32, over the largest score, are 1e-6 and less here; 1e-5 is allowed:
sums of up to 1,500 products in another order, through up to 57 convolutions.
"""

import caffe_networks
import numpy as np
import pytest

import tsn_keras
from tsn_keras import config, convert
from tsn_keras.checkpoints import foreign, keras_file, loading
from tsn_keras.checkpoints.transfer import read_facts
from tsn_keras.common.errors import InputError
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.models.googlenet_caffe import GOOGLENET_CAFFE
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream
from tsn_keras.training import initialisation

BOUND = 1e-5
WIDTH = 1 / 32
IMAGE = np.random.default_rng(5).integers(-120, 120, (20, 224, 224)).astype("f4")
# Name: layers, planes, backbone, protocol, modality.
NETWORKS = {
    "CNN-M of images": (
        *(caffe_networks.cnn_m(WIDTH, 5), 3, "cnn_m_spatial", "two_stream"),
        "rgb",
    ),
    "CNN-M of flow": (
        *(caffe_networks.cnn_m(WIDTH, 5, norm2=False), 20, "cnn_m_temporal"),
        *("two_stream", "flow10"),
    ),
    "VGG-16 of images": (
        *(caffe_networks.vgg16(WIDTH, 5, "fc8-1"), 3, "vgg16", "very_deep", "rgb"),
    ),
    "VGG-16 of flow": (
        *(caffe_networks.vgg16(WIDTH, 5), 20, "vgg16", "very_deep", "flow10"),
    ),
    "GoogLeNet": (
        *(caffe_networks.googlenet(1 / 16, 5), 3, "googlenet_caffe", "very_deep"),
        "rgb",
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_computes_what_its_layers_say(name, tmp_path):
    layers, planes, backbone, protocol, modality = NETWORKS[name]
    blobs, outputs = caffe_networks.run(layers, IMAGE[:planes])
    axes = 4 if name == "VGG-16 of images" else 2
    path = tmp_path / "net.caffemodel"
    path.write_bytes(caffe_networks.caffemodel(layers, blobs, matrix_axes=axes))
    weights = loading.find(path)
    record = weights.architecture.backbone
    assert (record.name, weights.architecture.classes) == (backbone, 5)
    assert (weights.protocol.name, weights.modality.name) == (protocol, modality)
    expected, images = outputs[layers[-1].name], IMAGE[None, :planes]
    images = np.moveaxis(images, 1, -1)
    model = weights.build()
    folded = record.fold(model)
    assert not [x for x in folded.layers if type(x).__name__ == "Dropout"]
    for one in (model, folded):  # There is no batch norm to be folded.
        error = np.abs(np.array(one(images))[0] - expected).max()
        assert error <= BOUND * np.abs(expected).max()


@pytest.fixture(scope="module")
def blobs():
    """Of CNN-M; the numbers do not matter."""
    return caffe_networks.run(caffe_networks.cnn_m(WIDTH, 5), IMAGE[:3])[0]


def test_only_the_list_of_layers_tells_the_nets_of_cnn_m_apart(blobs, tmp_path, capsys):
    path = tmp_path / "net.caffemodel"
    for norm2, name in ((True, "cnn_m_spatial"), (False, "cnn_m_temporal")):
        layers = caffe_networks.cnn_m(WIDTH, 5, norm2)
        path.write_bytes(caffe_networks.caffemodel(layers, blobs))
        found = loading.find(path)
        assert found.architecture.backbone.name == name
        other = {"cnn_m_spatial": "cnn_m_temporal"}.get(name, "cnn_m_spatial")
        with pytest.raises(InputError, match="not a CNN-M-2048 of .* as `backbone`"):
            tsn_keras.load(path, backbone=other)
        with pytest.raises(InputError, match="there is no backbone 'vgg'"):
            tsn_keras.load(path, backbone="vgg")
    path.write_bytes(caffe_networks.caffemodel(layers, blobs, silent=False))
    words = r'does not say .* has norm2, .*"cnn_m_spatial" .* or "cnn_m_temporal"'
    with pytest.raises(InputError, match=words):
        tsn_keras.load(path)
    for name in ("cnn_m_spatial", "cnn_m_temporal"):
        model = tsn_keras.load(path, backbone=name)
        there = [layer.name for layer in model.layers]
        assert ("norm2" in there) == (name == "cnn_m_spatial")
        target = tmp_path / f"{name}.weights.h5"
        _, status = convert.main([str(path), str(target), "--backbone", name])
        assert status == 0
        assert loading.find(target).architecture.backbone.name == name
    capsys.readouterr()


def test_keras_files_that_say_nothing_are_no_guess_either(blobs, tmp_path):
    model = BACKBONES["cnn_m_temporal"].build((224, 224, 3), 5, width=WIDTH)
    path = tmp_path / "plain.weights.h5"
    model.save_weights(path)
    with pytest.raises(InputError, match="does not say whether its network has norm2"):
        loading.find(path)
    found = loading.find(path, backbone="cnn_m_temporal")
    assert found.architecture.backbone.name == "cnn_m_temporal"
    keras_file.save(model, path, {"backbone": "cnn_m_temporal"})
    assert loading.find(path).architecture.backbone.name == "cnn_m_temporal"


def test_a_bare_name_of_a_file_is_found_among_the_weights(blobs, tmp_path, monkeypatch):
    layers = caffe_networks.cnn_m(WIDTH, 5)
    path = tmp_path / "bare.caffemodel"
    path.write_bytes(caffe_networks.caffemodel(layers, blobs))
    with pytest.raises(InputError, match="neither a file nor a preset"):
        loading.find("bare.caffemodel")
    monkeypatch.setenv("TSN_KERAS_WEIGHTS", str(tmp_path))
    assert loading.find("bare.caffemodel").path == path


def shapes_of_googlenet(classes=1000):
    """{layer: shapes} of the whole of bvlc_googlenet, without any number."""
    channels, found = {"data": (3, 224)}, {}
    for name, kind, reads, numbers in caffe_networks.googlenet(1, classes):
        count, side = channels[reads[0]]
        if kind == "Convolution":
            outputs, kernel, stride, pad = numbers
            found[name] = ((outputs, count, kernel, kernel), (outputs,))
            count, side = outputs, (side + 2 * pad - kernel) // stride + 1
        elif kind == "InnerProduct":
            found[name] = ((numbers[0], count * side * side), (numbers[0],))
            count, side = numbers[0], 1
        elif kind in ("Pooling", "Average"):
            size, stride, pad = (*numbers, 0)[:3]
            side = -(-(side + 2 * pad - size) // stride) + 1
        elif kind == "Concat":
            count = sum(channels[one][0] for one in reads)
        channels[name] = count, side
    return found


def test_the_whole_file_of_googlenet():
    """bvlc_googlenet: 13,378,280 parameters, 6,998,552 without auxiliary heads."""
    blobs = {
        name: [np.broadcast_to(np.float32(0), shape) for shape in shapes]
        for name, shapes in shapes_of_googlenet().items()
    }
    tensors = foreign.of_caffe(blobs)
    likeness, facts = read_facts(tensors, GOOGLENET_CAFFE)
    assert (likeness, facts.channels, facts.classes, facts.width) == (1, 3, 1000, 1)
    kept = tensors.weights(GOOGLENET_CAFFE.unused)
    assert sum(array.size for array in tensors.arrays.values()) == 13_378_280
    assert sum(array.size for array in kept.values()) == 6_998_552
    left = {name.partition("[")[0] for name in tensors.left(GOOGLENET_CAFFE.unused)}
    parts = ("conv", "fc", "classifier")
    assert left == {f"loss{k}/{part}" for k in (1, 2) for part in parts}


def test_training_takes_a_dropout_for_each_place():
    stream = Stream(MODALITIES["flow10"], PROTOCOLS["very_deep"])

    def build(**model):
        model = {"initial": "", "width": WIDTH, "batch_norm": "all", **model}
        settings = config.training_of({"model": model}).model
        wanted = initialisation.architecture(settings, stream, 5, None)
        return initialisation.build(wanted, None, settings, "float32")[0]

    rates = [0.9, 0.8]
    model = build(backbone="vgg16", dropouts=rates)
    assert [model.get_layer(f"classifier_{k}").rate for k in (2, 5)] == rates
    model = build(backbone="vgg16", dropout=0.7)
    assert [model.get_layer(f"classifier_{k}").rate for k in (2, 5)] == [0.7] * 2
    words = r"model.dropouts has 2 numbers, but googlenet_caffe drops at 1 places"
    with pytest.raises(InputError, match=words):
        build(backbone="googlenet_caffe", dropouts=rates)
    with pytest.raises(InputError, match=r"model.dropouts must be numbers each from 0"):
        build(backbone="vgg16", dropouts=[0.5, 1.0])


@pytest.mark.parametrize("name", ["vgg16", "googlenet_caffe"])
def test_training_of_flow_begins_with_a_file_of_images(name, tmp_path):
    """The mean over the colours, twenty times, and everything else as it is."""
    key = {"vgg16": "VGG-16 of images", "googlenet_caffe": "GoogLeNet"}[name]
    layers = NETWORKS[key][0]
    blobs, _ = caffe_networks.run(layers, IMAGE[:3])
    path = tmp_path / "net.caffemodel"
    path.write_bytes(caffe_networks.caffemodel(layers, blobs))
    model = {"backbone": name, "initial": str(path)}
    settings = config.training_of({"model": model}).model
    stream = Stream(MODALITIES["flow10"], PROTOCOLS["very_deep"])
    weights = initialisation.find(settings, stream)
    wanted = initialisation.architecture(settings, stream, 7, weights)
    model, new = initialisation.build(wanted, weights, settings, "float32", "flow10")
    record = BACKBONES[name]
    assert new == [record.head]
    kernel = np.array(model.get_layer(record.first).kernel)
    (first, _), *_ = blobs.values()
    expected = first.mean(axis=1).transpose(1, 2, 0)
    assert kernel.shape[2] == 20
    for plane in range(20):
        np.testing.assert_allclose(kernel[:, :, plane], expected, rtol=1e-5, atol=1e-7)
