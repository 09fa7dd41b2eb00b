"""Networks of keras.applications: as the library computes them, in our form."""

import collections
import inspect
import random
import sys

import keras
import keras_writer
import numpy as np
import pytest
from keras import applications, layers

import tsn_keras
from tsn_keras import config
from tsn_keras.checkpoints import foreign, keras_file, loading, presets, transfer
from tsn_keras.common.errors import InputError
from tsn_keras.models import (
    cross_modality,
    keras_applications,
    keras_networks,
    training_rules,
)
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.models.keras_applications import HEAD, record
from tsn_keras.models.keras_names import KEEP_THEIR_OWN, PROTOCOL_OF
from tsn_keras.models.preprocessing import network_input
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream
from tsn_keras.training import initialisation

SMALL = "keras:MobileNet"
WIDTH = 0.25


def filled(model, seed=0):
    """Gives all variables of a model values of which none is like another."""
    drawn = np.random.default_rng(seed)
    for variable in model.weights:
        value = drawn.normal(size=variable.shape) * 0.1
        if variable.name in ("gamma", "moving_variance"):
            value = drawn.uniform(0.8, 1.2, variable.shape)
        elif len(variable.shape) > 1:
            value = np.asarray(variable)
        variable.assign(value)
    return model


@pytest.fixture(scope="module")
def library():
    """The library's own MobileNet of width 0.25 and 1000 classes, raw scores."""
    return filled(
        applications.MobileNet(
            input_shape=(224, 224, 3),
            alpha=WIDTH,
            weights=None,
            classifier_activation=None,
        )
    )


@pytest.fixture(scope="module")
def built():
    """Ours of the same width and classes, for small images."""
    return record(SMALL).build((32, 32, 3), classes=1000, width=WIDTH)


