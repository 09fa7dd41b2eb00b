"""Decoded sound to mono samples of one rate, at their place in time."""

import av
import numpy as np

from tsn_keras.video import decode

RATE = 16_000  # samples a second
MOST_SECONDS = 24 * 3600
# Containers tell times to the millisecond at best; a tenth of a second between sound
# and picture is heard.
_GAP = 0.1


class Placed:
    """Brings decoded sound to RATE, and to its place in time.

    Args:
        path: of the file, for messages.
    """

    def __init__(self, path):
        self._path, self._resampler, self._rate = path, None, None
        self._made = self._skip = 0  # samples at RATE: made, and to be dropped first
        self._clock = None  # second at which the next frame is due

    def blocks(self, frames):
        """Yields int16 [n], n up to about RATE.

        Args:
            frames: (second after the first frame of the video, or None; float32
                [samples]; samples a second) of each frame of sound.

        Raises:
            decode.VideoError: the sound is longer than MOST_SECONDS.
        """
        for time, samples, rate in frames:
            if self._made > MOST_SECONDS * RATE:
                raise decode.VideoError(self._too_long)
            if rate != self._rate:
                yield from self._flushed()
                self._rate = rate
                self._renew()
            yield from self._gap(time)
            self._clock = (self._clock or 0.0) + len(samples) / rate
            # A second at a time: a frame may hold all of a file.
            for first in range(0, len(samples), rate):
                yield from self._resampled(samples[first : first + rate])
        yield from self._flushed()

    def _gap(self, time):
        """Silence up to a frame that is later than due."""
        if self._clock is None:
            self._clock = time or 0.0
            # What is heard before the first frame is left out.
            self._skip = max(0, round(-self._clock * RATE))
            wanted = self._clock
        elif time is not None and time - self._clock > _GAP:
            yield from self._flushed()
            self._renew()
            wanted = self._clock = time
        else:
            return
        if wanted > MOST_SECONDS:
            raise decode.VideoError(self._too_long)
        missing = round(wanted * RATE) - self._made
        while missing > 0:
            block = np.zeros(min(missing, RATE), np.int16)
            missing -= len(block)
            yield from self._kept(block)

    def _renew(self):
        if self._rate != RATE:
            self._resampler = av.AudioResampler("s16", "mono", RATE)

    def _resampled(self, samples):
        if self._resampler is None:
            whole = np.rint(samples * np.float32(2**15))
            yield from self._kept(np.clip(whole, -(2**15), 2**15 - 1).astype(np.int16))
            return
        frame = av.AudioFrame.from_ndarray(samples[None], "fltp", "mono")
        frame.sample_rate = self._rate
        for one in self._resampler.resample(frame):
            yield from self._kept(one.to_ndarray()[0])

    def _flushed(self):
        if self._resampler is not None:
            for one in self._resampler.resample(None):
                yield from self._kept(one.to_ndarray()[0])
            self._resampler = None

    def _kept(self, block):
        dropped = min(self._skip, len(block))
        self._skip -= dropped
        if dropped < len(block):
            self._made += len(block) - dropped
            yield block[dropped:]

    @property
    def _too_long(self):
        hours = MOST_SECONDS // 3600
        return f"{self._path} says that its sound is longer than {hours} hours"


# Sample formats of FFmpeg: (what is subtracted, what full scale is).
_SCALES = {"u8": (128, 128), "s16": (0, 2**15), "s32": (0, 2**31), "s64": (0, 2**63)}


def mono(frame):
    """The mean of the channels of an av.AudioFrame: float32 [samples], 1 full scale."""
    values, channels = frame.to_ndarray(), frame.layout.nb_channels
    if not frame.format.is_planar:
        values = values.reshape(-1, channels).T
    middle, scale = _SCALES.get(frame.format.packed.name, (0, 1))
    values = (values.astype(np.float64) - middle) / scale
    # Floats may be louder than full scale, damaged ones not finite.
    return np.clip(np.nan_to_num(values), -1, 1).mean(axis=0).astype(np.float32)
