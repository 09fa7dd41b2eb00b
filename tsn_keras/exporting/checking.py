"""Whether a file computes what the network in Keras computes."""

import dataclasses

import numpy as np

from tsn_keras.common.errors import InputError
from tsn_keras.runtimes.records import PROBABILITIES, SCORES

# Of a softmax of the same scores: one float32 sum.
_OF_CHANCES = 1e-4


@dataclasses.dataclass(frozen=True)
class Checked:
    """What a comparison found.

    Attributes:
        difference: largest difference of scores, as a share of the largest score.
        tolerance: the most that is allowed.
        same: of how many rows of scores the best class is the same.
        rows: their number.
        origin: of which frames they are.
    """

    difference: float
    tolerance: float
    same: int
    rows: int
    origin: str

    def as_json(self) -> dict:
        """As a dict of JSON values."""
        return {
            "largest_difference": float(f"{self.difference:.2g}"),
            "tolerance": self.tolerance,
            "same_class": self.same,
            "of": self.rows,
            "frames": self.origin,
        }

    def __str__(self) -> str:
        return (
            f"checked on {self.origin}: scores within {self.difference:.1e} of the "
            f"largest ({self.tolerance:.0e} allowed), the same class in {self.same} of "
            f"{self.rows}"
        )


def check(run, function, batches, tolerance, way):
    """Compares what a file computes with Keras.

    Args:
        run: the file in its own runtime, an array to {name: array}.
        function: runtimes.records.Function that was exported.
        batches: (arrays of the function's input, what they are of for people).
        tolerance: see Checked.
        way: scores.joining.Way of the weights.

    Returns:
        Checked.

    Raises:
        InputError: they differ by more, or the file cannot run them.
    """
    arrays, origin = batches
    found, expected = [], []
    for array in arrays:
        got = _run(run, array)
        expected.append(function.traced(array)[SCORES].numpy())
        found.append(got[SCORES])
        _check_chances(got, way, max(tolerance, _OF_CHANCES))
    found, expected = np.concatenate(found), np.concatenate(expected)
    largest = np.abs(expected).max() or 1.0  # Of a classifier of zeros.
    difference = float(np.abs(found - expected).max() / largest)
    same = int((found.argmax(-1) == expected.argmax(-1)).sum())
    checked = Checked(difference, tolerance, same, len(found), origin)
    # Not a number is no small difference.
    if not difference <= tolerance:
        raise InputError(
            f"the export computes something else than Keras: scores differ by "
            f"{difference:.1e} of the largest on {origin}, {tolerance:.0e} is allowed"
        )
    return checked


def _run(run, array):
    try:
        return run(array)
    # Runtimes have errors of their own kinds.
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(
            f"the export cannot run on an input of {array.shape}: {reason}"
        ) from error


def _check_chances(got, way, tolerance):
    """Compares the probabilities of a whole view with those of its own scores."""
    if PROBABILITIES in got:
        expected = way.probabilities(got[SCORES])
        difference = np.abs(got[PROBABILITIES] - expected).max()
        if not difference <= tolerance:
            raise InputError(
                f"the export's probabilities are not those of its scores: they differ "
                f"by {difference:.1e}"
            )
