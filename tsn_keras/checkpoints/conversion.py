"""Weights to a Keras weight file, or to a folder in which they are shared."""

import dataclasses
import pathlib

from tsn_keras.checkpoints import keras_file, loading, sharing
from tsn_keras.common import files
from tsn_keras.common.errors import InputError
from tsn_keras.models import identity


@dataclasses.dataclass(frozen=True)
class Converted:
    """What was converted. `print` shows it.

    Attributes:
        weights: loading.Weights of the source.
        target: path of the file that was written.
        parameters: number of the model's parameters.
        about: what was written into the file beside the weights.
    """

    weights: loading.Weights
    target: pathlib.Path
    parameters: int
    about: dict

    @property
    def left(self) -> tuple[str, ...]:
        """Names of arrays that hold no weights, or such of training only."""
        return self.weights.tensors.left(self.weights.architecture.backbone.unused)

    @property
    def blobs(self) -> int:
        """Number of arrays in the source that were used."""
        return len(self.weights.tensors.arrays) - len(self.left)

    def __str__(self) -> str:
        found, source = self.weights.architecture, self.weights.tensors
        left = f"; {len(self.left)} hold no weights" if self.left else ""
        return "\n".join(
            (
                f"{self.weights.path}: {found.backbone.title}, width {found.width:g}",
                f"  format      {source.format}",
                f"  modality    {self.about['modality']} ({found.channels} channels)",
                f"  classes     {found.classes}",
                f"  protocol    {self.weights.protocol.name}",
                f"  parameters  {self.parameters:,} in {self.blobs} "
                f"{source.layout.array}s, each used once{left}",
                f"  sha256      {self.weights.sha256}",
                *(f"  in doubt    {doubt}" for doubt in self.weights.doubts),
                f"{self.target}: written",
            )
        )

    def as_json(self) -> dict:
        """As a dict of JSON values, with the digests of both files."""
        return {
            **self.about,
            "parameters": self.parameters,
            "blobs": self.blobs,
            "left": list(self.left),
            "format": self.weights.tensors.format,
            "in_doubt": list(self.weights.doubts),
            "target": str(self.target),
            "target_sha256": files.sha256(self.target),
        }


def convert(
    source, target, inverse_std=False, class_names=None, backbone=None
) -> Converted:
    """Converts a weight file of another program to a .weights.h5.

    Args:
        source: name of a preset, or path of the file.
        target: path to write, ending in .weights.h5.
        inverse_std: see checkpoints.caffemodel.read.
        class_names: names of the classes to write into the file, or None.
        backbone: see `tsn_keras.load`.

    Returns:
        Converted.

    Raises:
        InputError: the source cannot be used; the text says why.
    """
    target = pathlib.Path(target)
    if str(source).endswith(".weights.h5"):
        raise InputError(f"{source} is a Keras file already")
    if not target.parent.is_dir():
        raise InputError(f"there is no folder {target.parent}")
    weights = loading.find(source, inverse_std=inverse_std, backbone=backbone)
    loading.demand(weights, backbone)
    if weights.tensors is None:
        raise InputError(f"{source} is a Keras file already")
    _check_names(class_names, "classes", weights.architecture.classes, source)
    model, about = weights.build(), _about(weights, class_names)
    keras_file.save(model, target, about)
    return Converted(weights, target, model.count_params(), about)


def share(weights, folder, class_names=None, licence=None) -> pathlib.Path:
    """Writes weights into a preset folder; see preset_folder.

    Args:
        weights: loading.Weights.
        folder: a new folder.
        class_names: names of the classes, or None.
        licence: of the weights; None: the preset's, if they are one's.

    Returns:
        pathlib.Path of the folder.

    Raises:
        InputError: the weights cannot be used, are for no known modality, or the names
            are not those of so many classes.
        OSError: the folder cannot be written.
    """
    _check_names(class_names, "class_names", weights.architecture.classes, weights.path)
    about, preset = _about(weights, class_names), weights.preset
    about["modality"] = weights.stream.modality.name
    if weights.tensors is None:
        told, _ = keras_file.shapes(weights.path)
        about = {**(told or {}), **about}
    if preset is not None:
        licence = licence or preset.licence
        about |= {"dataset": preset.dataset, "split": preset.split}
        if preset.accuracy is not None:
            about["published"] = {preset.metric: round(preset.accuracy, 2)}
    return sharing.write(weights.build(), about, folder, licence)


def share_model(model, folder, class_names=None, licence=None) -> pathlib.Path:
    """Writes a model in memory into a preset folder; see `share`.

    Args:
        model: keras.Model that loading.build made, trained since or not.
        folder, class_names, licence: see `share`.
    """
    known, classes = identity.demanded(model, "model"), model.output_shape[-1]
    _check_names(class_names, "class_names", classes, "the model")
    about = {
        "backbone": known.backbone.name,
        "modality": known.stream.modality.name,
        "channels": model.input_shape[-1],
        "classes": classes,
        "class_names": class_names,
        "width": known.width,
        "protocol": known.stream.protocol.name,
    }
    return sharing.write(model, about, folder, licence)


def _check_names(names, argument, classes, source):
    if names is not None and len(names) != classes:
        raise InputError(
            f"`{argument}` has {len(names)} names, {source} has {classes} classes"
        )


def _about(weights, class_names):
    """What is written beside the numbers of weights."""
    found = weights.architecture
    return {
        "backbone": found.backbone.name,
        "modality": weights.modality.name if weights.modality else None,
        "channels": found.channels,
        "classes": found.classes,
        "class_names": class_names,
        "width": found.width,
        "protocol": weights.protocol.name,
        "source": weights.path.name,
        "source_sha256": weights.sha256,
    }
