"""Records of extracted frames that somebody else wrote."""

import pytest

from tsn_keras.extraction import provenance


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 60_000,
        b"3",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"source": {}, "parameters": {}, "files": ' + b"9" * 5000 + b"}",
        b'{"source": {}, "parameters": {}, "files": NaN}',
        b'{"source": {}, "parameters": "' + b"x" * 5000 + b'", "files": 3}',
    ],
)
def test_other_records_are_refused(tmp_path, content):
    (tmp_path / provenance.NAME).write_bytes(content)
    with pytest.raises(provenance.RecordError, match="is no record of") as error:
        provenance.read(tmp_path)
    assert len(str(error.value)) < 500
    assert "delete the folder" in str(error.value)


def test_no_record_is_none(tmp_path):
    assert provenance.read(tmp_path) is None
