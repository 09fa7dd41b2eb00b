"""Windows of training crops: the vectors of the original's rules."""

import pytest

from tsn_keras.protocols import crops
from tsn_keras.protocols.modalities import MODALITIES

TEN = [(256, 256), (256, 224), (224, 256), (224, 224), (224, 192), (192, 224)]
TEN += [(192, 192), (192, 168), (168, 192), (168, 168)]


@pytest.mark.parametrize(("modality", "count"), [("rgb", 10), ("flow", 7)])
def test_crop_sizes(modality, count):
    ratios = MODALITIES[modality].crop_ratios
    assert crops.crop_sizes(256, 340, ratios, 224) == TEN[:count]


def test_crop_sizes_of_other_frames():
    """At 240 x 320 nothing is near 224, and nothing becomes it."""
    found = crops.crop_sizes(240, 320, MODALITIES["rgb"].crop_ratios, 224)
    assert [size for size in found if size[0] == size[1]] == [
        (side, side) for side in (240, 210, 180, 158)
    ]
    # 225.3 is less than 3 from 224.
    assert crops.crop_sizes(257, 400, (0.877,), 224) == [(224, 224)]
    every = crops.crop_sizes(256, 340, (1, 0.875, 0.75), 224, max_distort=2)
    assert len(every) == 9


def test_crop_offsets():
    expected = (
        "0,0 0,116 32,0 32,116 16,58 0,58 32,58 16,0 16,116 8,29 8,87 24,29 24,87"
    )
    expected = [tuple(map(int, pair.split(","))) for pair in expected.split()]
    assert crops.crop_offsets(256, 340, 224, 224) == expected


@pytest.mark.parametrize(
    ("side", "quarter"),
    [(256, (0, 21)), (224, (8, 29)), (192, (16, 37)), (168, (22, 43))],
)
def test_crop_offsets_reach_the_far_border(side, quarter):
    found = crops.crop_offsets(256, 340, side, side)
    assert found[9] == quarter
    assert found[3] == (256 - side, 340 - side)
    assert len(found) == 13


def test_corners_may_miss_the_border():
    assert crops.crop_offsets(259, 343, 256, 256)[3] == (0, 84)
