"""Videos and weights of a small network for tests of work that machines share."""

import clips
import keras
import numpy as np
import pytest
import small_network

from tsn_keras import eval
from tsn_keras.checkpoints import keras_file
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.scores import score_file

SNIPPETS, CROPS = 25, 10
FEW = 5  # snippets, where it does not matter how many there are


def make(root, counts):
    """Makes videos a, b, c, ... and weights that tell them apart.

    Returns:
        the arguments of `tsn_keras.eval` that score them by RGB.
    """
    for number, count in enumerate(counts):
        clips.make_video(root / "data" / f"v{number:02d}", count, number)
    lines = [f"v{n:02d} {count} {n % 3}" for n, count in enumerate(counts)]
    (root / "list.txt").write_text("\n".join(lines))
    keras.utils.set_random_seed(1)
    model = small_network.build((224, 224, 3), len(small_network.CLASSES))
    about = {"backbone": small_network.SMALL.name, "modality": "rgb"}
    keras_file.save(model, root / "rgb.weights.h5", about)
    return [
        *("--dataset", "list", "--annotations", str(root / "list.txt")),
        *("--data", str(root / "data"), "--scores", str(root / "s.h5")),
        *("--weights", str(root / "rgb.weights.h5"), "--modality", "rgb"),
    ]


def prepared(root, counts, *more):
    """(folder, arguments of `make` and more, scores of one process)."""
    argv = [*make(root, counts), *more]
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(BACKBONES, small_network.SMALL.name, small_network.SMALL)
        assert eval.main([*argv, "--scores", str(root / "whole.h5")])[1] == 0
    return root, argv, read(root / "whole.h5")


def read(path):
    """{video id: raw scores} of a score file."""
    with score_file.ScoreFile(path) as file:
        return {video: file.read(video) for video in file.video_ids}


def demand_equal(found, expected):
    """Demands the same videos in the same order, and equal bits."""
    assert list(found) == list(expected)
    for video, scores in expected.items():
        assert scores.shape[:2] in ((SNIPPETS, CROPS), (FEW, CROPS))
        assert scores.std() > 0
        np.testing.assert_array_equal(found[video], scores)
