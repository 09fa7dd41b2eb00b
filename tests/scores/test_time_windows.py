"""Temporal windows over long videos, beside the published code's results.

The vectors are what the genuine functions gave for scores made by formulas
(yjxiong/temporal-segment-networks pyActionRecog/utils/video_funcs.py and that of
yjxiong/anet2016-cuhk), to eight digits, so that half of the last one is the tolerance.
"""

import numpy as np
import pytest

from tsn_keras.common.errors import InputError
from tsn_keras.scores import metrics, windows

TOLERANCE = 6e-9


def sines(snippets, crops, classes):
    i, j, c = np.ogrid[:snippets, :crops, :classes]
    return 3 * np.sin(0.7 * i + 1.3 * j + 2.1 * c + 0.5)


def chirps(snippets, crops, classes):
    i, j, c = np.ogrid[:snippets, :crops, :classes]
    waves = 4 * np.sin(0.013 * (i + 1) ** 1.5 + 0.9 * c)
    return waves - 0.3 * j + 0.25 * np.cos(0.37 * i * (c + 1))


def test_scores_of_the_vectors():
    """Their spot values: the formulas above are those of the vectors."""
    for found, expected in (
        (sines(3, 2, 3)[0, 0], (1.43827662, 1.54650412, -2.99976977)),
        (sines(3, 2, 3)[2, 1], (-0.17512243, -2.49680233, 2.69612429)),
        (chirps(90, 2, 3)[0, 0], (0.30199854, 3.41536569, 4.13324719)),
        (chirps(90, 2, 3)[89, 1], (-4.26420595, -2.69605292, 0.96602829)),
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


CASES = [
    (sines(1, 1, 3), {}, (1.43827662, 1.54650412, -2.99976977)),
    (sines(3, 2, 3), {}, (2.89940741, 0.77570277, 2.21357048)),
    (sines(12, 10, 4), {}, (2.96851265, 2.97531160, 2.97114779, 2.97038635)),
    (
        sines(40, 10, 5),
        {},
        (2.99225181, 2.98722083, 2.98280301, 2.99262936, 2.98784196),
    ),
    (
        sines(40, 10, 5),
        {"rate": 2},
        (2.99470857, 2.98946068, 2.98602279, 2.99496329, 2.99013820),
    ),
    (
        sines(40, 10, 5),
        {"overlap": 0},
        (2.99222332, 2.99293478, 2.99052659, 2.99258100, 2.99274797),
    ),
    (
        sines(40, 10, 5),
        {"overlap": 0.5},
        (2.99584397, 2.99567443, 2.99315811, 2.99594516, 2.99566894),
    ),
    (
        sines(40, 10, 5),
        {"spans": (4,)},
        (2.98773724, 2.98912541, 2.98791288, 2.98806056, 2.98851834),
    ),
    (sines(90, 1, 3), {}, (2.75280545, 2.80342651, 2.78273036)),
    (sines(200, 1, 4), {}, (2.90690825, 2.90249073, 2.90015355, 2.91110935)),
    (chirps(90, 2, 3), {}, (2.85871366, 2.76884828, 2.46443771)),
    (chirps(200, 1, 3), {}, (3.67101184, 3.63390316, 3.57886569)),
]


@pytest.mark.parametrize(("scores", "options", "expected"), CASES)
def test_windows_as_the_published_code(scores, options, expected):
    found = windows.mtwi(scores, **options)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("snippets", "span", "expected"),
    [
        (90, 1, (3.73318411, 3.82474432, 3.59016103)),
        (90, 2, (3.60347272, 3.75353190, 3.37332908)),
        (90, 4, (2.69701075, 2.69356486, 2.18475350)),
        (90, 8, (1.57819476, 1.38383181, 1.08560203)),
        (90, 16, (2.68170598, 2.18856851, 2.08834294)),
        (200, 1, (3.69042816, 3.70816796, 3.59782099)),
        (200, 2, (3.79532593, 3.78962528, 3.72516414)),
        (200, 4, (3.85335330, 3.81062632, 3.74846565)),
        (200, 8, (3.69273804, 3.61939061, 3.70864541)),
        (200, 16, (3.32321376, 3.24170564, 3.11423227)),
    ],
)
def test_each_length_of_windows(snippets, span, expected):
    crops = 2 if snippets == 90 else 1
    found = windows.mtwi(chirps(snippets, crops, 3), spans=(span,))
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        (sines(3, 2, 3), (0.61604566, 0.07367153, 0.31028281)),
        (
            sines(40, 10, 5),
            (0.20074054, 0.19973315, 0.19885271, 0.20081634, 0.19985725),
        ),
        (chirps(90, 2, 3), (0.38636559, 0.35315910, 0.26047531)),
    ],
)
def test_probabilities_are_the_softmax_of_it(scores, expected):
    found = metrics.softmax(windows.mtwi(scores))
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("rule", "snippets", "counts", "best"),
    [
        (windows.CODE, 1, (1, 1, 1, 1, 1), (15, 15, 15, 15, 15)),
        (windows.CODE, 16, (16, 8, 4, 3, 2), (15, 15, 15, 15, 15)),
        (windows.CODE, 30, (30, 15, 8, 5, 3), (15, 15, 15, 15, 15)),
        (windows.CODE, 64, (64, 32, 16, 10, 5), (16, 15, 15, 15, 15)),
        (windows.CODE, 200, (200, 100, 50, 29, 16), (50, 25, 15, 15, 15)),
        (windows.CODE, 600, (600, 300, 150, 86, 47), (150, 75, 37, 21, 15)),
        # No window of 2 seconds or more: the whole video is one.
        (windows.PAPER, 1, (1, 1, 1, 1, 1), (15, 15, 15, 15, 15)),
        (windows.PAPER, 16, (20, 10, 5, 2, 1), (15, 15, 15, 15, 15)),
        (windows.PAPER, 30, (37, 18, 9, 4, 2), (15, 15, 15, 15, 15)),
        (windows.PAPER, 64, (80, 40, 20, 10, 5), (20, 15, 15, 15, 15)),
        (windows.PAPER, 200, (250, 125, 62, 31, 15), (63, 32, 16, 15, 15)),
        (windows.PAPER, 600, (750, 375, 187, 93, 46), (188, 94, 47, 24, 15)),
    ],
)
def test_numbers_of_windows(rule, snippets, counts, best):
    found = [len(rule.starts(snippets, span)) for span in windows.SPANS]
    assert tuple(found) == counts
    assert tuple(rule.best(snippets, span) for span in windows.SPANS) == best
    assert all(rule.starts(snippets, span)[-1] < snippets for span in windows.SPANS)


