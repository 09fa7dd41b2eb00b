"""Which files the tests of MMAction2 and tsn-pytorch read, at all lengths of videos."""

import json

import numpy as np
import pytest

from tsn_keras.protocols import sampling
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.mmaction2 import MMACTION2
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream

WINDOWS = 10


@pytest.mark.parametrize(
    ("files", "depth", "snippets", "expected"),
    [
        (10, 1, 3, [2, 6, 9]),
        (5, 1, 8, [1, 1, 2, 3, 3, 4, 5, 5]),
        (6, 1, 8, [1, 2, 2, 3, 4, 5, 5, 6]),
        (32, 1, 3, [6, 17, 27]),
        (300, 1, 3, [51, 151, 251]),
        (100, 5, 3, [17, 49, 81]),
        (29, 5, 25, [*range(1, 26)]),
        (4, 5, 3, [1, 1, 1]),
    ],
)
def test_middles(files, depth, snippets, expected):
    """What MMAction2 was seen to take; the first is a test of its own, too."""
    assert sampling.centre_ticks(files, depth, snippets) == expected


def test_dense_windows():
    """Of MMAction2: places that begin at 0, window by window."""
    found = [tick - 1 for tick in sampling.dense_ticks(100, 1, 80)]
    assert found[:16] == [*range(0, 64, 8), *range(4, 68, 8)]
    assert found[-8:] == [*range(36, 100, 8)]
    found = [tick - 1 for tick in sampling.dense_ticks(300, 1, 80)]
    assert (found[8], found[-8]) == (26, 236)
    # Too short for a window: it begins again.
    found = [tick - 1 for tick in sampling.dense_ticks(40, 1, 80)]
    assert found == [0, 8, 16, 24, 32, 0, 8, 16] * 10


def test_validation_of_tsn_pytorch_needs_room():
    assert sampling.guarded_centre_ticks(3, 1, 3) == [1, 1, 1]
    assert sampling.guarded_centre_ticks(4, 1, 3) == sampling.centre_ticks(4, 1, 3)
    assert sampling.guarded_centre_ticks(7, 5, 3) == [1, 1, 1]
    assert sampling.guarded_centre_ticks(8, 5, 3) == [1, 3, 4]


# Letter of MMAction2's rules: (rule of 0.x, of 1.x, files of a snippet, snippets for
# each of the rule's number).
RULES = {
    "S": (sampling.centre_ticks, sampling.centre_ticks, 1, 1),
    "F": (sampling.centre_ticks, sampling.spread_ticks, 5, 1),
    "D": (sampling.dense_ticks, sampling.dense_ticks, 1, WINDOWS),
}


@pytest.mark.parametrize("branch", ["0x", "1x"])
def test_mmaction2_files(golden, branch):
    """Every rule of its test and validation, whoever uses it."""
    checked = 0
    with np.load(golden / f"mmaction2/sampling/test_{branch}.npz") as arrays:
        for key, expected in arrays.items():
            name, files, start = key.split("/")
            name, _, option = name.partition("_")
            *rules, depth, factor = RULES[name[0]]
            rule, files = rules[branch == "1x"], int(files[1:])
            count = int(name[1:]) * factor
            if option == "twice":
                rule, count = sampling.twice_ticks, 2 * count
            loops = option != "repeat_last"
            found = [
                number
                for tick in rule(files, depth, count)
                for number in sampling.snippet_files(tick, files, depth, loops)
            ]
            first = int(start.removeprefix("start"))
            assert [number - 1 + first for number in found] == expected.tolist(), key
            checked += 1
    # 45 lengths, counted from 0 and from 1; S 1, 3, 5, 6, 8, 16, 25; D 5, 8, 25;
    # F 1, 3, 8, 25; 8 twice; the last repeated of S 8 and F 3.
    assert checked == 45 * 2 * 17


def test_multi_frame_snippets_of_1x():
    """Without the golden arrays."""
    assert sampling.spread_ticks(10, 5, 3) == [1, 3, 6]
    assert sampling.spread_ticks(299, 5, 3) == [1, 148, 295]
    assert sampling.spread_ticks(4, 5, 3) == [1, 1, 1]
    assert sampling.spread_ticks(10, 1, 3) == sampling.centre_ticks(10, 1, 3)
    assert sampling.spread_ticks(10, 5, 1) == [3]


def test_sampling_twice():
    found = [tick - 1 for tick in sampling.twice_ticks(100, 1, 16)]
    assert found[:8] == [6, 18, 31, 43, 56, 68, 81, 93]
    assert found[8:] == [0, 12, 25, 37, 50, 62, 75, 87]
    assert sampling.twice_ticks(3, 5, 4) == [1, 1, 1, 1]
    with pytest.raises(ValueError, match="even.*snippets=3"):
        sampling.twice_ticks(10, 1, 3)


