"""Paths on this machine, or addresses of an object store or web server.

`path` gives a pathlib.Path for the one and an Address, with the few methods
that are needed here, for the other. Addresses are read through tf.io.gfile;
tensorflow-io adds s3://, hdfs:// and http(s):// to its gs://. Both are loaded
only when an address is read.
"""

import functools
import os
import pathlib
import urllib.parse

from tsn_keras.common.errors import InputError, reason_of

SCHEMES = ("s3", "gs", "hdfs", "http", "https")
# Of model hubs, whose own libraries read them: checkpoints.hub.
HUBS = ("hf://", "kaggle://")


class StorageError(InputError):
    """An address cannot be read; the text names it and the reason."""


def path(named):
    """Returns a pathlib.Path, or an Address for what begins with `scheme://`."""
    if isinstance(named, (pathlib.Path, Address)):
        return named
    scheme, separator, _ = os.fspath(named).partition("://")
    if not separator:
        try:
            return pathlib.Path(named).expanduser()
        except RuntimeError as error:
            raise StorageError(f"{named}: {error}") from None
    if scheme not in SCHEMES:
        raise StorageError(
            f"{named}: {scheme}:// is not one of "
            f"{', '.join(f'{known}://' for known in SCHEMES)}"
        )
    return Address(named)


def is_remote(named):
    """Whether `path(named)` is an Address."""
    return isinstance(path(named), Address)


def is_on_hub(named):
    """Whether a path is an address of a model hub."""
    return isinstance(named, str) and named.startswith(HUBS)


def prepare(named):
    """Loads what reads the addresses among some paths, but for those of model hubs.

    Args:
        named: iterable of str, paths or None.

    Raises:
        StorageError: an address is of no known kind, or cannot be read here.
    """
    for one in named:
        if one is not None and not is_on_hub(one) and is_remote(one):
            import tensorflow  # noqa: F401 - it is loaded here

            _load(path(one).scheme)


class Address:
    """An address with the methods of pathlib.Path that are needed here.

    Every failure except a missing file is a StorageError.
    """

    def __init__(self, text):
        self._text = text.rstrip("/")
        self.scheme = text.partition("://")[0]

    def __str__(self):
        return self._text

    def __repr__(self):
        return f"Address({self._text!r})"

    def __eq__(self, other):
        return isinstance(other, Address) and self._text == other._text

    def __hash__(self):
        return hash(self._text)

    def __truediv__(self, name):
        name = str(name).strip("/")
        if self.lists_no_folders:
            # In a web address "#" and others have meanings of their own.
            name = urllib.parse.quote(name)
        return Address(f"{self._text}/{name}") if name not in ("", ".") else self

    @property
    def name(self):
        """The last part."""
        return self._text.rpartition("/")[2]

    @property
    def lists_no_folders(self):
        """Whether it is a web server's, which gives files but no lists of them."""
        return self.scheme in ("http", "https")

    def exists(self):
        return self._ask(lambda io: io.gfile.exists(self._text), "look for")

    def is_dir(self):
        return self._ask(lambda io: io.gfile.isdir(self._text), "look for")

    def is_file(self):
        return self.exists() and not self.is_dir()

    def names(self):
        """Names of what is in this folder, sorted."""
        if self.lists_no_folders:
            raise StorageError(f"{self}: a web server does not list its folders")
        found = self._ask(lambda io: io.gfile.listdir(self._text), "list")
        return sorted(name.rstrip("/") for name in found)

    def size(self):
        """The file's bytes."""
        return self._ask(lambda io: io.gfile.stat(self._text).length, "look for")

    def read_bytes(self):
        # As a whole: many web servers do not serve parts of files.
        return self._ask(lambda io: io.read_file(self._text).numpy(), "read")

    def copy_to(self, local):
        """Copies the file to a path of this machine."""
        if self.lists_no_folders:
            pathlib.Path(local).write_bytes(self.read_bytes())
        else:
            self._ask(lambda io: io.gfile.copy(self._text, str(local)), "read")

    def _ask(self, question, verb):
        import tensorflow as tf

        _load(self.scheme)
        try:
            return question(tf.io)
        except tf.errors.NotFoundError:
            raise FileNotFoundError(f"there is no {self}") from None
        except tf.errors.OpError as error:
            raise StorageError(f"cannot {verb} {self}: {reason_of(error)}") from None


@functools.cache
def _load(scheme):
    """Makes tf.io.gfile know a scheme."""
    if scheme == "s3":
        endpoint = os.environ.get("S3_ENDPOINT", "https://")
        if not endpoint.startswith(("http://", "https://")):
            # The library would wait for an answer for ever.
            raise StorageError(
                f"S3_ENDPOINT={endpoint}: must begin with http:// or https://"
            )
    if scheme == "gs":
        return
    try:
        import tensorflow_io  # noqa: F401 - it registers its file systems
    except ImportError as error:
        raise StorageError(
            f"{scheme}:// needs tensorflow-io, which cannot be loaded here: {error}"
        ) from None


def names(folder):
    """Names of what is in a folder, a pathlib.Path or an Address; sorted."""
    return folder.names() if isinstance(folder, Address) else sorted(os.listdir(folder))