@pytest.fixture
def older_file(library, tmp_path, monkeypatch):
    """Folder with its weights as keras.applications offers them."""
    monkeypatch.setenv("TSN_KERAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    keras_writer.write(tmp_path / presets.PRESETS["keras:MobileNet-0.25"].file, library)
    return tmp_path


def test_every_network_of_the_library_is_known():
    there = inspect.getmembers(applications, inspect.isfunction)
    assert PROTOCOL_OF.keys() == {name for name, _ in there}
    assert set(PROTOCOL_OF.values()) <= PROTOCOLS.keys()
    offered = {preset.backbone for preset in presets.PRESETS.values()}
    assert {f"keras:{name}" for name in PROTOCOL_OF} <= offered


def prepared(name, pixels):
    """What the library's own function makes of R, G, B."""
    module = sys.modules[getattr(applications, name).__module__]
    return module.preprocess_input(pixels.copy())


def by_protocol(name, pixels):
    """What the protocol makes of B, G, R."""
    stream = Stream(MODALITIES["rgb"], PROTOCOLS[PROTOCOL_OF[name]])
    return np.asarray(network_input(pixels[..., ::-1].astype("u1"), stream))


PIXELS = np.random.default_rng(0).integers(0, 256, (1, 40, 40, 3)).astype("f4")


@pytest.mark.parametrize("name", PROTOCOL_OF)
def test_pixels_are_normalised_as_by_the_library(name):
    expected = prepared(name, PIXELS)
    if np.array_equal(expected, PIXELS):
        # The network's own layers do it, see the test below.
        assert name.startswith(("ConvNeXt", "EfficientNet", "MobileNetV3"))
        return
    # Values up to 255; some functions divide where the protocol multiplies.
    np.testing.assert_allclose(
        by_protocol(name, PIXELS), expected, rtol=1e-6, atol=1e-5
    )


def own_normalisation(made, pixels):
    """What the library's model does to pixels before its first convolution."""
    for layer in made.layers:
        if isinstance(layer, keras_networks.NORMALISING):
            pixels = layer(pixels)
    return np.asarray(pixels)


@pytest.mark.parametrize(
    "name",
    [
        "MobileNetV3Small",
        "EfficientNetV2B0",
        "EfficientNetV2S",
        "ConvNeXtTiny",
    ],
)
@pytest.mark.whole
def test_layers_that_normalise_are_kept_or_taken_out(name):
    made = keras_networks.made_by_keras(name, (40, 40, 3))
    expected = own_normalisation(made, PIXELS)
    found = by_protocol(name, PIXELS)
    model = keras_networks.build(name, (40, 40, 3), classes=2)
    if name in KEEP_THEIR_OWN:
        found = own_normalisation(model, found)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    kept = any(isinstance(x, keras_networks.NORMALISING) for x in model.layers)
    assert kept == (name in KEEP_THEIR_OWN)


def test_names_do_not_depend_on_what_was_built_before(built):
    keras.layers.GlobalAveragePooling2D()
    again = keras_networks.build("MobileNet", (40, 40, 3), 2, width=WIDTH)
    first, second = ([x.name for x in model.layers] for model in (built, again))
    assert first == second
    first, second = ([v.path for v in model.weights] for model in (built, again))
    assert first == second
    assert len(set(first)) == len(first)


def test_a_record_says_what_the_model_is():
    found = record(SMALL)
    assert BACKBONES[SMALL] is BACKBONES.find(SMALL) is BACKBONES.get(SMALL) is found
    assert SMALL in BACKBONES
    assert SMALL not in list(BACKBONES)
    model = found.build((64, 64, 10), classes=7, dropout=0.3, width=WIDTH)
    assert model.output_shape == (None, 7)
    assert model.get_layer(found.first).kernel.shape == (3, 3, 10, 8)
    assert model.get_layer(found.features).output.shape == (None, 256)
    assert model.get_layer(found.head).kernel.shape == (256, 7)
    assert model.get_layer("dropout").rate == 0.3
    assert (len(found.channels), found.channels["conv_dw_2"]) == (27, 64)
    # Layers with weights are layers of the model itself, and in no other.
    assert not [x for x in model.layers if isinstance(x, keras.Model)]
    assert all(len(layer._inbound_nodes) == 1 for layer in model.layers)
    without = found.build((64, 64, 3), classes=None, width=WIDTH)
    assert without.output_shape == (None, 256)
    assert without.layers[-1].name == found.features


def test_making_a_record_draws_nothing(monkeypatch):
    """Else what is drawn later would depend on which records were made before."""

    def made_by_keras(*_):
        random.random()
        raise KeyError

    monkeypatch.setattr(keras_networks, "made_by_keras", made_by_keras)
    before = random.getstate()
    with pytest.raises(KeyError):
        keras_applications._sketch("MobileNet", 0.1)
    assert random.getstate() == before


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: BACKBONES.find("keras:ResNet51"), "no network 'ResNet51'.*ResNet50"),
        (lambda: BACKBONES.find("keras:"), "keras.applications has no network ''"),
        (
            lambda: BACKBONES.find("keras"),
            "there is no backbone 'keras'; there are: bn",
        ),
        (lambda: BACKBONES.find(3, where="here"), "here: there is no backbone 3"),
        (
            lambda: keras_networks.build("ResNet50", width=0.5),
            "ResNet50 of keras.applications has one width: `width` must be 1",
        ),
        (lambda: keras_networks.build("MobileNet", (16, 64, 3)), "of at least 32"),
        (lambda: keras_networks.build("MobileNet", width=0), "`width` must be posi"),
        (lambda: keras_networks.build("MobileNet", classes=0), "`classes` must be at"),
        (lambda: keras_networks.build("Xception", (64, 64, 3)), "71"),
    ],
)
def test_what_cannot_be_is_an_error(ask, words):
    with pytest.raises(ValueError, match=words):
        ask()
    for name in ("keras:ResNet51", "ResNet50", "mobilenet", 7):
        assert name not in BACKBONES
        assert BACKBONES.get(name) is None


def test_an_older_file_gives_the_scores_of_the_library(older_file, library):
    loaded = tsn_keras.load("keras:MobileNet-0.25", folder=older_file)
    assert loaded.output_shape == (None, 1000)
    assert loaded.class_names[0] == "tench"
    pixels = np.random.default_rng(1).uniform(-1, 1, (1, 224, 224, 3)).astype("f4")
    expected = library.predict(pixels, verbose=0)
    found = loaded.predict(pixels, verbose=0)
    # The classifier is a matrix here, a convolution there: other sums.
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())
    weights = loading.find("keras:MobileNet-0.25", folder=older_file)
    assert weights.protocol is PROTOCOLS["keras_tf"]
    assert weights.architecture.width == WIDTH


def test_a_new_classifier(older_file, library):
    model = tsn_keras.load(
        "keras:MobileNet-0.25", folder=older_file, classes=5, batch_norm="first"
    )
    assert model.output_shape == (None, 5)
    there = {layer.name: layer for layer in library.layers}
    for layer in model.layers:
        if layer.weights and layer.name != HEAD:
            for one, other in zip(
                layer.get_weights(), there[layer.name].get_weights(), strict=True
            ):
                np.testing.assert_array_equal(one, other)
    norms = [x for x in model.layers if isinstance(x, layers.BatchNormalization)]
    assert [x.trainable for x in norms] == [True] + [False] * 26
    assert norms[0].name == "conv1_bn"


