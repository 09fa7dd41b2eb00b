"""Scores that MMAction2 prints for its own demo video, with its own weights.

    TSN_KERAS_DATA=DIR TSN_KERAS_WEIGHTS=DIR python -m pytest tests/published

DIR of the data holds demo.mp4, which is in demo/ of MMAction2.
"""

import hashlib
import os
import pathlib

import numpy as np
import pytest

from tsn_keras.checkpoints import folders
from tsn_keras.checkpoints.presets import PRESETS
from tsn_keras.prediction.predictor import Predictor
from tsn_keras.prediction.settings import Settings
from tsn_keras.protocols.overrides import UNCHANGED, Override

VIDEO = "071e60535eaf"  # begins the video's SHA-256

# 2e-4 of the largest score, 29.6, as of all whole tests. The printed figures have six
# digits or more.
TOLERANCE = 2e-4 * 29.6

# Preset, test, and what is printed: raw scores where the best is above 1, else
# probabilities.
EXAMPLES = {
    # 0.x demo/demo.ipynb.
    "raw": (
        "tsn_r50_1x1x3_100e_kinetics400_rgb",
        UNCHANGED,
        {
            "arm wrestling": 29.61644,
            "rock scissors paper": 10.754839,
            "shaking hands": 9.9084,
            "clapping": 9.189912,
            "massaging feet": 8.305307,
        },
    ),
    # 1.x demo/mmaction2_tutorial.ipynb, cell 10.
    "probabilities": (
        "tsn_r50_1x1x3_100e_kinetics400_rgb",
        UNCHANGED,
        {
            "arm wrestling": 1.0,
            "rock scissors paper": 6.434453e-09,
            "shaking hands": 2.759986e-09,
            "clapping": 1.345461e-09,
            "massaging feet": 5.555101e-10,
        },
    ),
    # 1.x demo/demo.ipynb, demo/demo_configs/tsn_r50_1x1x8_video_infer.py.
    "8 snippets": (
        "tsn_imagenet-pretrained-r50_8xb32-1x1x8-100e_kinetics400-rgb",
        Override(snippets=8, crops=1),
        {
            "arm wrestling": 1.0,
            "rock scissors paper": 1.698846e-15,
            "massaging feet": 5.157997e-16,
            "stretching leg": 1.018867e-16,
            "bench pressing": 7.110452e-17,
        },
    ),
}


@pytest.fixture
def video():
    path = pathlib.Path(os.environ.get("TSN_KERAS_DATA", "."), "demo.mp4")
    if not path.is_file():
        pytest.skip("needs MMAction2's demo/demo.mp4 in TSN_KERAS_DATA")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest.startswith(VIDEO), f"{path} is another video"
    return path


@pytest.mark.published
@pytest.mark.parametrize("example", EXAMPLES)
def test_scores_are_those_printed(example, video):
    name, override, printed = EXAMPLES[example]
    if folders.find(PRESETS[name]) is None:
        pytest.skip(f"needs {PRESETS[name].file} in TSN_KERAS_WEIGHTS")
    found = Predictor([name], Settings(override=override)).predict(video)
    assert [row.name for row in found.top(5)] == list(printed)
    raw = found.scores["rgb"].mean(axis=(0, 1))[[row.label for row in found.top(5)]]
    expected = np.array(list(printed.values()))
    if expected[0] == 1:
        # Differences of raw scores are logarithms of ratios.
        raw, expected = raw - raw[0], np.log(expected)
    np.testing.assert_allclose(raw, expected, rtol=0, atol=TOLERANCE)
