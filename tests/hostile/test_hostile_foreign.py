"""Thousands of other programs' weight files, and downloads, that are made to hurt."""

import pytest
from hostile_cases import COUNTS, assert_harmless

KINDS = ("safetensors", "TensorFlow.js", "older Keras files", "downloads")


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("count", COUNTS)
def test_files(name, count, monkeypatch, tmp_path, record_property):
    assert_harmless(name, count, monkeypatch, tmp_path, record_property)
