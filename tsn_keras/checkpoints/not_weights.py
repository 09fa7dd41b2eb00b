"""What often lies in a weight file's place: a server's web page, a Git LFS pointer."""

from tsn_keras.common.errors import InputError

_HEAD = 512  # bytes; a pointer has some 130
_POINTER = b"version https://git-lfs.github.com/spec/"
_PAGES = (b"<!doctype", b"<html", b"<head", b"<?xml")
_MARK = b"\xef\xbb\xbf"  # a byte-order mark
_SPACES = b"\t\n\f\r"


def what(head: bytes) -> str | None:
    """What a file is instead of weights, and the way out; None: perhaps weights.

    Args:
        head: its first bytes.

    Example:
        >>> what(b"<!DOCTYPE html><title>404</title>")
        'a web page, perhaps of a failed download: download the file again'
    """
    head = head[:_HEAD]
    # No format of weights is a text, but a caffemodel may begin like a line of one.
    if any(byte < ord(" ") and byte not in _SPACES for byte in head):
        return None
    text = head.removeprefix(_MARK).lstrip().lower()
    if text.startswith(_POINTER):
        return "a pointer of Git LFS to the file: fetch that with `git lfs pull`"
    if text.startswith(_PAGES):
        return "a web page, perhaps of a failed download: download the file again"
    return None


def refuse(path):
    """Refuses a file that is such a page or pointer, whatever it is called.

    Raises:
        InputError: it is one; the text says what to do.
        OSError: it is missing or cannot be read.
    """
    with open(path, "rb") as file:
        found = what(file.read(_HEAD))
    if found is not None:
        raise InputError(f"{path} is no weight file, but {found}")
