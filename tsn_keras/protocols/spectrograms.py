"""What a log-mel spectrogram is made of: its constants, and the arithmetic of mel.

Nothing was published of the original's sound but that it has spectrograms of several
window sizes as input channels (CUHK & ETHZ & SIAT, ActivityNet challenge 2016, section
2.2). All numbers here are therefore ours, each with its reason.
"""

import dataclasses
import functools

import numpy as np


@dataclasses.dataclass(frozen=True)
class Spectrogram:
    """A picture of the sound around a moment: uint8 [bands, columns, windows].

    Attributes:
        rate: samples a second. 16 kHz hold all of speech and most of what tells
            actions apart, and half of the samples of 32 kHz.
        windows: samples of the analysis windows, one a plane: 16, 32 and 64 ms. A
            short one tells when a sound begins, a long one its pitch.
        hop: samples from column to column: 10 ms, usual for speech and sound events,
            and below the shortest window, so that no sample is left out.
        columns: of the picture: 224, the width of the common networks' input, so that
            time is not resized for them. They take 2.24 s, about the reach of the
            field of a network over a snippet of an action.
        bands: rows of the picture, equally wide in mel, the highest first. 64 are 42
            mel each; more would be narrower than the longest window tells apart at low
            frequencies.
        lowest: Hz, where the lowest band begins: below it are hum and wind.
        highest: Hz, where the highest ends; above it the filter falls off that has
            brought the sound to its rate.
        quietest: decibels below a full-scale sine that become pixel 0. Rounding to 16
            bits makes noise of -101 dB over all bands: -80 is well above it.
    """

    rate: int = 16_000
    windows: tuple[int, ...] = (256, 512, 1024)
    hop: int = 160
    columns: int = 224
    bands: int = 64
    lowest: float = 50.0
    highest: float = 7600.0
    quietest: float = -80.0

    @property
    def transform(self) -> int:
        """Points of the Fourier transform: all windows have the same frequencies."""
        return max(self.windows)

    @property
    def before(self) -> int:
        """Samples of a picture before the moment in its middle."""
        return (self.columns - 1) * self.hop // 2 + self.transform // 2

    @property
    def samples(self) -> int:
        """Samples of a picture."""
        return (self.columns - 1) * self.hop + self.transform

    @functools.cached_property
    def bank(self) -> np.ndarray:
        """Weights of the frequencies in each band, the highest first.

        Triangles of height 1 over the mel scale, each from the middle of the band
        below to that of the band above, as HTK has them.

        Returns:
            float64 [bands, transform / 2 + 1].
        """
        ends = mel(np.array([self.lowest, self.highest]))
        corners = np.linspace(*ends, self.bands + 2)[:, None]
        bins = np.arange(self.transform // 2 + 1) * (self.rate / self.transform)
        place, width = mel(bins)[None], corners[1] - corners[0]
        return np.maximum(0, 1 - np.abs(place - corners[1:-1]) / width)[::-1]


def mel(frequency):
    """Frequency in Hz to mel (O'Shaughnessy 1987, as in HTK): 1000 Hz are 1000 mel.

    Args:
        frequency: float or array.

    Example:
        >>> round(float(mel(1000)), 2)
        999.99
    """
    return 2595 * np.log10(1 + np.asarray(frequency) / 700)
