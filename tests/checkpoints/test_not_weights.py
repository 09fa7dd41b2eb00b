"""Web pages and pointers in the place of weights, under each name of weights."""

import caffe_writer
import pytest
import small_network

import tsn_keras
from tsn_keras.checkpoints import caffemodel, not_weights, reading, tfjs
from tsn_keras.common.errors import InputError

POINTER = b"""version https://git-lfs.github.com/spec/v1
oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
size 97781283
"""
AGAIN = "is no weight file, but a web page, .*: download the file again$"
PULL = "is no weight file, but a pointer of Git LFS .* `git lfs pull`$"
SUFFIXES = (
    *(".caffemodel", ".pth", ".pt", ".pth.tar", ".safetensors", ".weights.h5"),
    *(".h5", ".json", ".bin", ""),
)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<!DOCTYPE html>\n<html><body>Quota exceeded</body></html>", AGAIN),
        (b"\r\n\t <html lang=en>" + b"<p>" * 1000, AGAIN),
        (b"\xef\xbb\xbf<HTML>", AGAIN),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", AGAIN),
        (POINTER, PULL),
        (POINTER.replace(b"\n", b"\r\n"), PULL),
    ],
)
def test_pages_and_pointers_are_named(tmp_path, suffix, data, words):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(data)
    with pytest.raises(InputError, match=words) as caught:
        tsn_keras.load(path)
    assert str(caught.value).startswith(f"{path} is no")


def test_genuine_files_are_not_taken_for_one(tmp_path):
    network = small_network.model()
    for write in small_network.FORMATS.values():
        not_weights.refuse(write(network, tmp_path))
    # A network of a name of 60 letters begins like a page.
    path = tmp_path / "page.caffemodel"
    network = caffe_writer.field(1, b"html>".ljust(60, b"x"))
    layer = caffe_writer.layer("a", caffe_writer.blob([1], (1,)))
    path.write_bytes(network + layer)
    assert path.read_bytes().startswith(b"\n<html>")
    not_weights.refuse(path)
    assert caffemodel.read(path).keys() == {"a"}


@pytest.mark.parametrize(
    ("data", "words"),
    [(POINTER, "is a pointer of Git LFS .* `git lfs pull`"), (b"<html>", "a web page")],
)
def test_shards_are_named(tmp_path, data, words):
    path = small_network.FORMATS["TensorFlow.js"](small_network.model(), tmp_path)
    (tmp_path / "group1-shard2of2.bin").write_bytes(data)
    with pytest.raises(tfjs.TfjsError, match=f"shard2of2.bin.*{words}"):
        reading.read(path)
