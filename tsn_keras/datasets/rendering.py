"""Draws the clips of the demo data set.

The flow is the generator's own, exact; TV-L1 takes 0.4 s a pair, ten minutes
for the test videos.
"""

import concurrent.futures
import functools
import pathlib
import shutil
import uuid
import zlib

import numpy as np

from tsn_keras.common import files
from tsn_keras.common.cores import cores
from tsn_keras.flow.quantiser import quantise
from tsn_keras.video import jpeg

HEIGHT, WIDTH = 256, 340

# Two test videos are too short for 25 distinct snippets.
_SHORT = {"checks_up_test03": 12, "dots_out_test03": 20}


def prepare(root, videos, progress=None, fill=None):
    """Makes the files of those videos that are not there yet.

    Files are `root/CLASS/VIDEO/{img,flow_x,flow_y}_%05d.jpg`, as the original
    numbers them: img k is frame k + 1, flow k goes from frame k to k + 1. A
    folder appears when it is complete.

    Args:
        root: folder to make them in.
        videos: Video of `demo.split()`, or of another demo.
        progress: called without arguments for each video that is there.
        fill: function of (new folder, Video) that writes the files; None: those of
            `demo`.
    """
    root = pathlib.Path(root)
    with concurrent.futures.ThreadPoolExecutor(cores()) as pool:
        made = pool.map(functools.partial(_make, root, fill or _draw), videos)
        for _ in made:
            if progress is not None:
                progress()


def _make(root, fill, video):
    folder = root / video.folder / video.id
    if not folder.is_dir():
        with files.writing(folder):
            _put(root, folder, functools.partial(fill, video=video))


def _draw(folder, video):
    """Writes the frame and flow files of a video of the demo."""
    frames, flow = render(video.id)
    for number, (frame, motion) in enumerate(zip(frames, flow, strict=True), 1):
        jpeg.write(folder / f"img_{number:05d}.jpg", frame)
        jpeg.write(folder / f"flow_x_{number:05d}.jpg", quantise(motion[..., 0]))
        jpeg.write(folder / f"flow_y_{number:05d}.jpg", quantise(motion[..., 1]))


def _put(root, folder, fill):
    """Fills a folder aside, and renames it into place."""
    aside = root / f".{uuid.uuid4().hex}"
    aside.mkdir(parents=True)
    try:
        fill(aside)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            aside.rename(folder)
        except OSError:
            # Another run made the same video meanwhile.
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def render(video_id):
    """Renders a video.

    Args:
        video_id: id of a video of `demo.split()`.

    Returns:
        (iterator of uint8 [256, 340, 3], B, G, R: frames 2, 3, ...; iterator of
        float [256, 340, 2], x and y pixels: flow to each from the one before)
    """
    texture, motion, number = video_id.split("_")
    # The same appearances for all motions: no frame can tell the motion.
    look = _Look(texture, seeded(texture, number))
    speed = seeded(video_id)
    count = _SHORT.get(video_id, int(speed.integers(29, 46)))
    pixels = speed.uniform(1, 3)  # a frame, of a translation
    growth = speed.uniform(1.004, 1.01)  # a frame, of a zoom
    zoom = {"in": growth, "out": 1 / growth}.get(motion, 1.0)
    shift = {"down": pixels, "up": -pixels}.get(motion, 0.0)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    # From the centre, the fixed point of a zoom.
    y, x = y - (HEIGHT - 1) / 2, x - (WIDTH - 1) / 2
    # A point p moves to zoom * p + shift.
    flow = np.stack([(zoom - 1) * x, (zoom - 1) * y + shift], axis=-1)

    def frame(time):
        # Half-way through, every clip has its look's own scale.
        scale = zoom ** (time - count / 2)
        return look.draw(x / scale, (y - shift * time) / scale)

    return (frame(time) for time in range(1, count + 1)), (flow for _ in range(count))


def seeded(*words):
    """A generator seeded by words, the same everywhere."""
    return np.random.default_rng(zlib.crc32("|".join(words).encode()))


class _Look:
    """A texture with its scale, angle, phases and colours."""

    def __init__(self, texture, random):
        self.texture = texture
        period = np.exp(random.uniform(np.log(20), np.log(60)))  # pixels
        angle = random.uniform(0, 2 * np.pi)
        self.axes = 2 * np.pi / period * _turned(angle)
        self.phases = random.uniform(0, 2 * np.pi, 2)
        # Noise is a sum of waves of any direction.
        angles = random.uniform(0, 2 * np.pi, 12)
        lengths = random.uniform(0.6, 1.4, 12)
        self.waves = 2 * np.pi / period * lengths[:, None] * _turned(angles)[0].T
        self.wave_phases = random.uniform(0, 2 * np.pi, 12)
        # Two colours of enough contrast.
        dark, light = random.uniform(10, 100, 3), random.uniform(150, 245, 3)
        self.colours = (dark, light) if random.random() < 0.5 else (light, dark)

    def draw(self, x, y):
        """Image at points [H, W] of the plane, uint8 [H, W, 3]."""
        mix = (0.5 + 0.5 * self._value(x, y))[..., None]
        image = (1 - mix) * self.colours[0] + mix * self.colours[1]
        return np.rint(image).astype(np.uint8)

    def _value(self, x, y):
        if self.texture == "noise":
            total = sum(
                np.sin(a * x + b * y + phase)
                for (a, b), phase in zip(self.waves, self.wave_phases, strict=True)
            )
            return np.tanh(total / 2)
        (a, b), (c, d) = self.axes
        u = a * x + b * y + self.phases[0]
        v = c * x + d * y + self.phases[1]
        # tanh: edges a few pixels wide, so that moving them does not flicker.
        if self.texture == "stripes":
            return np.tanh(4 * np.sin(u))
        if self.texture == "checks":
            return np.tanh(4 * np.sin(u) * np.sin(v))
        return np.tanh(4 * (np.cos(u) + np.cos(v) - 0.8))  # dots


def _turned(angle):
    """Two perpendicular unit vectors; for angles [n] each is [2, n]."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, sin], [-sin, cos]])