def test_untrimmed_videos():
    """What MMAction2 was seen to take of 50 frames, and at the ends of a video."""
    assert sampling.untrimmed_files(50, 1) == [[9], [25], [41]]
    found = [number - 1 for row in sampling.untrimmed_files(50, 5) for number in row]
    assert found == [*range(6, 11), *range(22, 27), *range(38, 43)]
    assert sampling.untrimmed_files(9, 5) == [[7, 8, 9, 9, 9]]
    assert sampling.untrimmed_files(3, 4, interval=2) == [[1, 1, 2, 3]]
    for files, interval in ((8, 16), (5, 0)):
        with pytest.raises(ValueError, match=f"files={files}, interval={interval}"):
            sampling.untrimmed_files(files, 1, interval)


def test_protocols_of_mmaction2_take_those_files():
    for protocol in MMACTION2:
        rule, _, crops = protocol.name.removeprefix("mmaction2_").partition("_")
        view, number = protocol.test, int(rule[1:])
        # The views of a configuration's name, e.g. D8_10C224: 10 windows x 8 x 10.
        windows = WINDOWS if rule[0] == "d" else 1
        assert view.snippets == number * windows
        assert (
            view.rule
            == {"s": sampling.centre_ticks, "d": sampling.dense_ticks}[rule[0]]
        )
        assert crops == {1: "centre", 3: "3crop", 10: "10crop"}[view.crops.count] + str(
            view.side or protocol.crop_size
        )
        stream = Stream(MODALITIES["flow"], protocol)
        assert stream.numbers(1, 4) == [1, 2, 3, 4, 1]
    assert len(MMACTION2) == 15


MODES = {"test": "test", "val": "quick"}


@pytest.mark.parametrize("mode", MODES)
def test_tsn_pytorch_files(golden, mode):
    text = (golden / "tsn_pytorch/sampling/sampling.json").read_text()
    protocol, checked, crashes = PROTOCOLS["tsn_pytorch"], 0, 0
    for case in json.loads(text)["cases"]:
        if case["mode"] != mode:
            continue
        stream = Stream(MODALITIES[case["modality"].lower()], protocol)
        view = getattr(protocol, MODES[mode]).with_snippets(case["K"])
        found = view.ticks(case["N"], stream.modality.length)
        if "crash" in case:
            # The original looks for files that cannot be there; here the first file
            # is the first of every snippet.
            assert found == [1] * case["K"]
            crashes += 1
            continue
        assert found == case["indices"], case
        for segment, numbers in enumerate(case.get("files", ())):
            assert stream.numbers(found[segment], case["N"]) == numbers
        checked += 1
    assert checked + crashes == 3 * 20 * 4  # modalities, lengths, numbers of segments
    # N up to 2 for flow and up to 3 for RGB difference.
    assert crashes == (4 * (2 + 3) if mode == "test" else 0)


@pytest.mark.parametrize(
    "rule",
    [sampling.centre_ticks, sampling.guarded_centre_ticks, sampling.spread_ticks],
)
@pytest.mark.parametrize("depth", [1, 5])
def test_ticks_are_in_range(rule, depth):
    for files in range(1, 200):
        ticks = rule(files, depth, 25)
        assert ticks == sorted(ticks)
        assert ticks[0] >= 1
        assert ticks[-1] <= max(1, files - depth + 1)


@pytest.mark.parametrize(
    "rule",
    [
        sampling.centre_ticks,
        sampling.guarded_centre_ticks,
        sampling.dense_ticks,
        sampling.spread_ticks,
        sampling.twice_ticks,
    ],
)
@pytest.mark.parametrize("values", [(0, 1, 10), (5, 0, 10), (5, 1, 0)])
def test_impossible_values_are_named(rule, values):
    with pytest.raises(ValueError, match=f"files={values[0]}, depth={values[1]}"):
        rule(*values)


@pytest.mark.parametrize("snippets", [8, 85, 650])
def test_dense_sampling_takes_ten_windows(snippets):
    with pytest.raises(ValueError, match=f"a multiple of 10 .*snippets={snippets}"):
        sampling.dense_ticks(100, 1, snippets)
    assert sampling.dense_ticks(100, 1, 640)[-1] == 100


def test_files_past_the_end_begin_again():
    assert sampling.snippet_files(1, 4, 5, loops=True) == [1, 2, 3, 4, 1]
    assert sampling.snippet_files(3, 3, 5, loops=True) == [3, 1, 2, 3, 1]
