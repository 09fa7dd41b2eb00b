"""Weights of streams in a fusion: those of the data set's record, or the modality's."""

import pathlib

import pytest

from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.datasets.selection import VideoSet
from tsn_keras.evaluation import scoring
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream

SERVER = {"measure": "server"}
VERY_DEEP = {"fused": "probabilities"}


@pytest.mark.parametrize(
    ("dataset", "modality", "protocol", "weight", "told"),
    [
        # The journal version's tables 3, 4 and 6.
        ("activitynet", "rgb", "caffe", 1.0, {**SERVER, "published_weight": 1.0}),
        ("activitynet", "flow", "caffe", 0.5, {**SERVER, "published_weight": 0.5}),
        ("activitynet12", "flow", "caffe", 0.5, {**SERVER, "published_weight": 0.5}),
        ("activitynet", "rgbdiff", "caffe", 1.0, SERVER),
        ("activitynet_clips", "flow", "caffe", 1.5, {}),
        ("hmdb51", "flow", "caffe", 1.5, {}),
        # The very deep two-stream networks': temporal 2/3 and spatial 1/3.
        ("ucf101", "rgb", "very_deep", 1.0, {**VERY_DEEP, "published_weight": 1.0}),
        ("ucf101", "flow10", "very_deep", 2.0, {**VERY_DEEP, "published_weight": 2.0}),
        ("thumos14", "flow", "caffe", 1.5, {"measure": "ranked"}),
    ],
)
def test_weights_of_a_fusion(dataset, modality, protocol, weight, told):
    record, root = DATASETS[dataset], pathlib.Path("data")
    videos = VideoSet(
        *(dataset, None, root, (), record.classes),
        measure=record.measure,
        fusion_weights=record.fusion_weights,
    )
    stream = Stream(MODALITIES[modality], PROTOCOLS[protocol])
    test = scoring.Test(videos, None, None, stream, root / "s.h5")
    assert test.fusion_weight == weight
    assert test.told_of_set == told
