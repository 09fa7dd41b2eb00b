"""ST-ResNet's sampling and crops against what the original's functions computed.

Frames count one more than files, as an extraction leaves out the first image.
"""

import collections

import numpy as np
import pytest

from tsn_keras.common.errors import InputError
from tsn_keras.protocols import sampling
from tsn_keras.protocols.augmentations import ST_RESNET as CROP
from tsn_keras.protocols.augmentations import ST_RESNET_MOTION as MOTION_CROP
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import FLOW, FLOW10, RGB, RGB_FLOW
from tsn_keras.protocols.records import Stream
from tsn_keras.protocols.sizes import Clamped
from tsn_keras.protocols.train_sampling import Strided

ONE, STAR = PROTOCOLS["st_resnet"], PROTOCOLS["st_resnet_star"]
APPEARANCE, MOTION = (
    PROTOCOLS[f"st_resnet_{name}"] for name in ("appearance", "motion")
)
# Frames of a video, and the steps of the original's test.
TESTED = {
    40: "6 7 8 10 11 12 13 14 16 17 18 19 21 22 23 24 25 27 28 29 30 31 33 34 35",
    60: "6 8 10 12 14 16 18 20 22 24 26 28 31 33 35 37 39 41 43 45 47 49 51 53 55",
    100: "6 10 13 17 21 25 28 32 36 39 43 47 51 54 58 62 65 69 73 76 80 84 88 91 95",
    250: "6 16 26 36 46 56 66 76 86 96 106 116 126 135 145 155 165 175 185 195 205 215 "
    "225 235 245",
}


@pytest.mark.parametrize("frames", TESTED)
def test_steps_of_the_test(frames):
    expected = [int(number) for number in TESTED[frames].split()]
    assert ONE.test.ticks(frames - 1, RGB_FLOW.length) == expected


def test_few_steps_are_repeated_from_the_end_and_from_the_beginning():
    # 20 frames have room for steps at 6 to 15.
    found = sampling.framed_ticks(19, 11, 25)
    assert found == [*range(6, 16), *range(6, 16), *range(6, 11)]
    assert sampling.framed_ticks(19, 11, 14) == [*range(6, 16), 12, 13, 14, 15]
    assert sampling.framed_ticks(10, 11, 25) == [6] * 25  # where the original stops
    assert sampling.framed_ticks(3, 11, 4) == [3] * 4


@pytest.mark.parametrize(
    ("frames", "stride", "expected"),
    [
        (40, 15, [6, 13, 21, 28, 35]),
        (60, 10, [6, 16, 26, 36, 46]),
        (100, 15, [21, 36, 51, 66, 81]),
    ],
)
def test_steps_of_training(frames, stride, expected):
    for place in range(4):
        drawn = [stride - 5, place, 0, 0, 0]
        assert ONE.train_rule(frames - 1, 11, 5, drawn) == expected


def test_training_never_begins_at_the_first_point_of_a_longer_grid():
    begins = collections.Counter(
        ONE.train_rule(99, 11, 5, [0, place, 0, 0, 0])[0] for place in range(130)
    )
    # 18 points from 6 on; the beginning is one of the 2nd to the 14th.
    assert begins == {6 + 5 * k: 10 for k in range(1, 14)}


def test_strides_of_the_two_stages():
    for protocol, strides in ((ONE, range(5, 16)), (STAR, range(1, 16))):
        found = {
            np.diff(protocol.train_rule(999, 11, 5, [number, 0, 0, 0, 0]))[0]
            for number in range(300)
        }
        assert found == set(strides)
    assert Strided(1, 15)(30, 11, 1, [3]) == [22]


def test_snippet_is_a_frame_and_the_flow_around_it():
    stream = Stream(RGB_FLOW, ONE)
    # Image 5 is the frame 6; flow k leads from frame k to the next.
    assert stream.numbers(6, 39) == [5, *range(1, 11)]
    assert stream.numbers(35, 39) == [34, *range(30, 40)]
    assert stream.numbers(2, 5) == [1, 1, 1, 1, 1, 1, 2, 3, 4, 5, 5]
    assert RGB_FLOW.split(stream.numbers(6, 39))[0] == (RGB, [5])
    twice = RGB_FLOW.split(range(22))
    assert [numbers for _, numbers in twice] == [
        [0, 11],
        [*range(1, 11), *range(12, 22)],
    ]
    assert RGB_FLOW.inverted == (False,) * 3 + FLOW.inverted * 10
    named = stream.with_prefixes({"img_": "", "flow_x_": "u"}).modality
    assert named.prefixes == ("", "u", "flow_y_")
    assert named.parts[1][0].prefixes == ("u", "flow_y_")


