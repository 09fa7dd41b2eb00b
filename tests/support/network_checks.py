"""What networks are tested for: genuine forward passes; the rest at small widths."""

import json

import golden_networks
import keras
import numpy as np

from tsn_keras.checkpoints import keras_file
from tsn_keras.checkpoints.foreign import TORCH, Tensors

# Largest error over the largest magnitude. In float32, sums of up to 10,000 products
# in another order, through up to 95 convolutions; folding rounds each kernel once
# more. In float64 nearly nothing is left of that.
BOUNDS = {"float32": (1e-4, 2e-4), "float64": (1e-9, 1e-9)}


def check_forward(record, golden, probes, dtype="float32"):
    """The network and its folded copy compute what the genuine one does.

    Args:
        record: models.records.Backbone.
        golden: golden_networks.Golden.
        probes: see golden_networks.errors.
        dtype: "float32" or "float64".

    Returns:
        dict of the largest errors, for pytest's report of a failure.
    """
    plain_bound, folded_bound = BOUNDS[dtype]
    model = golden_networks.build(record, golden, dtype)
    plain = golden_networks.errors(model, golden, probes)
    assert max(plain.values()) <= plain_bound, max(plain, key=plain.get)
    with golden_networks.precision(dtype):
        folded = record.fold(model)
    assert not [name for name in map(_kind, folded.layers) if name in _TAKEN_OUT]
    probes = golden_networks.after_folding(probes, model, folded)
    small = golden_networks.errors(folded, golden, probes)
    assert max(small.values()) <= folded_bound, max(small, key=small.get)
    return {
        "plain": max(plain.values()),
        "stages": len(plain),
        "folded": max(small.values()),
        "folded_stages": len(small),
    }


_TAKEN_OUT = ("BatchNormalization", "Dropout")


def _kind(layer):
    return type(layer).__name__


def unfilled(path):
    """Tensors of a file of make_torchvision.py, with any values: it takes no time."""
    state = json.loads(str(np.load(path)["state"]))
    arrays = {name: np.empty(shape, np.float32) for name, shape in state}
    return Tensors("PyTorch", TORCH, arrays)


def check_backend(backend, folder, name, record, probes):
    """The same in float32 on another backend of Keras; see golden_networks."""
    report = golden_networks.on_backend(backend, folder, name, record, probes)
    assert report["backend"] == backend
    assert report["stages"] == len(probes)
    plain_bound, folded_bound = BOUNDS["float32"]
    assert report["error"] <= plain_bound
    assert report["folded_error"] <= folded_bound


def check_record(record, input_shape, width, folder):
    """The record names layers that the model has, and reads its weight file.

    Args:
        record: models.records.Backbone.
        input_shape: (H, W, C).
        width: factor on the numbers of channels.
        folder: where the weight file is written.

    Returns:
        keras.Model of 7 classes without dropout.
    """
    model = record.build(input_shape, classes=7, dropout=0.0, width=width)
    features = record.build(input_shape, classes=None, width=width)
    pooled = model.get_layer(record.features).output
    assert features.output_shape == tuple(pooled.shape)
    assert features.layers[-1].name == record.features
    assert model.output_shape == (None, 7)
    assert model.get_layer(record.first).kernel.shape[2] == input_shape[-1]
    assert tuple(model.get_layer(record.head).kernel.shape) == (pooled.shape[-1], 7)
    convolutions = {
        layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D)
    }
    assert convolutions == {record.layer_of(name) for name in record.channels}
    model.save_weights(folder / "m.weights.h5")
    _, shapes = keras_file.shapes(folder / "m.weights.h5")
    facts = record.read_shapes(shapes)
    assert (facts.channels, facts.classes) == (input_shape[-1], 7)
    assert record.has_width(shapes, facts.width)
    assert record.has_width(shapes, width)
    return model


def check_saved(model, path):
    """A saved model gives the same to the bit."""
    model.save(path)
    copy = keras.models.load_model(path)
    images = np.random.default_rng(0).normal(size=(1, *model.input_shape[1:]))
    images = images.astype("float32")
    np.testing.assert_array_equal(np.array(model(images)), np.array(copy(images)))


def check_learns(model):
    """A step of gradient descent lowers the loss and moves every trained variable.

    Of narrow networks with many batch norms only a short way along the gradient is
    straight: in a smaller step rounding weighs more than what the classifier learns.
    """
    images = np.random.default_rng(1).normal(size=(4, *model.input_shape[1:]))
    images, labels = images.astype("float32"), np.arange(4)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # A step takes less time than to compile it.
    model.compile(keras.optimizers.SGD(3e-2), loss, run_eagerly=True)
    before = [np.array(variable) for variable in model.trainable_variables]
    first = model.train_on_batch(images, labels)
    for old, variable in zip(before, model.trainable_variables, strict=True):
        assert np.abs(np.array(variable) - old).max() > 0, variable.path
    assert float(loss(labels, model(images, training=True))) < first
