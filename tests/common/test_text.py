"""Text files that users make."""

import os

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
    ],
)
def test_faults_of_names(tmp_path, content, words):
    path = tmp_path / "names.txt"
    path.write_bytes(content)
    with pytest.raises(TextFileError, match=f"names.txt.* {words}|{words}"):
        text.names(path)
    with pytest.raises(TextFileError, match="cannot read .*: "):
        text.names(tmp_path / "absent")


BREAKS = ("\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_files_of_any_editor(tmp_path, mark, end):
    path = tmp_path / "names.txt"
    path.write_bytes(mark + end.join((b"1 clap", b"", b"\t2 brush hair ", b"")))
    assert list(text.lines(path)) == [(1, "1 clap"), (3, "2 brush hair")]
    assert text.names(path) == ("clap", "brush hair")


@pytest.mark.parametrize("character", [*BREAKS, "\0", "\x1b", "\ufeff", "\x9b"])
def test_names_that_would_break_a_list(tmp_path, character):
    """They are no two names, no shorter ones, and nothing that acts."""
    path = tmp_path / "names.txt"
    for name in (f"a{character}b", f"a{character}", f"{character}b"):
        path.write_text(f"x\n{name}\n", encoding="utf-8")
        with pytest.raises(TextFileError, match=r"names.txt:2: .* has the character"):
            text.names(path)
        assert text.fault(name) == f"has the character {character!r} in its name"


def test_names_that_may_be():
    for name in ("a b", "é", "\u3000", "a\u200db", "日本", "a'\"\\`#"):
        assert text.fault(name) is None
    for name in (" a", "a ", " "):
        assert text.fault(name) == "has a name that begins or ends with a space"
    assert "'\\udcff'" in text.fault("a\udcff")


def test_a_tab_in_a_name(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("1\tclap\n2\twave\n")
    assert text.names(path) == ("clap", "wave")
    path.write_text("clap\thands\n")
    with pytest.raises(TextFileError, match=r"names.txt:1: .* has the character '\\t'"):
        text.names(path)


def test_sizes(tmp_path, monkeypatch):
    path = tmp_path / "names.txt"
    path.write_text("a\n" * 10)
    monkeypatch.setattr(text, "MAX_LINES", 9)
    with pytest.raises(TextFileError, match="has more than 9 lines"):
        list(text.lines(path))
    path.write_text("\n".join(map(str, range(9))))
    monkeypatch.setattr(text, "MAX_CLASSES", 8)
    with pytest.raises(TextFileError, match="names more than 8 classes"):
        text.names(path)
    path.write_text("x" * 8193)
    with pytest.raises(TextFileError, match=":1 has 8193 characters; .* at most 8192"):
        text.names(path)
    # Not a byte of it is read, and none is on the disk.
    os.truncate(path, 2**40)
    with pytest.raises(TextFileError, match=f"{2**40} bytes; .* at most {2**27}"):
        text.names(path)


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", type(tmp_path)("/dev/zero")):
        with pytest.raises(TextFileError, match="is no regular file"):
            text.names(path)
    with pytest.raises(TextFileError, match="cannot read .*: Is a directory"):
        text.names(tmp_path)


def test_long_numbers_before_names(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text(f"{'1' * 5000} clap\n")
    assert text.names(path) == (f"{'1' * 5000} clap",)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a b 1 2", ["a b", "1", "2"]),
        ("a\u3000b \t 1\t2", ["a\u3000b", "1", "2"]),
        ("a 1", ["a", "1"]),
        ("a", ["a"]),
    ],
)
def test_words(line, expected):
    assert text.words(line, 2) == expected
