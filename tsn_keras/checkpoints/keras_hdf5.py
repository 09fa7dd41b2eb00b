"""Keras' older weight files (.h5): a group for each layer, in the order of the layers.

Those of keras.applications are such files. Facts: keras 3
src/legacy/saving/legacy_h5_format.py.
"""

from tsn_keras.checkpoints.foreign import KERAS, Tensors
from tsn_keras.common import hdf5
from tsn_keras.common.errors import InputError

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_LAYERS, _WEIGHTS = "layer_names", "weight_names"
_WHOLE_MODEL = "model_weights"  # Where files that hold the network, too, have them.
_MAX_PARTS = 1000


class KerasHDF5Error(InputError):
    """A file is not a usable older weight file of Keras; the text says why."""


def read(path) -> Tensors | None:
    """Reads the arrays of a file.

    There is no question before it whether a file is one: to inspect HDF5 may take
    seconds, and is done once.

    Args:
        path: the file.

    Returns:
        foreign.Tensors, `ordered`: the arrays are in the order in which Keras fills
        them into the variables of a network, which is all that it goes by. Names are
        "layer/variable". None: it does not list layers, as only older files do.

    Raises:
        KerasHDF5Error: it is HDF5, but damaged, or its lists are.
        OSError: it is missing or cannot be read.
    """
    with open(path, "rb") as file:
        if file.read(len(_SIGNATURE)) != _SIGNATURE:
            return None
    try:
        with hdf5.Reader(path) as file:
            root = _root(file)
            if root is None:
                return None
            return Tensors("Keras HDF5", KERAS, _arrays(file, root), ordered=True)
    except hdf5.ERRORS as error:
        raise KerasHDF5Error(
            f"{path} is not a usable weight file of Keras: {str(error)[:300]}"
        ) from None


def _root(file):
    """The group that lists layers, or None."""
    for group in ("", f"/{_WHOLE_MODEL}"):
        if _listed(file, _LAYERS, group) is not None:
            return group
    return None


def _listed(file, name, group):
    """An attribute that is a list of texts, or None; long ones are in parts."""
    whole = file.text_list(name, group)
    if whole is not None:
        return whole
    parts = []
    while len(parts) < _MAX_PARTS:
        part = file.text_list(f"{name}{len(parts)}", group)
        if part is None:
            break
        parts.append(part)
    return [text for part in parts for text in part] if parts else None


def _arrays(file, root):
    found = {}
    for layer in _listed(file, _LAYERS, root):
        group = f"{root}/{layer}"
        listed = _listed(file, _WEIGHTS, group)
        if listed is None:
            file.names(group)  # Fails unless it is there: an empty list is no text.
        for weight in listed or ():
            # The first files name variables without their layer.
            name = weight if "/" in weight else f"{layer}/{weight}"
            if name in found:
                raise ValueError(f"it lists {name[:80]} twice")
            array = file.array(f"{group}/{weight}")
            if array.is_text:
                raise ValueError(f"{name[:80]} holds texts")
            found[name] = array.read()
    if not found:
        raise ValueError("it holds no weights")
    return found
