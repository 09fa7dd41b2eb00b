"""Untrimmed videos: clips of the demo hidden in long background, and a network.

The background of a video looks a little like another class, all the time, as scenes of
untrimmed videos do: a weak still of another texture, over which the camera pans. The
clips of its own class are short and few.
"""

import itertools
import os

import keras
import numpy as np

import tsn_keras
from tsn_keras.checkpoints import keras_file
from tsn_keras.datasets import demo, rendering
from tsn_keras.video import jpeg

SECONDS, RATE = 48, 2  # files a second
STARTS, LENGTH = (9, 25, 40), 2  # seconds of the clips
CONTRAST = 0.18  # of the background, beside that of the clips
EMPTY = (0.02, 0.1)  # the same, of scenes that show nothing
WIDTH = 0.125  # of the demo's networks
LOOKS = 4  # different files of the background
VIDEOS = ("test01", "test02", "test04")  # of each texture; no short one


def make(root):
    """Writes frame folders in `root/data` and `root/list.txt`.

    Returns:
        labels of the videos: places in demo.TEXTURES.
    """
    lines = []
    for label, texture in enumerate(demo.TEXTURES):
        for number, name in enumerate(VIDEOS):
            other = demo.TEXTURES[(label + 1 + number) % len(demo.TEXTURES)]
            folder = f"{texture}_{name}"
            _fill(root / "data" / folder, f"{texture}_up_{name}", (other, name))
            lines.append(f"{folder} {SECONDS * RATE} {label}\n")
    (root / "list.txt").write_text("".join(lines))
    return [int(line.split()[-1]) for line in lines]


def _fill(folder, clip, look):
    """A video: links to the few different files that it has."""
    folder.mkdir(parents=True)
    background = [folder / f"b{k}.jpg" for k in range(LOOKS)]
    for number, path in enumerate(background):
        jpeg.write(path, weak(*look, CONTRAST, 5 * number))
    frames, _ = rendering.render(clip)
    shown = [folder / f"c{k}.jpg" for k in range(LENGTH * RATE)]
    for path, frame in zip(shown, frames, strict=False):
        jpeg.write(path, frame)
    files = list(itertools.islice(itertools.cycle(background), SECONDS * RATE))
    for start in STARTS:
        files[start * RATE : (start + LENGTH) * RATE] = shown
    for number, path in enumerate(files, 1):
        os.link(path, folder / f"img_{number:05d}.jpg")
    for path in (*background, *shown):
        path.unlink()


def weak(texture, name, contrast, shift=0):
    """An image of a texture with less contrast, uint8 [256, 340, 3]."""
    look = rendering._Look(texture, rendering.seeded(texture, name))
    y, x = np.mgrid[: rendering.HEIGHT, : rendering.WIDTH].astype(float)
    image = look.draw(x + shift, y)
    mean = image.mean(axis=(0, 1))
    return np.rint(mean + contrast * (image - mean)).astype(np.uint8)


def make_weights(path):
    """Writes a network that scores textures, and nearly nothing on empty scenes.

    That of the demo with another last layer: ridge regression of its features of images
    of the demo's training videos and of empty scenes, on 1 for the texture and 0.
    """
    model = tsn_keras.load("demo_rgb", classes=len(demo.TEXTURES))
    head = model.get_layer("fc-action")
    names = [f"train{number:02d}" for number in range(1, 13)]
    shown = [weak(t, name, 1.0) for t in demo.TEXTURES for name in names]
    empty = [
        weak(t, name, c) for t in demo.TEXTURES for name in names[:6] for c in EMPTY
    ]
    one = np.repeat(np.eye(len(demo.TEXTURES)), len(names), axis=0)
    targets = np.concatenate([one - one.mean(0), np.zeros((len(empty), one.shape[1]))])
    pixels = np.stack(shown + empty)[:, 16:240, 58:282]
    network = keras.Model(model.input, head.input)
    inputs = keras.ops.convert_to_numpy(tsn_keras.Preprocessing()(pixels))
    features = network.predict(inputs, batch_size=24, verbose=0)
    mean = features.mean(axis=0)
    squares = (features - mean).T @ (features - mean) + np.eye(len(mean))
    kernel = np.linalg.solve(squares, (features - mean).T @ targets)
    head.set_weights([kernel, targets.mean(axis=0) - mean @ kernel])
    keras_file.save(model, path, {"width": WIDTH, "class_names": demo.TEXTURES})
