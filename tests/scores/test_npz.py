"""The original's score files: every writer's, and no code of strangers."""

import io
import os
import pathlib
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tsn_keras.scores import npz, score_file

GOLDEN = pathlib.Path(__file__).parents[1] / "golden/scores_py2.npz"
LABELS = [3, 0, 4]


def array(index, dtype=np.float32):
    return np.arange(200, dtype=dtype).reshape(4, 10, 5) + 1000 * index


def pairs(arrays=None, labels=LABELS):
    arrays = arrays or [array(i) for i in range(3)]
    out = np.empty((len(labels), 2), dtype=object)
    for i, label in enumerate(labels):
        out[i] = arrays[i], label
    return out


def archive(path, pickled, labels=LABELS, shape=(3, 2), compress=zipfile.ZIP_STORED):
    """An .npz with any bytes for the pickle of `scores`."""
    with zipfile.ZipFile(path, "w", compress) as file:
        body = io.BytesIO()
        np.save(body, np.asarray(labels))
        file.writestr("labels.npy", body.getvalue())
        body = io.BytesIO()
        header = {"descr": "|O", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(body, header)
        file.writestr("scores.npy", body.getvalue() + pickled)
    return path


def assert_is_golden(path):
    labels, arrays = npz.read(path)
    assert labels.tolist() == LABELS
    assert len(arrays) == 3
    for index, found in enumerate(arrays):
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, array(index))


def test_file_of_python_2():
    assert_is_golden(GOLDEN)


def test_file_of_this_numpy(tmp_path):
    np.savez(tmp_path / "a.npz", scores=pairs(), labels=LABELS)
    assert_is_golden(tmp_path / "a.npz")
    np.savez_compressed(tmp_path / "b.npz", scores=pairs(), labels=LABELS)
    assert_is_golden(tmp_path / "b.npz")


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("core", [b"core", b"_core"])
def test_every_protocol_and_numpy(tmp_path, protocol, core):
    data = pickle.dumps(pairs(), protocol)
    if protocol < 4:  # there names are lines; later they have lengths
        data = data.replace(b"numpy.core.", b"numpy." + core + b".")
    assert_is_golden(archive(tmp_path / "a.npz", data))


@pytest.mark.parametrize(
    "change",
    [
        lambda a: np.asfortranarray(a),
        lambda a: a.astype(">f4"),
        lambda a: a.astype("f8"),
    ],
)
def test_orders_and_types_of_arrays(tmp_path, change):
    arrays = [change(array(i)) for i in range(3)]
    labels = [np.int64(3), np.int32(0), np.array(4)]
    np.savez(tmp_path / "a.npz", scores=pairs(arrays, labels), labels=LABELS)
    assert_is_golden(tmp_path / "a.npz")


def test_outer_array_in_fortran_order(tmp_path):
    outer = np.asfortranarray(pairs())
    assert_is_golden(archive(tmp_path / "a.npz", pickle.dumps(outer, 2)))


class _Hostile:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_code_is_refused_and_not_run(tmp_path, protocol):
    trace = tmp_path / "trace"
    out = pairs()
    out[1, 0] = _Hostile(os.system, f"touch {trace}")
    for index, data in enumerate(
        (pickle.dumps(out, protocol), pickle.dumps(out[1, 0], protocol))
    ):
        path = archive(tmp_path / f"{index}.npz", data)
        with pytest.raises(npz.NpzError, match="its pickle (names|has an instruction)"):
            npz.read(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    "pickled",
    [
        b"(S'touch trace'\nios\nsystem\n.",  # INST
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.",
        b"cnumpy\nndarray\n)\x81.",  # NEWOBJ
        b"cnumpy\nndarray\n)R.",
        b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01tb.",
        b"P1\n.",  # PERSID
        b"]" * 100,
        b".",
        b"",
        b"t.",
        b"0.",
    ],
)
def test_other_pickles_are_refused(tmp_path, pickled):
    with pytest.raises(npz.NpzError):
        npz.read(archive(tmp_path / "a.npz", pickled))


@pytest.mark.parametrize(
    ("out", "labels", "words"),
    [
        (pairs(labels=[3, 0, 1]), LABELS, "video 2 has label 1, `labels` 4"),
        (pairs(), [3, 0], r"shape \(3, 2\), not \(2, 2\)"),
        (pairs(labels=[3, 0, 5]), [3, 0, 5], "outside 0 to 4"),
        (pairs([array(0), array(1)[..., :4], array(2)]), LABELS, "video 1 have shape"),
        (pairs([array(0) + np.inf, array(1), array(2)]), LABELS, "not finite"),
        (pairs([3, array(1), array(2)]), LABELS, "video 0 has no array"),
        (np.array([["a", 1]], dtype=object), [1], "video 0 has no array"),
    ],
)
def test_impossible_contents_are_named(tmp_path, out, labels, words):
    np.savez(tmp_path / "a.npz", scores=out, labels=labels)
    with pytest.raises(npz.NpzError, match=words):
        npz.read(tmp_path / "a.npz")


