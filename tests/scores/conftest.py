"""What tests of score files share."""

import pytest
from scorefiles import IDS, array

from tsn_keras.scores import score_file
from tsn_keras.scores.score_file import VideoScores


@pytest.fixture
def write(tmp_path):
    def write(name="scores.h5", ids=IDS, labels=None, classes="xyz", about=None):
        path = tmp_path / name
        labels = labels or [i % 3 for i in range(len(ids))]
        rows = [
            VideoScores(video, labels[i], 30 + i, array(IDS.index(video)))
            for i, video in enumerate(ids)
        ]
        about = about or {"dataset": "demo", "split": 1}
        failed = {"bad": "img_00001.jpg: empty"}
        score_file.write(path, iter(rows), classes=classes, about=about, failed=failed)
        return path

    return write
