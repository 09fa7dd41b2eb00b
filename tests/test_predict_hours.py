"""Hours of video through `predict`: memory does not grow with them."""

import json
import os
import pathlib
import sys

import processes
import pytest
import small_network
import videofiles

from tsn_keras.checkpoints import keras_file

SCRIPT = pathlib.Path(__file__).parent / "support" / "long_video.py"
CLASSES = 400


def make(path, seconds):
    """A video of one frame a second: four pictures that take turns."""
    pictures = [videofiles.picture(10 * k, (64, 48)) for k in range(4)]
    frames = [pictures[k // 40 % 4] for k in range(seconds)]
    times = [1000 * k for k in range(seconds)]
    options = {"g": "250", "preset": "ultrafast"}
    return videofiles.make(path, frames, "libx264", times=times, encoder=options)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_hours(tmp_path):
    """Five minutes, and then two hours: 7,500 snippets of 400 classes."""
    network = small_network.build((224, 224, 3), CLASSES)
    about = {"backbone": small_network.SMALL.name, "protocol": "caffe"}
    weights = tmp_path / "w.weights.h5"
    keras_file.save(network, weights, about)
    videos = make(tmp_path / "short.mp4", 300), make(tmp_path / "long.mp4", 7500)
    done = processes.run(
        [sys.executable, str(SCRIPT), str(weights), *map(str, videos)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parents[2])},
    )
    rows = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(rows) == 2, done.stderr
    short, long = map(json.loads, rows)
    assert (short["snippets"], long["snippets"]) == (299, 7499)
    assert short["status"] == long["status"] == 0
    assert long["memory"] < 2048
    # Scores of a snippet take 400 float32 in each of some five arrays. An image of the
    # network's input alone would take 260 kB a snippet, all crops 16 kB.
    grown = (long["memory"] - short["memory"]) * 2**20
    assert grown < 7200 * (6 * 4 * CLASSES) + 32 * 2**20
    assert (tmp_path / "long.html").stat().st_size < 2 * 2**20
