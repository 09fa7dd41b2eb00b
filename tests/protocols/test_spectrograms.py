"""The mel filter bank beside values that were computed by hand from HTK's formula."""

import math

import numpy as np
import pytest

from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import SOUND
from tsn_keras.protocols.records import Normalisation, Stream
from tsn_keras.protocols.spectrograms import Spectrogram, mel
from tsn_keras.video import sound

SMALL = Spectrogram(bands=3, lowest=0.0, highest=4000.0, windows=(4, 8), rate=8000)


@pytest.mark.parametrize(
    ("hertz", "expected"),
    # 2595 * log10(1 + f / 700): log10(2) = 0.301029996, log10(10) = 1.
    [(0, 0), (700, 781.1728387), (6300, 2595), (1000, 999.9855371)],
)
def test_mel(hertz, expected):
    assert float(mel(hertz)) == pytest.approx(expected, abs=1e-6)


def test_bank_by_hand():
    # mel(4000) = 2595 log10(4700 / 700) = 2146.064: corners at 0, 536.516, 1073.032,
    # 1609.548. Bins at 0, 1000, 2000, 3000, 4000 Hz are at 0, 999.986, 1521.360,
    # 1876.455, 2146.064 mel. Weight: 1 - |bin - corner| / 536.516.
    expected = [
        [0, 0, 0.83563, 0.50252, 0],  # The highest band first.
        [0, 0.86385, 0.16437, 0, 0],
        [0, 0.13615, 0, 0, 0],
    ]
    np.testing.assert_allclose(SMALL.bank, expected, atol=2e-5)


def by_loops(shape):
    """HTK's bank, band by band and bin by bin, without arrays."""
    low, high = (2595 * math.log10(1 + f / 700) for f in (shape.lowest, shape.highest))
    step = (high - low) / (shape.bands + 1)
    rows = []
    for band in reversed(range(shape.bands)):
        left, middle, right = (low + (band + k) * step for k in range(3))
        row = []
        for number in range(shape.transform // 2 + 1):
            place = 2595 * math.log10(1 + number * shape.rate / shape.transform / 700)
            if left < place <= middle:
                row.append((place - left) / step)
            elif middle < place < right:
                row.append((right - place) / step)
            else:
                row.append(0.0)
        rows.append(row)
    return rows


def test_bank_of_sound():
    bank = SOUND.spectrogram.bank
    np.testing.assert_allclose(bank, by_loops(SOUND.spectrogram), atol=1e-9)
    # No band is empty, or has but the edge of a triangle.
    assert (bank > 0).sum(axis=1).min() >= 3
    assert bank.max(axis=1).min() > 0.8
    # Between the middles of the outer bands every frequency counts once.
    sums = bank.sum(axis=0)[10:450]
    np.testing.assert_allclose(sums, 1, atol=1e-9)


def test_constants_agree_with_what_is_stored():
    shape = SOUND.spectrogram
    assert shape.rate == sound.RATE
    assert shape.highest <= shape.rate / 2
    assert shape.hop < min(shape.windows)
    assert SOUND.step_planes == SOUND.channels == len(shape.windows)
    assert shape.columns * shape.hop / shape.rate == pytest.approx(2.24)


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_every_protocol_feeds_sound_as_a_grey_picture(name):
    stream = Stream(SOUND, PROTOCOLS[name])
    colours = PROTOCOLS[name].normalisation["image"]
    assert stream.is_normalised
    assert stream.normalisation.mean == pytest.approx((np.mean(colours.mean),))
    assert stream.normalisation.scale == colours.scale
    assert (stream.test.crops.count, stream.test.side) == (1, None)
    assert stream.test.snippets == PROTOCOLS[name].test.snippets


def test_grey():
    grey = Normalisation((104.0, 117.0, 124.0), (1.0, 2.0, 3.0), 255.0).grey
    assert grey == Normalisation((115.0,), (2.0,), 255.0)
