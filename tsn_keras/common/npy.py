"""The heads of NumPy's array files, read without running them."""

import numpy as np

from tsn_keras.common.errors import Refused

# A third version differs only in the names of fields, which are ASCII in all that is
# read here.
_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def head(file):
    """Reads what stands before the values of an array.

    NumPy takes 10,000 characters at most, as literals.

    Args:
        file: open binary file, at the beginning of a .npy file; left at its values.

    Returns:
        (shape, whether in Fortran's order, dtype)

    Raises:
        Refused: it is no such file.
    """
    try:
        version = np.lib.format.read_magic(file)
        if version not in _READERS:
            raise ValueError(f"version {version} of the format")
        return _READERS[version](file)
    except Exception as error:  # NumPy has several, also MemoryError of its parser.
        raise Refused(f"{str(error) or type(error).__name__:.200}") from None
