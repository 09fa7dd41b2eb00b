"""Rules of training against what MMAction2 drew, with its own generator's numbers."""

import json

import numpy as np
import pytest

from tsn_keras.protocols import train_sampling

RULES = ("S1", "S3", "S5", "S6", "S8", "S16", "S25", "F1", "F3", "F8", "F25")
DENSE = ("D5", "D8", "D25")
BRANCHES = ("0x", "1x")


def drawn_by_numpy(random, files, depth, segments):
    """As pipelines/loading.py draws: one vector, or nothing."""
    starts = files - depth + 1
    if starts // segments > 0:
        return random.randint(starts // segments, size=segments).tolist()
    if files > max(segments, depth):
        return random.randint(starts, size=segments).tolist()
    return [0] * segments


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("rule", RULES)
def test_snippets_of_parts(golden, branch, rule):
    depth, segments = {"S": 1, "F": 5}[rule[0]], int(rule[1:])
    recorded = np.load(golden / f"mmaction2/sampling/train_{branch}.npz")
    names = [name for name in recorded.files if name.startswith(f"{rule}/n")]
    assert len(names) == 14
    for name in names:
        files, random = int(name.partition("/n")[2]), np.random.RandomState(1234)
        for expected in recorded[name]:
            drawn = drawn_by_numpy(random, files, depth, segments)
            ticks = train_sampling.in_parts(files, depth, segments, drawn)
            found = [(tick - 1 + k) % files for tick in ticks for k in range(depth)]
            assert found == expected.tolist(), name


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("rule", DENSE)
def test_snippets_of_a_window(golden, branch, rule):
    segments = int(rule[1:])
    recorded = np.load(golden / f"mmaction2/sampling/train_{branch}.npz")
    names = [name for name in recorded.files if name.startswith(f"{rule}/n")]
    assert len(names) == 14
    for name in names:
        files, random = int(name.partition("/n")[2]), np.random.RandomState(1234)
        for expected in recorded[name]:
            drawn = [random.randint(files - 64) if files > 64 else 0] * segments
            found = train_sampling.in_window(files, 1, segments, drawn)
            assert [tick - 1 for tick in found] == expected.tolist(), name


def test_snippets_of_tsn_pytorch(golden):
    """Its training draws; where it stops, the first file."""
    recorded = json.loads((golden / "tsn_pytorch/sampling/sampling.json").read_text())
    depth = {"RGB": 1, "Flow": 5, "RGBDiff": 6}
    cases = [case for case in recorded["cases"] if case["mode"] == "train"]
    assert len(cases) == 720
    for case in cases:
        files, segments = case["N"], case["K"]
        drawn = (case["draw"] or {}).get("drawn") or [0] * segments
        found = train_sampling.in_parts_or_first(
            files, depth[case["modality"]], segments, drawn
        )
        assert found == case.get("indices", [1] * segments), case
    assert 0 < sum("crash" in case for case in cases) < 50
