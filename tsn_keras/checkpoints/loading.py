"""From a preset name or path to weights, and to a model that holds them."""

import dataclasses
import math
import pathlib
from collections.abc import Mapping

from tsn_keras.checkpoints import (
    detection,
    families,
    folders,
    keras_file,
    not_weights,
    presets,
    reading,
)
from tsn_keras.checkpoints.foreign import Tensors
from tsn_keras.checkpoints.transfer import PortError, port
from tsn_keras.common import files, progress
from tsn_keras.common.errors import InputError, short
from tsn_keras.models import cross_modality, identity, training_rules
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.models.records import MAX_WIDTH, Backbone
from tsn_keras.protocols.catalogue import PROTOCOLS, UNNAMED
from tsn_keras.protocols.modalities import MODALITIES, Modality, by_channels
from tsn_keras.protocols.records import Protocol, Stream


@dataclasses.dataclass(frozen=True)
class Architecture:
    """What must be known to build the model that a file's weights fit.

    Attributes:
        backbone: models.records.Backbone.
        input_shape: (height, width, channels).
        classes: number of classes, or None without a classifier.
        width: factor on the numbers of channels.
    """

    backbone: Backbone
    input_shape: tuple[int, int, int]
    classes: int | None
    width: float = 1.0

    @property
    def channels(self) -> int:
        """Channels of the input."""
        return self.input_shape[-1]

    def build(self, side=None, steps=None):
        """Builds the model, with fresh weights.

        Args:
            side: of the input, pixels; None: as `input_shape` says; 0: any.
            steps: of a network that sees several at once; None: those of its training.
        """
        sides = self.input_shape[:2] if side is None else (side or None,) * 2
        shape = (*sides, self.channels)
        if self.backbone.steps:
            shape = (steps or self.backbone.steps, *shape)
        return self.backbone.build(shape, classes=self.classes, width=self.width)

    @property
    def shape(self) -> tuple[int, ...]:
        """What the backbone's `build` takes: steps before the sides, if it has any."""
        steps = self.backbone.steps
        return (steps, *self.input_shape) if steps else self.input_shape

    def __str__(self):
        return (
            f"{self.backbone.title} of width {self.width:g}, {self.channels} channels, "
            f"{self.classes} classes"
        )


@dataclasses.dataclass(frozen=True)
class Weights:
    """A weight file that was opened.

    Attributes:
        path: the file.
        sha256: its digest.
        preset: presets.Preset, or None for a file named by path.
        architecture: Architecture.
        protocol: the Protocol that the weights were trained under.
        modality: their Modality, or None where their number of channels is that
            of none.
        tensors: foreign.Tensors of another program's file, or None for a Keras
            file.
        class_names: names of the classes that the file gives, or None.
        doubts: what the file leaves open, and what is assumed.
        loss: name of the loss of its training that the file gives, or None.
        consensus: what the file says of the consensus that was trained, a dict of
            JSON values as training writes it, not checked yet; or None.
    """

    path: pathlib.Path
    sha256: str
    preset: presets.Preset | None
    architecture: Architecture
    protocol: Protocol
    modality: Modality | None
    tensors: Tensors | None = dataclasses.field(repr=False, compare=False)
    class_names: tuple[str, ...] | None = None
    doubts: tuple[str, ...] = ()
    loss: str | None = None
    consensus: Mapping | None = dataclasses.field(default=None, repr=False)

    @property
    def stream(self) -> Stream:
        """What the network must be fed.

        Raises:
            InputError: it is for no known modality.
        """
        if self.modality is None:
            known = {name: m.channels for name, m in MODALITIES.items()}
            raise InputError(
                f"{self.path}: a network for {self.architecture.channels} channels is "
                f"for no known modality: {known}"
            )
        return Stream(self.modality, self.protocol)

    def check_steps(self) -> None:
        """Refuses a protocol that shows the network something else than it sees.

        Raises:
            InputError: the network sees snippets together and the protocol scores
                them one by one, or the other way round.
        """
        backbone, together = self.architecture.backbone, self.protocol.test.together
        if bool(backbone.steps) != together:
            sees = "a video's snippets together" if backbone.steps else "one snippet"
            raise InputError(
                f"{self.path} is a {backbone.title}, which sees {sees}; the protocol "
                f"{self.protocol.name} is for networks that see "
                f"{'them together' if together else 'one at a time'}"
            )

    @property
    def name(self) -> str:
        """What people call the weights: the preset's or the file's name."""
        return self.preset.name if self.preset else self.path.name

    def build(self, side=None, steps=None):
        """Builds the model and fills in the weights.

        Args:
            side, steps: see Architecture; None: those of the protocol's training.

        Raises:
            InputError: they do not fit, or are not finite.
        """
        model = self.architecture.build(side, steps)
        if self.tensors is not None:
            try:
                port(self.tensors, model, self.architecture.backbone)
            except PortError as error:
                raise PortError(f"{self.path}: {error}") from None
            return model
        try:
            keras_file.load(model, self.path)
        except keras_file.WeightFileError:
            raise
        except (ValueError, KeyError, TypeError, OSError) as error:
            # Keras lists every layer; the first lines say what is wrong.
            reason = short(" ".join(str(error).split()), 300)
            raise keras_file.WeightFileError(
                f"{self.path} does not fit {self.architecture}: {reason}"
            ) from None
        return model


