"""The files that a training run tells its figures in."""

import csv

import pytest

from tsn_keras.common import files
from tsn_keras.training.log import Log


def step(number):
    return {"iteration": number, "loss": 1.5, "learning_rate": 0.1, "videos_per_s": 2.0}


@pytest.mark.parametrize("name", ["log.csv", "tensorboard"])
def test_a_disk_that_fills_up(small_disk, monkeypatch, name):
    """The file is named, rows are whole, and the log can be closed."""
    small_disk.leave(100)
    log = Log(small_disk.path, 0)
    log.step(**step(1))
    small_disk.leave(0)
    monkeypatch.setattr(log, "_tell" if name == "log.csv" else "_append", lambda *_: 0)

    def steps():
        for number in range(2, 3000):
            log.step(**step(number))

    with pytest.raises(files.DiskFullError) as caught:
        steps()
    path = small_disk.path / name
    assert str(caught.value) == f"cannot write {path}: {files.NO_SPACE}"
    log.close()
    text = (small_disk.path / "log.csv").read_text()
    assert text.endswith("\n")
    rows = list(csv.DictReader(text.splitlines()))
    assert [int(row["iteration"]) for row in rows] == list(range(1, len(rows) + 1))
    assert all(float(row["videos_per_s"]) == 2 for row in rows)