def test_a_file_of_any_names_goes_by_the_order(library, built, tmp_path):
    """The first files of Keras name variables "W_1" and have no layer in the name."""
    counts = collections.Counter()

    def name_of(layer, variable):
        counts["all"] += 1
        return f"V_{counts['all']}:0"

    path = tmp_path / "older.hdf5"
    keras_writer.write(path, library, name_of)
    tensors = loading.reading.read(path)
    assert (tensors.format, tensors.ordered) == ("Keras HDF5", True)
    facts = transfer.read_facts(tensors, record(SMALL))[1]
    assert (facts.channels, facts.classes, facts.width) == (3, 1000, WIDTH)
    transfer.port(tensors, built, record(SMALL))
    kernel = built.get_layer("conv_pw_5").kernel
    np.testing.assert_array_equal(kernel, library.get_layer("conv_pw_5").kernel)


def test_a_file_without_the_classifier(library, tmp_path):
    body = keras.Model(library.input, library.get_layer("conv_pw_13_relu").output)
    keras_writer.write(tmp_path / "notop.h5", body)
    tensors = loading.reading.read(tmp_path / "notop.h5")
    assert transfer.read_facts(tensors, record(SMALL))[1].classes is None
    model = record(SMALL).build((32, 32, 3), classes=None, width=WIDTH)
    transfer.port(tensors, model, record(SMALL))
    norm = model.get_layer("conv_pw_13_bn").moving_variance
    expected = library.get_layer("conv_pw_13_bn").moving_variance
    np.testing.assert_array_equal(norm, expected)


def test_arrays_by_name(library, built):
    """As TensorFlow.js has them: in any order."""
    arrays = {}
    for layer in sorted(library.layers, key=lambda layer: layer.name):
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        for variable in layer.weights:
            name = "depthwise_kernel" if depthwise else variable.name
            arrays[f"{layer.name}/{name}"] = np.asarray(variable)
    tensors = foreign.Tensors("any", foreign.KERAS, arrays)
    likeness, facts = transfer.read_facts(tensors, record(SMALL))
    assert (likeness, facts.classes, facts.width) == (1, 1000, WIDTH)
    transfer.port(tensors, built, record(SMALL))
    head = np.asarray(library.get_layer("conv_preds").kernel)[0, 0]
    np.testing.assert_array_equal(built.get_layer(HEAD).kernel, head)
    arrays["more/kernel"] = np.zeros(2)
    with pytest.raises(InputError, match="without a place in the model: more/kernel"):
        transfer.port(tensors, built, record(SMALL))


def test_layers_without_names_are_counted_from_anywhere():
    own = [(name, "kernel") for name in ("conv2d", "conv2d_1", "conv2d_10", "stem")]
    sketch = keras_applications._Sketch("", "", {}, (), 0, (*own, (HEAD, "")), "logits")
    names = ["conv2d_105", "stem", "conv2d_96", "conv2d_95", "logits", "other"]
    assert keras_applications._named_as_model(sketch, names) == {
        "conv2d_95": "conv2d",
        "conv2d_96": "conv2d_1",
        "conv2d_105": "conv2d_10",
        "stem": "stem",
        "logits": HEAD,
        "other": "other",
    }
    older = ["res2a_branch2b", "bn2a_branch1", "fc1000"]
    places = ("conv2_block1_2_conv", "conv2_block1_0_bn", HEAD)
    sketch = keras_applications._Sketch(
        "", "", {}, (), 0, [(place, "") for place in places], HEAD
    )
    found = keras_applications._named_as_model(sketch, older)
    assert tuple(found.values()) == places