def load(name_or_path, *, folder=None, inverse_std=False):
    """Loads a model with its weights; see `tsn_keras.load`."""
    return build(find(name_or_path, folder=folder, inverse_std=inverse_std))


def build(weights, classes=None, batch_norm="all"):
    """Builds a model of weights, for other classes if asked.

    Args:
        weights: Weights.
        classes: number of classes of a new classifier; None: that of the file.
            With the file's own number its classifier is kept.
        batch_norm: the trainable batch norms, "all", "first" or "none".

    Returns:
        keras.Model that is marked as what it is, see models.identity.

    Raises:
        InputError: the weights cannot be used, or an argument is out of its range.
    """
    if batch_norm not in training_rules.BATCH_NORMS:
        raise InputError(
            f"`batch_norm` must be one of {', '.join(training_rules.BATCH_NORMS)}, "
            f"not {batch_norm!r}"
        )
    known = weights.architecture
    is_new = classes is not None and classes != known.classes
    if is_new and (
        not isinstance(classes, int) or isinstance(classes, bool) or classes < 1
    ):
        raise InputError(f"`classes` must be an integer of at least 1, not {classes!r}")
    model = weights.build()
    if is_new:
        fresh = dataclasses.replace(known, classes=classes).build()
        cross_modality.initialise(fresh, model, known.backbone)
        model = fresh
    training_rules.set_batch_norm(model, batch_norm)
    if weights.modality is not None:
        found = identity.Identity(known.backbone, weights.stream, known.width)
        identity.mark(model, found)
    return model


def find(
    name_or_path,
    *,
    folder=None,
    inverse_std=False,
    backbone=None,
    listener=progress.SILENT,
) -> Weights:
    """Finds weights and for which model they are; see `read` and folders.locate."""
    located = folders.locate(name_or_path, folder, listener)
    return read(located, inverse_std=inverse_std, backbone=backbone)


def read(located: folders.Located, *, inverse_std=False, backbone=None) -> Weights:
    """Finds out for which model a file is, and checks a preset's file.

    What the file says of itself is obeyed, or is an error; where it says
    nothing, its shapes decide.

    Args:
        located: folders.Located.
        inverse_std: see `load`.
        backbone: name of the backbone that a file is taken for, if several fit.

    Raises:
        detection.AmbiguousError: several fit, and none was named.
        InputError: the file cannot be used, or is not what its preset says.
        OSError: it cannot be read.
    """
    path, preset = located.path, located.preset
    not_weights.refuse(path)
    digest = files.sha256(path)
    tensors = reading.read(path, inverse_std=inverse_std)
    if tensors is None:
        weights = _of_keras_file(path, preset, backbone)
    else:
        weights = _of_foreign_file(path, preset, tensors, backbone)
        digest = reading.digest(digest, weights.tensors)
    weights.check_steps()
    if preset is not None:
        _check_preset(preset, weights)
    folders.check_preset_digest(located, digest)
    return dataclasses.replace(weights, sha256=digest, preset=preset)


def demand(weights: Weights, backbone: str | None):
    """Refuses weights of another backbone than the one that was named, if any.

    Raises:
        InputError: they are of another, or there is none of this name.
    """
    if backbone is None:
        return
    wanted, found = BACKBONES.find(backbone), weights.architecture.backbone
    if wanted.name != found.name:
        raise InputError(
            f"{weights.path} is a {found.title}, not a {wanted.title} as `backbone` "
            f"says"
        )


def _of_foreign_file(path, preset, tensors, wanted):
    """A file that says nothing of itself: a preset, or its arrays, decide."""
    found = detection.of_tensors(path, tensors, _candidates(preset), wanted)
    if preset is not None:
        return _weights(path, *found, PROTOCOLS.find(preset.protocol), tensors=tensors)
    family, protocol = families.of(tensors, found[0])
    weights = _weights(path, *found, protocol, tensors=tensors)
    return dataclasses.replace(weights, doubts=family.doubts(found[0]))


def _candidates(preset):
    """The backbones that a file may be of."""
    return BACKBONES.values() if preset is None else (BACKBONES.find(preset.backbone),)


