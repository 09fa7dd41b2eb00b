"""Renders the clips of the demo data set of sound."""

import pathlib

import numpy as np

from tsn_keras.common import files
from tsn_keras.datasets.rendering import HEIGHT, WIDTH, seeded
from tsn_keras.video import jpeg, sound

SECONDS, FRAME_RATE = 3, 8


def render(video_id):
    """Renders the sound of a clip.

    Args:
        video_id: id of a video of the data set.

    Returns:
        float64 [samples], 1 full scale, at sound.RATE.
    """
    random = seeded(video_id)
    time = np.arange(SECONDS * sound.RATE) / sound.RATE
    kind = video_id.rpartition("_")[0]
    # Hz; over two octaves, so that pitch tells no class.
    pitch = np.exp(random.uniform(np.log(400), np.log(1600)))
    turns = random.uniform(2, 4)  # a second
    noise = random.normal(0, 1, len(time))
    made = _KINDS[kind](time, pitch, turns, noise)
    loudness = 10 ** random.uniform(-1.2, -0.4)
    return np.clip(loudness * (made + 0.01 * noise), -1, 1)


def _sweep(time, pitch, turns, direction):
    """A tone that glides over two octaves, again and again."""
    octaves = direction * (2 * (time * turns % 1) - 1)
    return np.sin(2 * np.pi * np.cumsum(pitch * 2**octaves) / sound.RATE)


def _warble(time, pitch, turns, _):
    octaves = 0.5 * np.sin(2 * np.pi * turns * time)
    return np.sin(2 * np.pi * np.cumsum(pitch * 2**octaves) / sound.RATE)


_KINDS = {
    "chirp_down": lambda time, pitch, turns, _: _sweep(time, pitch, turns, -1),
    "chirp_up": lambda time, pitch, turns, _: _sweep(time, pitch, turns, 1),
    # Noise of some milliseconds, several times a second.
    "clicks": lambda time, _, turns, noise: noise * (3 * turns * time % 1 < 0.05),
    "noise": lambda _, __, ___, noise: 0.3 * noise,
    "tone": lambda time, pitch, _, __: np.sin(2 * np.pi * pitch * time),
    "warble": _warble,
}


def fill(folder, video):
    """Writes the files of a clip into a new folder."""
    folder = pathlib.Path(folder)
    grey = jpeg.encode(np.full((HEIGHT, WIDTH, 3), 128, np.uint8))
    # Without the first frame, as an extraction.
    for number in range(1, SECONDS * FRAME_RATE):
        (folder / f"img_{number:05d}.jpg").write_bytes(grey)
    samples = np.rint(render(video.id) * 32767).astype(np.int16)
    seconds = np.split(samples, SECONDS)
    with files.writing(folder / sound.NAME):
        sound.write(folder / sound.NAME, seconds, FRAME_RATE)