def test_steps_of_the_code_at_several_rates():
    """The code rounds its float: 10 * (1 - 0.7) is above 3."""
    expected = {
        **{1: [1, 2, 4, 7, 13], 2: [2, 4, 7, 13, 26], 3: [3, 5, 10, 20, 39]},
        **{5: [4, 8, 16, 32, 64], 10: [8, 16, 32, 64, 128]},
        **{25: [20, 40, 80, 160, 320], 30: [24, 48, 96, 192, 384]},
    }
    for rate, steps in expected.items():
        assert [windows._whole(s * rate, 0.2) for s in windows.SPANS] == steps
    assert windows._whole(10, 0.7) == 4
    assert windows._exact(10, 0.7) == 3


def test_paper_by_hand():
    """16 snippets, windows of 4: starts 0, 3.2, 6.4, 9.6, 12.8, rounded down."""
    scores = np.zeros((16, 1, 1))
    scores[5], scores[9] = 1, 2
    # Windows 0-3, 3-6, 6-9, 9-12, 12-15: best 0, 1, 2, 2, 0.
    assert windows.mtwi(scores, windows.PAPER, spans=(4,)) == 1
    # By the code 0-3, 4-7, 8-11, 12-15: 0, 1, 2, 0.
    assert windows.mtwi(scores, spans=(4,)) == 0.75


def test_an_action_of_ten_seconds_stands_out():
    """Of 200 snippets 10 show the class; the mean hides it, the windows do not."""
    scores = np.random.default_rng(0).normal(size=(200, 1, 5))
    scores[120:130, 0, 3] += 3
    assert windows.mean(scores).argmax() != 3
    assert windows.mtwi(scores).argmax() == 3


