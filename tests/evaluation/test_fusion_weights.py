"""Weights of streams in a fusion: those of the data set's record, or the modality's."""

import pathlib
from types import SimpleNamespace

import pytest

from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.datasets.selection import VideoSet
from tsn_keras.evaluation import scoring
from tsn_keras.protocols.modalities import MODALITIES

SERVER = {"measure": "server"}


@pytest.mark.parametrize(
    ("dataset", "modality", "weight", "told"),
    [
        # The journal version's tables 3, 4 and 6.
        ("activitynet", "rgb", 1.0, {**SERVER, "published_weight": 1.0}),
        ("activitynet", "flow", 0.5, {**SERVER, "published_weight": 0.5}),
        ("activitynet12", "flow", 0.5, {**SERVER, "published_weight": 0.5}),
        ("activitynet", "rgbdiff", 1.0, SERVER),
        ("activitynet_clips", "flow", 1.5, {}),
        ("hmdb51", "flow", 1.5, {}),
        ("thumos14", "flow", 1.5, {"measure": "ranked"}),
    ],
)
def test_weights_of_a_fusion(dataset, modality, weight, told):
    record, root = DATASETS[dataset], pathlib.Path("data")
    videos = VideoSet(
        *(dataset, None, root, (), record.classes),
        measure=record.measure,
        fusion_weights=record.fusion_weights,
    )
    stream = SimpleNamespace(modality=MODALITIES[modality])
    test = scoring.Test(videos, None, None, stream, root / "s.h5")
    assert test.fusion_weight == weight
    assert test.told_of_set == told
