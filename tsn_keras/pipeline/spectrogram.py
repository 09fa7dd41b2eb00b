"""Log-mel spectrograms: pictures of the sound around moments.

The only arithmetic of sound: training, tests and predictions all take it, on the
processor, and what stays are bytes.
"""

import functools

import numpy as np
import scipy.fft
import scipy.sparse


def picture(samples, spectrogram):
    """The picture of some sound.

    Args:
        samples: int16 or float [spectrogram.samples], the moment of the picture at
            `spectrogram.before`; of int16 2**15 is full scale, of float 1.
        spectrogram: protocols.spectrograms.Spectrogram.

    Returns:
        uint8 [bands, columns, windows]: 0 is `quietest` decibels or less, 255 the level
        of a full-scale sine; a step is 0.31 dB, less than anybody hears.
    """
    samples = np.asarray(samples)
    scale = np.float32(2**15 if samples.dtype == np.int16 else 1)
    samples = samples.astype(np.float32) / scale
    planes = [levels(samples, window, spectrogram) for window in spectrogram.windows]
    pixels = 255 * (1 - np.stack(planes, axis=-1) / spectrogram.quietest)
    return np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)


def levels(samples, window, spectrogram):
    """Decibels of each band at each time.

    A full-scale sine in the middle of a band has 0, whatever the window. The power of
    `quietest` is added before the logarithm, so that silence is a number.

    Args:
        samples: float32 [spectrogram.samples], 1 full scale.
        window: samples of the analysis window, a Hann window.
        spectrogram: see `picture`.

    Returns:
        float32 [bands, columns], at least `quietest`.
    """
    shape = spectrogram
    first = (shape.transform - window) // 2  # All windows have the same middles.
    cut = np.lib.stride_tricks.sliding_window_view(samples[first:], window)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi / window * np.arange(window))
    # A sine of amplitude 1 has half of its window's sum at its frequency.
    hann = (hann / (hann.sum() / 2)).astype(np.float32)
    # In float32, whose rounding is some 1e-14 of the power, far below `quietest`.
    waves = scipy.fft.rfft(cut[:: shape.hop][: shape.columns] * hann, shape.transform)
    power = _bank(shape) @ (np.square(waves.real) + np.square(waves.imag)).T
    return 10 * np.log10(power + np.float32(10 ** (shape.quietest / 10)))


@functools.cache
def _bank(spectrogram):
    """The bank without its zeros: a frequency is in two bands at most.

    A product of full matrices would take all cores from those who train.
    """
    return scipy.sparse.csr_array(spectrogram.bank.astype(np.float32))
