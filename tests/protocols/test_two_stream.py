"""The two-stream protocol of 2014: frames, windows and colours, computed by hand."""

import numpy as np
import pytest

from tsn_keras.protocols import colours
from tsn_keras.protocols.augmentations import AUGMENTATIONS
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream

PROTOCOL = PROTOCOLS["two_stream"]
HALF, LAST = 2**30, 2**31 - 1  # The middle and the end of what is drawn.


def test_frames_of_the_test_are_at_equal_distances():
    """(100 - 1) // 24 = 4 for images; (90 - 5) // 24 = 3 for five fields of flow."""
    assert PROTOCOL.test.ticks(100, 1) == list(range(1, 98, 4))
    assert PROTOCOL.test.ticks(90, 5) == list(range(1, 74, 3))
    assert PROTOCOL.test.ticks(24, 1) == [1] * 25
    assert str(PROTOCOL.test) == "25 snippets x 10 crops"


def test_inputs_of_a_frame_are_corners_centre_and_their_mirror_images():
    """Of 341 x 256: 32 rows and 117 columns are free."""
    assert PROTOCOL.frame_size.of(240, 320) == (256, 341)
    windows = PROTOCOL.test.crops.windows(256, 341, 224)
    places = [(0, 0), (0, 117), (32, 0), (32, 117), (16, 58)]
    assert windows == [(*p, False) for p in places] + [(*p, True) for p in places]
    assert PROTOCOL.test.crops.inverts  # Mirrored flow changes its sign.


def test_what_is_averaged_are_probabilities():
    assert PROTOCOL.average == "probabilities"


@pytest.mark.parametrize(("modality", "files"), [("rgb", 10), ("flow", 14)])
def test_training_takes_any_frame(modality, files):
    """One segment: ten frames, or as many places where five fields fit."""
    length = MODALITIES[modality].length
    found = [PROTOCOL.train_rule(files, length, 1, [n]) for n in range(20)]
    assert found == [[1 + n % 10] for n in range(20)]


def test_validation_is_the_middle():
    """Of 101 frames number 51, in the middle 224 x 224 pixels."""
    view = PROTOCOL.quick.with_snippets(1)
    assert view.ticks(101, 1) == [51]
    assert view.crops.windows(256, 341, 224) == [(16, 58, False)]


def test_a_crop_of_training_may_lie_anywhere():
    rule = PROTOCOL.augmentation
    shape = 256, 341

    def window(down, right):
        return rule.window(shape, 224, (), [down, right])

    assert window(0, 0) == (0, 0, 224, 224)
    assert window(LAST, LAST) == (32, 117, 224, 224)
    # 33 and 118 places: the middles are 33 / 2 and 118 / 2, rounded down.
    assert window(HALF, HALF) == (16, 59, 224, 224)
    # Each of 33 rows has its share of 2**31 numbers.
    edge = -(-(2**31) // 33)
    assert [window(n, 0)[0] for n in (edge - 1, edge)] == [0, 1]
    # Frames that are smaller than the input: all of their shorter side.
    assert rule.window((200, 300), 224, (), [LAST, 0]) == (0, 0, 200, 200)


def test_the_shift_of_colours_by_hand():
    """One deviation along the first component: -0.5675 * 0.1 * 0.2175 * 255 of red."""
    one = round(2**31 * 0.8413447460685429)  # One deviation above the mean.
    blue, green, red = colours.RGB.of([one, HALF, HALF])
    first = 0.1 * 0.2175 * 255
    assert (red, green, blue) == pytest.approx(
        (-0.5675 * first, -0.5808 * first, -0.5836 * first), abs=1e-6
    )
    assert red == pytest.approx(-3.14749, abs=1e-5)
    blue, green, red = colours.RGB.of([HALF, HALF, one])
    third = 0.1 * 0.0045 * 255
    assert (red, green, blue) == pytest.approx(
        (0.4009 * third, -0.8140 * third, 0.4203 * third), abs=1e-6
    )
    # The ends are finite: 6.2 deviations.
    for end in (0, LAST):
        assert np.abs(colours.RGB.of([end] * 3)).max() < 6.3 * first


def test_components_are_directions_at_right_angles():
    """As far as four digits tell."""
    components = np.array(colours.RGB.components)
    np.testing.assert_allclose(components.T @ components, np.eye(3), atol=3e-4)


def test_colours_are_of_images_alone():
    rules = {name: AUGMENTATIONS[name].colours for name in AUGMENTATIONS}
    assert [name for name, rule in rules.items() if rule] == ["two_stream"]
    assert Stream(MODALITIES["flow"], PROTOCOL).normalisation.mean == (128.0,)
    assert Stream(MODALITIES["rgb"], PROTOCOL).normalisation.mean == (
        *(104.0, 117.0, 123.0),
    )
