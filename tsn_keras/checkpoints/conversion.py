"""Another program's file to a Keras weight file, with a report of what was in it."""

import dataclasses
import pathlib

from tsn_keras.checkpoints import keras_file, loading
from tsn_keras.common import files
from tsn_keras.common.errors import InputError


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
    found = weights.architecture
    if class_names is not None and len(class_names) != found.classes:
        raise InputError(
            f"`classes` has {len(class_names)} names, {source} has {found.classes} "
            f"classes"
        )
    model = weights.build()
    about = {
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
    keras_file.save(model, target, about)
    return Converted(weights, target, model.count_params(), about)
