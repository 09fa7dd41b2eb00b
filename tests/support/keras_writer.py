"""Older weight files of Keras (.h5), as keras 2 wrote them."""

import h5py
import numpy as np

_MOST = 64_512  # bytes of an attribute


def write(path, model, name_of=lambda layer, variable: f"{layer}/{variable}:0"):
    """Writes the weights of a model as an older file.

    Args:
        path: file to write.
        model: keras.Model; nested models are one layer.
        name_of: function (layer, variable) to the name in the file.
    """
    with h5py.File(path, "w") as file:
        _list(file, "layer_names", [layer.name for layer in model.layers])
        file.attrs["backend"] = np.bytes_("tensorflow")
        file.attrs["keras_version"] = np.bytes_("2.9.0")
        for layer in sorted(model.layers, key=lambda layer: layer.name):
            group = file.create_group(layer.name)
            owners = {
                id(variable): one.name
                for one in getattr(layer, "layers", [layer])
                for variable in one.weights
            }
            names = []
            for variable in layer.trainable_weights + layer.non_trainable_weights:
                name = name_of(owners[id(variable)], variable.name)
                group.create_dataset(name, data=np.asarray(variable))
                names.append(name)
            _list(group, "weight_names", names)


def _list(group, name, texts):
    """Long lists are cut into attributes that HDF5 has room for."""
    array = np.array([text.encode() for text in texts])
    parts = 1
    while any(part.nbytes > _MOST for part in np.array_split(array, parts)):
        parts += 1
    if parts == 1:
        group.attrs[name] = array
    else:
        for number, part in enumerate(np.array_split(array, parts)):
            group.attrs[f"{name}{number}"] = part
