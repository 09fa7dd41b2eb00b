"""The examples in docstrings, as they are printed."""

import doctest
import importlib
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).parents[1] / "tsn_keras"
MODULES = [
    ".".join(("tsn_keras", *path.relative_to(PACKAGE).with_suffix("").parts))
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text()
]


def test_records_have_examples():
    assert {"tsn_keras.protocols.modalities", "tsn_keras.models.records"} <= {*MODULES}


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted >= 1
    assert found.failed == 0