@pytest.mark.parametrize("frames", TESTED)
def test_streams_alone_are_tested_on_the_steps_of_both(frames):
    files, joint = frames - 1, Stream(RGB_FLOW, ONE)
    parts = [Stream(RGB, APPEARANCE), Stream(FLOW10, MOTION)]
    expected, found = [], []
    for tick in ONE.test.ticks(files, RGB_FLOW.length):
        numbers = joint.numbers(tick, files)
        expected.append((numbers[:1], numbers[1:]))
    for part in parts:
        ticks = part.test.ticks(files, part.modality.length)
        found.append([part.numbers(tick, files) for tick in ticks])
    assert list(zip(*found, strict=True)) == expected
    assert [part.fusion_weight for part in parts] == [1, 1]


def test_streams_alone_are_trained_on_a_step_anywhere():
    # cnn_ucf101_get_frame_batch.m:85-86: any frame; get_flow_batch.m:100-101: any with
    # five others on both sides.
    for protocol, depth, last in ((APPEARANCE, 1, 39), (MOTION, 10, 30)):
        found = {protocol.train_rule(39, depth, 1, [n])[0] for n in range(100)}
        assert found == set(range(1, last + 1))


def test_crops_of_motion_alone():
    # cnn_ucf101_get_flow_batch.m:216-217, 280-281: sides apart; 1 is the first pixel
    # there.
    sides, places = (256, 224, 192, 168), set()
    for a in range(4):
        for b in range(4):
            h, w = 256 - sides[a], 340 - sides[b]
            found = [
                MOTION_CROP.window((256, 340), 224, (), [a, b, n]) for n in range(5)
            ]
            assert {window[2:] for window in found} == {(sides[a], sides[b])}
            dy = [0, h, 0, h, (h + 1) // 2]
            dx = [0, w, w, 0, (w + 1) // 2]
            assert {window[:2] for window in found} == set(zip(dy, dx, strict=True))
            places |= {window[:2] for window in found}
    assert len(places) > 16
    assert MOTION_CROP.window((200, 150), 224, (), [0, 3, 1]) == (0, 0, 200, 150)


def test_frames_are_clamped_side_by_side():
    clamped = Clamped(224, 448)
    cases = {(256, 340): (256, 340), (120, 900): (224, 448), (448, 224): (448, 224)}
    assert {case: clamped.of(*case) for case in cases} == cases
    assert ONE.frame_size == clamped


def test_crops_lie_near_two_corners():
    random = np.random.default_rng(0)
    found = [
        CROP.window((256, 340), 224, (), random.integers(0, 2**31, 5).tolist())
        for _ in range(4000)
    ]
    shares = []
    for top, left, height, width in found:
        assert 168 <= height <= 256
        assert 168 <= width <= 280
        shares.append((top / max(1, 256 - height), left / max(1, 340 - width)))
    near = np.array([s for s, f in zip(shares, found, strict=True) if f[2] < 240])
    lower = near[:, 1] > 0.5
    assert 0.45 < lower.mean() < 0.55
    # Rounded down to pixels, of 16 at least.
    assert (near[lower] > 0.75 - 1 / 16).all()
    assert (near[~lower] <= 0.25).all()
    heights = [height for _, _, height, _ in found]
    assert heights.count(256) / len(heights) == pytest.approx(24 / 112, abs=0.03)


def test_a_clip_has_one_row_of_scores():
    view = ONE.test
    ticks, order = view.distinct(99, 11)
    assert (ticks.tolist(), order.tolist()) == ([6], [0])
    assert view.clip(6, 99, 11) == view.ticks(99, 11)
    assert view.steps == 25
    assert ONE.with_test(snippets=10, crops=1).test.steps == 10
    with pytest.raises(InputError, match="sees those of a video together"):
        ONE.with_test(every="30")
    assert PROTOCOLS["caffe"].test.steps == 1
