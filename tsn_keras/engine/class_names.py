"""Names of the classes that weights tell apart."""

from tsn_keras import config
from tsn_keras.data import annotations, demo
from tsn_keras.models import presets

_OF_DATASETS = {
    "hmdb51": annotations.HMDB51_CLASSES,
    "ucf101": annotations.UCF101_CLASSES,
    "demo": demo.CLASSES,
}


def of(weights, named=None):
    """Finds the names of the classes.

    Args:
        weights: checkpoints.loading.Weights.
        named: name of a data set, file with a name a line, or None.

    Returns:
        tuple of str: those named, else those that the file itself gives, else
        those of the published weights of this name, else "class 0", ...

    Raises:
        config.InputError: there are another number of names than classes, or
            the file cannot be read.
    """
    count = weights.architecture.classes
    if named is not None:
        names = _OF_DATASETS.get(named) or annotations.read_names(named)
        if len(names) != count:
            raise config.InputError(
                f"{named} has {len(names)} names of classes, {weights.path} has "
                f"{count} classes"
            )
        return names
    if weights.class_names is not None:
        return weights.class_names
    preset = weights.preset or _published_as(weights.path.name)
    names = _OF_DATASETS.get(preset.dataset, ()) if preset else ()
    if len(names) == count:
        return names
    return tuple(f"class {label}" for label in range(count))


def _published_as(file):
    """The preset whose file has this name, original or converted; or None."""
    for preset in presets.PRESETS.values():
        if file in (preset.file, f"{preset.file}.v5", f"{preset.name}.weights.h5"):
            return preset
    return None