def _laughs(value, fold=10, depth=30):
    """Tuples of tuples: a few bytes in a pickle, 10^30 items for who walks."""
    for _ in range(depth):
        value = (value,) * fold
    return value


def _of_itself():
    found = []
    found.append(found)
    return found


@pytest.mark.parametrize("label", [_laughs(1), _of_itself(), (1,), [0], "3", 2**80])
def test_labels_of_other_types(tmp_path, label):
    out = pairs()
    out[0, 1] = label
    path = archive(tmp_path / "a.npz", pickle.dumps(out, 2))
    with pytest.raises(npz.NpzError, match="video 0 has label none, `labels` 3"):
        npz.read(path)


def _state(shape):
    """An array whose pickle gives it another shape."""
    made = np.core.multiarray._reconstruct, (np.ndarray, (0,), b"b")

    class Array:
        def __reduce__(self):
            return (*made, (1, shape, np.dtype(object), False, [1, 2]))

    return pickle.dumps(Array(), 2)


@pytest.mark.parametrize("shape", [_laughs(3), (_laughs(3), 2), [3, 2], "32", None])
def test_shapes_of_other_types(tmp_path, shape):
    path = archive(tmp_path / "a.npz", _state(shape))
    with pytest.raises(npz.NpzError, match=r"`scores` has shape none, not \(3, 2\)"):
        npz.read(path)


def test_arrays_that_share_their_bytes_are_no_larger_than_the_file(tmp_path):
    """As float32 each would have its own: 1,000 times as much."""
    out = pairs([array(0)] * 1000, [0] * 1000)
    data = pickle.dumps(out, 2)
    assert len(data) < 50_000
    path = archive(tmp_path / "a.npz", data, [0] * 1000, (1000, 2))
    with pytest.raises(npz.NpzError, match="its arrays are larger than the file"):
        npz.read(path)


def test_pickles_of_too_many_instructions_end(tmp_path):
    path = archive(tmp_path / "a.npz", b"]" * 2_000_000)
    with pytest.raises(npz.NpzError, match="too many instructions"):
        npz.read(path)


def test_directories_may_lie(tmp_path):
    path = archive(tmp_path / "a.npz", b"\0" * 10**7, compress=zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\1\2") + 20
    data[at : at + 4] = (2**31).to_bytes(4, "little")  # bytes that it takes
    path.write_bytes(data)
    with pytest.raises(npz.NpzError, match="would unpack to 100"):
        npz.read(path)
    archive(path, b"\0" * 1000, compress=zipfile.ZIP_BZIP2)
    with pytest.raises(npz.NpzError, match="in a way that NumPy does not use"):
        npz.read(path)
    with zipfile.ZipFile(path, "w") as file:
        for k in range(3000):
            file.writestr(f"{k}.npy", b"")
    with pytest.raises(npz.NpzError, match="its directory is too large"):
        npz.read(path)


def test_other_files_are_named(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(b"text")
    with pytest.raises(npz.NpzError, match=r"a\.npz"):
        npz.read(path)
    np.savez(path, other=np.zeros(3))
    with pytest.raises(npz.NpzError, match=r"no labels\.npy"):
        npz.read(path)
    np.savez(path, scores=np.zeros((3, 2)), labels=LABELS)
    with pytest.raises(npz.NpzError, match="not of objects"):
        npz.read(path)
    archive(path, b"\0" * 10_000_000, compress=zipfile.ZIP_DEFLATED)
    with pytest.raises(npz.NpzError, match="would unpack to 100"):
        npz.read(path)
    with pytest.raises(FileNotFoundError):
        npz.read(tmp_path / "absent.npz")


VALID = pickle.dumps(pairs([array(i)[:1, :1] for i in range(3)]), 2)


# pickletools' own complaint about odd escapes in text.
@pytest.mark.filterwarnings("ignore:invalid escape:DeprecationWarning")
@settings(
    max_examples=1500,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), max_size=5
    ),
    cut=st.integers(0, len(VALID)),
    extra=st.binary(max_size=8),
)
def test_fuzz(tmp_path, edits, cut, extra):
    data = bytearray(VALID)
    for position, value in edits:
        data[position] = value
    data[cut:cut] = extra
    try:
        labels, arrays = npz.read(archive(tmp_path / "a.npz", bytes(data)))
    except npz.NpzError:
        return
    assert len(labels) == len(arrays) == 3


def test_export_is_what_the_original_reads(tmp_path):
    """Read back as tools/eval_scores.py does, which unpickles."""
    rows = [(f"v{i}", label, 30, array(i)) for i, label in enumerate(LABELS)]
    path = tmp_path / "a.h5"
    score_file.write(path, rows, classes="abcde", about={}, failed={})
    with score_file.ScoreFile(path) as file:
        npz.write(file, tmp_path / "a.npz")
    found = np.load(tmp_path / "a.npz", allow_pickle=True)
    assert found["labels"].tolist() == LABELS
    assert found["scores"].shape == (3, 2)
    for index, (values, label) in enumerate(found["scores"]):
        np.testing.assert_array_equal(values, array(index))
        assert label == LABELS[index]
    assert_is_golden(tmp_path / "a.npz")
