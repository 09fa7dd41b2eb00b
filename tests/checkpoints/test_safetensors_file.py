"""Files of safetensors: what the library writes, by hand, and what is wrong."""

import json
import struct

import numpy as np
import pytest

from tsn_keras.checkpoints import foreign, reading, safetensors_file
from tsn_keras.checkpoints.safetensors_file import SafetensorsError

pytest.importorskip("safetensors")


def written(path, header, data=b""):
    """Writes a file by hand, as the format says: length, JSON, numbers."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def of(kind, shape, begin, end):
    return {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.safetensors"


def test_arrays_of_the_library_come_bit_for_bit(path):
    from safetensors.numpy import save_file

    random = np.random.default_rng(0)
    arrays = {
        "conv1.weight": random.normal(size=(5, 3, 2, 2)).astype("f4"),
        "bn.running_var": random.uniform(size=7).astype("f8"),
        "half": random.normal(size=(2, 3)).astype("f2"),
        "bn.num_batches_tracked": np.array(12345678901),
        "bytes": np.arange(250, dtype="u1"),
        "flags": np.array([True, False, True]),
        "none": np.zeros((0, 4), "f4"),
    }
    save_file(arrays, path, metadata={"format": "pt", "timm": "1.0"})
    found = reading.read(path)
    assert (found.format, found.layout) == ("safetensors", foreign.TORCH)
    assert found.meta == {"format": "pt", "timm": "1.0"}
    assert found.arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found.arrays[name].dtype == array.dtype
        assert found.arrays[name].shape == array.shape
        np.testing.assert_array_equal(found.arrays[name], array)


def test_bfloat16_is_the_upper_half_of_a_float32(path):
    values = np.array([1.0, -2.5, 3.0e38, 2.0**-130, 0.0, np.inf], "f4")
    upper = (values.view("u4") >> 16).astype("u2")
    header = {"a": of("F32", [1], 0, 4), "b": of("BF16", [3, 2], 4, 16)}
    data = np.float32(7).tobytes() + upper.tobytes()
    found = safetensors_file.read(written(path, header, data)).arrays
    assert found["b"].dtype == np.float32
    expected = (upper.astype("u4") << 16).view("f4").reshape(3, 2)
    np.testing.assert_array_equal(found["b"], expected)
    # Values of few digits are whole.
    assert found["b"].ravel()[:2].tolist() == [1.0, -2.5]
    assert found["a"].tolist() == [7.0]


def test_a_file_of_another_name_is_known_by_its_content(path):
    data = np.arange(2, dtype="f4").tobytes()
    written(path, {"a.weight": of("F32", [2], 0, 8)}, data)
    other = path.rename(path.with_name("model.bin"))
    assert reading.read(other).arrays["a.weight"].tolist() == [0.0, 1.0]
    for name, data in (("x.caffemodel", b"\x0a\x03net{" * 9), ("y.pth", b"{" * 8)):
        (path.parent / name).write_bytes(data)
        assert not safetensors_file.is_one(path.parent / name)


ONE = {"a": of("F32", [2], 0, 8)}
EIGHT = bytes(8)


@pytest.mark.parametrize(
    ("header", "data", "words"),
    [
        ({}, b"", "it holds 0 tensors"),
        (ONE, bytes(4), "is not a usable file of safetensors"),
        (ONE, bytes(9), "is not a usable file of safetensors"),
        ({"a": of("F32", [3], 0, 8)}, EIGHT, "not a usable"),
        ({"a": of("F32", [2**62, 4], 0, 8)}, EIGHT, "overflow"),
        ({"a": of("F32", [1] * 20, 0, 4)}, bytes(4), r"a has shape \(1, 1, 1"),
        ({"a": of("F8_E4M3", [8], 0, 8)}, EIGHT, "a holds numbers of type F8_E4M3"),
        ({"a": of("F99", [2], 0, 8)}, EIGHT, "not a usable"),
        ({"a": of("F32", [2], 8, 16)}, bytes(16), "not a usable"),
        ({**ONE, "b": of("F32", [2], 4, 12)}, bytes(12), "not a usable"),
        ({**ONE, "b": of("F32", [2], 0, 8)}, EIGHT, "not a usable"),
        ({"a": of("F32", [-2], 0, 8)}, EIGHT, "not a usable"),
        (b"[" * 100_000, b"", "not a usable"),
        (b'{"a":' * 100_000, b"", "not a usable"),
        (b"\xff\xfe{}", b"", "not a usable"),
    ],
)
def test_what_is_no_such_file_is_one_clear_error(path, header, data, words):
    written(path, header, data)
    with pytest.raises(SafetensorsError, match=words) as caught:
        safetensors_file.read(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("length", [1000, 2**23 + 1, 2**40, 2**63, 2**64 - 1])
def test_a_header_longer_than_the_file_takes_no_memory(path, length):
    path.write_bytes(struct.pack("<Q", length) + b"{" + bytes(100))
    with pytest.raises(SafetensorsError, match=f"should have {length} bytes"):
        safetensors_file.read(path)


def test_too_many_tensors(path, monkeypatch):
    monkeypatch.setattr(safetensors_file, "_MAX_TENSORS", 1)
    header = {"a": of("F32", [1], 0, 4), "b": of("F32", [1], 4, 8)}
    with pytest.raises(SafetensorsError, match="it holds 2 tensors"):
        safetensors_file.read(written(path, header, EIGHT))


def test_missing_file_and_short_file(path):
    with pytest.raises(FileNotFoundError):
        reading.read(path)
    path.write_bytes(b"{}")
    with pytest.raises(SafetensorsError):
        reading.read(path)
