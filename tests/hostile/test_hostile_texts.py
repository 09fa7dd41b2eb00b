"""Thousands of texts, pictures and videos that are made to hurt."""

import pytest
from hostile_cases import COUNTS, assert_harmless

KINDS = (
    *("TOML", "studies", "JSON records", "annotations", "lists", "JPEGs", "videos"),
    "frames of videos",
    *("JSON annotations", "CSV annotations"),
)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("count", COUNTS)
def test_files(name, count, monkeypatch, tmp_path, record_property):
    assert_harmless(name, count, monkeypatch, tmp_path, record_property)
