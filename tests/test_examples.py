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
    """The demo data set with five videos: drawing all of them takes minutes."""
    classes = demo.CLASSES[:4]
    few = demo.split(classes, {"train": 1, "test": 1})
    few = dataclasses.replace(few, test=few.test[:1])
    record = DATASETS["demo"]
    record = dataclasses.replace(record, read=lambda *_: few, classes=classes)
    monkeypatch.setitem(DATASETS, "demo", record)


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.usefixtures("few_demo_videos")
def test_examples(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted >= 1
    assert found.failed == 0