def _of_keras_file(path, preset, wanted):
    """A file that says what it is, or whose preset or shapes must decide."""
    about, shapes = keras_file.shapes(path)
    unnamed = UNNAMED if preset is None else PROTOCOLS.find(preset.protocol)
    said = _Said(path, about or {}, unnamed)
    candidates = _candidates(preset) if said.backbone is None else (said.backbone,)
    found = detection.of_shapes(path, shapes, candidates, wanted)
    if found is not None:
        return said.obeyed(_weights(path, *found, said.protocol), shapes)
    if said.backbone is not None:
        raise keras_file.WeightFileError(
            f"{path} says that it is a {said.backbone.title}, but its arrays are not"
        )
    raise keras_file.WeightFileError(
        f"{path} is {detection.none_of_them()}: it has "
        f"{sum(len(s) == 4 for s in shapes.values())} convolutions"
    )


def _weights(path, backbone, facts, protocol, tensors=None):
    if facts.classes == 0:
        raise InputError(f"{path} has a classifier of 0 classes")
    side = protocol.crop_size
    shape = (side, side, facts.channels)
    return Weights(
        path=path,
        sha256="",
        preset=None,
        architecture=Architecture(backbone, shape, facts.classes, facts.width),
        protocol=protocol,
        modality=by_channels(facts.channels),
        tensors=tensors,
    )


class _Said:
    """What a Keras weight file says of itself.

    Args:
        path: the file.
        about: dict of JSON values.
        unnamed: protocol of a file that names none.
    """

    def __init__(self, path, about, unnamed):
        self._path, self._about = path, about
        # Files of version 0.1 call the backbone `architecture`.
        names = {about[k] for k in ("backbone", "architecture") if self._has(k, str)}
        if len(names) > 1:
            raise self._wrong(f"two backbones, {' and '.join(sorted(names))}")
        self.backbone = self._record(BACKBONES, next(iter(names), None))
        modality = about["modality"] if self._has("modality", str) else None
        self.modality = self._record(MODALITIES, modality)
        protocol = about["protocol"] if self._has("protocol", str) else None
        self.protocol = self._record(PROTOCOLS, protocol) or unnamed

    def _has(self, key, kinds):
        """Whether the file says it; a value of another type is an error."""
        value = self._about.get(key)
        if value is None:
            return False
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise self._wrong(f"{key} is {repr(value)[:80]}")
        return True

    def _record(self, catalogue, name):
        return None if name is None else catalogue.find(name, where=f"{self._path}")

    def _wrong(self, what):
        return keras_file.WeightFileError(f"{self._path} says {what}")

    def obeyed(self, weights, shapes):
        """The weights with what the file says, which must agree with its arrays."""
        about, found = self._about, weights.architecture
        counts = {"classes": found.classes, "channels": found.channels}
        for key, count in counts.items():
            if self._has(key, int) and about[key] != count:
                raise self._wrong(f"{key} {about[key]}, but its arrays have {count}")
        modality = weights.modality
        if self.modality is not None:
            modality = self.modality
            if modality.channels != found.channels:
                raise self._wrong(
                    f"modality {modality.name}, of {modality.channels} channels, but "
                    f"its first kernel reads {found.channels}"
                )
        if self._has("width", (int, float)):
            width = float(about["width"])
            if not (math.isfinite(width) and 0 < width <= MAX_WIDTH):
                raise self._wrong(f"width {about['width']}")
            if not found.backbone.has_width(shapes, width):
                raise self._wrong(
                    f"width {width:g}, but its kernels are of width {found.width:g}"
                )
            found = dataclasses.replace(found, width=width)
        return dataclasses.replace(
            weights,
            architecture=found,
            modality=modality,
            class_names=self._class_names(found.classes),
            loss=about["loss"] if self._has("loss", str) else None,
            consensus=about["consensus"] if self._has("consensus", dict) else None,
        )

    def _class_names(self, classes):
        if not self._has("class_names", list):
            return None
        names = self._about["class_names"]
        if len(names) != classes or not all(isinstance(name, str) for name in names):
            raise self._wrong(f"class_names that are not those of {classes} classes")
        return tuple(names)


def _check_preset(preset, weights):
    """Refuses a preset's file that holds something else."""
    found = weights.architecture
    modality = weights.modality.name if weights.modality else None
    there = (found.backbone.name, modality, weights.protocol.name)
    expected = (preset.backbone, preset.modality, preset.protocol)
    if there != expected or preset.classes not in (None, found.classes):
        raise InputError(
            f"{weights.path} should hold {preset.name} ({preset.modality}, "
            f"{preset.classes} classes), but is a network for {found.channels} "
            f"channels ({modality}) and {found.classes} classes: is it another "
            f"model's file?"
        )
