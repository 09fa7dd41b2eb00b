"""The one guarded way to HDF5: score files, weight files, checkpoints.

A file may declare arrays far larger than itself, point to other files, or make
the HDF5 library loop; what this package and Keras write does neither. So files
are listed by a process with limits, see inspection, and only plain arrays that
lie in the file are read.

Files of this package begin with a block of 512 bytes, which HDF5 skips, that
holds the SHA-256 of the rest: damage is named as such before anything is parsed.
"""

import hashlib
import os
import pathlib
import re
import stat

import numpy as np

from tsn_keras.common import inspection, json_text

BLOCK = 512  # bytes; the least that HDF5 allows
_SEAL = re.compile(rb"tsn_keras sha256 ([0-9a-f]{64})\n")
_MAX_ARRAYS = 10_000

# What reading raises for files that are damaged or unexpected.
ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError)


def seal(file):
    """Writes the digest of an HDF5 file into the block before it.

    Args:
        file: binary file, open for reading and writing, whose first BLOCK bytes
            HDF5 left free (`userblock_size`).
    """
    file.seek(BLOCK)
    digest = _digest(file)
    file.seek(0)
    file.write(f"tsn_keras sha256 {digest}\n".encode().ljust(BLOCK, b"\0"))


def _digest(file):
    digest = hashlib.sha256()
    while chunk := file.read(2**20):
        digest.update(chunk)
    return digest.hexdigest()


class Array:
    """A plain array of a file, not read yet.

    Attributes:
        shape: tuple of int.
        dtype: numpy.dtype, or "text".
        nbytes: size in the file; of texts, their number.
    """

    def __init__(self, path, item):
        self._path, self._item = path, item
        self.shape = tuple(item["shape"])
        self.is_text = item["dtype"] == "text"
        self.dtype = item["dtype"] if self.is_text else np.dtype(item["dtype"])
        count = int(np.prod(self.shape, dtype=object))
        self.nbytes = count if self.is_text else count * self.dtype.itemsize

    @property
    def ndim(self):
        """Number of axes."""
        return len(self.shape)

    def read(self):
        """Returns the numbers as an array, or the texts as a tuple."""
        if self.is_text:
            return tuple(self._item["texts"])
        if "hex" in self._item:
            data = bytes.fromhex(self._item["hex"])
        else:
            with open(self._path, "rb") as file:
                file.seek(self._item["at"])
                data = file.read(self.nbytes)
        if len(data) != self.nbytes:
            raise ValueError("an array lies beyond the end of the file")
        return np.frombuffer(data, self.dtype).reshape(self.shape).copy()


class Reader:
    """An HDF5 file of which only plain arrays, texts and numbers are read.

    A context manager. Its methods raise ValueError with a reason; callers name
    the file and their own error.

    Args:
        path: the file.

    Raises:
        OSError: the file is missing or cannot be opened.
        ValueError: it is damaged, or not HDF5.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        # Without waiting: a pipe never ends.
        with open(os.open(self.path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise ValueError("it is not an ordinary file")
            self.size = about.st_size
            sealed = _SEAL.match(file.read(BLOCK))
            if sealed and _digest(file) != sealed[1].decode():
                raise ValueError(
                    "it was damaged, or changed by hand: its SHA-256 is another"
                )
        found = inspection.contents(self.path)
        self._attributes, self._items = found["attributes"], found["items"]
        self._lists = found["lists"]
        # Arrays that were asked for, and their bytes together.
        self._asked, self._bytes = set(), 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the use of the file; nothing is held open."""

    def text(self, name):
        """A text attribute, or None where there is none."""
        value = self._attribute(name)
        if value is not None and not isinstance(value, str):
            raise ValueError(f"attribute {name} is not a text")
        return value

    def numbers(self, name):
        """A numeric attribute as a list of float, or None where there is none."""
        value = self._attribute(name)
        if value is not None and not isinstance(value, list):
            raise ValueError(f"attribute {name} is not of numbers")
        return value

    def _attribute(self, name):
        value = self._attributes.get(name)
        if isinstance(value, dict):
            raise ValueError(f"attribute {name} {value['fault']}")
        return value

    def json_object(self, name):
        """A text attribute that holds a JSON object, or None where there is none."""
        text = self.text(name)
        return None if text is None else json_text.parse(text, f"attribute {name}")

    def text_list(self, name, group="/"):
        """A group's attribute that is a list of texts, or None where there is none."""
        return self._lists.get(f"/{group.strip('/')}", {}).get(name)

    def names(self, group):
        """Names of what is in a group."""
        return self._item(group, "group")["group"]

    def array(self, name):
        """A plain array that lies in this file: Array, not read yet.

        All that were asked for together are no larger than the file.
        """
        item = Array(self.path, self._item(name, "shape"))
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
        if item.shape != tuple(shape) or item.is_text:
            raise ValueError(f"{name} has shape {item.shape} of {item.dtype}")
        return item.read()

    def integers(self, name):
        """A list of int64, read."""
        item = self.array(name)
        if item.dtype != np.int64 or item.ndim != 1:
            raise ValueError(f"{name} is not a list of integers")
        return item.read()

    def texts(self, name):
        """A list of texts, read; a tuple."""
        item = self.array(name)
        if item.ndim != 1 or not item.is_text:
            raise ValueError(f"{name} is not a list of strings")
        return item.read()

    def one_text(self, name):
        """A single text, read."""
        item = self.array(name)
        if item.shape != () or not item.is_text:
            raise ValueError(f"{name} is not a text")
        return item.read()[0]

    def arrays(self, group="/"):
        """Walks a group.

        Returns:
            {path: Array} of all arrays below it.
        """
        found = {}
        self._walk(group.rstrip("/"), found)
        return found

    def groups(self):
        """Paths of all groups of the file, the deeper ones last."""
        found = [path for path, item in self._items.items() if "group" in item]
        return sorted(found, key=lambda path: path.count("/"))

    def _walk(self, prefix, found):
        for name in self.names(prefix or "/"):
            path = f"{prefix}/{name}"
            if "group" in self._item(path):
                self._walk(path, found)
            else:
                found[path] = self.array(path)
            if len(found) > _MAX_ARRAYS:
                raise ValueError(f"there are more than {_MAX_ARRAYS} arrays")

    def _item(self, path, kind=None):
        """What is listed under a path; of a kind, see inspection.contents."""
        parts = path.strip("/").split("/")
        for count in range(1, len(parts)):
            self._listed("/".join(parts[:count]), "group")
        return self._listed(path.strip("/"), kind)

    def _listed(self, path, kind):
        item = self._items.get(f"/{path}", {"link": True})
        if "link" in item:
            raise ValueError(f"{path} is missing, or a link to another place")
        if "fault" in item:
            raise ValueError(f"{path[:80]} {item['fault']}")
        if kind is not None and kind not in item:
            what = "a group" if kind == "group" else "a plain array"
            raise ValueError(f"{path} is not {what}")
        return item
