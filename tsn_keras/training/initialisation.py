"""The network that a training run begins with."""

import contextlib

import keras

from tsn_keras.checkpoints import loading
from tsn_keras.common.errors import InputError
from tsn_keras.models import cross_modality
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.training import tasks


def find(settings, stream):
    """Finds the weights to begin with, and checks that they can serve.

    Args:
        settings: config.ModelSettings.
        stream: protocols.records.Stream of the training.

    Returns:
        checkpoints.loading.Weights, or None for random weights.

    Raises:
        InputError: there are none of this name, or they are of a backbone, modality
            or protocol that cannot become this one.
        OSError: the file cannot be read.
    """
    if not settings.initial:
        return None
    weights = loading.find(settings.initial, backbone=settings.backbone)
    modality = stream.modality
    given = weights.stream.modality
    if given.name != modality.name and not given.begins_others:
        others = [m.name for m in MODALITIES.values() if m.begins_others]
        able = " or ".join(dict.fromkeys((modality.name, *others)))
        raise InputError(
            f"{weights.path} is a network for {given.name}; {modality.name} can begin "
            f"with weights for {able}"
        )
    if given.name == modality.name and not _fed_alike(weights.stream, stream):
        raise InputError(
            f"{weights.path} expects images as the protocol {weights.protocol.name} "
            f"feeds them, with other colours or means than {stream.protocol.name} has: "
            f"set data.protocol to {weights.protocol.name}"
        )
    found = weights.architecture
    if found.backbone.name != settings.backbone:
        raise InputError(
            f"{weights.path} is a {found.backbone.title}, but model.backbone is "
            f"{settings.backbone}"
        )
    if settings.first_conv == "random" and given.name == modality.name:
        raise InputError(
            f'model.first_conv is "random", but {weights.path} has a first convolution '
            f"for {modality.name}: leave model.first_conv out"
        )
    if settings.width not in (1.0, found.width):
        raise InputError(
            f"model.width is {settings.width}, but {weights.path} has width "
            f"{found.width}: leave it out"
        )
    return weights


def _fed_alike(one, other):
    """Whether two streams of a modality give a network the same values of a pixel."""
    order = one.protocol.red_first == other.protocol.red_first
    alike = order or not one.modality.is_image
    return alike and one.normalisation == other.normalisation


def architecture(settings, stream, classes, weights):
    """The Architecture to train.

    Args:
        settings: config.ModelSettings.
        stream: protocols.records.Stream.
        classes: number of classes.
        weights: what `find` returned.
    """
    width = weights.architecture.width if weights else settings.width
    backbone = BACKBONES.find(settings.backbone, where="model.backbone")
    return loading.Architecture(backbone, stream.input_shape, classes, width)


def build(wanted, weights, settings, precision, modality=None):
    """Builds the backbone to train.

    Args:
        wanted: loading.Architecture.
        weights: what `find` returned.
        settings: config.ModelSettings.
        precision: "float32", "bfloat16" or "float16", in which it computes;
            variables are float32.
        modality: name of that to train; None: that of the weights.

    Returns:
        (keras.Model, names of the layers whose weights are new)

    Raises:
        InputError: the backbone does not take the crops of the protocol.
    """
    dropout = _dropout(settings, wanted.backbone)
    with policy(precision):
        try:
            model = wanted.backbone.build(
                wanted.input_shape,
                classes=wanted.classes,
                dropout=dropout,
                width=wanted.width,
            )
        except ValueError as error:
            raise InputError(
                f"model.backbone {wanted.backbone.name} does not take the crops of "
                f"the protocol: {error}"
            ) from None
    if weights is None:
        new = [layer.name for layer in model.layers if layer.weights]
    else:
        new = cross_modality.initialise(
            *(model, weights.build(), wanted.backbone),
            random_first=settings.first_conv == "random",
            is_other=modality not in (None, weights.modality.name),
        )
    if wanted.backbone.head in new:
        _spread(model.get_layer(wanted.backbone.head), settings.init_std)
    return model, new


def _dropout(settings, backbone):
    """What `build` of a backbone takes: one number, or one for each place."""
    found, places = settings.dropouts or (settings.dropout,), backbone.dropouts
    if settings.dropouts and len(found) != places:
        raise InputError(
            f"model.dropouts has {len(found)} numbers, but {backbone.name} drops at "
            f"{places} places: give as many, or model.dropout"
        )
    return found if len(found) > 1 else found[0]


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


def further(model, record, classes, settings, precision):
    """Builds the networks of further data sets, on the layers of the main one.

    Args:
        model: the backbone that `build` returned.
        record: its models.records.Backbone.
        classes: of each data set.
        settings, precision: see `build`.

    Returns:
        tuple of tasks.Branch.
    """
    with policy(precision):
        made = tuple(
            tasks.branch(model, record, count, number)
            for number, count in enumerate(classes, 1)
        )
    for one in made:
        _spread(one.head, settings.init_std)
    return made


def _spread(head, deviation):
    """Gives the kernel of a new classifier a deviation; 0: it has its own."""
    if deviation:
        drawn = head.kernel_initializer.stddev  # Of a normal distribution.
        head.kernel.assign(head.kernel * (deviation / drawn))
