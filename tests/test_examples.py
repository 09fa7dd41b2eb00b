"""The examples in docstrings, as they are printed."""

import dataclasses
import doctest
import importlib
import pathlib

import pytest

from tsn_keras.datasets import demo
from tsn_keras.datasets.catalogue import DATASETS

PACKAGE = pathlib.Path(__file__).parents[1] / "tsn_keras"
MODULES = [
    ".".join(("tsn_keras", *path.relative_to(PACKAGE).with_suffix("").parts))
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text()
]


def test_records_have_examples():
    assert {"tsn_keras.protocols.modalities", "tsn_keras.models.records"} <= {*MODULES}


@pytest.fixture
def few_demo_videos(monkeypatch):
    """The demo data set with 17 videos: drawing all of them takes minutes."""
    split = demo.split()
    few = dataclasses.replace(split, train=split.train[::24], test=split.test[:1])
    record = dataclasses.replace(DATASETS["demo"], read=lambda *_: few)
    monkeypatch.setitem(DATASETS, "demo", record)


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.usefixtures("few_demo_videos")
def test_examples(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted >= 1
    assert found.failed == 0
