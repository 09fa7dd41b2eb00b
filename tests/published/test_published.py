"""This run's accuracy against the published one, stream by stream.

    TSN_KERAS_DATA=DIR TSN_KERAS_WEIGHTS=DIR python -m pytest tests/published

DIR of the data holds `hmdb51` and `ucf101` (frames, flow and official split
files, see README); DIR of the weights the 12 reference models. Scores are kept
in the working folder's scores/published, so that an interrupted run resumes.
What is not there is named and skipped. The demo set needs nothing and is compared
exactly, in tests/test_notebook.py.
"""

import functools
import pathlib

import pytest

from tsn_keras import eval
from tsn_keras.checkpoints import folders, presets
from tsn_keras.common import progress
from tsn_keras.common.errors import InputError
from tsn_keras.datasets import selection
from tsn_keras.datasets.records import Choice
from tsn_keras.protocols.modalities import MODALITIES

# In points of accuracy. The weights are the published ones, the frames and flow
# the user's own: another JPEG or video decoder and another build of TV-L1 move
# single clips. A retest of the released UCF101 split 1 RGB model on other
# frames gave 86.0 for 85.5, and the project page warns that single streams of
# single splits wobble; fusions and averages do so less.
TOLERANCES = {
    ("stream", "split"): 1.0,
    ("fusion", "split"): 0.7,
    ("stream", "average"): 0.7,
    # HMDB51 flow: the page prints 63.2 with the splits and 64.2 in its summary.
    ("fusion", "average"): 0.5,
}

CASES = [
    (dataset, stream, split)
    for dataset in ("ucf101", "hmdb51")
    for stream in ("rgb", "flow", "fusion")
    for split in (1, 2, 3, None)
]


def test_the_whole_table_is_there():
    assert len(CASES) == 24
    assert all(presets.published(*case) is not None for case in CASES)


@functools.cache
def figures(dataset):
    """{(stream, split): accuracy} of a data set, or what is missing."""
    missing = _missing(dataset)
    if missing:
        return missing
    path = str(pathlib.Path("scores/published", f"{dataset}.h5"))
    argv = ["--dataset", dataset, "--split", "1", "2", "3", "--scores", path]
    result, status = eval.main([*argv, "--batch", "5"])
    assert status == 0, result
    return {
        (row["stream"], row["split"]): row["mean_class_accuracy"]
        for row in result["results"]
    }


def _missing(dataset):
    """Names the first thing that is not there, or returns None."""
    for split in (1, 2, 3):
        for modality in ("rgb", "flow"):
            preset = presets.PRESETS[f"{dataset}_{modality}_split{split}"]
            if folders.find(preset) is None:
                return f"needs {preset.file} in TSN_KERAS_WEIGHTS"
            try:
                choice = Choice(dataset, split)
                test = selection.find_test_set(choice, progress.SILENT)
                selection.select(test, MODALITIES[modality].all_prefixes)
            except InputError as error:
                return f"needs {dataset}: {error}"
    return None


@pytest.mark.published
@pytest.mark.parametrize(("dataset", "stream", "split"), CASES)
def test_accuracy_is_the_published_one(dataset, stream, split):
    found = figures(dataset)
    if isinstance(found, str):
        pytest.skip(found)
    kind = "fusion" if stream == "fusion" else "stream"
    tolerance = TOLERANCES[kind, "average" if split is None else "split"]
    published = presets.published(dataset, stream, split)
    assert found[stream, split] == pytest.approx(published, abs=tolerance)
