"""Whether arrays are finite; weights of every format where they enter a model.

One NaN makes all scores NaN. Arrays that no model takes are not looked at.
"""

import numpy as np

_BLOCK = 2**20  # numbers that are looked at together
_NAMED = 3


def demand(arrays, fault):
    """Raises an error that names the arrays that hold NaN or infinity.

    Args:
        arrays: iterable of (name, array, name of the type that its numbers will have).
        fault: function of a text to the exception.

    Example:
        >>> demand([("kernel", np.array([1.0, np.nan]), "float32")], ValueError)
        Traceback (most recent call last):
        ValueError: it has values that are not finite numbers, in kernel: it is damaged
    """
    wrong = [name for name, array, dtype in arrays if not _is_finite(array, dtype)]
    if wrong:
        named = ", ".join(name[:80] for name in wrong[:_NAMED])
        more = len(wrong) - _NAMED
        raise fault(
            f"it has values that are not finite numbers, in {named}"
            f"{f' and {more} more' if more > 0 else ''}: it is damaged"
        )


def _is_finite(array, dtype):
    """Whether all numbers of an array are finite in another type, too."""
    if array.dtype.kind in "biu":
        return True
    flat = array.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        with np.errstate(over="ignore"):  # What overflows is not finite.
            piece = flat[start : start + _BLOCK].astype(dtype, copy=False)
        if not np.isfinite(piece).all():
            return False
    return True
