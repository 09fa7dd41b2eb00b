"""The same training file twice: the same numbers, bit for bit."""

import csv
import os
import pathlib
import subprocess
import sys

import clips
import pytest

ROOT = pathlib.Path(__file__).parents[1]
pytestmark = pytest.mark.slow
FILE = """
[data]
dataset = "folders"
holdout = 0.25
root = {root}

[model]
width = 0.1
dropout = 0.5

[train]
batch = 4
device_batch = 2
iterations = {updates}
base_lr = 0.01
"""


@pytest.mark.parametrize(("precision", "updates"), [("float32", 50), ("bfloat16", 15)])
def test_losses_of_many_updates(tmp_path, precision, updates):
    """With two sub-batches, dropout, a trainable norm, clipping and every layer."""
    for label, name in enumerate(("jump", "run", "walk")):
        for number in range(4):
            folder = tmp_path / "frames" / name / f"{name}_{number}"
            clips.make_video(folder, 8 + number, 10 * label + number)
    file = tmp_path / "run.toml"
    file.write_text(FILE.format(root=f'"{tmp_path / "frames"}"', updates=updates))
    losses = []
    for out in ("first", "second"):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tsn_keras.train", "--config", str(file)),
                *("--out", str(tmp_path / out), "--precision", precision),
            ],
            cwd=ROOT,
            env={**os.environ, "TF_DETERMINISTIC_OPS": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        with (tmp_path / out / "log.csv").open(newline="") as log:
            losses.append([row["loss"] for row in csv.DictReader(log)])
    assert len(losses[0]) == updates
    assert len(set(losses[0])) > updates / 2
    assert losses[0] == losses[1]
