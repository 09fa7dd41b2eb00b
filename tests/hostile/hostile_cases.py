"""What the tests of the kinds share; see test_hostile_arrays and test_hostile_texts."""

import harness
import kinds
import pytest
from small_network import SMALL

from tsn_keras.common import inspection
from tsn_keras.models.backbones import BACKBONES

# A few with every run; the rest takes a minute, and all take five.
COUNTS = (
    50,
    pytest.param(1000, marks=pytest.mark.slow),
    pytest.param(10_000, marks=pytest.mark.hostile),
)


def assert_harmless(name, count, monkeypatch, folder, record_property):
    """Makes and reads files of a kind."""
    monkeypatch.setitem(BACKBONES, SMALL.name, SMALL)
    # Files that make the library loop take all of it, and thousands are read.
    monkeypatch.setattr(inspection, "SECONDS", 0.3)
    # A helper that runs already has the other limit.
    monkeypatch.setattr(inspection, "_HELPER", inspection._Helper())
    try:
        found = harness.run(kinds.every()[name](), count, "1", folder)
    finally:
        inspection._HELPER.close()
    record_property("hostile", found.as_json())
    assert not found.faults, "\n".join(found.faults)
    assert found.files == count + 1
    # Neither are all files good ones, nor is everything refused.
    assert found.outcomes["result"]
    assert found.outcomes["error"] > count / 10
