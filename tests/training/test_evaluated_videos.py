"""Which videos a training run evaluates at its end."""

import pathlib
from types import SimpleNamespace

import pytest

from tsn_keras.datasets.selection import FrameFolder
from tsn_keras.training import run


@pytest.mark.parametrize(
    ("dataset", "evaluated", "annotations"),
    [
        # A list itself, with all that its lines say.
        ("list_offset", "list_offset", "validation.txt"),
        ("list", "list", "validation.txt"),
        # The validation part of official annotations.
        ("kinetics400", "kinetics400", "train.txt"),
        ("hmdb51", "hmdb51", "train.txt"),
        # What was held out, which only the run knows.
        ("folders", "list", "OUT/validation.txt"),
        # Which videos test, a data set that makes them knows itself.
        ("demo", "demo", "train.txt"),
    ],
)
def test_the_videos_that_were_validated_on(tmp_path, dataset, evaluated, annotations):
    data = SimpleNamespace(
        dataset=dataset,
        annotations="train.txt",
        validation="validation.txt",
        modality="rgb",
        allow_missing=False,
        prefixes={},
    )
    videos = SimpleNamespace(folders=[FrameFolder("a/b", 3, pathlib.Path("x"), 7)])
    found = SimpleNamespace(split=None, root="data", validation=videos)
    (tmp_path / run.LAST).touch()
    request = run._tested(data, run.Test(), found, tmp_path)
    assert request.dataset == evaluated
    assert request.annotations == annotations.replace("OUT", str(tmp_path))
    if "OUT" in annotations:
        assert (tmp_path / "validation.txt").read_text() == "a/b 7 3\n"
