"""What pickles say of NumPy's arrays and numbers, and the arrays built from it."""

import math

import numpy as np

from tsn_keras.common.errors import Refused
from tsn_keras.common.pickle_reader import text

# What a pickle of arrays names, over the versions of NumPy.
_RECONSTRUCT = {f"numpy.{core}.multiarray _reconstruct" for core in ("core", "_core")}
_SCALAR = {f"numpy.{core}.multiarray scalar" for core in ("core", "_core")}
_DTYPE, _ENCODE = "numpy dtype", "_codecs encode"
NAMES = {"numpy ndarray", _DTYPE, _ENCODE} | _RECONSTRUCT | _SCALAR
_MAX_AXES, _MAX_SIZE = 8, 2**48


class Dtype:
    """A type of numbers.

    Attributes:
        code: kind and bytes, as "f4".
        order: "<", ">" or "|".
    """

    def __init__(self, code):
        self.code = text(code)
        self.order = "<"


class Array:
    """An array, as a pickle describes it; nothing in it is checked yet."""

    def __init__(self, dtype=None, data=None, shape=None):
        self.shape, self.dtype, self.fortran, self.data = shape, dtype, False, data

    def numbers(self, codes):
        """Builds the array.

        Args:
            codes: those of the types that it may have.

        Returns:
            Array over the bytes of the pickle.

        Raises:
            Refused: it is none of numbers, or its parts do not fit.
        """
        if not isinstance(self.dtype, Dtype) or self.dtype.code not in codes:
            raise Refused("an array is not of numbers")
        dtype = np.dtype(self.dtype.order + self.dtype.code)
        if not isinstance(self.data, bytes) or not is_shape(self.shape):
            raise Refused("an array has no data")
        if math.prod(self.shape) * dtype.itemsize != len(self.data):
            raise Refused(f"an array has {len(self.data)} bytes, not as its shape")
        flat = np.frombuffer(self.data, dtype)
        return flat.reshape(self.shape, order="F" if self.fortran else "C")


def are_counts(values):
    """Whether what a pickle describes are the lengths of axes, or strides."""
    return (
        isinstance(values, tuple)
        and len(values) <= _MAX_AXES
        and all(type(n) is int and 0 <= n < _MAX_SIZE for n in values)
    )


def is_shape(values):
    """Whether what a pickle describes is a shape that an array can have."""
    # NumPy counts the numbers of an empty array as if no axis were empty.
    return are_counts(values) and math.prod(filter(None, values)) < _MAX_SIZE


class Arrays:
    """Describes what the calls in a pickle would make, for one pickle."""

    def __init__(self):
        # {id of a text: (the text, its bytes)}. A text that is encoded time and again
        # must not take more memory each time.
        self._encoded = {}

    def called(self, name, arguments):
        """What a call would make; nothing is called.

        Args:
            name: one of NAMES.
            arguments: tuple.

        Raises:
            Refused: it cannot be called.
        """
        if name in _RECONSTRUCT:
            return Array()
        if name == _DTYPE:
            return Dtype(arguments[0])
        if name in _SCALAR:
            dtype, data = arguments
            return Array(dtype, data, ())
        if name == _ENCODE:
            return self._bytes(arguments[0])
        raise Refused(f"its pickle calls {name!r}")

    def _bytes(self, value):
        """How Python 3 writes bytes into a protocol 2 pickle."""
        if isinstance(value, bytes):
            return value
        if not isinstance(value, str):
            raise Refused("its pickle has no text where one is due")
        if id(value) not in self._encoded:
            self._encoded[id(value)] = value, value.encode("latin-1")
        return self._encoded[id(value)][1]


def fill(target, state):
    """Sets the state that a pickle gives an Array or a Dtype, or raises Refused."""
    if isinstance(target, Array):
        _, target.shape, target.dtype, target.fortran, target.data = state
        if not isinstance(target.data, (bytes, list)):
            raise Refused("an array has neither bytes nor a list")
    elif isinstance(target, Dtype):
        order = text(state[1])
        if order not in ("<", ">", "|", "="):
            raise Refused(f"a type has byte order {order!r}")
        target.order = "<" if order == "=" else order
    else:
        raise Refused("its pickle fills in what is neither array nor type")
