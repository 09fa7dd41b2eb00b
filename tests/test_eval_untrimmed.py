"""The command `eval` on untrimmed videos: snippets at equal distances, windows."""

import pathlib

import clips
import numpy as np
import pytest
import videofiles
from commands import fuse

from tsn_keras import eval
from tsn_keras.common.errors import InputError
from tsn_keras.scores import metrics, score_file, submission, windows

pytestmark = pytest.mark.usefixtures("shallow_network")
COUNTS = {"a": 9, "b": 31}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    root = tmp_path_factory.mktemp("untrimmed")
    for seed, (name, count) in enumerate(COUNTS.items()):
        clips.make_video(root / "data" / name, count, seed)
    (root / "list.txt").write_text("a 9 0\nb 31 1\n")
    clips.make_weights(root / "rgb.weights.h5", 3)
    clips.make_weights(root / "flow.weights.h5", 10, seed=1)
    return root


def evaluated(root, *more, modality="rgb", scores="s.h5"):
    return eval.main(
        [
            *("--dataset", "list", "--annotations", str(root / "list.txt")),
            *("--data", str(root / "data"), "--modality", modality),
            *("--weights", str(root / f"{modality}.weights.h5")),
            *("--scores", str(root / scores), *more),
        ]
    )


def test_a_snippet_every_four_files(prepared, capsys):
    result, status = evaluated(prepared, "--every", "4")
    assert status == 0
    (row,) = result["results"]
    assert (row["every"], row["over_time"]) == ("a snippet every 4 files", "windows")
    assert row["snippets"] is None
    shown = capsys.readouterr().out
    assert "rgb: a snippet every 4 files x 10 crops under the protocol caffe" in shown
    with score_file.ScoreFile(prepared / "s.h5") as file:
        found = {name: file.read(name) for name in file.video_ids}
    # Files 1, 5, 9; and 1, 5, ..., 29.
    assert {name: len(scores) for name, scores in found.items()} == {"a": 3, "b": 8}
    # The same files by their own numbers: those of a test of 3 snippets of 9 files.
    _, status = evaluated(prepared, "--snippets", "3", scores="three.h5")
    with score_file.ScoreFile(prepared / "three.h5") as file:
        # Batches of other snippets may sum in another order.
        np.testing.assert_allclose(found["a"], file.read("a"), rtol=1e-5, atol=1e-4)
    best = [windows.mtwi(found[name]).argmax() for name in "ab"]
    assert row["top1"] == 50 * sum(b == label for label, b in enumerate(best))
    # The same command has nothing left to do; another step is something else.
    assert evaluated(prepared, "--every", "4")[0] == result
    with pytest.raises(InputError, match="its every is a snippet every 4 files, now"):
        evaluated(prepared, "--every", "5")


def test_fusion_over_time_as_the_files_say_or_otherwise(prepared):
    for modality in ("rgb", "flow"):
        evaluated(prepared, "--every", "4", modality=modality, scores=f"{modality}.h5")
    paths = [str(prepared / f"{modality}.h5") for modality in ("rgb", "flow")]
    scores = {}
    for path in paths:
        with score_file.ScoreFile(path) as file:
            scores[path] = [file.read(name) for name in "ab"]
    ways = {None: windows.mtwi, "mean": windows.mean}
    for name, way in ways.items():
        more = ["--over-time", name] if name else []
        prefix = str(prepared / f"out_{name}")
        argv = [
            *paths,
            "--weights",
            "1",
            "0.5",
            *more,
            "--submission",
            f"{prefix}.json",
        ]
        fuse.main(argv)
        expected = [
            way(one) + 0.5 * way(other)
            for one, other in zip(scores[paths[0]], scores[paths[1]], strict=True)
        ]
        found = submission.read(pathlib.Path(f"{prefix}.json"))
        for video, row in zip("ab", expected, strict=True):
            chances = dict(found[video])
            # float32 scores of some thousands, of which the softmax is taken.
            np.testing.assert_allclose(
                [chances[label] for label in sorted(chances)],
                metrics.softmax(row.astype(np.float64)),
                atol=1e-3,
            )
    with pytest.raises(InputError, match="--over-time: there is no way over time 'x'"):
        fuse.main([*paths, "--over-time", "x"])


def test_time_needs_a_rate(prepared):
    with pytest.raises(
        InputError, match=r"2 of 2 videos have is not known, as a: .*30"
    ):
        evaluated(prepared, "--every", "1s", scores="t.h5")
    with pytest.raises(InputError, match="--over-time: there is no way over time 'x'"):
        evaluated(prepared, "--over-time", "x", scores="t.h5")
    with pytest.raises(InputError, match="--every must be a number of files"):
        evaluated(prepared, "--every", "x", scores="t.h5")
    assert not (prepared / "t.h5").exists()


def test_a_snippet_a_second_of_video_files(prepared, tmp_path):
    """76 frames, 75 images, 25 a second: seconds 0, 1 and 2."""
    (tmp_path / "data").mkdir()
    videofiles.make(tmp_path / "data/v.avi", 76)
    (tmp_path / "list.txt").write_text("v 75 0\n")
    (tmp_path / "rgb.weights.h5").symlink_to(prepared / "rgb.weights.h5")
    evaluated(tmp_path, "--every", "1s")
    with score_file.ScoreFile(tmp_path / "s.h5") as file:
        assert file.read("v").shape == (3, 10, clips.CLASSES)
        assert file.about["a_second"] == 1
