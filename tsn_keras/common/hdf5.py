"""The one guarded reader of HDF5 files: score files, weight files, checkpoints.

A file may declare arrays far larger than itself, or point to other files; what
this package and Keras write does neither, so both are refused before memory is
taken.
"""

import json
import pathlib

import h5py
import numpy as np

_MAX_ATTRIBUTE = 64 * 1024  # bytes
_MAX_ARRAYS = 10_000
_MAX_DEPTH = 20

# What h5py raises for files that are damaged or not such as expected.
ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError)


class Reader:
    """An HDF5 file of which only plain arrays, texts and numbers are read.

    A context manager. Its methods raise ValueError with a reason, or one of
    ERRORS where the library stumbles; callers name the file and their own error.

    Args:
        path: the file.

    Raises:
        OSError: the file is missing, or is not HDF5.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.size = self.path.stat().st_size
        self._file = h5py.File(self.path, "r")
        # Arrays that were asked for, and their bytes together.
        self._asked, self._bytes = set(), 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Closes the file."""
        self._file.close()

    def text(self, name):
        """A text attribute, or None where there is none."""
        value = self._attribute(name)
        if isinstance(value, bytes):
            value = value.decode()
        if value is not None and not isinstance(value, str):
            raise ValueError(f"attribute {name} is not a text")
        return value

    def numbers(self, name):
        """A numeric attribute as a list of numbers, or None where there is none."""
        value = self._attribute(name)
        return None if value is None else np.asarray(value, "f8").ravel().tolist()

    def _attribute(self, name):
        if name not in self._file.attrs:
            return None
        if self._file.attrs.get_id(name).get_storage_size() > _MAX_ATTRIBUTE:
            raise ValueError(f"attribute {name} is too large")
        return self._file.attrs[name]

    def json_object(self, name):
        """A text attribute that holds a JSON object, or None where there is none."""
        text = self.text(name)
        return None if text is None else json_object(text, f"attribute {name}")

    def names(self, group):
        """Names of what is in a group."""
        self._demand_here(group)
        item = self._file[group]
        if not isinstance(item, h5py.Group):
            raise ValueError(f"{group} is not a group")
        return list(item)

    def array(self, name):
        """A plain array that lies in this file: h5py.Dataset, not read yet.

        All that were asked for together are no larger than the file.
        """
        self._demand_here(name)
        item = self._file[name]
        if not isinstance(item, h5py.Dataset):
            raise ValueError(f"{name} is not a plain array")
        if item.external or item.is_virtual or item.compression:
            raise ValueError(f"{name} is not a plain array")
        if name not in self._asked:
            self._asked.add(name)
            self._bytes += item.nbytes
        if self._bytes > self.size:
            raise ValueError(
                f"{name} has shape {item.shape} of {item.dtype}: the file declares "
                f"more data than its {self.size} bytes hold"
            )
        return item

    def values(self, name, shape):
        """An array of numbers of a known shape, read."""
        item = self.array(name)
        if item.shape != tuple(shape) or item.dtype.kind not in "fiu":
            raise ValueError(f"{name} has shape {item.shape} of {item.dtype}")
        return item[()]

    def integers(self, name):
        """A list of int64, read."""
        item = self.array(name)
        if item.dtype != np.int64 or item.ndim != 1:
            raise ValueError(f"{name} is not a list of integers")
        return item[()]

    def texts(self, name):
        """A list of texts, read; a tuple."""
        item = self.array(name)
        if item.ndim != 1 or h5py.check_string_dtype(item.dtype) is None:
            raise ValueError(f"{name} is not a list of strings")
        return tuple(item.asstr()[()])

    def one_text(self, name):
        """A single text, read."""
        item = self.array(name)
        if item.shape != () or h5py.check_string_dtype(item.dtype) is None:
            raise ValueError(f"{name} is not a text")
        return item.asstr()[()]

    def arrays(self, group="/"):
        """Walks a group.

        Returns:
            {path: h5py.Dataset} of all arrays below it.
        """
        found = {}
        self._walk(group.rstrip("/"), found)
        return found

    def _walk(self, prefix, found):
        for name in self.names(prefix or "/"):
            path = f"{prefix}/{name}"
            self._demand_here(path)
            if self._file.get(path, getclass=True) is h5py.Group:
                # Keras nests a few groups; a cycle of hard links is infinite.
                if path.count("/") > _MAX_DEPTH:
                    raise ValueError(f"{path[:80]} is nested too deeply")
                self._walk(path, found)
            else:
                found[path] = self.array(path)
            if len(found) > _MAX_ARRAYS:
                raise ValueError(f"there are more than {_MAX_ARRAYS} arrays")

    def _demand_here(self, path):
        """Refuses links to other places on the way to an item."""
        if path in ("", "/"):
            return
        parent, _, name = path.rpartition("/")
        self._demand_here(parent)
        group = self._file[parent or "/"]
        if not isinstance(group, h5py.Group):
            raise ValueError(f"{parent} is not a group")
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{path} is missing, or a link to another place")


def json_object(text, name):
    """Parses a JSON object; ValueError names what is none."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(f"{name} is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError(f"{name} is not a JSON object")
    return value
