"""The table of tsn_keras/protocols/README.md says what the records say."""

import protocol_table


def test_table_is_of_the_records():
    """Written by `python tests/support/protocol_table.py`."""
    written = protocol_table.README.read_text().splitlines()
    expected = protocol_table.lines()
    for label, line in expected.items():
        assert line in written, f"the row {label!r} should be {line}"
    table = [line for line in written if line.startswith("|")]
    assert len(set(table)) == len(table)
    for line in table:
        assert line.count("|") == 2 + len(protocol_table.COLUMNS), line


def test_the_script_changes_nothing(monkeypatch, tmp_path):
    copy = tmp_path / "README.md"
    copy.write_text(protocol_table.README.read_text())
    monkeypatch.setattr(protocol_table, "README", copy)
    protocol_table.main()
    before = copy.read_text()
    label = "frames are resized to"
    old = protocol_table.lines()[label]
    assert old in before
    copy.write_text(before.replace(old, f"| {label} | wrong |"))
    protocol_table.main()
    assert copy.read_text() == before
