"""The command `eval` beside the original's own scores, with the whole network."""

import numpy as np
from commands import call

from tsn_keras.protocols import sampling
from tsn_keras.scores import score_file


def test_golden_scores(golden, caffemodels, tmp_path):
    """The original's own scores of the same JPEG files and weights."""
    (tmp_path / "list.txt").write_text("frames/v1 31 42\nframes/v2 14 100\n")
    done = call(
        "eval",
        *("--dataset", "list", "--annotations", tmp_path / "list.txt"),
        *("--data", golden / "data", "--scores", tmp_path / "s.h5", "--weights"),
        *(caffemodels / f"ucf101_{m}_init.caffemodel" for m in ("rgb", "flow")),
    )
    assert done.returncode == 0, done.stderr
    expected = np.load(golden / "eval/eval_25x10.npz")
    for modality in ("rgb", "flow"):
        for name in ("v1", "v2"):
            with score_file.ScoreFile(tmp_path / f"s_{modality}.h5") as file:
                found = file.read(f"frames/{name}")
            values = expected[f"{name}_{modality}_scores"]
            error = np.abs(found - values).max()
            assert error <= 2e-4 * np.abs(values).max()


def test_golden_ticks(golden):
    expected = np.load(golden / "eval/eval_25x10.npz")
    for name, count in (("v1", 31), ("v2", 14)):
        for modality, depth in (("rgb", 1), ("flow", 5)):
            found = sampling.eval_ticks(count, depth)
            assert found == expected[f"{name}_{modality}_ticks"].tolist()
