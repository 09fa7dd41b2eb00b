"""Pictures of sound: levels, places, silence, and a plain Fourier transform."""

import numpy as np
import pytest

from tsn_keras.pipeline import spectrogram
from tsn_keras.protocols.modalities import SOUND
from tsn_keras.protocols.spectrograms import Spectrogram, mel

SHAPE = SOUND.spectrogram
SMALL = Spectrogram(windows=(16, 32), hop=8, columns=5, bands=4, lowest=0.0)


def plain(samples, window, shape):
    """The same in float64, sum by sum."""
    rows = np.zeros((shape.bands, shape.columns))
    for column in range(shape.columns):
        middle = column * shape.hop + shape.transform // 2
        part = samples[middle - window // 2 : middle + window // 2]
        hann = [np.sin(np.pi * n / window) ** 2 for n in range(window)]
        for band in range(shape.bands):
            power = 0.0
            for k in range(shape.transform // 2 + 1):
                angle = -2j * np.pi * k / shape.transform
                wave = sum(
                    h * x * np.exp(angle * n)
                    for n, (h, x) in enumerate(zip(hann, part, strict=True))
                )
                power += shape.bank[band, k] * abs(wave / (sum(hann) / 2)) ** 2
            rows[band, column] = 10 * np.log10(power + 1e-8)
    return rows


def test_beside_a_plain_transform():
    samples = np.random.default_rng(0).uniform(-1, 1, SMALL.samples).astype(np.float32)
    for window in SMALL.windows:
        found = spectrogram.levels(samples, window, SMALL)
        # Sums of 32 products in float32; 1e-4 dB is a 3000th of a pixel.
        np.testing.assert_allclose(found, plain(samples, window, SMALL), atol=1e-4)


def middle_of(band):
    """Hz in the middle of a row of the picture."""
    low, high = mel(SHAPE.lowest), mel(SHAPE.highest)
    place = low + (high - low) * (SHAPE.bands - band) / (SHAPE.bands + 1)
    return 700 * (10 ** (place / 2595) - 1)


@pytest.mark.parametrize("band", [10, 30, 50])
def test_a_full_sine_is_255_in_its_band_whatever_the_window(band):
    time = np.arange(SHAPE.samples) / SHAPE.rate
    picture = spectrogram.picture(np.sin(2 * np.pi * middle_of(band) * time), SHAPE)
    assert picture.shape == (64, 224, 3)
    assert picture.dtype == np.uint8
    for plane in range(3):
        rows = picture[..., plane].mean(axis=1)
        # A short window spreads over neighbours: their sum is the tone's level or more.
        assert rows[band] > 250
        assert abs(int(rows.argmax()) - band) <= 1
    # 20 dB less are 63.75 pixels.
    quiet = spectrogram.picture(0.1 * np.sin(2 * np.pi * middle_of(band) * time), SHAPE)
    difference = picture[band, :, 2].astype(float) - quiet[band, :, 2]
    assert difference.mean() == pytest.approx(63.75, abs=5)


def test_silence_is_0_and_int16_is_as_float():
    assert not spectrogram.picture(np.zeros(SHAPE.samples, np.int16), SHAPE).any()
    samples = np.random.default_rng(1).normal(0, 3000, SHAPE.samples).astype(np.int16)
    np.testing.assert_array_equal(
        spectrogram.picture(samples, SHAPE),
        spectrogram.picture(samples / 2.0**15, SHAPE),
    )


def test_a_click_is_where_it_is_heard():
    samples = np.zeros(SHAPE.samples, np.int16)
    samples[SHAPE.before] = 32767  # the moment of the picture
    picture = spectrogram.picture(samples, SHAPE)
    for plane, window in enumerate(SHAPE.windows):
        heard = np.flatnonzero(picture[..., plane].any(axis=0))
        # The middle lies between columns 111 and 112.
        assert heard[0] + heard[-1] == 223
        assert len(heard) <= window / SHAPE.hop + 1