def test_a_file_of_our_own_and_one_that_keras_writes(built, tmp_path, monkeypatch):
    monkeypatch.setenv("TSN_KERAS_CACHE", str(tmp_path / "cache"))
    name, model = "keras:MobileNet-0.25", filled(built)
    about = {"backbone": SMALL, "modality": "rgb", "protocol": "keras_tf"}
    about["width"] = WIDTH
    keras_file.save(model, tmp_path / "own.weights.h5", about)
    model.save_weights(tmp_path / f"{name}.weights.h5")
    for source, folder in ((tmp_path / "own.weights.h5", None), (name, tmp_path)):
        weights = loading.find(source, folder=folder)
        found = weights.architecture
        assert (found.backbone, found.classes) == (record(SMALL), 1000)
        assert (found.width, weights.protocol.name) == (WIDTH, "keras_tf")
        for one, other in zip(
            weights.build(side=32).get_weights(), model.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(one, other)
    keras_file.save(model, tmp_path / "own.weights.h5", {**about, "width": 0.75})
    with pytest.raises(InputError, match="says width 0.75, but its kernels are of"):
        loading.find(tmp_path / "own.weights.h5")


def test_offline_says_which_file_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setenv("TSN_KERAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(loading.folders.fetching, "fetch", _offline)
    with pytest.raises(InputError) as caught:
        tsn_keras.load("keras:ResNet50")
    text = str(caught.value)
    assert "resnet50_weights_tf_dim_ordering_tf_kernels.h5" in text
    assert str(tmp_path / "keras/models") in text
    assert presets.PRESETS["keras:ResNet50"].url in text


def _offline(*_, **__):
    raise loading.folders.fetching.FetchError("there is no network")


def test_the_file_that_keras_downloaded_is_checked(library, tmp_path, monkeypatch):
    """Where the library has an MD5."""
    monkeypatch.setenv("TSN_KERAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    preset = presets.PRESETS["keras:MobileNetV3Small"]
    (tmp_path / "keras/models").mkdir(parents=True)
    path = tmp_path / "keras/models" / preset.file
    keras_writer.write(path, library)
    assert loading.folders.locate(preset.name).path == path
    located = loading.folders.locate(path)
    assert located.preset is preset
    with pytest.raises(InputError, match="its MD5 is .*, that of the published file"):
        loading.folders.check_preset_digest(located, "0" * 64)


def test_training_begins_with_random_or_other_modalities_weights(older_file):
    settings = config.training_of(
        {"model": {"backbone": SMALL, "width": WIDTH, "dropout": 0.7}}
    ).model
    stream = Stream(MODALITIES["flow"], PROTOCOLS["keras_tf"])
    assert initialisation.find(settings, stream) is None
    wanted = initialisation.architecture(settings, stream, 5, None)
    model, fresh = initialisation.build(wanted, None, settings, "float32")
    assert model.input_shape == (None, 224, 224, 10)
    assert (len(fresh), model.get_layer("dropout").rate) == (55, 0.7)
    rates = training_rules.multipliers(model, record(SMALL), 5.0)
    assert rates["conv1/kernel"] == (5.0, 1.0)
    assert rates["conv_dw_1/kernel"] == (1.0, 1.0)
    # And from the library's images to flow.
    source = loading.find("keras:MobileNet-0.25", folder=older_file).build(side=32)
    assert cross_modality.initialise(model, source, record(SMALL)) == [HEAD]
    kernel = np.asarray(model.get_layer("conv1").kernel)
    expected = np.asarray(source.get_layer("conv1").kernel).mean(2)
    for channel in range(10):
        np.testing.assert_allclose(kernel[:, :, channel], expected, rtol=1e-6)


@pytest.mark.whole
@pytest.mark.parametrize(
    "network", ["EfficientNetB0", "ConvNeXtTiny", "InceptionV3", "MobileNetV3Small"]
)
def test_features_are_those_of_the_library(network):
    """From a file in the library's order, through layers of all kinds."""
    found, side = record(f"keras:{network}"), 75
    made = filled(keras_networks.made_by_keras(network, (side, side, 3)))
    kept = [x for x in made.layers if not isinstance(x, keras_networks.NORMALISING)]
    arrays = [
        np.asarray(variable)
        for layer in kept
        for variable in layer.trainable_weights + layer.non_trainable_weights
    ]
    arrays = {f"layer/{number}": array for number, array in enumerate(arrays)}
    tensors = foreign.Tensors("any", foreign.KERAS, arrays, ordered=True)
    model = found.build((side, side, 3), classes=1)
    transfer.port(tensors, model, found)
    pixels = np.random.default_rng(1).uniform(0, 255, (2, side, side, 3)).astype("f4")
    expected = made.predict(pixels, verbose=0)
    inputs = own_normalisation(made, pixels)
    for name, one in (("built", model), ("folded", found.fold(model))):
        scores = one.predict(inputs, verbose=0)
        # Float32: folded norms, and ConvNeXt's depthwise sums, are other sums.
        np.testing.assert_allclose(
            scores, expected, atol=2e-5 * np.abs(expected).max(), err_msg=name
        )
