"""Names of the classes of weights."""

from tsn_keras.checkpoints import families, presets
from tsn_keras.checkpoints.records import class_list
from tsn_keras.common import storage, text
from tsn_keras.common.errors import InputError
from tsn_keras.datasets.catalogue import DATASETS


def of(weights, named=None):
    """Finds the names of the classes.

    Args:
        weights: checkpoints.loading.Weights.
        named: name of a data set or of a list of checkpoints/classes/, file with a
            name a line, or None.

    Returns:
        tuple of str: those named, else those that the file itself gives, else
        those of the published weights of this name, else "class 0", ...

    Raises:
        InputError: there are another number of names than classes, or the file
            cannot be read.
    """
    count = weights.architecture.classes
    if named is not None:
        names = _of_dataset(named) or class_list(named)
        names = names or text.names(storage.path(named))
        if len(names) != count:
            raise InputError(
                f"{named} has {len(names)} names of classes, {weights.path} has "
                f"{count} classes"
            )
        return names
    return known(weights) or tuple(f"class {label}" for label in range(count))


def known(weights):
    """The names that a weight file gives, or those of the published weights.

    A network of 1,000 classes that another program trained on images is taken for one
    of ImageNet's.

    Args:
        weights: checkpoints.loading.Weights.

    Returns:
        tuple of str, or None where nothing names the classes.
    """
    if weights.class_names is not None:
        return weights.class_names
    preset = weights.preset or presets.of_file(weights.path.name)
    count = weights.architecture.classes
    if preset is None and weights.tensors is not None:
        backbone = weights.architecture.backbone
        family, _ = families.of(weights.tensors, backbone)
        return family.class_names(backbone, count)
    names = preset and (preset.class_names or _of_dataset(preset.dataset))
    return names if names and len(names) == count else None


def _of_dataset(name):
    return (DATASETS[name].classes if name in DATASETS else None) or ()
