"""Thousands of files of scores and weights that are made to hurt."""

import pytest
from hostile_cases import COUNTS, assert_harmless

KINDS = (
    "score files",
    ".npz",
    "journals",
    "weight files",
    "checkpoints",
    "caffemodels",
    "torch files",
    ".mat",
    "ranges of flow",
)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("count", COUNTS)
def test_files(name, count, monkeypatch, tmp_path, record_property):
    assert_harmless(name, count, monkeypatch, tmp_path, record_property)
