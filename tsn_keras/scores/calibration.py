"""Whether probabilities can be taken at their word: reliability and its error."""

import dataclasses

import numpy as np

BINS = 15


@dataclasses.dataclass(frozen=True)
class Calibration:
    """A reliability diagram, and the expected calibration error.

    Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 2. Bin m of
    M holds the probabilities above (m - 1) / M, up to m / M; the first one 0 too.

    Attributes:
        counts: int64 [M], predictions in each bin.
        confidence: float64 [M], their mean probability; NaN in an empty bin.
        accuracy: float64 [M], the share of them that is right; NaN in an empty bin.

    Example:
        >>> found = calibration(np.array([0.6, 0.9]), np.array([False, True]), bins=2)
        >>> found.counts.tolist(), found.accuracy.tolist(), round(found.error, 3)
        ([0, 2], [nan, 0.5], 0.25)
    """

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """The mean over predictions of |accuracy - confidence| of their bin, 0 to 1."""
        apart = np.abs(self.accuracy - self.confidence)
        return float(np.nansum(self.counts * apart) / self.counts.sum())


def calibration(chances, is_right, bins=BINS) -> Calibration:
    """Puts predictions into bins by their probability.

    Args:
        chances: [N], the probability of each prediction, from 0 to 1.
        is_right: bool [N].
        bins: M, number of bins.
    """
    values = np.asarray(chances, np.float64)
    place = np.clip(np.ceil(values * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    sums = (
        np.bincount(place, one, bins) for one in (values, np.asarray(is_right, float))
    )
    with np.errstate(invalid="ignore"):
        return Calibration(counts, *(total / counts for total in sums))
