"""A Caffe file to a Keras weight file, with a report of what was in it."""

import pathlib

from tsn_keras.checkpoints import folders, keras_file, loading
from tsn_keras.engine import console


def convert(source, target, inverse_std=False):
    """Converts a .caffemodel to a .weights.h5.

    Args:
        source: path of the .caffemodel.
        target: path to write, ending in .weights.h5.
        inverse_std: see checkpoints.caffemodel.read.

    Returns:
        dict: what was found, and the digests of both files.

    Raises:
        console.UsageError: the source cannot be used; the text says why.
    """
    if str(source).endswith(".h5"):
        raise console.UsageError(f"{source} is a Keras file already")
    if not pathlib.Path(target).parent.is_dir():
        raise console.UsageError(f"there is no folder {pathlib.Path(target).parent}")
    weights = loading.find(source, inverse_std=inverse_std)
    model = weights.build()
    architecture = weights.architecture
    about = {
        "architecture": "bn_inception",
        "modality": architecture.modality,
        "channels": architecture.channels,
        "classes": architecture.classes,
        "width": architecture.width,
        "protocol": "caffe",
        "source": weights.path.name,
        "source_sha256": weights.sha256,
    }
    keras_file.save(model, target, about)
    count = sum(len(arrays) for arrays in weights.blobs.values())
    print(f"{source}: BN-Inception, width {architecture.width:g}")
    print(f"  modality    {architecture.modality} ({architecture.channels} channels)")
    print(f"  classes     {architecture.classes}")
    print(f"  parameters  {model.count_params():,} in {count} blobs, each used once")
    print(f"  sha256      {weights.sha256}")
    print(f"{target}: written")
    return {
        **about,
        "parameters": model.count_params(),
        "blobs": count,
        "target": str(target),
        "target_sha256": folders.sha256(target),
    }
