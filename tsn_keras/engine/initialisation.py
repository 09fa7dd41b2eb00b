"""The network that a training run begins with."""

import contextlib

import keras

from tsn_keras import config
from tsn_keras.checkpoints import loading
from tsn_keras.models import cross_modality
from tsn_keras.models.bn_inception import BNInception


def find(settings, modality):
    """Finds the weights to begin with, and checks that they can serve.

    Args:
        settings: config.ModelSettings.
        modality: that of the training.

    Returns:
        checkpoints.loading.Weights, or None for random weights.

    Raises:
        config.InputError: there are none of this name, or they are of a
            modality that cannot become this one.
        OSError: the file cannot be read.
    """
    if not settings.initial:
        return None
    weights = loading.find(settings.initial)
    given = weights.architecture.modality
    if given != modality and given != "rgb":
        raise config.InputError(
            f"{weights.path} is a network for {given}; {modality} can begin with "
            f"weights for {modality} or rgb"
        )
    width = weights.architecture.width
    if settings.width not in (1.0, width):
        raise config.InputError(
            f"model.width is {settings.width}, but {weights.path} has width {width}: "
            f"leave it out"
        )
    return weights


def build(settings, preprocess, classes, weights, precision):
    """Builds the backbone to train.

    Args:
        settings: config.ModelSettings.
        preprocess: config.Preprocess.
        classes: number of classes.
        weights: what `find` returned.
        precision: "float32", "bfloat16" or "float16", in which it computes;
            variables are float32.

    Returns:
        (keras.Model, names of the layers whose weights are new)
    """
    width = weights.architecture.width if weights else settings.width
    with policy(precision):
        backbone = BNInception(
            (preprocess.crop_size, preprocess.crop_size, preprocess.channels),
            classes,
            settings.dropout,
            width,
        )
    if weights is None:
        return backbone, [layer.name for layer in backbone.layers if layer.weights]
    return backbone, cross_modality.initialise(backbone, weights.build())


@contextlib.contextmanager
def policy(precision):
    """Builds layers that compute in a precision, with float32 variables."""
    if precision == "float32":
        yield
        return
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
