"""Clips hidden in long background: temporal windows find them, the mean does not."""

import numpy as np
import pytest
import untrimmed
from commands import fuse

from tsn_keras import eval
from tsn_keras.scores import score_file, windows


@pytest.mark.slow
def test_windows_beat_the_mean_by_a_clear_margin(tmp_path):
    """Of 12 videos of 48 seconds, each with three clips of two seconds.

    The network is the same, and so are its scores: only the way over time differs.
    """
    labels = untrimmed.make(tmp_path)
    untrimmed.make_weights(tmp_path / "rgb.weights.h5")
    path = str(tmp_path / "s.h5")
    result, status = eval.main(
        [
            *("--dataset", "list", "--annotations", str(tmp_path / "list.txt")),
            *("--data", str(tmp_path / "data"), "--modality", "rgb", "--crops", "1"),
            *("--weights", str(tmp_path / "rgb.weights.h5"), "--batch", "24"),
            *("--every", str(untrimmed.RATE), "--over-time", "windows"),
            *("--scores", path),
        ]
    )
    assert status == 0
    top1 = {"windows": result["results"][0]["top1"]}
    for way in ("mean", "windows_paper"):
        top1[way] = fuse.main([path, "--over-time", way])[0]["results"][0]["top1"]
    # Measured: 11 of 12 videos right with the windows, by both rules, and 6 with the
    # mean.
    assert top1["windows"] >= 90
    assert top1["windows_paper"] >= 90
    assert top1["mean"] <= 60
    with score_file.ScoreFile(path) as file:
        scores = [file.read(name) for name in file.video_ids]
    assert {one.shape for one in scores} == {(untrimmed.SECONDS, 1, 4)}
    for way, function in (("windows", windows.mtwi), ("mean", windows.mean)):
        right = [function(one).argmax() for one in scores] == np.array(labels)
        assert top1[way] == pytest.approx(100 * right.mean())
