"""The test of the very deep two-stream networks: ticks, windows, pixels, fusion."""

import numpy as np
import pytest

from tsn_keras.pipeline import transforms
from tsn_keras.protocols import augmentations, crops, sampling
from tsn_keras.protocols.modalities import FLOW10, RGB
from tsn_keras.protocols.records import Stream
from tsn_keras.protocols.very_deep import VERY_DEEP
from tsn_keras.scores import joining, metrics, score_file


@pytest.mark.parametrize(
    ("files", "depth", "step"),
    [
        # Images: (N - 1) // 24.
        (100, 1, 4),
        (97, 1, 4),
        (96, 1, 3),
        (25, 1, 1),
        (24, 1, 0),
        (1, 1, 0),
        # Ten fields: (N - 9) // 25.
        (100, 10, 3),
        (109, 10, 4),
        (108, 10, 3),
        (34, 10, 1),
        (33, 10, 0),
        (10, 10, 0),
        # Shorter than a snippet: the original looks for files before the first.
        (3, 10, 0),
    ],
)
def test_ticks_by_hand(files, depth, step):
    found = sampling.very_deep_ticks(files, depth)
    assert found == [1 + k * step for k in range(25)]
    assert found[-1] <= files


def test_streams_take_their_own_steps():
    """Of 100 images, and of as many fields."""
    assert VERY_DEEP.test.ticks(100, RGB.length)[-1] == 97
    assert VERY_DEEP.test.ticks(100, FLOW10.length)[-1] == 73
    stream = Stream(FLOW10, VERY_DEEP)
    assert stream.numbers(73, 100) == list(range(73, 83))
    assert stream.input_shape == (224, 224, 20)
    with pytest.raises(ValueError, match="must be at least 1"):
        sampling.very_deep_ticks(0, 10)


def test_windows_by_hand():
    """Centre: rows 16 to 239, columns 60 to 283; of the mirrored frame the same."""
    found = crops.TEN_OF_MIRRORED.windows(256, 340, 224)
    places = [(0, 0), (0, 116), (16, 60), (32, 0), (32, 116)]
    mirrored = [(0, 116), (0, 0), (16, 56), (32, 116), (32, 0)]
    assert [tuple(window) for window in found] == [
        *((y, x, False) for y, x in places),
        *((y, x, True) for y, x in mirrored),
    ]
    assert len(found) == crops.TEN_OF_MIRRORED.count == 10


@pytest.mark.parametrize("modality", [RGB, FLOW10], ids=lambda m: m.name)
def test_pixels_are_those_of_frames_mirrored_before_they_are_cut(modality):
    planes = modality.planes
    frame = np.random.default_rng(0).integers(0, 256, (256, 340, planes), np.uint8)
    mirrored = frame[:, ::-1].copy()
    if modality is FLOW10:
        mirrored[..., ::2] = 255 - mirrored[..., ::2]
    expected = [
        whole[top : top + 224, left : left + 224]
        for whole in (frame, mirrored)
        for top, left in [(0, 0), (0, 116), (16, 60), (32, 0), (32, 116)]
    ]
    stream = Stream(modality, VERY_DEEP)
    found = transforms.cut(frame[None], VERY_DEEP.test, stream)
    np.testing.assert_array_equal(np.array(found)[0], np.stack(expected))


def test_what_the_networks_were_trained_with():
    assert VERY_DEEP.normalisation["image"].mean == (104.0, 117.0, 123.0)
    assert VERY_DEEP.normalisation["flow"].mean == (128.0,)
    assert (VERY_DEEP.frame_size, VERY_DEEP.red_first) == ((256, 340), False)
    rule = augmentations.AUGMENTATIONS["tsn_5"]
    assert VERY_DEEP.augmentation is rule
    assert (rule.max_distort, len(rule.places), rule.mirrors) == (1, 5, True)
    # 224 of ratios 1, 0.875, ... at the corners and the centre of 340 x 256.
    windows = {
        rule.window((256, 340), 224, RGB.crop_ratios, [3, place]) for place in range(5)
    }
    corners = {(0, 0), (0, 116), (32, 0), (32, 116), (16, 58)}
    assert windows == {(top, left, 224, 224) for top, left in corners}
    assert RGB.crop_ratios == (1.0, 0.875, 0.75, 0.66)
    assert FLOW10.crop_ratios == (1.0, 0.875, 0.75)


def written(folder, name, scores, **about):
    path = folder / f"{name}.h5"
    videos = [
        score_file.VideoScores(f"v{k}", k % 2, 30, of_video.astype("f4"))
        for k, of_video in enumerate(scores)
    ]
    score_file.write(path, videos, classes=["a", "b"], about=about, failed={})
    return path


def test_streams_are_added_up_as_probabilities(tmp_path):
    """A softmax of each mean over 250 raw scores, then 1/3 and 2/3."""
    random = np.random.default_rng(1)
    raw = {name: random.normal(0, 3, (4, 3, 2, 2)) for name in ("rgb", "flow10")}
    paths = [
        written(tmp_path, name, scores, dataset="x", fused="probabilities")
        for name, scores in raw.items()
    ]
    parts = []
    for path in paths:
        with score_file.ScoreFile(path) as file:
            parts.append(joining.aggregate_file(file))
            assert parts[-1].way.fused == VERY_DEEP.fused == "probabilities"
    joined = joining.join(parts)
    fused = joining.fuse(joined.scores, (1.0, 2.0)) / 3
    spatial, temporal = (metrics.softmax(s.mean((1, 2))) for s in raw.values())
    np.testing.assert_allclose(fused, spatial / 3 + 2 * temporal / 3, atol=1e-6)
    # They are probabilities already: nothing is done to them a second time.
    np.testing.assert_array_equal(joined.way.probabilities(fused), fused)


def test_raw_scores_are_added_up_where_nothing_else_is_said(tmp_path):
    scores = np.random.default_rng(2).normal(0, 3, (2, 3, 2, 2))
    path = written(tmp_path, "rgb", scores, dataset="x")
    with score_file.ScoreFile(path) as file:
        part = joining.aggregate_file(file)
        joined = joining.join([part])
    np.testing.assert_array_equal(joined.scores[0], part.scores)
    assert joined.way == part.way
    path = written(tmp_path, "bad", scores, fused="ranks")
    with (
        score_file.ScoreFile(path) as file,
        pytest.raises(score_file.ScoreFileError, match="its fused is of 'ranks'"),
    ):
        joining.aggregate_file(file)
