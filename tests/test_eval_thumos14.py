"""The commands `eval` and `fuse` on THUMOS14: whole videos, some without a class."""

import clips
import numpy as np
import pytest
import thumos_files
import videofiles
from commands import fuse

from tsn_keras import eval
from tsn_keras.datasets.ucf101 import CLASSES
from tsn_keras.scores import metrics, score_file, windows

pytestmark = pytest.mark.usefixtures("shallow_network")
TEST = {
    "video_test_0000001": ((6,), 20, True),
    "video_test_0000002": ((42, 41), 18, False),
    "video_test_0000003": ((9,), 3, False),
}
SETS = ((), (40, 41), (8,))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Frame folders at one file a second and half a one; and a video file."""
    root = tmp_path_factory.mktemp("thumos14")
    validation = {"video_validation_0000001": ((7,), 60, False)}
    thumos_files.write(root / "annotations", validation, TEST)
    clips.make_video(root / "rawframes/test/video_test_0000001", 20, 1)
    clips.make_video(root / "video_test_0000002", 9, 2)
    (root / "TH14_test_set_mp4").mkdir()
    videofiles.make(root / "TH14_test_set_mp4/video_test_0000003.mp4", 76)
    for seed, name in enumerate("ab"):
        path = root / f"{name}.weights.h5"
        clips.make_weights(path, 3, seed, classes=len(CLASSES))
    with pytest.MonkeyPatch.context() as patch:
        thumos_files.smaller(patch, 1, 3)
        yield root


def evaluated(root, weights, *more):
    return eval.main(
        [
            *("--dataset", "thumos14", "--data", str(root), "--modality", "rgb"),
            *("--weights", str(root / f"{weights}.weights.h5"), "--every", "1s"),
            *("--scores", str(root / f"{weights}.h5"), "--crops", "1", *more),
        ]
    )


def test_videos_without_a_class_are_scored(prepared, capsys):
    result, status = evaluated(prepared, "a", "--over-time", "windows")
    assert status == 0
    (row,) = result["results"]
    assert (row["videos"], row["of"], row["over_time"]) == (3, 3, "windows")
    headings = capsys.readouterr().out.splitlines()[0].split()
    assert headings[2:] == ["videos", "mAP", "published", "difference"]
    with score_file.ScoreFile(prepared / "a.h5") as file:
        assert file.label_sets == SETS
        assert (file.classes, file.about["measure"]) == (CLASSES, "ranked")
        scores = [file.read(name) for name in file.video_ids]
    # A snippet a second: of the annotated seconds, or those of the video file. Each
    # file of the second video is there for two of them.
    assert [len(one) for one in scores] == [20, 18, 3]
    np.testing.assert_array_equal(scores[1][0], scores[1][1])
    table = np.stack([windows.mtwi(one) for one in scores])
    expected = metrics.MEASURES["ranked"].of(table, metrics.many_hot(SETS, 101))
    assert row["mean_average_precision"] == expected.mean_average_precision
    assert "top1" not in row
    # The same command has nothing left to do.
    assert evaluated(prepared, "a", "--over-time", "windows")[0] == result


def test_score_files_of_it_are_fused(prepared):
    found = {}
    for name in "ab":
        found[name] = evaluated(prepared, name)[0]["results"][0]
    paths = [str(prepared / f"{name}.h5") for name in "ab"]
    result, status = fuse.main([*paths, "--weights", "1", "0.5"])
    assert (status, result["videos"]) == (0, 3)
    for name, row in zip("ab", result["results"], strict=False):
        key = "mean_average_precision"
        assert row[key] == found[name][key]
    mean, _ = fuse.main([*paths, "--over-time", "mean"])
    assert set(mean["results"][-1]) == {"file", "mean_average_precision"}
