"""The network's shape: sizes, names, widths, refusals."""

import keras
import numpy as np
import pytest

from tsn_keras.models import bn_inception, widths
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.models.bn_inception import BNInception

# Trainable-type blobs of the four deploy files: convolutions and classifier;
# batch norms add four times their 10,016 channels, of which half are
# statistics.
DEPLOY_PARAMETERS = {
    (3, 101): 10_373_765,
    (10, 101): 10_395_717,
    (3, 51): 10_322_515,
    (10, 51): 10_344_467,
}


@pytest.fixture(scope="module")
def network():
    return BNInception()


@pytest.mark.parametrize(("channels", "classes"), DEPLOY_PARAMETERS)
def test_parameters(network, channels, classes):
    model = network
    if (channels, classes) != (3, 101):
        model = BNInception((224, 224, channels), classes=classes)
    statistics = 2 * 10_016
    expected = DEPLOY_PARAMETERS[channels, classes] + statistics
    assert model.count_params() == expected
    assert model.output_shape == (None, classes)


def test_blocks_have_the_sizes_of_the_original(network):
    sizes = {
        name: network.get_layer(f"inception_{name}_output").output.shape[1:]
        for name in ("3a", "3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
    }
    assert sizes == {
        "3a": (28, 28, 256),
        "3b": (28, 28, 320),
        "3c": (14, 14, 576),
        "4a": (14, 14, 576),
        "4b": (14, 14, 576),
        "4c": (14, 14, 608),
        "4d": (14, 14, 608),
        "4e": (7, 7, 1056),
        "5a": (7, 7, 1024),
        "5b": (7, 7, 1024),
    }


def test_layers_bear_the_names_of_the_caffe_file(golden, network):
    """Every layer of the deploy file; Caffe itself adds the `_split` ones."""
    arrays = np.load(golden / "forward/ucf101_rgb_key_f32.npz")
    expected = {n.replace("/", "_") for n in arrays["layer_names"] if "split" not in n}
    found = {layer.name for layer in network.layers}
    assert expected - {"data"} == found - {"data", "flatten"}


def test_pool_of_5b_is_the_maximum(network):
    modes = {
        name: network.get_layer(f"inception_{name}_pool").mode
        for name in ("3a", "3c", "4e", "5a", "5b")
    }
    assert modes == {
        "3a": "average",
        "3c": "max",
        "4e": "max",
        "5a": "average",
        "5b": "max",
    }


@pytest.mark.parametrize(
    ("width", "is_built"),
    [(0.125, False), (0.3, True), (0.5, False), (1.0, False), (1.7, True)],
)
def test_width_is_found_from_the_channels(width, is_built):
    """And the network has them: to build it takes most of a second."""
    base = bn_inception.base_channels()
    assert len(base) == 69
    channels = {n: widths.scaled(c, width) for n, c in base.items()}
    found = widths.width_of((count, base[n]) for n, count in channels.items())
    assert {n: widths.scaled(c, found) for n, c in base.items()} == channels
    if not is_built:
        return
    model = BNInception(classes=None, width=width)
    for name, count in channels.items():
        assert model.get_layer(name.replace("/", "_")).filters == count


def test_channels_of_no_width_are_refused():
    base = bn_inception.base_channels()
    channels = base | {"inception_4c/3x3": 7}
    with pytest.raises(ValueError, match="no width .* 7 for 160"):
        widths.width_of((count, base[n]) for n, count in channels.items())


def test_features_alone():
    model = BNInception(classes=None)
    assert model.output_shape == (None, 1024)
    assert "fc-action" not in {layer.name for layer in model.layers}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"input_shape": (256, 256, 3)}, r"from 193 to 224.*\(256, 256, 3\)"),
        ({"input_shape": (256, 340, 3)}, r"\(256, 340, 3\)"),
        ({"input_shape": (192, 224, 3)}, r"\(192, 224, 3\)"),
        ({"input_shape": (None, None, 3)}, r"\(None, None, 3\)"),
        ({"input_shape": (224, 3)}, r"\(224, 3\)"),
        ({"width": 0}, "width=0"),
        ({"classes": 0}, "classes=0"),
    ],
)
def test_errors_name_the_value(options, words):
    with pytest.raises(ValueError, match=words):
        BNInception(**options)


def test_a_width_is_read_as_people_write_it():
    # Any from 0.75 to 0.9167 makes 5 of 6; the middle is 0.833.
    assert widths.width_of([(5, 6)]) == 0.8
    assert widths.width_of([(16, 64), (48, 192)]) == 0.25


def test_saves_and_loads(tmp_path, monkeypatch):
    # Blocks of each kind: another pooling, no projection, another stride.
    kinds = "inception_3a", "inception_3c", "inception_5b"
    blocks = {name: bn_inception.BLOCKS[name] for name in kinds}
    monkeypatch.setattr(bn_inception, "BLOCKS", blocks)
    monkeypatch.setattr(bn_inception, "FINAL_SIZE", 14)
    model = BNInception(classes=4, width=0.1)
    model.save(tmp_path / "m.keras")
    copy = keras.models.load_model(tmp_path / "m.keras")
    images = np.random.default_rng(0).normal(size=(2, 224, 224, 3)).astype("f4")
    # Called once: to trace them takes longer than to compute them.
    np.testing.assert_array_equal(model(images), copy(images))


def test_the_record_is_of_the_network():
    """It names layers that the model has."""
    record = BACKBONES["bn_inception"]
    model = record.build((224, 224, 10), classes=7, dropout=0.5, width=0.125)
    features = record.build((224, 224, 10), classes=None, width=0.125)
    pooled = model.get_layer(record.features).output
    assert tuple(pooled.shape) == features.output_shape
    assert model.get_layer(record.first).kernel.shape[2] == 10
    assert model.get_layer(record.head).kernel.shape[-1] == 7
    found = {
        layer.name: layer.filters
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D)
    }
    assert found == {
        record.layer_of(name): widths.scaled(count, 0.125)
        for name, count in record.channels.items()
    }
