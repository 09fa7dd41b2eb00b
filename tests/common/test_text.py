"""Text files that users make."""

import pytest

from tsn_keras.common import text
from tsn_keras.common.text import TextFileError


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"clap\nbrush hair\n", ("clap", "brush hair")),
        # With a byte-order mark and Windows line ends.
        (b"\xef\xbb\xbfclap\r\n\r\nbrush hair", ("clap", "brush hair")),
        (b"1 clap\r\n2 brush hair\r\n", ("clap", "brush hair")),
        # Numbers that do not count from 1 belong to the names.
        (b"2 clap\n1 wave\n", ("2 clap", "1 wave")),
        (b"1 clap\n2\n", ("1 clap", "2")),
        # Old line ends, and what only looks like one.
        (b"clap\rbrush hair\r", ("clap", "brush hair")),
        ("a\u3000b\nc".encode(), ("a\u3000b", "c")),
        (b"9" * 5000 + b" clap\n", ("9" * 5000 + " clap",)),
    ],
)
def test_names(tmp_path, content, expected):
    path = tmp_path / "names.txt"
    path.write_bytes(content)
    assert text.names(path) == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\n \n", "names no class"),
        (b"a\nb\na\n", "names a twice"),
        (b"1 a\n2 a\n", "names a twice"),
        (b"\xff\xfe", "is not a text file"),
        (b"a\nb\x0bc\n", r":2: there is a control character in 'b.x0bc'"),
        (b"a\n\x1b[31mb\n", r":2: there is a control character in '.x1b"),
        (b"a\0b", ":1: there is a control character"),
        ("a\x85b".encode(), ":1: there is a control character"),
        ("a\u2028b".encode(), ":1: there is a control character"),
    ],
)
def test_faults_of_names(tmp_path, content, words):
    path = tmp_path / "names.txt"
    path.write_bytes(content)
    with pytest.raises(TextFileError, match=f"names.txt.* {words}|{words}"):
        text.names(path)
    with pytest.raises(TextFileError, match="cannot read .*: "):
        text.names(tmp_path / "absent")
