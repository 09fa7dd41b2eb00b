"""The network that a training run begins with."""

import contextlib
import dataclasses

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
    wanted = BACKBONES.find(settings.backbone, where="model.backbone")
    _check_together(wanted, settings, stream.protocol)
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
    _check_fed_alike(weights, stream)
    found = weights.architecture
    able = {wanted.name, *wanted.kin, *wanted.streams}
    if found.backbone.name not in able:
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


def find_motion(settings, stream, appearance):
    """Finds the weights that the second stream of a network begins with.

    Args:
        settings: config.ModelSettings.
        stream: protocols.records.Stream of the training.
        appearance: what `find` returned.

    Returns:
        checkpoints.loading.Weights: those of the first stream where none are named;
        or None where the network begins with weights of its own kind, or with none.

    Raises:
        InputError: see `find`; or they are named where there is no such stream.
        OSError: the file cannot be read.
    """
    wanted = BACKBONES.find(settings.backbone, where="model.backbone")
    known = appearance and appearance.architecture.backbone
    begins = known is not None and known.name in wanted.streams
    if begins and settings.first_conv == "random":
        raise InputError(
            f'model.first_conv is "random", but streams of {wanted.name} begin with '
            f"their weights' own, or with their mean: leave it out"
        )
    if not settings.initial_motion:
        return appearance if begins else None
    if not begins:
        raise InputError(
            "model.initial_motion is for a network of two streams whose model.initial "
            "is that of one, for images: leave it out"
        )
    motion = loading.find(settings.initial_motion)
    _check_fed_alike(motion, stream)
    found = motion.architecture
    same = found.backbone.name in wanted.streams
    if not same or found.width != appearance.architecture.width:
        raise InputError(
            f"{motion.path} is a {found}, but the first stream begins with a "
            f"{appearance.architecture}"
        )
    own = [part.name for part, _ in stream.modality.parts if part.has_flow]
    name = motion.stream.modality.name
    if name not in own and not motion.stream.modality.begins_others:
        raise InputError(
            f"{motion.path} is a network for {name}; motion can begin with weights for "
            f"{' or '.join((*own, 'images'))}"
        )
    return motion


def _check_together(wanted, settings, protocol):
    """Refuses a protocol, or a consensus, that is for other networks."""
    together = protocol.test.together
    if bool(wanted.steps) != together:
        sees = "sees several snippets at once" if wanted.steps else "sees one snippet"
        what = "see them together" if together else "do not"
        raise InputError(
            f"model.backbone {wanted.name} {sees}, but data.protocol {protocol.name} "
            f"is for networks that {what}"
        )
    if wanted.steps and settings.consensus != "average":
        raise InputError(
            f'model.consensus is "{settings.consensus}", but {wanted.name} has none: '
            f"the mean over its steps is taken. Leave it out"
        )


def _check_fed_alike(weights, stream):
    """Refuses weights for a modality that the protocol feeds otherwise."""
    for one in weights.stream.parts:
        for other in stream.parts:
            same = one.modality.name == other.modality.name
            if same and not _fed_alike(one, other):
                raise InputError(
                    f"{weights.path} expects images as the protocol "
                    f"{weights.protocol.name} feeds them, with other colours or means "
                    f"than {stream.protocol.name} has: set data.protocol to "
                    f"{weights.protocol.name}"
                )


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
    shape = stream.input_shape
    if backbone.steps:
        backbone = dataclasses.replace(backbone, steps=settings.segments)
    return loading.Architecture(backbone, shape, classes, width)


def build(wanted, weights, settings, precision, modality=None, motion=None):
    """Builds the backbone to train.

    Args:
        wanted: loading.Architecture.
        weights: what `find` returned.
        settings: config.ModelSettings.
        precision: "float32", "bfloat16" or "float16", in which it computes;
            variables are float32.
        modality: name of that to train; None: that of the weights.
        motion: what `find_motion` returned.

    Returns:
        (keras.Model, names of the layers whose weights are new)

    Raises:
        InputError: the backbone does not take the crops of the protocol.
    """
    dropout = _dropout(settings, wanted.backbone)
    with policy(precision):
        try:
            model = wanted.backbone.build(
                wanted.shape,
                classes=wanted.classes,
                dropout=dropout,
                width=wanted.width,
            )
        except ValueError as error:
            raise InputError(
                f"model.backbone {wanted.backbone.name} does not take the crops of "
                f"the protocol: {error}"
            ) from None
    if motion is not None:
        new = wanted.backbone.begin(model, weights.build(), motion.build())
    elif weights is None:
        new = [layer.name for layer in model.layers if layer.weights]
    else:
        new = cross_modality.initialise(
            *(model, weights.build(), wanted.backbone),
            random_first=settings.first_conv == "random",
            is_other=modality not in (None, weights.modality.name),
        )
    for name in set(wanted.backbone.heads).intersection(new):
        _spread(model.get_layer(name), settings.init_std)
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

    Raises:
        InputError: the network has a classifier for each of its streams.
    """
    if classes and record.steps:
        raise InputError(
            f"data.tasks is for networks of one classifier, but model.backbone "
            f"{record.name} has {len(record.heads)}, one for each stream: leave "
            f"data.tasks out"
        )
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