def test_the_places_of_windows():
    """Of every length they begin where its steps are, and end with the video."""
    found = {width: windows.places(90, width) for width in windows.SPANS}
    assert [len(starts) for starts, _ in found.values()] == [90, 45, 23, 13, 7]
    starts, ends = found[16]
    np.testing.assert_array_equal(starts, np.arange(0, 90, 13))
    np.testing.assert_array_equal(ends, [16, 29, 42, 55, 68, 81, 90])


@pytest.mark.parametrize(
    ("k", "expected"),
    [
        (1, (0.10623335, 0.10623335, 0.10623335, 0.10637442)),
        (3, (0.10018231, 0.09390569, 0.08957895, 0.09994672)),
        (5, (0.08996169, 0.07718454, 0.06096984, 0.09032836)),
        (20, (0.01580856, 0.00594580, -0.02181199, 0.01607760)),
    ],
)
def test_best_snippets_as_the_published_code(k, expected):
    found = windows.top_k(sines(12, 10, 4), k)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


def test_mean_and_best_crops_as_the_published_code():
    scores = sines(12, 10, 4)
    expected = 0.01580856, 0.00594580, -0.02181199, 0.01607760
    np.testing.assert_allclose(windows.mean(scores), expected, rtol=0, atol=TOLERANCE)
    found = metrics.softmax(windows.mean(scores))
    expected = 0.25293831, 0.25045591, 0.24359941, 0.25300637
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    found = metrics.softmax(windows.top_k(scores, 3, np.max))
    expected = 0.24933901, 0.25151824, 0.24930195, 0.24984079
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    found = metrics.softmax(scores.max(axis=1).mean(axis=0))
    expected = 0.24983257, 0.24995535, 0.25047314, 0.24973894
    np.testing.assert_allclose(
        metrics.softmax(windows.top_k(scores, 12, np.max)), found, rtol=1e-14
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


def test_fused_windows():
    flow = windows.mtwi(chirps(40, 2, 5))
    expected = 2.87534527, 2.64037175, 1.25488829, -0.55758728, -1.03134919
    np.testing.assert_allclose(flow, expected, rtol=0, atol=TOLERANCE)
    found = windows.mtwi(sines(40, 10, 5)) + 0.2 * flow
    expected = 3.56732087, 3.51529518, 3.23378067, 2.88111190, 2.78157213
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    expected = 0.27586610, 0.26188092, 0.19762581, 0.13889339, 0.12573379
    found = metrics.softmax(found)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


def test_attention_as_untrimmed_nets():
    """The vector: scores 2 sin(1.1k + 0.7i + 0.3), features cos(0.9k + 1.7d)."""
    k, i = np.ogrid[:5, :4]
    scores = 2 * np.sin(1.1 * k + 0.7 * i + 0.3)
    _, d = np.ogrid[:1, :3]
    weights = np.cos(0.9 * k + 1.7 * d) @ [0.5, -0.25, 0.75]
    found = windows.attention(scores[:, None], weights)
    expected = 0.20631612, -0.05651781, -0.29277054, -0.39132870
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


def test_float32_stays_float32():
    assert windows.mtwi(sines(12, 10, 4).astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: windows.mtwi(np.zeros((0, 1, 3))), r"shape \(0, 1, 3\)"),
        (lambda: windows.mtwi(np.zeros((5, 3))), r"\[snippets, crops, classes\]"),
        (lambda: windows.mtwi(np.full((5, 1, 3), np.nan)), "not all finite"),
        (lambda: windows.mtwi(sines(5, 1, 3), overlap=1), "below 1"),
        (lambda: windows.mtwi(sines(5, 1, 3), spans=(0,)), "at least 1 snippet"),
        (lambda: windows.mtwi(sines(5, 1, 3), rate=0.3), "whole snippets"),
        (lambda: windows.top_k(sines(5, 1, 3), 0), "`k` must be at least 1"),
        (lambda: windows.attention(sines(5, 1, 3), np.ones(4)), "each of 5 snippets"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_rules_by_name():
    assert windows.RULES.find("paper") is windows.PAPER
    with pytest.raises(InputError, match="code, paper"):
        windows.RULES.find("papers")
