"""JSON files of others: read within limits."""

import pytest

from tsn_keras.common import json_file
from tsn_keras.common.text import TextFileError


def test_huge_json_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text("[" + ",".join(["{}"] * 1000) + "]")
    monkeypatch.setattr(json_file, "_MAX_OBJECTS", 999)
    with pytest.raises(TextFileError, match="more values than any annotation file"):
        json_file.read(path, list)
    monkeypatch.setattr(json_file, "MAX_JSON", 1000)
    with pytest.raises(TextFileError, match="has 3001 bytes; .* at most 1000"):
        json_file.read(path, list)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({}, "expected objects with 'name', of type str"),
        ({"name": 3}, "of type str"),
        ("name", "of type str"),
        ({"name": ""}, "is empty"),
        ({"name": "a\nb"}, "has the character"),
    ],
)
def test_a_field_is_of_its_kind(item, words):
    with pytest.raises(TextFileError, match=f"x.json: .*{words}"):
        json_file.field("x.json", item, "name", str)


def test_whole_numbers_are_floats_and_bools_are_none():
    assert json_file.field("x.json", {"s": 3}, "s", float) == 3
    with pytest.raises(TextFileError, match="of type float"):
        json_file.field("x.json", {"s": True}, "s", float)
