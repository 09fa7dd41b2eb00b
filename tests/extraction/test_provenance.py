"""The record beside a video's files, whatever stands in it."""

import json
import os

import pytest

from tsn_keras.extraction import provenance
from tsn_keras.extraction.settings import Settings
from tsn_keras.flow.settings import FlowSettings

WHOLE = {"source": {"name": "a.avi", "bytes": 1}, "parameters": {}, "files": 3}


def test_records_of_any_editor(tmp_path):
    assert provenance.read(tmp_path) is None
    text = json.dumps(WHOLE, indent=1).replace("\n", "\r\n").encode()
    for data in (text, b"\xef\xbb\xbf" + text, text.replace(b"\n", b"")):
        (tmp_path / provenance.NAME).write_bytes(data)
        assert provenance.read(tmp_path) == WHOLE


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("[" * 60_000, "it is nested too deeply"),
        ('{"a":' * 12_000, "it is nested too deeply"),
        ('{"files": ' + "1" * 5000 + "}", "it holds a number of 5000 digits"),
        ('{"files": NaN}', "it holds NaN"),
        ("[]", "it is not a JSON object"),
        ("{}", "its source is None"),
        (json.dumps({**WHOLE, "files": True}), "its files is True"),
        (json.dumps({**WHOLE, "source": ["x" * 9000]}), "its source is ['xxx"),
        (" " * 70_000, "has 70000 bytes; such a file has at most 65536"),
        (b"\xff\xfe", "is not a text file"),
    ],
)
def test_what_is_no_record(tmp_path, data, words):
    data = data if isinstance(data, bytes) else data.encode()
    (tmp_path / provenance.NAME).write_bytes(data)
    with pytest.raises(provenance.RecordError) as error:
        provenance.read(tmp_path)
    assert words in str(error.value)
    assert "is no record of extracted frames" in str(error.value)
    assert len(str(error.value)) < 600


def test_a_record_that_is_a_pipe(tmp_path):
    os.mkfifo(tmp_path / provenance.NAME)
    with pytest.raises(provenance.RecordError, match="is no regular file"):
        provenance.read(tmp_path)


def test_long_values_of_a_foreign_record(tmp_path):
    source = tmp_path / "a.avi"
    source.write_bytes(b"x")
    settings = Settings(flow=None)
    parameters = {**provenance.parameters(settings), "size": "x" * 60_000}
    told = provenance.difference({**WHOLE, "parameters": parameters}, source, settings)
    assert told == f"size: there {'x' * 100}, now [340, 256]"
    parameters = {**provenance.parameters(settings), "y" * 60_000: 1}
    told = provenance.difference({**WHOLE, "parameters": parameters}, source, settings)
    assert told == f"{'y' * 100}: there 1, now None"
    record = {"source": {"name": "x" * 60_000}, "parameters": {}}
    record["parameters"] = provenance.parameters(settings)
    assert len(provenance.difference(record, source, settings)) < 200


def test_older_records_are_of_a_bound_and_forward(tmp_path):
    source = tmp_path / "a.avi"
    source.write_bytes(b"x")
    older = provenance.parameters(Settings())
    for name in ("flow_coding", "backward", "implementation"):
        del older[name]
    record = {**WHOLE, "parameters": older}
    assert provenance.difference(record, source, Settings()) is None
    for settings, words in [
        (FlowSettings(bound=None), "flow_coding: there bound, now range"),
        (FlowSettings(backward=True), "backward: there False, now True"),
        (FlowSettings(bound=15), "bound: there 20, now 15"),
    ]:
        assert provenance.difference(record, source, Settings(settings)) == words
